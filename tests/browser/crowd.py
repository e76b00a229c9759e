"""A workspace with hundreds of agents and a run of thousands of tasks in all states, written right into the database.

    python -m tests.browser.crowd --agents 300 --tasks 600          # its last line is JSON: ids and paths
    python manage.py shell -c "from tests.browser.crowd import gather; gather(agents=40, tasks=120)"

Both need the product's environment (CLAWGROUPS_DATA or DATABASE_URL, CLAWGROUPS_SECRET_KEY) and a migrated database,
and may run beside a product that is up: browsers see it at their next load. The first person, `owner`, owns the
workspace; the others (noor, jonas, mei, ruth) are made where they are missing, so that `manage.py login_link noor`
works. In a test:

    claw.manage("shell", "-c", "from tests.browser.crowd import gather; gather(agents=40, tasks=120)")

Nothing of it moves by itself: links are leased and deadlines lie a month ahead, and no turn of the coordinator is
wanted. Once somebody acts in the run (or a bench does), a coordinator that runs takes its turns, and gives the tasks
that are ready to agents that never answer; to look at pages alone, start the web server without a worker.

The journal holds its first four entries only, so the workspace's head stands at 4.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import django

if TYPE_CHECKING:
    from clawgroups.models import Run, Workspace
    from tests.browser.crowd_plan import Planned
    from tests.browser.crowd_team import Team

GOAL = "Know what every branch sold last year, with a report per branch and one for all"


@dataclass(frozen=True)
class Gathered:
    """What was made. `states`: how many tasks are in which state."""

    workspace: UUID
    run: UUID
    states: dict[str, int]

    def paths(self) -> dict[str, str]:
        """Where its pages are."""
        room = f"/w/{self.workspace}/"
        return {"workspace": room, "run": f"{room}runs/{self.run}/"}


def gather(
    agents: int = 300, tasks: int = 600, people: int = 5, seed: int = 1, name: str = "The crowd", goal: str = GOAL
) -> Gathered:
    """Write it, all or nothing. Django is set up."""
    from django.db import transaction  # noqa: PLC0415  (the caller sets Django up first)
    from django.utils import timezone  # noqa: PLC0415

    from agents.ids import new_id  # noqa: PLC0415
    from clawgroups.models import Workspace  # noqa: PLC0415
    from clawgroups.services.people import ensure_first_person  # noqa: PLC0415
    from tests.browser.crowd_plan import planned  # noqa: PLC0415
    from tests.browser.crowd_run import Written  # noqa: PLC0415
    from tests.browser.crowd_team import LEASE, hired  # noqa: PLC0415
    from tests.browser.crowd_words import Speech  # noqa: PLC0415

    now, speech = timezone.now(), Speech(seed)
    with transaction.atomic():
        workspace = Workspace(
            pk=new_id(), name=name, goal="Know the sales", rules="Numbers before words.",
            created_by=ensure_first_person(), created_at=now - timedelta(hours=3),
            # Nobody is really at work: nobody falls silent, or is given up, while somebody looks.
            timers={"soft_stall": LEASE.total_seconds(), "hard_stall": LEASE.total_seconds()},
        )  # fmt: skip
        workspace.save(force_insert=True)
        team = hired(workspace, agents, people, speech, now)
        plan = planned(tasks, min(len(team.free), round(agents * 0.75)), people, speech)
        run = _run(workspace, plan, goal, now)
        run.save(force_insert=True)
        written = Written(team, run, plan, speech, now)
        run.save()
        written.save()
        _journal(workspace, team, run)
    return Gathered(workspace.pk, run.pk, dict(Counter(one.state for one in plan)))


def _run(workspace: Workspace, plan: Sequence[Planned], goal: str, now: datetime) -> Run:
    from agents.ids import new_id  # noqa: PLC0415
    from clawgroups.models import Run  # noqa: PLC0415
    from tests.browser.crowd_run import TERMINAL  # noqa: PLC0415

    done = sum(one.state == "done" for one in plan)
    return Run(
        pk=new_id(), workspace=workspace, goal=goal, state="running", created_by=workspace.created_by,
        created_at=now - timedelta(hours=3), started_at=now - timedelta(hours=2, minutes=55),
        deadline_at=now + timedelta(days=29), planner="built-in", rationale="Branch by branch, then all together.",
        open_tasks=sum(one.state not in TERMINAL for one in plan),
        path_length=max((one.level for one in plan), default=0) + 1, worked_ms=done * 9 * 60_000, retries=done // 13,
    )  # fmt: skip


def _journal(workspace: Workspace, team: Team, run: Run) -> None:
    from clawgroups.core.actors import Actor, ActorKind  # noqa: PLC0415
    from clawgroups.models import Entry  # noqa: PLC0415

    owner = team.people[0]
    actor = Actor(ActorKind.PERSON, owner.name, user_id=owner.user_id).as_json()
    said: list[dict[str, Any]] = [
        {"type": "workspace.created", "name": workspace.name},
        {"type": "member.joined", "member_id": str(owner.pk), "name": owner.name, "role": owner.role,
         "user_id": owner.user_id},
        {"type": "run.drafted", "run_id": str(run.pk), "goal": run.goal},
        {"type": "run.started", "run_id": str(run.pk)},
    ]  # fmt: skip
    entries = [
        Entry(
            workspace=workspace, generation=1, seq=number, at=workspace.created_at, actor=actor,
            type=one.pop("type"), payload=one,
        )
        for number, one in enumerate(said, 1)
    ]  # fmt: skip
    Entry.objects.bulk_create(entries)
    workspace.head = workspace.reacted = len(entries)
    workspace.save(update_fields=["head", "reacted"])


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.crowd", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--agents", type=int, default=300)
    parser.add_argument("--tasks", type=int, default=600)
    parser.add_argument("--people", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="The crowd")
    told = parser.parse_args(given)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clawgroups.settings")
    django.setup()
    made = gather(**vars(told))
    print(json.dumps({"workspace": str(made.workspace), "run": str(made.run), **made.paths(), "states": made.states}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
