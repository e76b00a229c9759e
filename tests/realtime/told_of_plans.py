"""Stories for `test_verify_action`: plans as proposals: edited, changed while they run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clawgroups.models import Run, Task
from clawgroups.services import plans, replan, replan_asks, tasks
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.model_support import server

PLAN: list[dict[str, Any]] = [
    {"key": "north", "title": "North", "skills": ["data-analysis"]},
    {"key": "south", "title": "South", "skills": ["data-analysis"]},
    {"key": "write", "title": "Write", "skills": ["writing"], "depends_on": ["north", "south"]},
    {"key": "check", "title": "Check", "skills": ["review"], "depends_on": ["write"]},
]
TAIL: list[dict[str, Any]] = [
    {"key": "south", "depends_on": ["east"]},
    {"key": "write", "depends_on": ["south"], "title": "Write it up"},
    {"key": "east", "title": "East"},
]


def edited(team: Team) -> None:
    bob = team.actor("bob")
    run = team.run(PLAN, start=False)
    parts = [{"title": "Coast"}, {"title": "Hills"}]
    perform(plans.split_task, run.pk, key="south", parts=parts, actor=bob)
    perform(plans.remove_task, run.pk, key="check", actor=bob)
    perform(tasks.cancel_task, Task.objects.get(key="write").pk, actor=bob)
    perform(plans.merge_tasks, run.pk, keys=["north", "south"], actor=bob)
    perform(plans.undo_edit, run.pk, actor=bob)


def planned_anew(team: Team) -> None:
    perform(plans.plan_anew, team.run(PLAN, start=False).pk, note="Otherwise", actor=team.actor("bob"))


def _proposed(team: Team, tail: list[dict[str, Any]]) -> Run:
    run = team.run(PLAN)
    north = Task.objects.get(run=run, key="north")
    perform(tasks.assign_task, north.pk, member_id=team.seat("counter").pk, actor=team.actor("ada"))
    perform(replan.propose_replan, run.pk, tasks=tail, rationale="", actor=team.actor("bob"))
    return run


def change_accepted(team: Team) -> None:
    perform(replan.accept_replan, _proposed(team, TAIL).pk, actor=team.actor("bob"))


def change_that_frees_a_task(team: Team) -> None:
    run = _proposed(team, [{"key": "write", "depends_on": []}, {"key": "south", "instructions": "Only the coast"}])
    perform(replan.accept_replan, run.pk, actor=team.actor("bob"))


def change_rejected(team: Team) -> None:
    perform(replan.reject_replan, _proposed(team, TAIL).pk, actor=team.actor("carol"))


def change_asked_for(team: Team) -> None:
    server("K2")
    run = team.run(PLAN)
    perform(replan_asks.ask_replan, run.pk, note="Leave the south out", actor=team.actor("bob"))
    perform(replan.reject_replan, run.pk, actor=team.actor("carol"))


TOLD: list[Callable[[Team], None]] = [
    edited,
    planned_anew,
    change_accepted,
    change_that_frees_a_task,
    change_rejected,
    change_asked_for,
]
