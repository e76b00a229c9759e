"""Claw Groups: each step is a tool call of an agent in the middle of its turn, recorded by the service that the
gateway calls: fences of link, session, task and attempt checked, step and journal entry in one durable change.
"""

from __future__ import annotations

import asyncio

from bench.crew import gathered, installed
from bench.swarm import WORKERS, arguments, drive, graph, tell


def main() -> None:
    told = arguments(__doc__)
    installed(told.database)
    from agents.protocol.updates import ToolCall  # noqa: PLC0415  (Django is set up first)
    from clawgroups import commit  # noqa: PLC0415
    from clawgroups.models import Entry, Step  # noqa: PLC0415
    from clawgroups.services import transcript  # noqa: PLC0415

    plan = graph(told.steps, told.seed)
    crew = gathered(min(WORKERS, len(plan.waves[0])))

    async def record(step: int, worker: int) -> None:
        one = crew.workers[worker]
        call = ToolCall(f"step-{step}", {"title": f"Step {step}", "kind": "execute", "status": "completed"})
        batch = transcript.Batch(one.standing, [call])
        future = transcript.record(
            one.link,
            epoch=one.epoch,
            since=one.received,
            received=one.received + 1,
            batches=[batch],
            actor=one.actor,
        )
        outcome = await commit.outcome(future)
        assert outcome.applied, outcome
        assert batch.after is not None
        one.received, one.standing = one.received + 1, batch.after

    seconds = asyncio.run(drive(plan, record, len(crew.workers)))
    entries = Entry.objects.filter(workspace_id=crew.workspace_id, type="step.recorded")
    assert entries.count() == plan.steps, entries.count()
    assert Step.objects.filter(status="completed").count() == plan.steps
    commit.drain()
    tell(steps=plan.steps, seconds=seconds)


if __name__ == "__main__":
    main()
