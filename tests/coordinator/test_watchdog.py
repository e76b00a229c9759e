"""The watchdog on real rows: it proves, remembers, tells once, and repairs what it may."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import Agent
from clawgroups.coordinator.evidence import look
from clawgroups.coordinator.watchdog import summary, watch
from clawgroups.core.invariants import breaches
from clawgroups.jobs import Sweeper
from clawgroups.models import Approval, Attempt, Command, Lease, Member, Run, Task, Workspace
from clawgroups.services import agents, repairs, review, takeover
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.ask_support import NO, asks, told
from tests.services.ask_support import now as asked_now

pytestmark = pytest.mark.django_db

TWO = [
    {"key": "a", "title": "A", "skills": ["writing"]},
    {"key": "b", "title": "B", "skills": ["writing"], "depends_on": ["a"]},
]


def proof() -> dict[str, Any]:
    return dict(Lease.objects.get(name="watchdog").detail)


def kinds(detail: dict[str, Any]) -> list[str]:
    return [one["kind"] for one in detail["exceptions"]]


def twice(now: datetime | None = None) -> None:
    """Two looks: what is there at both of them is repaired."""
    now = now or timezone.now()
    watch(now)
    watch(now + timedelta(seconds=11))


def test_a_team_at_work_has_no_exception_and_the_proof_says_how_much_was_looked_at(team: Team) -> None:
    team.working()
    team.run(TWO, start=False)
    held = team.one_task()
    perform(takeover.take_over, held.pk, actor=team.actor("bob"))
    assert watch(timezone.now())
    detail = proof()
    assert detail["exceptions"] == []
    assert (detail["open"], detail["attempts"], detail["runs"]) == (4, 2, 3)


def test_it_looks_every_ten_seconds_and_the_sweep_makes_it_look(team: Team) -> None:
    now = timezone.now()
    assert watch(now)
    assert not watch(now + timedelta(seconds=9))
    assert watch(now + timedelta(seconds=10))
    assert Sweeper().once(now + timedelta(seconds=40))
    assert Lease.objects.get(name="watchdog").done_at == now + timedelta(seconds=40)


def test_an_exception_keeps_its_time_and_is_told_in_the_log_once(team: Team, caplog: pytest.LogCaptureFixture) -> None:
    task = team.working()
    team.finish("scribe", "The end.")
    perform(review.accept_task, task.pk, actor=team.actor("ada"))
    Attempt.objects.filter(task=task).update(state="working")
    now = timezone.now()
    with caplog.at_level(logging.ERROR, logger="clawgroups.coordinator.watchdog"):
        for seconds in (0, 11, 22, 33):
            watch(now + timedelta(seconds=seconds))
    assert [(one["kind"], one["since"]) for one in proof()["exceptions"]] == [("STRAY_ATTEMPT", now.isoformat())]
    assert len([r for r in caplog.records if "of a task that is elsewhere" in r.message]) == 1


def test_a_ready_task_without_next_step_becomes_stuck_and_names_the_author(team: Team) -> None:
    task = team.one_task()
    Task.objects.filter(pk=task.pk).update(deadline_at=None)
    watch(timezone.now())
    task.refresh_from_db()
    assert task.state == "ready"
    twice()
    task.refresh_from_db()
    assert (task.state, task.blocked_on, task.next_actor) == ("stuck", "person", "ada")
    assert "does not say by when" in task.reason
    assert breaches(look(), timezone.now()) == []


def test_a_held_task_without_next_step_stays_held_and_names_the_author_once(team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    Task.objects.filter(pk=task.pk).update(blocked_on="")
    twice()
    twice(timezone.now() + timedelta(minutes=1))
    task.refresh_from_db()
    assert (task.state, task.blocked_on, task.next_actor) == ("held", "person", "ada")
    assert team.journal().count("task.parked") == 1


def test_a_task_in_hand_whose_member_has_left_goes_to_the_next_one(team: Team) -> None:
    task = team.working()
    Member.objects.filter(pk=team.seat("scribe").pk).update(left_at=timezone.now())
    twice()
    task.refresh_from_db()
    assert (task.state, task.attempt) == ("ready", None)


def test_counters_that_went_wrong_are_set_right_and_what_follows_happens(team: Team) -> None:
    run = team.run(TWO)
    Task.objects.filter(run=run, key="a").update(state="done", ended_at=timezone.now())
    Run.objects.filter(pk=run.pk).update(open_tasks=7)
    assert sorted(b.kind.name for b in breaches(look(), timezone.now())) == ["WRONG_PARENTS", "WRONG_TASKS"]
    twice()
    run.refresh_from_db()
    child = Task.objects.get(run=run, key="b")
    assert (run.open_tasks, child.state, child.waiting_on) == (1, "ready", 0)
    assert team.journal()[-1] == "task.ready"
    assert breaches(look(), timezone.now()) == []


def test_a_run_that_nothing_moves_gets_a_turn(team: Team) -> None:
    run = team.run(TWO)
    Task.objects.filter(run=run, key="a").update(state="failed", ended_at=timezone.now())
    Run.objects.filter(pk=run.pk).update(open_tasks=1)
    workspace = Workspace.objects.get(pk=team.workspace.pk)
    Workspace.objects.filter(pk=workspace.pk).update(reacted=workspace.head)
    watch(timezone.now())
    assert kinds(proof()) == ["STILL"]
    twice()
    run.refresh_from_db()
    assert run.wanted > run.turned


def test_a_turn_that_nobody_takes_is_an_exception_after_a_minute_and_another_one_is_not(team: Team) -> None:
    task = team.one_task()
    Run.objects.filter(pk=task.run_id).update(wanted=5, turned=3)
    now = timezone.now()
    for seconds in (0, 30, 59):
        watch(now + timedelta(seconds=seconds))
        assert kinds(proof()) == []
    Run.objects.filter(pk=task.run_id).update(turned=4)
    watch(now + timedelta(seconds=70))
    assert kinds(proof()) == []
    watch(now + timedelta(seconds=131))
    assert kinds(proof()) == ["OLD_TURN"]


def test_what_a_retired_agent_is_owed_is_given_up(team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    perform(agents.retire_agent, team.agents["scribe"].pk, actor=team.actor("ada"))
    assert Command.objects.filter(state__in=["open", "sent"]).exists()
    twice()
    assert not Command.objects.filter(state__in=["open", "sent"]).exists()
    assert breaches(look(), timezone.now()) == []


def test_the_work_of_a_retired_agent_is_given_on_at_once(team: Team) -> None:
    task = team.assigned()
    Agent.objects.filter(pk=team.agents["scribe"].pk).update(retired_at=timezone.now())
    twice()
    task.refresh_from_db()
    assert task.state == "ready"


def test_a_question_that_stays_with_one_person_past_their_time_is_put_to_everybody(team: Team) -> None:
    question = asks(team, team.working())
    assert question.escalates_at is not None
    watch(question.escalates_at + timedelta(seconds=14))
    assert kinds(proof()) == []
    twice(question.escalates_at + timedelta(seconds=25))
    assert (asked_now(question).asked_of, asked_now(question).escalates_at) == (None, None)
    assert team.journal()[-1] == "approval.escalated"


def test_a_question_that_stays_with_somebody_who_may_not_answer_is_put_to_everybody(team: Team) -> None:
    question = asks(team, team.working())
    Member.objects.filter(pk=team.seat("ada").pk).update(role="guest")
    twice()
    assert asked_now(question).asked_of is None
    assert breaches(look(), timezone.now()) == []


def test_a_question_that_nobody_can_answer_any_more_is_ended_and_its_agent_told(team: Team) -> None:
    task = team.working()
    one, two = asks(team, task), asks(team, task, "make", request_id=2, call="c2")
    Approval.objects.filter(pk=one.pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    Approval.objects.filter(pk=two.pk).update(epoch=0)
    twice()
    assert (asked_now(one).state, asked_now(two).state, asked_now(two).why) == ("expired", "void", "over")
    assert sorted(told(task)) == [(1, NO), (2, {"outcome": {"outcome": "cancelled"}})]


def test_a_repair_leaves_what_has_moved_on_meanwhile(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    task = team.working()
    team.finish("scribe", "The end.")
    Task.objects.filter(pk=task.pk).update(waiting_on=2)
    watch(timezone.now())

    def moved(*given: Any, **known: Any) -> Any:
        Task.objects.filter(pk=task.pk).update(waiting_on=0)
        perform(review.accept_task, task.pk, actor=team.actor("ada"))
        return real(*given, **known)

    real = repairs.recount_parents
    monkeypatch.setattr(repairs, "recount_parents", moved)
    watch(timezone.now() + timedelta(seconds=11))
    task.refresh_from_db()
    assert (task.state, task.waiting_on) == ("done", 0)


def test_after_an_outage_what_is_late_is_nobodys_exception(team: Team) -> None:
    team.working()
    late = timezone.now() + timedelta(hours=1)
    watch(late, quiet=True)
    assert kinds(proof()) == []
    watch(late + timedelta(seconds=11))
    assert kinds(proof()) == ["OVERDUE"]


def test_the_summary_names_kinds_and_numbers_and_no_names() -> None:
    assert summary({"NO_NEXT_STEP": 2, "STILL": 1}) == (
        "2 open tasks without a next step, 1 active run that nothing will move"
    )
    assert summary({}) == ""


def test_a_look_at_four_thousand_open_tasks_is_a_handful_of_queries(team: Team) -> None:
    plan = [{"key": f"t{n}", "title": f"Task {n}", "depends_on": [f"t{n - 1}"] if n % 10 else []} for n in range(1000)]
    for _ in range(4):
        team.run(plan)
    with CaptureQueriesContext(connection) as queries:
        started = time.perf_counter()
        world = look()
        found = breaches(world, timezone.now())
        took = time.perf_counter() - started
    assert (len(world.tasks), found) == (4000, [])
    assert len([q for q in queries if q["sql"].startswith("SELECT")]) == 6
    print(f"a proof of 4,000 open tasks: {took * 1000:.0f} ms")
