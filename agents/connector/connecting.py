"""`clawgroups connect URL -- COMMAND...`: the command a person copies to let an agent join."""

from __future__ import annotations

import argparse
import asyncio
import os
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

from agents import heap
from agents.connector import menu, picking, record, route, service, several, tools, wire, workplace
from agents.connector.asking import Terminal
from agents.connector.bridge import Bridge, Settings
from agents.connector.child import ProcessChild
from agents.connector.console import Console
from agents.connector.enrolling import Door, code_of
from agents.connector.exits import Wrong
from agents.connector.keys import KeyFile, state_dir
from agents.connector.owning import owner_of, policy_file
from agents.connector.picking import Wanted
from agents.connector.policy import CHOICES
from agents.connector.remembered import Remembered, entry_of

_GRACE = 3.0
_EXAMPLE = "clawgroups connect https://host --code abcd-efgh-jkmn-pqrs -- kimi acp"


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb `connect`."""
    connect = verbs.add_parser(
        "connect",
        help="start an ACP agent and connect it",
        usage="clawgroups connect URL [options] [--agent A ... | -- COMMAND...]\n       clawgroups connect [URL] --all",
        epilog=f"Example: {_EXAMPLE}. The key is remembered, so the code is needed once.",
    )
    connect.add_argument("url", nargs="?", help="address of the server, e.g. https://host")
    key = connect.add_mutually_exclusive_group()
    key.add_argument("--code", metavar="C", help="the code of a copied line: good for one machine and for an hour")
    key.add_argument("--key-file", type=Path, metavar="F", help="file with the agent's key")
    key.add_argument("--key", metavar="K", help="the key itself; others on this machine can see it, so prefer "
                     "the environment variable CLAWGROUPS_KEY")  # fmt: skip
    connect.add_argument("--name", default="", metavar="N", help="what to call this agent here; keeps keys apart")
    workplace.add_options(connect)
    connect.add_argument(
        "--allow", choices=CHOICES, default="ask", help="what the agent may do without asking the team (default: ask)"
    )
    connect.add_argument("--policy", type=Path, metavar="FILE", help="the owner's rules; see `clawgroups policy`")
    connect.add_argument(
        "--mcp", choices=tools.CHOICES, default="auto",
        help="how the agent gets the workspace's tools: over http, by a program (stdio), or as it announces (auto)",
    )  # fmt: skip
    connect.add_argument("--restart", action="store_true", help="start the agent again whenever it ends")
    route.add(connect)
    service.offer(connect)
    picking.add(connect)
    connect.set_defaults(run=run)


def run(options: argparse.Namespace, command: list[str], console: Console) -> int:
    """Start the agent, or several, and carry their messages until the end; the exit code. Raises Wrong."""
    heap.give_back()
    try:
        return _run(options, command, console)
    finally:
        # The usual folder was made for work; where none came (a wrong address, say), it goes again.
        with suppress(OSError, Wrong):
            _usual_root().rmdir()


def _run(options: argparse.Namespace, command: list[str], console: Console) -> int:
    wanted = picking.pick(options, command) if options.code is None else _let_in(options, command, console)
    if picking.at_a_terminal():
        _ask_for_codes(wanted, console)
    if options.service:
        return _serve(wanted, console)
    if len(wanted) == 1:
        wanted[0].check()
    if len(wanted) > 1:
        return asyncio.run(several.carry(wanted, bridge_of, console))
    return asyncio.run(connect(wanted[0].options, wanted[0].command, console))


def _usual_root() -> Path:
    return state_dir() / "work"


def _let_in(options: argparse.Namespace, command: list[str], console: Console) -> list[Wanted]:
    """Come in by the code, which is good once: what was named can be started, and its owner's folder and rules can be
    used. Raises Wrong.
    """
    if options.all:
        raise Wrong("a code lets one new agent in; start the others with --all afterwards")
    code_of(options.code)
    if command or options.agents or not options.url:
        for one in picking.pick(options, command):
            one.check()
    address, scale = address_of(options), clock_scale()
    workplace.chosen(options, _usual_root(), lambda _: None)
    policy_file(options.policy)
    warn(address, console)
    enrolled = Door(address, KeyFile(), console.say, scale).enrol(options.code, options.name)
    options.key, options.name = enrolled.key, options.name or enrolled.handle
    return picking.pick(options, command, proposed=enrolled.launcher)


def _ask_for_codes(wanted: list[Wanted], console: Console) -> None:
    """Let in, by a code that somebody types, whoever has no key here yet. Raises Wrong."""
    keys, scale = KeyFile(), clock_scale()
    for one in wanted:
        address = address_of(one.options)
        given = one.options.key_file or one.options.key or os.environ.get("CLAWGROUPS_KEY")
        if one.problem or given or keys.find(address, one.options.name):
            continue
        if code := menu.code_for(one.label):
            warn(address, console)
            Door(address, keys, console.say, scale).enrol(code, one.options.name)


def _serve(wanted: list[Wanted], console: Console) -> int:
    """Set a service up for each. Raises Wrong."""
    for one in wanted:
        one.check()
        key = find_key(one.options, address_of(one.options), KeyFile())
        service.install(one.options, one.command, key, console)
    return 0


def address_of(options: argparse.Namespace) -> str:
    """The address of the server's socket, and from now on the way to it that the options name. Raises Wrong."""
    try:
        address = wire.socket_address(options.url)
    except wire.BadAddress as problem:
        raise Wrong(str(problem)) from None
    route.trust(options.ca)
    route.proxy(address)
    return address


def warn(address: str, console: Console) -> None:
    """Say so where what is sent can be read on the way."""
    if address.startswith("ws://") and not wire.is_local(address):
        console.say("this address is not encrypted (http): the key and all work can be read on the way")


def find_key(options: argparse.Namespace, address: str, keys: KeyFile) -> str:
    """The key from the command line, a file, the environment, or the last time. Raises Wrong."""
    if options.key_file is not None:
        try:
            key = str(options.key_file.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as problem:
            raise Wrong(f"the key file cannot be read: {problem}") from None
    else:
        key = str(options.key or os.environ.get("CLAWGROUPS_KEY") or keys.find(address, options.name) or "")
    key = key.strip()
    if not key:
        raise Wrong(f"no key given, and none remembered for this server. For example: {_EXAMPLE}")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise Wrong("that is not a key; copy it from the agent's page")
    return key


def clock_scale() -> float:
    """How much slower than usual all waiting times run; tests make them shorter. Raises Wrong."""
    try:
        scale = float(os.environ.get("CLAWGROUPS_CLOCK_SCALE") or 1)
    except ValueError:
        scale = 0.0
    if not 0 < scale <= 1000:
        raise Wrong("CLAWGROUPS_CLOCK_SCALE must be a number above 0")
    return scale


async def connect(options: argparse.Namespace, command: list[str], console: Console) -> int:
    """Carry one agent until the end; the exit code of the program. Raises Wrong."""
    bridge = await bridge_of(options, command, console)
    with several.stopping(lambda: [bridge], console.say) as received:
        code = await bridge.run()
    return several.exit_code([code], received)


@cache
def _terminal(console: Console) -> Terminal | None:
    # One for all agents of the program: they ask in turn.
    return Terminal.found(console.say)


async def bridge_of(options: argparse.Namespace, command: list[str], console: Console) -> Bridge:
    """What carries one agent, not begun yet. Raises Wrong."""
    address, keys, scale = address_of(options), KeyFile(), clock_scale()
    place = workplace.chosen(options, _usual_root(), console.say)
    key = find_key(options, address, keys)
    if options.code is None:
        warn(address, console)

    def remember() -> None:
        with suppress(OSError):
            keys.remember(address, options.name, key)
            Remembered().remember(entry_of(options, command))

    def forget() -> None:
        with suppress(OSError):
            keys.drop(address, key)
            Remembered().forget(options.name, options.url)

    names = (options.name, options.launcher, Path(command[0]).name)
    owner = owner_of(options.policy, options.allow, names, _terminal(console), scale=scale)
    settings = Settings(
        url=options.url,
        key=key,
        root=place.root,
        name=options.name,
        owner=owner,
        restart=options.restart,
        scale=scale,
        repository=place.repository,
        patterns=place.patterns,
        mcp=options.mcp,
    )
    kept = record.keep(options.url, key, console, name=options.name, program=Path(command[0]).name, root=settings.root)
    start = partial(ProcessChild.start, command, env=options.environment, grace=_GRACE * scale, on_stderr=kept.write)
    return Bridge(settings, start, say=kept.say, noise=kept.noise, on_connected=remember, on_retired=forget, watch=kept)
