"""Claw Groups: each step is a tool call of an agent in the middle of its turn, recorded by the service that the
gateway calls: fences of link, session, task and attempt checked, step and journal entry in one durable change.
"""

from __future__ import annotations

import asyncio

from bench.crew import gathered, installed, recorded
from bench.swarm import WORKERS, arguments, drive, graph, tell


def main() -> None:
    told = arguments(__doc__)
    installed(told.database)
    from clawgroups import commit  # noqa: PLC0415  (Django is set up first)
    from clawgroups.models import Entry, Step  # noqa: PLC0415

    plan = graph(told.steps, told.seed)
    crew = gathered(min(WORKERS, len(plan.waves[0])))

    async def record(step: int, worker: int) -> None:
        await recorded(crew.workers[worker], step)

    seconds = asyncio.run(drive(plan, record, len(crew.workers)))
    entries = Entry.objects.filter(workspace_id=crew.workspace_id, type="step.recorded")
    assert entries.count() == plan.steps, entries.count()
    assert Step.objects.filter(status="completed").count() == plan.steps
    commit.drain()
    tell(steps=plan.steps, seconds=seconds)


if __name__ == "__main__":
    main()
