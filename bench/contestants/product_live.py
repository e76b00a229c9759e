"""Claw Groups: swarm-4000 on PostgreSQL, live: over until the last of 100 browsers has the last event, in order.

A process records (as a gateway does), another one serves the browsers (our Daphne), hints go through Redis.
"""

from __future__ import annotations

import asyncio
import os
import time

from bench.crew import Crew, gathered, installed, recorded
from bench.crowd import Listeners, percentiles
from bench.site import Site, site
from bench.swarm import WORKERS, Graph, arguments, begun, drive, graph, tell

BROWSERS = 100


def main() -> None:
    told = arguments(__doc__)
    os.environ["REDIS_URL"] = os.environ["BENCH_REDIS"]
    installed(told.database)
    from clawgroups import commit  # noqa: PLC0415  (Django is set up first)

    plan = graph(told.steps, told.seed)
    crew = gathered(min(WORKERS, len(plan.waves[0])))
    with site() as server:
        figures = asyncio.run(_live(plan, crew, server))
    commit.drain()
    tell(steps=plan.steps, **figures)


async def _live(plan: Graph, crew: Crew, server: Site) -> dict[str, float]:
    from clawgroups.models import Workspace  # noqa: PLC0415
    from clawgroups.services.perform import read_async  # noqa: PLC0415

    head = (await read_async(Workspace.objects.get, pk=crew.workspace_id)).head
    until = head + plan.steps
    where = server.journal(crew.workspace_id, head)
    browsers = Listeners(*where, "--count", str(BROWSERS), "--until", str(until), after=head)
    await browsers.start()
    finished: dict[str, float] = {}

    async def record(step: int, worker: int) -> None:
        at = time.perf_counter()
        finished[str(await recorded(crew.workers[worker], step))] = at

    before, started = server.cpu(), begun()
    recording = await drive(plan, record, len(crew.workers))
    await browsers.reach(until)
    seconds, cpu = time.perf_counter() - started, server.cpu() - before
    arrivals = {name.split()[1]: at for name, at in (await browsers.end()).items()}
    assert arrivals.keys() == finished.keys(), "events were lost"
    late = [arrivals[step] - at for step, at in finished.items()]
    return {
        "seconds": seconds,
        "recording": recording,
        "server_cpu": cpu,
        "delivered": float(plan.steps * BROWSERS),
        **percentiles(late),
    }


if __name__ == "__main__":
    main()
