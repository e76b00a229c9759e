"""Why there is no connection, in one plain sentence that says what to do."""

from __future__ import annotations

import errno
import re
import socket
import ssl
import urllib.error
import urllib.parse
from dataclasses import dataclass

from websockets.exceptions import InvalidProxyStatus, ProxyError

from agents.connector import route

_PORTS = {"ws": 80, "http": 80, "wss": 443, "https": 443}
_UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN})
# How `http.client` says that a proxy does not let us through.
_TUNNEL = re.compile(r"^Tunnel connection failed: (\d+)")
# OpenSSL's numbers of what is wrong with a certificate.
_EXPIRED, _NOT_YET, _OTHER_NAME, _OTHER_ADDRESS = 10, 9, 62, 64
NOT_OURS = "check that this is the address of a Claw Groups server"


@dataclass(frozen=True)
class Fault:
    """What is wrong. `elsewhere`: something has answered, and it is not the server that was meant."""

    text: str
    elsewhere: bool = False


def place(url: str) -> str:
    """Host and port of an address."""
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    return f"{f'[{host}]' if ':' in host else host}:{parts.port or _PORTS.get(parts.scheme, 0)}"


def explain(problem: BaseException, url: str) -> Fault:
    """The sentence for what an attempt to reach `url` raised."""
    if isinstance(problem, urllib.error.URLError) and isinstance(problem.reason, BaseException):
        problem = problem.reason
    host = urllib.parse.urlsplit(url).hostname or ""
    if isinstance(problem, ssl.SSLError):
        return _of_tls(problem, url, host)
    via = route.proxy(url)
    if isinstance(problem, InvalidProxyStatus):
        return Fault(_refused_by_proxy(problem.response.status_code, via or "", host))
    if isinstance(problem, ProxyError):
        return Fault(f"the proxy {route.shown(via or '')} does not work: check HTTPS_PROXY")
    if (refused := _TUNNEL.search(str(problem))) and via:
        return Fault(_refused_by_proxy(int(refused[1]), via, host))
    text = _of_network(problem, via or url)
    return Fault(f"{text} (the proxy of {host}; see HTTPS_PROXY and NO_PROXY)" if via else text)


def answered(status: int, location: str | None = None) -> Fault:
    """The sentence for an answer that no Claw Groups server gives, or only for a moment."""
    if location is not None and 300 <= status < 400:
        return Fault(f"the server has moved; connect to the address it names instead: {location}", True)
    passing = status >= 500 or status in (408, 425, 429)
    return Fault(f"the server answered {status}{'' if passing else f': {NOT_OURS}'}", not passing)


def _refused_by_proxy(status: int, via: str, host: str) -> str:
    wanted = "put name and password into HTTPS_PROXY" if status == 407 else f"ask for {host} to be let through"
    return f"the proxy {route.shown(via)} answered {status}: {wanted}, or set NO_PROXY to {host}"


def _of_tls(problem: ssl.SSLError, url: str, host: str) -> Fault:
    if isinstance(problem, ssl.SSLCertVerificationError):
        return Fault(_of_certificate(problem, host), True)
    if isinstance(problem, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return Fault(f"{place(url)} broke off in the middle of the greeting")
    if problem.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return Fault(f"{place(url)} does not speak https: check the port, or write http:// for one of your own", True)
    return Fault(f"no secure connection to {place(url)} is possible: {problem.reason or problem}", True)


def _of_certificate(problem: ssl.SSLCertVerificationError, host: str) -> str:
    known = {
        _EXPIRED: "has expired: whoever runs the server must renew it, unless this machine's clock is wrong",
        _NOT_YET: "is not valid yet: check this machine's clock",
        _OTHER_NAME: "is for another name: use the name that the server's owner gave you",
        _OTHER_ADDRESS: "is for another name: use the name that the server's owner gave you",
    }
    why = str(problem.verify_message).strip() or "unknown authority"
    said = known.get(
        problem.verify_code,
        f"is not trusted here ({why}): if you know whose it is, save its authority as a file and add --ca FILE",
    )
    return f"the certificate of {host} {said}"


def _of_network(problem: BaseException, url: str) -> str:
    host, said = urllib.parse.urlsplit(url).hostname or "", str(problem)
    if isinstance(problem, socket.gaierror):
        if problem.errno == socket.EAI_AGAIN:
            return f"the name {host} cannot be looked up now: check that this machine is online"
        return f"there is no machine named {host}: check the address, and that this machine is online"
    # One address of several may be refused by words only.
    if isinstance(problem, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in said:
        return f"nothing listens at {place(url)}: check that the server runs and that the port is right"
    if isinstance(problem, TimeoutError):
        return f"{place(url)} does not answer: check the address, and that no firewall is in between"
    if isinstance(problem, OSError) and problem.errno in _UNREACHABLE:
        return f"there is no way to {host}: check that this machine is online"
    return f"no connection to {place(url)} ({said or type(problem).__name__})"
