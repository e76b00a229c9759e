"""A plan as a proposal: people change it until its run begins, and can take each change back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import Agent, Connection
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.errors import Conflict, Forbidden, Invalid
from clawgroups.core.matching import NEEDS_LOGIN, OFFLINE, QUARANTINED
from clawgroups.core.plan import PlanTask
from clawgroups.core.timers import after
from clawgroups.models import Dependency, Message, PlanEdit, Run, Task
from clawgroups.services import messages, plans, review, runs, tasks
from clawgroups.services.deadlines import timers_of
from clawgroups.services.forecasts import course_of, forecast_of, helpers_of
from clawgroups.services.perform import perform
from clawgroups.services.plan_changes import read_plan
from clawgroups.services.sweep import sweep
from tests.conftest import Team
from tests.services.conftest import Clock

pytestmark = pytest.mark.django_db

PLAN: list[dict[str, Any]] = [
    {"key": "count", "title": "Count", "skills": ["data-analysis"]},
    {"key": "write", "title": "Write", "skills": ["writing"], "depends_on": ["count"], "acceptance": ["min_words: 9"]},
    {"key": "check", "title": "Check", "skills": ["review"], "depends_on": ["write"]},
]


@pytest.fixture
def run(team: Team) -> Run:
    return team.run(PLAN, start=False)


def plan_of(run: Run) -> tuple[PlanTask, ...]:
    run.refresh_from_db()
    return read_plan(run).planned


def edit(team: Team, run: Run, *edits: dict[str, Any], by: str = "bob", version: int | None = None) -> Any:
    return perform(plans.edit_plan, run.pk, edits=edits, actor=team.actor(by), version=version)


def columns(run: Run) -> dict[str, tuple[Any, ...]]:
    names = ("position", "level", "bottom_level", "waiting_on", "state")
    return {row[0]: row[1:] for row in Task.objects.filter(run=run).values_list("key", *names)}


def test_an_edit_keeps_the_rows_of_what_stays_and_counts_anew(team: Team, run: Run) -> None:
    before = dict(Task.objects.filter(run=run).values_list("key", "pk"))
    parts = [{"title": "Draft"}, {"title": "Polish"}]
    answer = edit(team, run, {"op": "split", "key": "write", "parts": parts}).answer
    assert answer == {"id": str(run.pk), "version": 1, "tasks": 4}
    run.refresh_from_db()
    assert (run.plan_version, run.open_tasks, run.path_length) == (1, 4, 3)
    assert columns(run) == {
        "count": (0, 0, 3, 0, "waiting"),
        "write": (1, 1, 2, 1, "waiting"),
        "write-2": (2, 1, 2, 1, "waiting"),
        "check": (3, 2, 1, 2, "waiting"),
    }
    after = dict(Task.objects.filter(run=run).values_list("key", "pk"))
    assert {key: after[key] for key in before} == before
    assert Dependency.objects.filter(task__key="check").count() == 2
    assert team.journal()[-1] == "run.plan_edited"


def test_a_plan_that_is_split_while_it_is_read_has_no_edge_without_its_ends(team: Team, run: Run) -> None:
    seen: list[str] = []

    def between(execute: Any, sql: str, *rest: Any) -> Any:
        if not seen and "clawgroups_dependency" in sql:
            seen.append(sql)
            edit(team, run, {"op": "split", "key": "write", "parts": [{"title": "Draft"}, {"title": "Polish"}]})
        return execute(sql, *rest)

    with connection.execute_wrapper(between):
        torn = read_plan(run).planned
    assert seen
    assert [(task.key, task.depends_on) for task in torn] == [
        ("count", ()),
        ("write", ("count",)),
        ("check", ("write",)),
    ]
    assert forecast_of(run, torn).tasks == 3
    assert len(plan_of(run)) == 4


def test_a_plan_that_begins_while_it_is_read_is_forecast_by_what_waits_still(team: Team, run: Run) -> None:
    perform(runs.start_run, run.pk, actor=team.actor("bob"))
    rows = read_plan(run)
    assert [(task.key, task.depends_on) for task in rows.planned] == [("write", ()), ("check", ("write",))]
    assert forecast_of(run, rows.planned).tasks == 2


def test_several_edits_are_one_version_or_none(team: Team, run: Run) -> None:
    with pytest.raises(Invalid, match="no task 'nowhere'"):
        edit(team, run, {"op": "remove", "key": "check"}, {"op": "remove", "key": "nowhere"})
    assert len(plan_of(run)) == 3
    edit(team, run, {"op": "remove", "key": "check"}, {"op": "edit", "key": "write", "changes": {"minutes": 4}})
    assert [(t.key, t.minutes) for t in plan_of(run)] == [("count", 0), ("write", 4)]
    assert run.plan_version == 1
    assert PlanEdit.objects.get().said == "removed “Check”, edited “Write” (minutes)"


def test_every_verb_has_a_name_of_its_own(team: Team, run: Run) -> None:
    how = {"actor": team.actor("bob")}
    perform(plans.add_task, run.pk, task={"title": "Look it up"}, before=["count"], **how)
    perform(plans.edit_task, run.pk, key="write", changes={"title": "Write it"}, **how)
    perform(plans.move_task, run.pk, key="check", by=-1, **how)
    perform(plans.propose_member, run.pk, key="write", assignee="scribe", why="knows it", **how)
    perform(plans.split_task, run.pk, key="count", parts=[{"title": "North"}, {"title": "South"}], **how)
    perform(plans.merge_tasks, run.pk, keys=["count", "count-2"], title="Count all", **how)
    perform(plans.remove_task, run.pk, key="look-it-up", **how)
    plan = plan_of(run)
    assert [task.title for task in plan] == ["Count all", "Check", "Write it"]
    task = Task.objects.get(key="write")
    assert task.proposed == team.seat("scribe")
    assert task.proposal == {"reason": "knows it", "by": "bob", "kind": "person"}
    assert run.plan_version == 7


def test_undo_takes_back_edit_after_edit_exactly(team: Team, run: Run) -> None:
    seen = [plan_of(run)]
    for said in (
        {"op": "propose", "key": "write", "assignee": "scribe"},
        {"op": "split", "key": "write", "parts": [{"title": "One"}, {"title": "Two"}]},
        {"op": "merge", "keys": ["count", "write"]},
        {"op": "remove", "key": "check"},
    ):
        edit(team, run, said)
        seen.append(plan_of(run))
    for before in reversed(seen[:-1]):
        perform(plans.undo_edit, run.pk, actor=team.actor("carol"))
        assert plan_of(run) == before
    assert run.plan_version == 8
    with pytest.raises(Conflict, match="Nothing was changed"):
        perform(plans.undo_edit, run.pk, actor=team.actor("bob"))


def test_undo_leaves_out_who_has_left(team: Team, run: Run) -> None:
    edit(team, run, {"op": "propose", "key": "check", "assignee": "carol"})
    edit(team, run, {"op": "remove", "key": "check"})
    team.seat("carol").__class__.objects.filter(pk=team.seat("carol").pk).update(left_at=run.created_at)
    perform(plans.undo_edit, run.pk, actor=team.actor("bob"))
    assert [(t.key, t.assignee) for t in plan_of(run)] == [("count", ""), ("write", ""), ("check", "")]


def test_a_page_that_shows_an_older_plan_is_told_who_moved_it(team: Team, run: Run) -> None:
    edit(team, run, {"op": "remove", "key": "check"}, by="carol", version=0)
    with pytest.raises(Conflict, match="carol removed “Check”") as refused:
        edit(team, run, {"op": "move", "key": "write", "by": -1}, version=0)
    assert (refused.value.code, refused.value.fields["version"]) == ("plan_moved", 1)
    with pytest.raises(Conflict, match="moved on"):
        perform(runs.start_run, run.pk, actor=team.actor("bob"), version=0)
    assert Run.objects.get().state == "proposed"


def test_an_edit_that_changes_nothing_is_no_version(team: Team, run: Run) -> None:
    assert edit(team, run, {"op": "edit", "key": "write", "changes": {"title": "Write"}}).answer["version"] == 0
    assert not PlanEdit.objects.exists()


@pytest.mark.parametrize("who", ["gus", "scribe"])
def test_guests_and_agents_change_no_plan(team: Team, run: Run, who: str) -> None:
    actor = Actor(ActorKind.AGENT, who, agent_id=team.agents[who].pk) if who in team.agents else team.actor(who)
    with pytest.raises(Forbidden):
        perform(plans.edit_plan, run.pk, edits=[{"op": "remove", "key": "check"}], actor=actor)
    with pytest.raises(Forbidden):
        perform(plans.undo_edit, run.pk, actor=actor)
    with pytest.raises(Forbidden):
        perform(plans.plan_anew, run.pk, note="Otherwise", actor=actor)


def test_a_plan_under_way_is_not_edited(team: Team) -> None:
    run = team.run(PLAN)
    with pytest.raises(Conflict, match="not a proposal any more"):
        edit(team, run, {"op": "remove", "key": "check"})


def test_only_members_are_proposed(team: Team, run: Run) -> None:
    for handle in ("mallory", "gus"):
        with pytest.raises(Invalid, match=f"no member @{handle}"):
            edit(team, run, {"op": "propose", "key": "write", "assignee": handle})


def test_what_was_said_in_the_thread_of_a_removed_task_stays(team: Team, run: Run) -> None:
    task = Task.objects.get(key="check")
    perform(messages.post_message, team.workspace.pk, body="Why this?", task_id=task.pk, actor=team.actor("bob"))
    edit(team, run, {"op": "remove", "key": "check"})
    assert Message.objects.get(body="Why this?").task_id is None


def test_tasks_that_were_cancelled_in_the_proposal_are_no_part_of_it(team: Team, run: Run) -> None:
    perform(tasks.cancel_task, Task.objects.get(key="write").pk, actor=team.actor("bob"))
    edit(team, run, {"op": "add", "task": {"title": "Check"}})
    run.refresh_from_db()
    assert [task.key for task in plan_of(run)] == ["count", "check"]
    assert run.open_tasks == 2
    assert Task.objects.filter(run=run).count() == 2


def test_another_plan_is_asked_for_with_a_note(team: Team, run: Run) -> None:
    edit(team, run, {"op": "remove", "key": "check"})
    perform(plans.plan_anew, run.pk, note="Only one report", actor=team.actor("bob"))
    run.refresh_from_db()
    assert (run.state, run.open_tasks, run.answers[-1]["answer"]) == ("planning", 0, "Only one report")
    assert not Task.objects.filter(run=run).exists()
    perform(runs.propose_run, run.pk, plan=PLAN, planner="p", rationale="r", actor=team.actor("ada"))
    with pytest.raises(Conflict, match="Nothing was changed"):
        perform(plans.undo_edit, run.pk, actor=team.actor("bob"))


def test_a_plan_that_lay_there_for_long_is_made_anew_within_a_time_of_its_own(clock: Clock, team: Team) -> None:
    run = team.run(PLAN, start=False)
    timers = timers_of(team.workspace)
    clock.go(timers.run_total + 60)
    perform(plans.plan_anew, run.pk, note="Only one report", actor=team.actor("bob"))
    sweep(clock.now, quiet=False)
    run.refresh_from_db()
    assert (run.state, run.deadline_at) == ("planning", after(clock.now, timers.run_total))


def test_a_run_keeps_the_forecast_that_it_began_with_and_is_held_against_it(team: Team, run: Run) -> None:
    edit(team, run, {"op": "edit", "key": "write", "changes": {"minutes": 30}})
    run.refresh_from_db()
    expected = forecast_of(run)
    assert (expected.minutes["write"], expected.guessed, expected.tokens) == (30.0, 2, None)
    assert (expected.at_once, expected.on, expected.nobody) == (1, 1, ())
    assert expected.weakest is not None
    perform(runs.start_run, run.pk, actor=team.actor("bob"), version=1)
    run.refresh_from_db()
    course = course_of(run)
    assert course is not None
    assert [(line.done.key, line.expected) for line in course.tasks] == [
        ("count", 10.0),
        ("write", 30.0),
        ("check", 10.0),
    ]
    assert {line.name: line.actual for line in course.lines}["tokens"] is None
    task = Task.objects.get(key="count")
    team.try_once(task, {"stopReason": "end_turn"}, name="counter", text="Counted.")
    perform(review.accept_task, task.pk, actor=team.actor("ada"))
    course = course_of(run)
    assert course is not None
    assert course.path == ("Count",)
    assert {line.name: line.actual for line in course.lines}["tries"] == 1


def test_a_run_without_a_forecast_has_no_course(team: Team, run: Run) -> None:
    assert course_of(run) is None


def test_who_could_help_is_read_without_what_agents_announced(team: Team) -> None:
    since = timezone.now().isoformat()
    Agent.objects.filter(handle="scribe").update(announced={"needs_login": {"since": since}, "name": "Scribe"})
    Agent.objects.filter(handle="judge").update(breaker="quarantined")
    Connection.objects.filter(agent__handle="counter").update(closed_at=timezone.now())
    team.workspace.refresh_from_db()
    with CaptureQueriesContext(connection) as queries:
        found = {one.handle: one for one in helpers_of(team.workspace.pk)}
    assert {handle: one.away for handle, one in found.items()} == {
        "scribe": NEEDS_LOGIN,
        "judge": QUARANTINED,
        "counter": OFFLINE,
    }
    assert found["scribe"].skills == {"writing": 4}
    assert len(queries) == 4
    read = queries[0]["sql"].partition(" FROM ")[0]
    # In brackets stands what is taken out of a column.
    whole = set(re.findall(r'(?<!\()"agents_agent"\."(\w+)"', read))
    assert whole == {"id", "max_sessions", "breaker", "breaker_until", "health"}
