"""A snapshot folded with what follows it equals a fresh snapshot, all through the life of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clawgroups.core.events import EVENTS
from clawgroups.core.fold import _STEPS, State, digest, empty, fold
from clawgroups.journal import entry_as_json, snapshot
from clawgroups.models import Entry
from clawgroups.services import finishing, handback, members, review, runs, takeover, tasks, workspaces
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.late_support import adopt, came_late, reassigned

PLAN = [
    {"key": "a", "title": "A", "skills": ["writing"]},
    {"key": "b", "title": "B", "skills": ["writing"], "depends_on": ["a"]},
]


def assigned(team: Team) -> None:
    team.assigned()


def done(team: Team) -> None:
    task = team.working()
    team.finish("scribe", "The end.")
    perform(review.accept_task, task.pk, actor=team.actor("ada"))


def returned(team: Team) -> None:
    task = team.working()
    team.finish("scribe", "The end.")
    perform(review.return_task, task.pk, reasons=["too short"], actor=team.actor("ada"))


def held(team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))


def submitted_by_hand(team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    perform(finishing.submit_held, task.pk, result="Mine", actor=team.actor("bob"))


def handed_back(team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    perform(handback.hand_back, task.pk, note="n", actor=team.actor("bob"))


def released(team: Team) -> None:
    task = team.working()
    perform(tasks.release_task, task.pk, reason="r", epoch=task.epoch, actor=team.actor("ada"))


def chained(team: Team) -> None:
    team.run(PLAN)


def paused(team: Team) -> None:
    run = team.run(PLAN)
    perform(runs.pause_run, run.pk, actor=team.actor("ada"))


def people(team: Team) -> None:
    perform(workspaces.rename_workspace, team.workspace.pk, name="N", actor=team.actor("ada"))
    perform(workspaces.set_goal, team.workspace.pk, goal="G", actor=team.actor("ada"))
    perform(workspaces.set_rules, team.workspace.pk, rules="R", actor=team.actor("ada"))
    perform(members.set_role, team.seat("bob").pk, role="guest", actor=team.actor("ada"))
    perform(members.remove_member, team.seat("gus").pk, actor=team.actor("ada"))


def cancelled(team: Team) -> None:
    task = team.working()
    perform(tasks.cancel_task, task.pk, actor=team.actor("ada"))


def run_cancelled(team: Team) -> None:
    team.working()
    run = team.run(PLAN)
    perform(runs.cancel_run, run.pk, actor=team.actor("ada"))


def late_and_adopted(team: Team) -> None:
    attempt = came_late(team)
    reassigned(team, attempt.task_id)
    adopt(team, attempt)


STORIES: list[Callable[[Team], None]] = [
    assigned, done, returned, held, submitted_by_hand, handed_back, released, chained, paused, people,
    cancelled, run_cancelled, late_and_adopted,
]  # fmt: skip


def said(state: State, folded: State) -> State:
    """The state without tasks that never got beyond waiting: no entry says which run they are of."""
    known = {pk for pk, row in folded["tasks"].items() if row["run"] is not None and row["state"] != "waiting"}
    return {**state, "tasks": {pk: row for pk, row in state["tasks"].items() if pk in known}}


@pytest.mark.django_db
@pytest.mark.parametrize("story", STORIES)
def test_a_snapshot_and_what_follows_equal_a_fresh_snapshot(team: Team, story: Callable[[Team], None]) -> None:
    before = snapshot(team.workspace.pk)
    story(team)
    after = snapshot(team.workspace.pk)
    entries = Entry.objects.filter(workspace=team.workspace, seq__gt=before.head.seq).order_by("seq")
    folded = fold(before.state, [entry_as_json(entry) for entry in entries])
    assert said(folded, folded) == said(after.state, folded)
    assert digest(said(folded, folded)) == digest(said(after.state, folded))


@pytest.mark.django_db
def test_all_entries_from_the_first_on_give_the_snapshot(team: Team) -> None:
    held(team)
    entries = Entry.objects.filter(workspace=team.workspace).order_by("seq")
    folded = fold(empty(), [entry_as_json(entry) for entry in entries])
    fresh: Any = snapshot(team.workspace.pk).state
    # The goal given at the opening is in no entry.
    folded["workspace"]["goal"] = fresh["workspace"]["goal"]
    assert said(folded, folded) == said(fresh, folded)


def test_every_step_is_an_event_of_ours_and_the_state_given_is_left_alone() -> None:
    assert set(_STEPS) <= set(EVENTS)
    state = {**empty(), "runs": {"r": {"goal": "g", "state": "draft", "paused": False}}}
    fold(state, [{"type": "run.started", "payload": {"run_id": "r"}}])
    assert state["runs"]["r"]["state"] == "draft"
