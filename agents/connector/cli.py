"""`clawgroups connect URL -- COMMAND...`: the command a person copies to let an agent join."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from agents.connector import __version__, wire
from agents.connector.bridge import EXIT_NOT_STARTED, Bridge, Settings
from agents.connector.child import ProcessChild
from agents.connector.console import Console
from agents.connector.keys import KeyFile, state_dir
from agents.connector.policy import CHOICES

USAGE = 2
_GRACE = 3.0
_EXAMPLE = "CLAWGROUPS_KEY=cg_... clawgroups connect https://host -- kimi acp"


class _Wrong(Exception):
    """The command line cannot be carried out; the text says what to do."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="clawgroups", description="Let an agent join a Claw Groups server.")
    top.add_argument("--version", action="version", version=f"clawgroups {__version__}")
    connect = top.add_subparsers(dest="verb", required=True).add_parser(
        "connect",
        help="start an ACP agent and connect it",
        usage="clawgroups connect URL [options] -- COMMAND...",
        epilog=f"Example: {_EXAMPLE}. The key is remembered after the first connection.",
    )
    connect.add_argument("url", help="address of the server, e.g. https://host")
    key = connect.add_mutually_exclusive_group()
    key.add_argument("--key-file", type=Path, metavar="F", help="file with the agent's key")
    key.add_argument("--key", metavar="K", help="the key itself; others on this machine can see it, so prefer "
                     "the environment variable CLAWGROUPS_KEY")  # fmt: skip
    connect.add_argument("--name", default="", metavar="N", help="what to call this agent here; keeps keys apart")
    connect.add_argument("--dir", type=Path, metavar="ROOT", help="where the agent's work directories are made")
    connect.add_argument(
        "--allow", choices=CHOICES, default="ask", help="what the agent may do without asking the team (default: ask)"
    )
    connect.add_argument("--restart", action="store_true", help="start the agent again whenever it ends")
    return top


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Our arguments, and the agent's command after `--`."""
    arguments = list(arguments)
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def find_key(options: argparse.Namespace, address: str, keys: KeyFile) -> str:
    """The key from the command line, a file, the environment, or the last time. Raises _Wrong."""
    if options.key_file is not None:
        try:
            key = str(options.key_file.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as problem:
            raise _Wrong(f"the key file cannot be read: {problem}") from None
    else:
        key = str(options.key or os.environ.get("CLAWGROUPS_KEY") or keys.find(address, options.name) or "")
    key = key.strip()
    if not key:
        raise _Wrong(f"no key given, and none remembered for this server. For example: {_EXAMPLE}")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise _Wrong("that is not a key; copy it from the agent's page")
    return key


def clock_scale() -> float:
    """How much slower than usual all waiting times run; tests make them shorter. Raises _Wrong."""
    try:
        scale = float(os.environ.get("CLAWGROUPS_CLOCK_SCALE") or 1)
    except ValueError:
        scale = 0.0
    if not 0 < scale <= 1000:
        raise _Wrong("CLAWGROUPS_CLOCK_SCALE must be a number above 0")
    return scale


async def connect(options: argparse.Namespace, command: list[str], console: Console) -> int:
    """Carry until the end; the exit code of the program. Raises _Wrong."""
    try:
        address = wire.socket_address(options.url)
    except wire.BadAddress as problem:
        raise _Wrong(str(problem)) from None
    keys = KeyFile()
    key = find_key(options, address, keys)
    scale = clock_scale()
    if address.startswith("ws://") and not wire.is_local(address):
        console.say("this address is not encrypted (http): the key and all work can be read on the way")

    def remember() -> None:
        with suppress(OSError):
            keys.remember(address, options.name, key)

    settings = Settings(
        url=options.url,
        key=key,
        root=(options.dir or state_dir() / "work").expanduser().absolute(),
        name=options.name,
        allow=options.allow,
        restart=options.restart,
        scale=scale,
    )
    start = partial(ProcessChild.start, command, grace=_GRACE * scale, on_stderr=console.write)
    bridge = Bridge(settings, start, say=console.say, noise=console.noise, on_connected=remember)
    return await _until_signal(bridge, console)


async def _until_signal(bridge: Bridge, console: Console) -> int:
    loop = asyncio.get_running_loop()
    received: list[int] = []

    def stop(number: int) -> None:
        received.append(number)
        console.say("ending the agent")
        bridge.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        # Not on Windows; there Ctrl-C cancels `run`, which ends the agent as well.
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, stop, number)
    code = await bridge.run()
    if received:
        return 128 + received[0]
    return 128 - code if code < 0 else code


def main(arguments: Sequence[str] | None = None) -> int:
    """The program `clawgroups`."""
    ours, command = split(sys.argv[1:] if arguments is None else arguments)
    options = parser().parse_args(ours)
    console = Console(sys.stderr.buffer)
    try:
        if not command:
            raise _Wrong(f"say which agent to start, after two dashes. For example: {_EXAMPLE}")
        if shutil.which(command[0]) is None:
            console.say(f"there is no program {command[0]} on this machine")
            return EXIT_NOT_STARTED
        return asyncio.run(connect(options, command, console))
    except _Wrong as wrong:
        console.say(str(wrong))
        return USAGE
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        console.close()
