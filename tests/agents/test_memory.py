"""The connector stays small beside its agent, whatever the agent has said and however long the server was away."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agents.connector.child import MAX_LINE
from tests.agents.support import FakeServer
from tests.agents.test_cli import AGENT, connector, home

__all__ = ["home"]

LIMIT = 40_000_000
ENVELOPE = 200
"""Bytes of a line that are not its text, and a few more."""


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as running:
        yield running


def memory(pid: int, what: str = "VmRSS") -> int:
    """The bytes of memory that a process has now, or had at most (VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))


async def told(server: FakeServer, name: str, text: str, *more: str) -> None:
    blocks = [{"type": "text", "text": one} for one in (text, *more)]
    await server.send({"id": name, "method": "session/prompt", "params": {"sessionId": "s1", "prompt": blocks}})


async def test_it_is_always_below_forty_megabytes_after_large_lines_many_lines_and_an_outage(
    server: FakeServer,
) -> None:
    async with connector("connect", server.url, "--key", "cg_x", "--", *AGENT) as program:
        pid = program.process.pid
        await server.until(lambda: server.connection)
        print(f"before anything: {memory(pid) / 1e6:.1f} MB")
        large = MAX_LINE - ENVELOPE
        for name, asked in {
            "an update": [f"long {large}"], "an answer": [f"answer {large}"], "a prompt": ["noise", "y" * large]
        }.items():  # fmt: skip
            await told(server, name, *asked)
            await server.until(lambda name=name: server.answers(name))  # type: ignore[misc]
            server.frames[-2].clear()
            print(f"{name} of 16 MiB: {memory(pid) / 1e6:.1f} MB, at most {memory(pid, 'VmHWM') / 1e6:.1f} MB")
        await told(server, "many", "bulk 1000 200")
        await server.until(lambda: server.answers("many"))
        print(f"after a thousand more: {memory(pid) / 1e6:.1f} MB")
        # Nobody reads what it shows to its person.
        await told(server, "talk", "stderr 60000000")
        await server.until(lambda: server.answers("talk"))
        print(f"after 60 MB on the agent's error stream: {memory(pid) / 1e6:.1f} MB")
        server.status = 503
        assert server.connection is not None
        await told(server, "away", f"bulk 60 {1024 * 1024}")
        line = server.connection
        server.connection = None
        line.transport.abort()
        await server.until(lambda: len(server.upgrades) > 2)
        print(f"while the server is away and 60 MiB wait: {memory(pid) / 1e6:.1f} MB")
        server.status = None
        await server.until(lambda: server.answers("away"))
        assert len([frame for frame in server.frames if frame.get("method") == "session/update"]) == 1060
        print(f"in the end: {memory(pid) / 1e6:.1f} MB, at most {memory(pid, 'VmHWM') / 1e6:.1f} MB")
        assert memory(pid, "VmHWM") < LIMIT
        program.process.terminate()
        await program.end()
    gc.collect()
