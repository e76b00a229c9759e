"""Claw Groups: events recorded on PostgreSQL by one process reach all browsers of the web server, our Daphne."""

from __future__ import annotations

import asyncio
import os

from bench.crew import Crew, gathered, installed, recorded
from bench.crowd import Listeners
from bench.fanout import WINDOW, expected, fan_out
from bench.site import Site, site
from bench.swarm import arguments, tell


def main() -> None:
    told = arguments(__doc__)
    os.environ["REDIS_URL"] = os.environ["BENCH_REDIS"]
    installed(told.database)
    from clawgroups import commit  # noqa: PLC0415  (Django is set up first)

    crew = gathered(4 * WINDOW)
    with site() as server:
        before = server.rss_mb()
        figures = asyncio.run(_fan_out(told, crew, server))
        figures["server_rss_mb"], figures["server_grew_mb"] = server.rss_mb(), server.rss_mb() - before
    commit.drain()
    tell(steps=told.steps, **figures)


async def _fan_out(told, crew: Crew, server: Site) -> dict[str, float]:  # type: ignore[no-untyped-def]
    from clawgroups.models import Workspace  # noqa: PLC0415
    from clawgroups.services.perform import read_async  # noqa: PLC0415

    head = (await read_async(Workspace.objects.get, pk=crew.workspace_id)).head
    browsers = Listeners(*server.journal(crew.workspace_id, head), *expected(told, head), after=head)
    await browsers.start()
    idle: asyncio.Queue[int] = asyncio.Queue()
    for number in range(len(crew.workers)):
        idle.put_nowait(number)

    async def emit(number: int) -> str:
        worker = await idle.get()
        try:
            return str(await recorded(crew.workers[worker], number))
        finally:
            idle.put_nowait(worker)

    return await fan_out(told, browsers, emit, head, server.cpu)


if __name__ == "__main__":
    main()
