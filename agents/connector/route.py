"""The way to a server: which certificates are trusted and which proxy is used, for the socket and for files alike."""

from __future__ import annotations

import argparse
import os
import ssl
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from agents.connector.exits import Wrong

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_AS_WEB = {"ws": "http", "wss": "https"}
_context: ssl.SSLContext | None = None
_authorities: Path | None = None


def add(verb: argparse.ArgumentParser) -> None:
    """The option `--ca`."""
    verb.add_argument(
        "--ca", type=Path, metavar="FILE", help="also trust the certificates in this file (PEM), e.g. of a company"
    )


def trust(authorities: Path | None) -> None:
    """Trust what this machine trusts (or SSL_CERT_FILE names), and what is in this file. Raises Wrong.

    Holds for every connection of this program from now on.
    """
    global _context, _authorities
    named = os.environ.get("SSL_CERT_FILE")
    if named and not os.access(named, os.R_OK):
        # OpenSSL would say nothing, and trust nobody.
        raise Wrong(f"SSL_CERT_FILE names {named}, which cannot be read; correct it or unset it")
    _context, _authorities = None, authorities
    if authorities is None:
        return
    made = ssl.create_default_context()
    try:
        made.load_verify_locations(authorities.expanduser())
    except ssl.SSLError:
        raise Wrong(f"there is no certificate in {authorities}; it takes a file with BEGIN CERTIFICATE") from None
    except OSError as problem:
        raise Wrong(f"the certificates in {authorities} cannot be read: {problem.strerror}") from None
    _context = made


def authorities() -> Path | None:
    """The file that is trusted beside what this machine trusts, for programs that we have others start."""
    return None if _authorities is None else _authorities.expanduser().absolute()


def context() -> ssl.SSLContext:
    """What certificates are checked with."""
    # Made when the first is checked: it takes a megabyte, which plain http does not need.
    global _context
    if _context is None:
        _context = ssl.create_default_context()
    return _context


def proxy(url: str) -> str | None:
    """The proxy for an address (HTTPS_PROXY or HTTP_PROXY by its scheme, else ALL_PROXY), unless NO_PROXY names it.

    Raises Wrong for one that cannot be used.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.hostname in LOOPBACK or urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    known = urllib.request.getproxies()
    found = known.get(_AS_WEB.get(parts.scheme, parts.scheme)) or known.get("all")
    if not found:
        return None
    if "://" not in found:
        found = f"http://{found}"
    scheme, rest = found.split("://", 1)
    try:
        host = urllib.parse.urlsplit(found).hostname
    except ValueError:
        host = None
    if scheme != "http" or not host:
        raise Wrong(
            f"the proxy {shown(found)} cannot be used: only http://host:port can. "
            f"Set HTTPS_PROXY to such a one, or NO_PROXY to {parts.hostname}"
        )
    login, at, place = rest.rpartition("@")
    return f"http://{login}{':' if at and ':' not in login else ''}{at}{place.rstrip('/')}"


def shown(address: str) -> str:
    """An address without the name and password that may be in it."""
    scheme, mark, rest = address.rpartition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect could carry a file or a key, or take one from, where nobody agreed to."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def opener(url: str) -> urllib.request.OpenerDirector:
    """What opens web addresses of this server: by its proxy, with our trust, never redirected. Raises Wrong."""
    scheme, via = urllib.parse.urlsplit(url).scheme, proxy(url)
    handlers: list[urllib.request.BaseHandler] = [
        _NoRedirect(),
        urllib.request.ProxyHandler({scheme: via} if via else {}),
    ]
    if scheme == "https":
        handlers.append(urllib.request.HTTPSHandler(context=context()))
    return urllib.request.build_opener(*handlers)
