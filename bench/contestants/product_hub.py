"""Claw Groups' fan-out alone: events handed to the hub of one server, as the floor hands them to its sockets.

What a browser goes through is the product's own: the handshake, the room and its tick, the window and its
acknowledgements. The journal is a list in memory, so that no database is measured. The server is our Daphne, or uvicorn
(`--uvicorn`, on uvloop as `uvicorn[standard]` is) with the same application.
"""

from __future__ import annotations

import asyncio
import os
from argparse import Namespace
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from unittest import mock
from uuid import UUID

import uvicorn
import uvloop

from bench.contestants.broadcast_floor import SIZE
from bench.crew import gathered, installed
from bench.crowd import Listeners
from bench.fanout import expected, fan_out
from bench.site import Site
from bench.swarm import arguments, cpu_of, tell
from tests.run.servers import free_port

KIND = "step.recorded"

Drive = Callable[[int], Awaitable[None]]
"""What is done with a server that listens on this port."""


class Journal:
    """A workspace's journal in memory, read as `clawgroups.journal` is."""

    def __init__(self, workspace_id: UUID, head: Any) -> None:
        self.workspace_id, self.head = workspace_id, head
        self._first = head.seq
        self._entries: list[Any] = []

    def append(self, number: int) -> str:
        """One more event of `SIZE` bytes; what it is called in the arrivals."""
        from clawgroups import bus, journal  # noqa: PLC0415  (Django is set up first)
        from clawgroups.models import Entry  # noqa: PLC0415
        from clawgroups.realtime.frames import encode  # noqa: PLC0415

        seq, name = self.head.seq + 1, f"e{number}"
        said = {"workspace_id": self.workspace_id, "generation": self.head.generation, "seq": seq, "type": KIND}
        entry = Entry(at=datetime.now(UTC), actor={}, payload={"step_id": name, "x": ""}, **said)
        entry.payload["x"] = "x" * (SIZE - len(encode(journal.entry_as_json(entry))))
        self._entries.append(entry)
        self.head = journal.Head(self.head.generation, seq)
        bus.hint(self.workspace_id, seq)
        return name

    def head_of(self, _workspace_id: UUID) -> Any:
        return self.head

    def entries_after(self, _workspace_id: UUID, _generation: int, after: int, limit: int) -> list[Any]:
        return self._entries[after - self._first :][:limit]

    def read_on(self, workspace_id: UUID, generation: int, after: int, limit: int) -> tuple[Any, list[Any]]:
        return self.head, self.entries_after(workspace_id, generation, after, limit)


def main() -> None:
    told = arguments(__doc__)
    installed(told.database)
    if not told.uvicorn:
        # The reactor is made with it, before anything else asks for a loop.
        import_module("clawgroups.server.daphne")
    from django.contrib.auth.models import User  # noqa: PLC0415  (Django is set up first)

    from clawgroups import journal  # noqa: PLC0415
    from clawgroups.services import people  # noqa: PLC0415

    workspace_id = gathered(1).workspace_id
    _, token = people.create_token(User.objects.get(username="owner"), name="bench")
    memory = Journal(workspace_id, journal.head_of(workspace_id))

    async def drive(port: int) -> None:
        await _fan_out(told, memory, Site(port, os.getpid(), token))

    reads = {name: getattr(memory, name) for name in ("head_of", "entries_after", "read_on")}
    with mock.patch.multiple(journal, **reads):
        if told.uvicorn:
            uvloop.run(_on_uvicorn(drive))
        else:
            _on_daphne(drive)


def _on_daphne(drive: Drive) -> None:
    """Serve the product as it is run, until it was driven."""
    from clawgroups.asgi import application  # noqa: PLC0415  (Django is set up first)
    from clawgroups.server.daphne import BoundedServer, twisted_loop  # noqa: PLC0415
    from clawgroups.server.limits import Limits  # noqa: PLC0415

    server, port = BoundedServer(application, limits=Limits()), free_port()
    driving: list[asyncio.Future[None]] = []

    async def driven() -> None:
        try:
            await drive(port)
        finally:
            server.leave()

    server.run("127.0.0.1", port, ready=lambda: driving.append(asyncio.ensure_future(driven(), loop=twisted_loop)))
    driving[0].result()


async def _on_uvicorn(drive: Drive) -> None:
    """Serve the product's application with uvicorn, frames left as they are, until it was driven."""
    from clawgroups.asgi import application  # noqa: PLC0415  (Django is set up first)

    # A socket of our own would be one on which asyncio lets small frames wait for acknowledgements (`TCP_NODELAY`).
    port = free_port()
    options: dict[str, Any] = {"log_level": "error", "ws": "websockets-sansio", "ws_per_message_deflate": False}
    server = uvicorn.Server(uvicorn.Config(application, port=port, **options))
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            assert not serving.done(), "the server has ended"
            await asyncio.sleep(0.01)
        await drive(port)
    finally:
        server.should_exit = True
        await serving


async def _fan_out(told: Namespace, memory: Journal, server: Site) -> None:
    from clawgroups.realtime.hub import the_hub  # noqa: PLC0415  (Django is set up first)

    if told.each:
        pace = the_hub().pace
        pace.tick, pace.frame = 0.0, 1
    head = memory.head.seq
    browsers = Listeners(*server.journal(memory.workspace_id, head), *expected(told, head), after=head)
    await browsers.start()

    async def emit(number: int) -> str:
        return memory.append(number)

    before = server.rss_mb()
    figures = await fan_out(told, browsers, emit, head, lambda: cpu_of(os.getpid()))
    tell(steps=told.steps, server_grew_mb=server.rss_mb() - before, **figures)


if __name__ == "__main__":
    main()
