"""`clawgroups swarm URL --sessions 300`: sub-agents on a model of one's own, connected like any other agent."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from acp import Agent, run_agent

from agents.connector import connecting, route, several, workplace
from agents.connector.bridge import Bridge, Settings
from agents.connector.console import Console
from agents.connector.enrolling import Door
from agents.connector.exits import Wrong
from agents.connector.inprocess import InProcessChild
from agents.connector.keys import KeyFile, state_dir
from agents.protocol.card import MOST_SESSIONS
from agents.swarm.agent import SwarmAgent
from agents.swarm.engine import Engine
from agents.swarm.limits import Limits
from agents.swarm.model import from_environment, from_file
from agents.swarm.tally import Tally

NAME = "swarm"
# Files and tools of the workspace are waited for in threads as well.
_BESIDE = 64
_GRACE = 5.0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    limits = Limits()
    top = argparse.ArgumentParser(
        prog="clawgroups swarm",
        description="Sub-agents on a model: one agent of the workspace that works on up to 300 tasks at once.",
        epilog="The model is the coordinator's: CLAWGROUPS_COORDINATOR_URL, _PROVIDER, _MODEL, _API_KEY and _MODE.",
    )
    top.add_argument("url", nargs="?", help="address of the server; on its own machine nothing has to be said")
    key = top.add_mutually_exclusive_group()
    key.add_argument("--code", metavar="C", help="the code of a copied line: good for one machine and for an hour")
    key.add_argument("--key-file", type=Path, metavar="F", help="file with the agent's key")
    top.add_argument("--name", default=NAME, metavar="N", help="what to call this agent here; keeps keys apart")
    top.add_argument("--sessions", type=_count, default=MOST_SESSIONS, help="sub-agents at once (default: %(default)s)")
    top.add_argument("--at-once", type=_count, metavar="N", help="calls of the model at once (default: as --sessions)")
    top.add_argument("--model", type=Path, metavar="FILE", help="a file of JSON that names the model")
    top.add_argument("--window", type=int, default=limits.window, help="tokens of its window (default: %(default)s)")
    top.add_argument("--steps", type=int, default=limits.steps, help="steps of one turn at most (default: %(default)s)")
    top.add_argument("--tokens", type=int, default=limits.tokens, help="tokens of one turn (default: %(default)s)")
    top.add_argument("--minutes", type=float, default=limits.seconds / 60, help="of one turn (default: %(default)g)")
    top.add_argument("--report", type=Path, metavar="FILE", help="write a line of JSON there for each turn that ends")
    top.add_argument("--dir", type=Path, metavar="ROOT", help="where the work folders are made")
    route.add(top)
    return top


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MOST_SESSIONS:
        raise argparse.ArgumentTypeError(f"it is a number from 1 to {MOST_SESSIONS}")
    return number


def run(arguments: Sequence[str], console: Console) -> int:
    """Carry the sub-agents until the end; the exit code. Raises Wrong."""
    options = parser().parse_args(arguments)
    options.key = None
    if not options.url:
        _become_the_installation_s(options.sessions, arguments)
    return asyncio.run(_carry(options, console))


def _become_the_installation_s(sessions: int, arguments: Sequence[str]) -> None:
    """On the server's own machine, its command knows the address, the key and the model. Raises Wrong elsewhere."""
    root = Path(__file__).resolve().parents[2]
    manage = root / "manage.py"
    if not manage.exists():
        raise Wrong("say which server to connect to, e.g. clawgroups swarm https://host --code abcd-efgh-jkmn-pqrs")
    os.chdir(root)
    os.execv(sys.executable, [sys.executable, str(manage), NAME, "--sessions", str(sessions), "--", *arguments])  # noqa: S606


async def _carry(options: argparse.Namespace, console: Console) -> int:
    asyncio.get_running_loop().set_default_executor(
        ThreadPoolExecutor(options.sessions + _BESIDE, thread_name_prefix="sub-agent")
    )
    bridge = bridge_of(options, console)
    with several.stopping(lambda: [bridge], console.say) as received:
        code = await bridge.run()
    return several.exit_code([code], received)


def bridge_of(options: argparse.Namespace, console: Console) -> Bridge:
    """What carries them, not begun yet. Raises Wrong."""
    engine = engine_of(options)
    address, keys, scale = connecting.address_of(options), KeyFile(), connecting.clock_scale()
    options.repo, options.ignore = None, []
    place = workplace.chosen(options, state_dir() / "work", console.say)
    connecting.warn(address, console)
    if options.code is not None:
        key = Door(address, keys, console.say, scale).enrol(options.code, options.name).key
    else:
        key = connecting.find_key(options, address, keys)

    def remember() -> None:
        if options.key_file is None:
            with suppress(OSError):
                keys.remember(address, options.name, key)

    settings = Settings(options.url, key, place.root, options.name, restart=True, scale=scale, patterns=place.patterns)
    start = partial(InProcessChild.start, partial(speak, engine), grace=_GRACE * scale)
    console.say(f"up to {engine.sessions} sub-agents on {engine.endpoint.model} at {engine.endpoint.url}")
    return Bridge(settings, start, say=console.say, on_connected=remember)


def engine_of(options: argparse.Namespace) -> Engine:
    """What all of them share, as the options say. Raises Wrong."""
    chosen = from_file(options.model) if options.model is not None else from_environment(os.environ)
    limits = replace(
        Limits(), steps=options.steps, tokens=options.tokens, seconds=60 * options.minutes, window=options.window
    )
    at_once = min(options.at_once or options.sessions, options.sessions)
    tally = Tally(chosen.endpoint.prices, options.report)
    return Engine(chosen.endpoint, limits, chosen.mode, options.sessions, at_once, tally)


async def speak(engine: Engine, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak ACP over two streams until the input ends."""
    # The SDK's protocol names methods that an agent may leave out; it looks for each and answers -32601 for the rest.
    agent: Any = SwarmAgent(engine)
    await run_agent(cast("Agent", agent), writer, reader, use_unstable_protocol=True)
