"""Runs the built-in agents in one process, each over a link of its own, through the connector that everybody uses."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

from acp import Agent, run_agent

from agents.builtin.roster import SPECS, make
from agents.connector.bridge import Bridge, Settings
from agents.connector.inprocess import InProcessChild
from agents.connector.wire import BadAddress

_SCALE = "CLAWGROUPS_CLOCK_SCALE"
_FAILED = 1


class BadConfig(Exception):
    """The configuration cannot be used; the text says what to change."""


@dataclass(frozen=True)
class Config:
    """Which agents to run, each with its key, for which server, and where their folders are made."""

    url: str
    keys: Mapping[str, str] = field(repr=False)
    root: Path


def read_config(file: Path) -> Config:
    """Read {"url", "agents": {name: {"key"}}, "dir"}; raises `BadConfig`."""
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadConfig(f"{file} cannot be read: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("url"), str):
        raise BadConfig(f'{file} has no "url"')
    agents = content.get("agents")
    if not isinstance(agents, dict) or not agents:
        raise BadConfig(f'{file} names no "agents"')
    root = content.get("dir")
    folder = Path(root) if isinstance(root, str) and root else file.parent / "agents"
    return Config(content["url"], {name: _key(file, name, entry) for name, entry in agents.items()}, folder.absolute())


def _key(file: Path, name: str, entry: Any) -> str:
    if name not in SPECS:
        raise BadConfig(f"{file} names the agent {name!r}; there are {', '.join(SPECS)}")
    key = entry.get("key") if isinstance(entry, dict) else None
    if not isinstance(key, str) or not key.strip():
        raise BadConfig(f"{file} has no key for the agent {name!r}")
    return key.strip()


async def run_one(name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak ACP as that agent over two streams until the input ends."""
    await run_agent(_agent(name), writer, reader, use_unstable_protocol=True)


async def run_stdio(name: str) -> None:
    """Speak ACP as that agent over standard input and output until the input ends."""
    if any(stat.S_ISREG(os.fstat(stream).st_mode) for stream in (0, 1)):
        raise BadConfig("standard input and output must be pipes or a terminal, not files")
    await run_agent(_agent(name), use_unstable_protocol=True)


def _agent(name: str) -> Agent:
    # The SDK's protocol names methods that an agent may leave out; it looks for each and answers -32601 for the rest.
    return cast("Agent", make(name))


def bridges(config: Config, say: Callable[[str], None], scale: float = 1.0) -> dict[str, Bridge]:
    """One bridge an agent; each starts its agent in this process. Raises `BadConfig` for an impossible address."""
    made: dict[str, Bridge] = {}
    for name, key in config.keys.items():
        settings = Settings(config.url, key, config.root / name, name, restart=True, scale=scale)
        start = partial(InProcessChild.start, partial(run_one, name), grace=2.0)
        try:
            made[name] = Bridge(settings, start, say=partial(_say_as, say, name))
        except BadAddress as error:
            raise BadConfig(str(error)) from error
    return made


def _say_as(say: Callable[[str], None], name: str, text: str) -> None:
    say(f"{name}: {text}")


async def serve(config: Config, say: Callable[[str], None], scale: float = 1.0) -> int:
    """Run every agent until all have ended or a signal asks for the end; an agent that fails leaves the others be."""
    made = bridges(config, say, scale)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, _stop_all, list(made.values()))
    codes = await asyncio.gather(*(_carry(name, bridge, say) for name, bridge in made.items()))
    return next((code for code in codes if code), 0)


def _stop_all(made: list[Bridge]) -> None:
    for bridge in made:
        bridge.stop()


async def _carry(name: str, bridge: Bridge, say: Callable[[str], None]) -> int:
    try:
        return await bridge.run()
    except Exception as error:  # noqa: BLE001 - one agent's failure must not end its neighbours
        say(f"{name}: ended by an error: {error!r}")
        return _FAILED


def scale_from_environment() -> float:
    """How much slower than usual all waiting times run; tests make them shorter. Raises `BadConfig`."""
    try:
        scale = float(os.environ.get(_SCALE) or 1)
    except ValueError:
        scale = 0.0
    if not 0 < scale <= 1000:
        raise BadConfig(f"{_SCALE} must be a number above 0")
    return scale


def warn_if_open(file: Path, say: Callable[[str], None]) -> None:
    """Say so when others on this machine can read the keys."""
    if sys.platform != "win32" and file.stat().st_mode & 0o077:
        say(f"{file} holds keys and can be read by others on this machine; give it the mode 0600")
