"""While a person is waited for, all deadlines but the run's rest; then they go on where they stood."""

from __future__ import annotations

from datetime import datetime

import pytest

from clawgroups.core.actors import coordinator_for
from clawgroups.models import Approval, Attempt, Run, Task
from clawgroups.services import (
    approvals,
    drafts,
    finishing,
    handback,
    open_asks,
    review,
    runs,
    takeover,
    tasks,
    waiting,
)
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.conftest import Clock, ask, fresh, latest

pytestmark = pytest.mark.django_db


def clocks(task: Task) -> tuple[datetime | None, datetime | None, datetime | None, datetime | None]:
    """(resting since, the task's end, the attempt's end, its last progress)."""
    attempt = latest(task)
    return fresh(task).resting_since, fresh(task).close_by, attempt.close_by, attempt.progress_at


def test_an_open_question_stops_the_clocks_and_its_answer_lets_them_go_on(clock: Clock, team: Team) -> None:
    task = team.working()
    clock.go(100)
    approval = ask(team, task)
    found = fresh(task)
    assert (found.resting_since, found.next_actor, found.deadline_at) == (clock.at(100), "ada", clock.at(700))
    clock.until(600, team)
    assert (fresh(task).state, latest(task).quiet_since) == ("working", None)
    perform(approvals.decide_approval, approval.pk, option_id="y", actor=team.actor("bob"))
    assert clocks(task) == (None, clock.at(7700), clock.at(1700), clock.at(500))
    assert (fresh(task).blocked_on, fresh(task).deadline_at) == ("agent", clock.at(1700))
    clock.until(619, team)
    assert latest(task).quiet_since is None
    clock.until(620, team)
    assert latest(task).quiet_since == clock.at(500)


def test_a_question_that_expires_ends_the_rest_as_well(clock: Clock, team: Team) -> None:
    task = team.working()
    ask(team, task)
    clock.until(600, team)
    assert Approval.objects.get().state == "expired"
    assert clocks(task) == (None, clock.at(7800), clock.at(1800), clock.at(600))


def test_the_clocks_rest_until_the_last_of_several_questions_is_closed(clock: Clock, team: Team) -> None:
    task = team.working()
    first = ask(team, task)
    clock.go(60)
    second = ask(team, task, request_id=2)
    assert fresh(task).deadline_at == first.expires_at
    perform(approvals.decide_approval, first.pk, option_id="y", actor=team.actor("bob"))
    assert (fresh(task).resting_since, fresh(task).deadline_at) == (clock.at(0), second.expires_at)
    clock.go(60)
    perform(approvals.decide_approval, second.pk, option_id="y", actor=team.actor("bob"))
    assert clocks(task) == (None, clock.at(7320), clock.at(1320), clock.at(120))


def test_a_question_that_crossed_an_answer_still_stops_the_clocks(clock: Clock, team: Team) -> None:
    task = team.working()
    ask(team, task)
    Task.objects.filter(pk=task.pk).update(resting_since=None, blocked_on="agent", deadline_at=clock.at(1200))
    clock.sweep(10)
    found = fresh(task)
    assert (found.blocked_on, found.resting_since, found.deadline_at) == ("person", clock.at(10), clock.at(600))


def test_a_rest_that_nobody_ended_is_ended_by_the_sweep(clock: Clock, team: Team) -> None:
    task = team.working()
    ask(team, task)
    clock.go(50)
    Approval.objects.update(state="void")
    clock.sweep()
    assert clocks(task) == (None, clock.at(7250), clock.at(1250), clock.at(50))
    assert fresh(task).blocked_on == "agent"


def test_a_rest_that_nobody_began_is_begun_by_the_sweep(clock: Clock, team: Team) -> None:
    task = team.one_task()
    perform(tasks.stick_task, task.pk, reason="x", who="ada", actor=coordinator_for(team.users["ada"].pk))
    Task.objects.filter(pk=task.pk).update(resting_since=None)
    clock.sweep(10)
    assert fresh(task).resting_since == clock.at(10)
    Task.objects.filter(pk=task.pk).update(state="ready", blocked_on="nobody")
    clock.sweep(10)
    assert (fresh(task).resting_since, fresh(task).close_by) == (None, clock.at(7210))


def test_in_human_hands_the_tasks_time_rests_until_it_is_handed_back(clock: Clock, team: Team) -> None:
    task = team.working()
    clock.go(1000)
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    assert fresh(task).resting_since == clock.at(1000)
    clock.go(9000)
    perform(drafts.save_draft, task.pk, text="x", actor=team.actor("bob"))
    assert fresh(task).resting_since == clock.at(1000)
    clock.sweep()
    assert fresh(task).state == "held"
    perform(handback.hand_back, task.pk, actor=team.actor("bob"))
    assert (fresh(task).resting_since, fresh(task).close_by) == (None, clock.at(16_200))
    clock.until(10_200, team)
    assert fresh(task).state == "ready"


def test_taking_over_an_open_question_is_one_rest(clock: Clock, team: Team) -> None:
    task = team.working()
    ask(team, task)
    clock.go(100)
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    clock.go(100)
    perform(finishing.submit_held, task.pk, result="x", actor=team.actor("bob"))
    assert (fresh(task).resting_since, fresh(task).close_by) == (None, clock.at(7400))


def test_a_judge_may_take_all_the_time_there_is(clock: Clock, team: Team) -> None:
    task = team.working()
    team.finish("scribe", "Sales rose.")
    perform(waiting.ask_judge, task.pk, verdicts=[], actor=coordinator_for(team.users["ada"].pk))
    clock.until(20_000, team)
    assert fresh(task).state == "in_review"
    perform(review.return_task, task.pk, reasons=["Shorter."], actor=team.actor("ada"))
    assert (fresh(task).resting_since, fresh(task).close_by) == (None, clock.at(27_200))


def test_a_task_that_is_stuck_for_a_person_rests_until_it_is_assigned(clock: Clock, team: Team) -> None:
    task = team.one_task()
    clock.go(200)
    perform(tasks.stick_task, task.pk, reason="x", who="ada", actor=coordinator_for(team.users["ada"].pk))
    clock.go(10_000)
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    assert (fresh(task).resting_since, fresh(task).close_by) == (None, clock.at(17_200))


def test_the_runs_own_deadline_never_rests(clock: Clock, team: Team) -> None:
    task = team.working()
    before = Run.objects.get(pk=task.run_id).deadline_at
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    clock.go(5000)
    perform(handback.hand_back, task.pk, actor=team.actor("bob"))
    assert Run.objects.get(pk=task.run_id).deadline_at == before


def test_ready_tasks_of_a_paused_run_rest_and_work_in_hand_goes_on(clock: Clock, team: Team) -> None:
    plan = [{"key": k, "title": k, "skills": ["writing"]} for k in ("a", "b", "c")]
    run = team.run(plan)
    a, b, c = Task.objects.filter(run=run).order_by("key")
    perform(tasks.assign_task, a.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    clock.go(100)
    perform(runs.pause_run, run.pk, actor=team.actor("ada"))
    waits = fresh(b)
    assert (waits.resting_since, waits.next_actor) == (clock.at(100), "ada, who may resume the run")
    assert waits.deadline_at == run.deadline_at
    assert fresh(a).resting_since is None
    Task.objects.filter(pk=c.pk).update(resting_since=None)  # as one that became ready just now
    clock.sweep()
    assert fresh(c).resting_since == clock.at(100)
    clock.until(300, team)
    assert fresh(a).state == "ready"  # it was not begun
    clock.until(9000, team)
    assert (fresh(a).state, fresh(b).state) == ("ready", "ready")
    perform(runs.resume_run, run.pk, actor=team.actor("ada"))
    found = fresh(b)
    assert (found.resting_since, found.close_by) == (None, clock.at(7200 + 8900))
    assert (found.next_actor, found.deadline_at) == ("coordinator", clock.at(9000 + 3600))


def test_two_answers_at_once_leave_no_task_resting(clock: Clock, team: Team) -> None:
    """Each is decided while the other's question is still open; one of them has to decide again."""
    task = team.working()
    ask(team, task)
    ask(team, task, request_id=2)
    one, two = Approval.objects.order_by("expires_at", "pk")
    decided = open_asks.by_questions
    crossed: list[str] = []

    def crossing(*args: object) -> object:
        if not crossed:
            crossed.append("now")
            perform(approvals.decide_approval, two.pk, option_id="y", actor=team.actor("bob"))
        return decided(*args)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(open_asks, "by_questions", crossing)
        perform(approvals.decide_approval, one.pk, option_id="y", actor=team.actor("ada"))
    assert (fresh(task).blocked_on, fresh(task).resting_since) == ("agent", None)
    assert not Attempt.objects.filter(approvals__state="open").exists()
