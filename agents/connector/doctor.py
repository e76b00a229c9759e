"""`clawgroups doctor [URL] [-- COMMAND]`: what is wrong, and what to do about it."""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from agents.connector import checks, launchers, record, route, startable, wire
from agents.connector.checks import Finding
from agents.connector.child import ProcessChild
from agents.connector.console import Console
from agents.connector.exits import UNWELL, Wrong
from agents.connector.keys import KeyFile, config_dir, state_dir
from agents.connector.menu import login_words
from agents.connector.programs import NOT_SIGNED_IN, Machine, find
from agents.connector.remembered import Entry, Remembered
from agents.connector.spool import beginning
from agents.protocol import version

PATIENCE = 30.0
"""Seconds that an agent may take for its first answer."""
_GRACE = 2.0
_SHOWN = 200
_WORDS = {True: "ok   ", False: "WRONG", None: "note "}


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb `doctor`."""
    doctor = verbs.add_parser(
        "doctor",
        help="look for what is wrong, and say what to do",
        usage="clawgroups doctor [URL] [options] [-- COMMAND...]",
    )
    doctor.add_argument("url", nargs="?", default="", metavar="URL", help="a server; else those connected to before")
    doctor.add_argument("--name", default="", metavar="N", help="which agent's key is tried, as with `connect`")
    doctor.add_argument("--dir", type=Path, metavar="ROOT", help="the folder for work directories, as with `connect`")
    route.add(doctor)
    doctor.set_defaults(run=run)


def run(options: argparse.Namespace, command: list[str], console: Console) -> int:
    """Look at everything, a line each; 0 when nothing is wrong. Raises Wrong."""
    route.trust(options.ca)
    well = True
    for finding in examine(options, command):
        well = well and finding.ok is not False
        print(f"{_WORDS[finding.ok]}  {finding.what}: {finding.said}", flush=True)
    return 0 if well else UNWELL


def examine(options: argparse.Namespace, command: list[str]) -> Iterator[Finding]:
    """Everything that can be looked at from here."""
    yield from checks.program()
    yield from checks.keys(config_dir() / "keys.json")
    yield from checks.room((options.dir or state_dir() / "work").expanduser().absolute())
    remembered = Remembered().all()
    known = [*(one.url for one in record.known()), *(one.url for one in remembered)]
    urls = [options.url] if options.url else known
    addresses: dict[str, str] = {}
    for url in urls:
        try:
            addresses.setdefault(wire.socket_address(url), url)
        except wire.BadAddress as wrong:
            yield Finding("address", False, str(wrong))
    for address in addresses:
        names = [options.name] if options.name else ["", *(one.name for one in remembered)]
        yield from server(address, names)
    if not urls:
        yield Finding("server", None, "none is known here yet; name one: clawgroups doctor https://host")
    yield from (started(one) for one in remembered)
    if command:
        yield asyncio.run(agent(command))


def server(address: str, names: list[str]) -> Iterator[Finding]:
    """One server (`wire.socket_address`), and the keys for it of agents that go by these names here."""
    kept = KeyFile()
    by_key = {key: name for name in names if (key := kept.find(address, name))}
    findings = checks.way(address, {name: key for key, name in by_key.items()})
    yield from findings
    # Only where plain answers come through: a proxy may let those pass, and stop sockets.
    if any(one.what == "server" and one.ok for one in findings):
        yield asyncio.run(socket(address))


def started(entry: Entry) -> Finding:
    """Whether an agent that was connected before can be started again, and whether its login shows."""
    what, known = f"agent {entry.name or entry.start}", launchers.launcher(entry.launcher)
    try:
        if known is None:
            startable.check(entry.command[0] if entry.command else entry.launcher)
            return Finding(what, True, entry.start)
    except Wrong as wrong:
        return Finding(what, False, str(wrong))
    found = find(known, Machine())
    if not found.installed:
        return Finding(what, False, f"{known.title} is not installed on this machine; install it with: {known.install}")
    ok = None if found.login == NOT_SIGNED_IN else True
    return Finding(what, ok, f"{known.title} {found.version}".rstrip() + f", {login_words(found)}")


async def socket(address: str) -> Finding:
    """Whether WebSockets pass: asked with no agent's key, so that nobody's connection is replaced."""
    told = wire.headers("cg_doctor", "", "")
    try:
        async with asyncio.timeout(checks.TIMEOUT), wire.dial(address, told) as connection:
            await connection.recv()
    except wire.Refused:
        pass
    except (wire.Lost, wire.Replaced, TimeoutError) as lost:
        said = str(lost) or "no answer"
        return Finding("socket", False, f"{said}; if the rest is fine, a proxy in between does not pass WebSockets on")
    return Finding("socket", True, "WebSockets pass")


async def agent(command: list[str]) -> Finding:
    """Whether an agent starts and answers as one that speaks ACP."""
    program, line = command[0], shlex.join(command)
    try:
        startable.check(program)
        child = await ProcessChild.start(command, grace=_GRACE, on_stderr=lambda _: None)
    except Wrong as wrong:
        return Finding("agent", False, str(wrong))
    except OSError as problem:
        return Finding("agent", False, f"{program} cannot be started ({problem.strerror}): start it by hand once")
    noise = b""
    ended = True
    try:
        async with asyncio.timeout(PATIENCE):
            params = {"protocolVersion": version.PROTOCOL_VERSION, "clientCapabilities": {}}
            # One that has ended may still have said why.
            with suppress(ConnectionError):
                await child.write(
                    json.dumps({"jsonrpc": "2.0", "id": 0, "method": version.INITIALIZE, "params": params}).encode()
                )
            async for said in child.lines():
                frame, _ = wire.read(said)
                if frame.get("id") == 0 and "result" in frame:
                    return Finding("agent", True, f"{line} starts and answers")
                noise = noise or beginning(said, _SHOWN)
    except TimeoutError:
        ended = False
    finally:
        code = await child.close()
    return Finding("agent", False, f"{line} {_why(ended, code, noise, child.stderr_tail())}")


def _why(ended: bool, code: int, noise: bytes, last: str) -> str:
    words = noise.decode("utf-8", "replace")[:_SHOWN]
    if ended:
        final = last.strip().rpartition("\n")[2][:_SHOWN] or words
        return f"ends with code {code} before it answers{f' ({final})' if final else ''}: start it by hand to see why"
    if words:
        return f'writes "{words}", which is no ACP message: check its flags (such as acp or --acp)'
    return f"has not answered within {PATIENCE:.0f} s: check that it speaks ACP, and its flags (such as acp or --acp)"
