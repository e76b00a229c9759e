"""A change of a running plan: proposed as a difference, carried out as one change, never over somebody's work."""

from __future__ import annotations

from typing import Any

import pytest

from clawgroups.coordinator.evidence import look
from clawgroups.core.actors import Actor, ActorKind, coordinator_for
from clawgroups.core.errors import Conflict, Forbidden, Invalid
from clawgroups.core.invariants import breaches
from clawgroups.models import Dependency, Run, Task
from clawgroups.services import regenerate, replan, review, runs, tasks
from clawgroups.services.perform import perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db

PLAN: list[dict[str, Any]] = [
    {"key": "north", "title": "North", "skills": ["data-analysis"]},
    {"key": "south", "title": "South", "skills": ["data-analysis"]},
    {"key": "write", "title": "Write", "skills": ["writing"], "depends_on": ["north", "south"]},
    {"key": "check", "title": "Check", "skills": ["review"], "depends_on": ["write"]},
]
TAIL: list[dict[str, Any]] = [
    {"key": "south", "instructions": "Only the coast."},
    {"key": "write", "depends_on": ["north", "south", "east"]},
    {"key": "east", "title": "East", "skills": ["data-analysis"]},
]


@pytest.fixture
def run(team: Team) -> Run:
    """A run in which `north` is in an agent's hands."""
    run = team.run(PLAN)
    perform(tasks.assign_task, task(run, "north").pk, member_id=team.seat("counter").pk, actor=team.actor("ada"))
    return run


def task(run: Run, key: str) -> Task:
    return Task.objects.select_related("attempt").get(run=run, key=key)


def propose(team: Team, run: Run, tail: list[dict[str, Any]] = TAIL, actor: Actor | None = None) -> dict[str, Any]:
    said = actor or team.actor("bob")
    return dict(perform(replan.propose_replan, run.pk, tasks=tail, rationale="The east is missing", actor=said).answer)


def accept(team: Team, run: Run, **how: Any) -> dict[str, Any]:
    return dict(perform(replan.accept_replan, run.pk, actor=team.actor("bob"), **how).answer)


def sound(now: Any) -> None:
    assert [one.sentence for one in breaches(look(), now)] == []


def test_a_change_waits_for_a_person_and_changes_nothing_until_then(team: Team, run: Run) -> None:
    before = list(Task.objects.filter(run=run).order_by("key").values())
    said = propose(team, run, actor=coordinator_for(team.users["ada"].pk))
    assert {name: said[name] for name in ("added", "cancelled", "rewritten")} == {
        "added": 1,
        "cancelled": 1,
        "rewritten": 2,
    }
    run.refresh_from_db()
    assert run.replan["rationale"] == "The east is missing"
    assert run.replan["by"]["kind"] == "coordinator"
    assert list(Task.objects.filter(run=run).order_by("key").values()) == before


def test_an_accepted_change_adds_takes_away_rewrites_and_links(team: Team, run: Run, now: Any) -> None:
    epochs = {key: task(run, key).epoch for key in ("south", "write")}
    accept(team, run, replan=propose(team, run)["replan"])
    run.refresh_from_db()
    assert (run.replan, run.plan_version, run.open_tasks, run.path_length) == ({}, 1, 4, 2)
    south, write, east, check = (task(run, key) for key in ("south", "write", "east", "check"))
    assert (south.state, south.epoch, south.instructions) == ("ready", epochs["south"] + 1, "Only the coast.")
    assert (write.state, write.epoch, write.waiting_on, write.bottom_level) == ("waiting", epochs["write"], 3, 1)
    assert (east.state, east.level, east.bottom_level, east.position) == ("ready", 0, 2, 4)
    assert (check.state, check.epoch) == ("cancelled", 1)
    assert task(run, "north").state == "assigned"
    assert set(Dependency.objects.filter(task=write).values_list("parent__key", flat=True)) == {
        "north",
        "south",
        "east",
    }
    sound(now)
    finish(team, run)


def finish(team: Team, run: Run) -> None:
    """Every task of the changed plan is done, and the run ends with the last."""
    team.send("counter")
    team.answer("counter", {"sessionId": "acp-n"})
    team.send("counter")
    team.finish("counter", "North is done.")
    perform(review.accept_task, task(run, "north").pk, actor=team.actor("ada"))
    for key, name in (("south", "counter"), ("east", "counter"), ("write", "scribe")):
        assert task(run, key).state == "ready", key
        team.try_once(task(run, key), {"stopReason": "end_turn"}, name=name, text=f"{key} is done.")
        perform(review.accept_task, task(run, key).pk, actor=team.actor("ada"))
    assert Run.objects.get().state == "consolidating"


def test_a_task_that_was_ready_waits_again_for_what_is_put_before_it(team: Team, run: Run, now: Any) -> None:
    propose(team, run, [{"key": "south", "depends_on": ["north"]}, {"key": "write"}, {"key": "check"}])
    accept(team, run)
    south = task(run, "south")
    assert (south.state, south.waiting_on, south.close_by, south.level) == ("waiting", 1, None, 1)
    assert (task(run, "check").level, Run.objects.get().path_length) == (3, 4)
    sound(now)


def test_a_task_whose_parents_are_taken_away_becomes_ready(team: Team, run: Run, now: Any) -> None:
    propose(team, run, [{"key": "write", "depends_on": []}])
    accept(team, run)
    assert (task(run, "write").state, task(run, "write").level) == ("ready", 0)
    assert [task(run, key).state for key in ("south", "check")] == ["cancelled", "cancelled"]
    sound(now)


def test_in_a_paused_run_new_tasks_rest(team: Team, run: Run, now: Any) -> None:
    propose(team, run)
    perform(runs.pause_run, run.pk, actor=team.actor("bob"))
    accept(team, run)
    assert task(run, "east").resting_since is not None
    assert task(run, "south").blocked_on == "outside"
    perform(runs.resume_run, run.pk, actor=team.actor("bob"))
    assert (task(run, "east").resting_since, task(run, "east").blocked_on) == (None, "nobody")


def test_a_plan_of_which_nothing_is_left_is_at_its_end(team: Team) -> None:
    run = team.run(PLAN[:1])
    propose(team, run, [])
    accept(team, run)
    run.refresh_from_db()
    assert (run.state, run.open_tasks) == ("consolidating", 0)


def test_tasks_that_moved_on_meanwhile_are_named_and_nothing_is_changed(team: Team, run: Run) -> None:
    propose(team, run)
    perform(tasks.assign_task, task(run, "south").pk, member_id=team.seat("counter").pk, actor=team.actor("ada"))
    before = list(Task.objects.filter(run=run).order_by("key").values())
    with pytest.raises(Conflict, match="“South” moved on") as refused:
        accept(team, run)
    assert (refused.value.code, refused.value.fields["tasks"]) == ("replan_outdated", ["South"])
    assert list(Task.objects.filter(run=run).order_by("key").values()) == before
    assert Run.objects.get().replan
    perform(replan.reject_replan, run.pk, actor=team.actor("carol"))
    assert Run.objects.get().replan == {}
    assert team.journal()[-1] == "run.replan_rejected"


def test_parts_that_came_in_since_stay(team: Team, run: Run, now: Any) -> None:
    propose(team, run, [{"key": "south"}, {"key": "write", "instructions": "Short"}, {"key": "check"}])
    parts = [{"title": "Coast"}, {"title": "Hills"}]
    south = task(run, "south").pk
    perform(regenerate.regenerate_task, south, instructions="Together", parts=parts, actor=team.actor("bob"))
    accept(team, run)
    assert {t.state for t in Task.objects.filter(key__startswith="south-")} == {"ready"}
    assert task(run, "write").instructions == "Short"
    sound(now)


def test_only_one_change_is_proposed_at_a_time_and_what_was_looked_at_is_what_is_decided(team: Team, run: Run) -> None:
    first = propose(team, run)["replan"]
    with pytest.raises(Conflict, match="proposed already"):
        propose(team, run)
    with pytest.raises(Conflict, match="Another change is proposed"):
        accept(team, run, replan="something else")
    accept(team, run, replan=first)
    with pytest.raises(Conflict, match="somebody has decided"):
        accept(team, run, replan=first)


@pytest.mark.parametrize(
    ("tail", "said"),
    [
        ([{"key": "north", "title": "Other"}, *TAIL], "'north' is in somebody's hands"),
        ([{"key": "new"}], "task 1: Title"),
        (["south"], "task 1: it is no task"),
        ([{"key": "south"}, {"key": "write"}, {"key": "check"}], "changes nothing"),
        ([{"key": "south"}, {"key": "write", "assignee": "mallory"}, {"key": "check"}], "no member @mallory"),
        ([{"key": "write"}, {"key": "check"}], "'write' depends on 'south', which would be taken away"),
    ],
)
def test_what_cannot_be_proposed_is_said(team: Team, run: Run, tail: Any, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        propose(team, run, tail)


def test_the_coordinator_proposes_and_only_the_team_decides(team: Team, run: Run) -> None:
    coordinator = coordinator_for(team.users["ada"].pk)
    agent = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    for actor in (agent, team.actor("gus")):
        with pytest.raises(Forbidden):
            propose(team, run, actor=actor)
    propose(team, run, actor=coordinator)
    for actor in (coordinator, agent, team.actor("gus")):
        for verb in (replan.accept_replan, replan.reject_replan):
            with pytest.raises(Forbidden):
                perform(verb, run.pk, actor=actor)


def test_only_a_running_plan_is_changed_like_this(team: Team) -> None:
    run = team.run(PLAN, start=False)
    with pytest.raises(Conflict, match="This run is proposed"):
        propose(team, run)
