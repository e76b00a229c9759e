"""What may be wrong between this machine and a server, each looked at by itself."""

from __future__ import annotations

import email.utils
import http.client
import json
import os
import shutil
import socket
import ssl
import stat
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from agents.connector import faults, route, wire
from agents.connector.exits import REFUSED, UNREACHABLE, Wrong

TIMEOUT = 10.0
PROBE = "/api/v1/agents"
"""Tells who asks: 200 to a key, 401 in our own words to none."""
_LIMIT = 64 * 1024
_CLOCK_OFF = 120.0
_SPACE = 1024**3
_EXPIRES = 14 * 24 * 3600
NEW_KEY = "make a new line or key on the agent's page"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `ok` is None where it could not be told."""

    what: str
    ok: bool | None
    said: str


@dataclass(frozen=True)
class Answer:
    """What the server said to a probe. `ours`: in the words of a Claw Groups server."""

    status: int
    ours: bool
    date: float | None
    location: str | None = None


def web(url: str) -> str:
    """The web address of the server that a person types so. Raises `wire.BadAddress`."""
    return wire.web_address(wire.socket_address(url))


def probe(address: str, key: str = "") -> Answer:
    """Ask a server (`web`) something harmless. Raises OSError, Wrong or HTTPException when nobody answers."""
    request = urllib.request.Request(address + PROBE)  # noqa: S310 - http and https only
    if key:
        request.add_unredirected_header("Authorization", f"Bearer {key}")
    try:
        with route.opener(address).open(request, timeout=TIMEOUT) as opened:
            return _read(opened.status, opened.headers, opened.read(_LIMIT))
    except urllib.error.HTTPError as refused:
        with refused:
            return _read(refused.code, refused.headers, refused.read(_LIMIT))


def _read(status: int, headers: Message, body: bytes) -> Answer:
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    ours = isinstance(said, dict) and ("items" in said or isinstance(said.get("code"), str))
    moment = email.utils.parsedate_tz(headers.get("Date", ""))
    return Answer(status, ours, email.utils.mktime_tz(moment) if moment else None, headers.get("Location"))


def take_key(url: str, key: str) -> None:
    """Return when the server knows this key. Raises Wrong with what to do otherwise."""
    try:
        answer = probe(web(url), key)
    except (OSError, http.client.HTTPException) as problem:
        raise Wrong(faults.explain(problem, web(url)).text, UNREACHABLE) from None
    if answer.status in (401, 403) and answer.ours:
        raise Wrong(f"the server refused the key: it is wrong, expired or revoked; {NEW_KEY}", REFUSED)
    if answer.status != 200 or not answer.ours:
        raise Wrong(_not_ours(answer).text, UNREACHABLE)


def _not_ours(answer: Answer) -> faults.Fault:
    if answer.status == 200:
        return faults.Fault(f"it answers, but not as a Claw Groups server: {faults.NOT_OURS}", True)
    return faults.answered(answer.status, answer.location)


def program() -> list[Finding]:
    """What we run on."""
    here = f"{sys.version.split()[0]} ({sys.executable}), {ssl.OPENSSL_VERSION}"
    if sys.version_info < (3, 11):  # noqa: UP036 - the zipapp can be started with any
        return [Finding("Python", False, f"{here}: install Python 3.11 or newer")]
    return [Finding("Python", True, here)]


def keys(path: Path) -> list[Finding]:
    """The file with the keys: whether others can read it."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return [Finding("keys", True, f"none remembered yet ({path})")]
    except OSError as problem:
        return [Finding("keys", False, f"{path} cannot be looked at: {problem.strerror}")]
    if mode & 0o077:
        return [Finding("keys", False, f"{path} can be read by others: chmod 600 {path}")]
    if not os.access(path, os.R_OK | os.W_OK):
        return [Finding("keys", False, f"{path} cannot be read and written by you: chown it to yourself")]
    return [Finding("keys", True, f"{path}, for you alone")]


def room(root: Path) -> list[Finding]:
    """The folder where work directories are made: whether files can be made there, and how many."""
    there = next(one for one in (root, *root.parents) if one.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
        free = shutil.disk_usage(there).free
    except OSError as problem:
        said = f"no file can be made in {there} ({problem.strerror}): choose another with --dir, or make it writable"
        return [Finding("work folder", False, said)]
    if free < _SPACE:
        return [Finding("disk space", False, f"{free // 1024**2} MiB are left at {there}: make room, or choose another "
                        "folder with --dir")]  # fmt: skip
    return [Finding("work folder", True, f"{root}, {free // 1024**3} GiB free")]


def way(url: str, keys: Mapping[str, str]) -> list[Finding]:
    """Each step of the way to a server, up to the first that fails; at its end these keys, by the names of agents."""
    address = web(url)
    found: list[Finding] = []
    try:
        via = route.proxy(address)
    except Wrong as wrong:
        return [Finding("proxy", False, str(wrong))]
    if via:
        found.append(Finding("proxy", True, f"{route.shown(via)} is used for {address}"))
    for step in (_name, _port, *([_certificate] if address.startswith("https:") else [])):
        finding = step(address, via)
        found.append(finding)
        if finding.ok is False:
            return found
    return [*found, *_server(address, keys)]


def _name(address: str, via: str | None) -> Finding:
    # Behind a proxy it is the proxy that looks the server's name up.
    host = urllib.parse.urlsplit(via or address).hostname or ""
    try:
        places = {str(one[4][0]) for one in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError as problem:
        return Finding("name", False, faults.explain(problem, address).text)
    return Finding("name", True, f"{host} is {', '.join(sorted(places))}")


def _port(address: str, via: str | None) -> Finding:
    parts = urllib.parse.urlsplit(via or address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname, port), TIMEOUT):
            return Finding("port", True, f"{faults.place(via or address)} is open")
    except OSError as problem:
        return Finding("port", False, faults.explain(problem, address).text)


def _certificate(address: str, via: str | None) -> Finding:
    if via:
        # Seen with the answer of the server, through the proxy.
        return Finding("certificate", True, "checked through the proxy")
    parts = urllib.parse.urlsplit(address)
    try:
        with (
            socket.create_connection((parts.hostname, parts.port or 443), TIMEOUT) as plain,
            route.context().wrap_socket(plain, server_hostname=parts.hostname) as secure,
        ):
            ends = ssl.cert_time_to_seconds(str((secure.getpeercert() or {}).get("notAfter")))
    except (OSError, ValueError) as problem:
        return Finding("certificate", False, faults.explain(problem, address).text)
    until = time.strftime("%Y-%m-%d", time.localtime(ends))
    if ends - time.time() < _EXPIRES:
        return Finding("certificate", None, f"good until {until} only: whoever runs the server should renew it")
    return Finding("certificate", True, f"trusted, good until {until}")


def _server(address: str, keys: Mapping[str, str]) -> list[Finding]:
    try:
        answer = probe(address)
        if not answer.ours or answer.status not in (200, 401, 403):
            return [Finding("server", False, _not_ours(answer).text)]
        found = [Finding("server", True, f"{address} is a Claw Groups server"), *_clock(answer.date)]
        if not keys:
            return [
                *found,
                Finding("key", None, "none is remembered for this server: copy a line from the agent's page"),
            ]
        return [*found, *(_key(name, probe(address, key)) for name, key in keys.items())]
    except (OSError, http.client.HTTPException) as problem:
        return [Finding("server", False, faults.explain(problem, address).text)]


def _key(name: str, answer: Answer) -> Finding:
    what = f"key of {name}" if name else "key"
    if answer.status == 200:
        return Finding(what, True, "the server takes it")
    if answer.status in (401, 403):
        return Finding(what, False, f"it is wrong, expired or revoked: {NEW_KEY}")
    return Finding(what, None, f"not known: the server answered {answer.status}")


def _clock(date: float | None) -> list[Finding]:
    if date is None:
        return []
    off = time.time() - date
    if abs(off) > _CLOCK_OFF:
        said = f"{abs(off) / 60:.0f} minutes {'ahead of' if off > 0 else 'behind'} the server: set this machine's clock"
        return [Finding("clock", False, said)]
    return [Finding("clock", True, "agrees with the server")]
