"""Addresses that we dial: how one is written, and which of the machines behind it may be reached.

Whoever may name an address that this server then opens could otherwise look around in its network. A name is
resolved once (`gateway.reach`), every address behind it is judged here, and what was judged is what is connected to.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from clawgroups.core.errors import Invalid

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_ADDRESS = 500
_HOST = re.compile(r"[a-z0-9]([a-z0-9_.-]*[a-z0-9])?\.?", re.IGNORECASE)
_PORTS = {"wss": 443, "ws": 80}


@dataclass(frozen=True, slots=True)
class DialAddress:
    """A WebSocket address: `wss://host[:port]/path`."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def encrypted(self) -> bool:
        """Whether it is reached over TLS."""
        return self.scheme == "wss"

    @property
    def origin(self) -> tuple[str, str, int]:
        """Whom a key is for: scheme, host and port."""
        return (self.scheme, self.host, self.port)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def read_address(text: str, *, plain: bool = False) -> DialAddress:
    """The address that `text` writes; `plain` allows `ws`. Raises `Invalid`, saying what to do."""
    text = text.strip()
    if len(text) > MAX_ADDRESS:
        raise _wrong(f"An address has at most {MAX_ADDRESS} characters.")
    parts = _split(text)
    if parts.scheme == "ws" and not plain:
        raise _wrong("Without encryption (ws://) nothing is dialled here. Use wss://, or ask who runs this server.")
    if parts.scheme not in _PORTS:
        raise _wrong("An address is like wss://agent.example.org/acp.")
    if parts.username is not None or parts.password is not None:
        raise _wrong("An address holds no name or key; the key has a field of its own.")
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise _wrong("An address has no “?” or “#” in it; a key has a field of its own.")
    return DialAddress(parts.scheme, _host(parts), _port(parts), parts.path or "/")


def _split(text: str) -> SplitResult:
    if any(mark <= " " or mark in "\\\x7f" for mark in text):
        raise _wrong("An address has no spaces and no backslashes in it.")
    try:
        return urlsplit(text)
    except ValueError:
        raise _wrong("An address is like wss://agent.example.org/acp.") from None


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if ":" in host:
        try:
            if "%" in host:
                raise ValueError  # a zone: it means something on one link only
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise _wrong("What stands in brackets is no IPv6 address.") from None
    try:
        host = host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        host = ""
    if not _HOST.fullmatch(host) or len(host) > 253:
        raise _wrong("The name of the machine in this address is not one, as in wss://agent.example.org/acp.")
    return host


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise _wrong("A port is a number from 1 to 65535.")
    return port or _PORTS[parts.scheme]


def _wrong(said: str) -> Invalid:
    return Invalid(said, field="address")


def _networks(*written: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(one) for one in written)


# Inside some network: dialled only where an administrator allows it.
_PRIVATE = _networks(
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "100.64.0.0/10", "198.18.0.0/15"),
    *("::1/128", "fc00::/7"),
)
# Never, whoever allows what: a machine's keys are handed out there (the metadata services of clouds), or nobody is.
_NEVER = _networks(
    *("169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "fe80::/10", "fd00:ec2::/32", "fd20:ce::/32"),
    *("0.0.0.0/8", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.51.100.0/24", "203.0.113.0/24"),
    *("224.0.0.0/4", "240.0.0.0/4", "2001::/32", "2001:db8::/32", "2002::/16", "3fff::/20"),
)
_REACHABLE = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

PRIVATE = "it leads into a private network ({ip}), which an administrator has to allow"
NEVER = "it leads to {ip}, which is never dialled"


def refusal(ip: str, *, private: bool = False) -> str:
    """Why this machine may not be dialled, "" where it may; `private` allows those inside a network."""
    try:
        address = _meant(ipaddress.ip_address(ip))
    except ValueError:
        return NEVER.format(ip=ip)
    if any(address in network for network in _NEVER if network.version == address.version):
        return NEVER.format(ip=ip)
    if any(address in network for network in _PRIVATE if network.version == address.version):
        return "" if private else PRIVATE.format(ip=ip)
    reachable = address in _REACHABLE if address.version == 6 else not address.is_multicast
    return "" if reachable and address.is_global else NEVER.format(ip=ip)


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
