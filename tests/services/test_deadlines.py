"""Every deadline fires in time and not before, and says beforehand what it will do."""

from __future__ import annotations

from typing import Any

import pytest

from clawgroups.core.actors import Actor, coordinator_for
from clawgroups.core.errors import Conflict
from clawgroups.core.failures import Failure
from clawgroups.core.timers import RUN_ENDS
from clawgroups.models import Attempt, Command, Message, Run, Task, Workspace
from clawgroups.services import (
    contact,
    drafts,
    finishing,
    handback,
    in_hand,
    review,
    runs,
    sweep,
    takeover,
    tasks,
    waiting,
    workspaces,
)
from clawgroups.services.overdue import is_offered
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.conftest import Clock, fresh, latest

pytestmark = pytest.mark.django_db

TWO = [
    {"key": "count", "title": "Count", "skills": ["data-analysis"]},
    {"key": "write", "title": "Write", "skills": ["writing"], "depends_on": ["count"]},
]


def coordinator(team: Team) -> Actor:
    return coordinator_for(team.users["ada"].pk)


def set_timers(team: Team, **timers: Any) -> None:
    perform(workspaces.set_timers, team.workspace.pk, timers=timers, actor=team.actor("ada"))
    team.workspace.refresh_from_db()


def test_an_offer_that_is_not_begun_goes_to_another_after_five_minutes(clock: Clock, team: Team) -> None:
    task = team.assigned()
    assert (task.deadline_at, task.next_actor) == (clock.at(300), "Scribe")
    clock.until(299, team)
    assert fresh(task).state == "assigned"
    clock.until(300, team)
    assert (fresh(task).state, fresh(task).epoch) == ("ready", task.epoch + 1)
    assert (latest(task).state, latest(task).failure) == ("expired", Failure.NOT_STARTED)


def test_work_that_goes_on_but_does_not_end_is_taken_back_after_twenty_minutes(clock: Clock, team: Team) -> None:
    clock.go(100)
    task = team.working()
    assert task.deadline_at == clock.at(1300)
    clock.until(1299, team, busy=["scribe"])
    assert fresh(task).state == "working"
    clock.until(1300, team, busy=["scribe"])
    assert (fresh(task).state, latest(task).failure) == ("ready", Failure.TIMED_OUT)


def test_a_quiet_agent_is_shown_first_and_taken_back_then(clock: Clock, team: Team) -> None:
    task = team.working()
    clock.until(119, team)
    assert latest(task).quiet_since is None
    clock.until(120, team)
    assert latest(task).quiet_since == clock.begun
    assert fresh(task).deadline_at == clock.at(300)
    assert "progress" in fresh(task).deadline_effect
    assert team.journal()[-1] == "attempt.quiet"
    clock.until(299, team)
    assert team.journal().count("attempt.quiet") == 1
    assert fresh(task).state == "working"
    clock.until(300, team)
    assert (fresh(task).state, latest(task).failure) == ("ready", Failure.STALLED)


def test_an_agent_that_was_quiet_and_goes_on_is_no_longer_shown_as_such(clock: Clock, team: Team) -> None:
    task = team.working()
    clock.until(200, team)
    clock.until(205, team, busy=["scribe"])
    assert latest(task).quiet_since is None
    assert fresh(task).deadline_at == clock.at(1200)
    assert team.journal()[-1] == "attempt.stirred"
    clock.until(400, team)
    assert fresh(task).state == "working"


def test_one_that_repeats_itself_is_taken_back_as_looping(clock: Clock, team: Team) -> None:
    task = team.working()
    Attempt.objects.filter(task=task).update(repeats=3)
    clock.until(300, team)
    assert latest(task).failure == Failure.LOOPING


def test_a_slow_agent_that_makes_progress_is_never_relieved_by_a_stall(clock: Clock, team: Team) -> None:
    task = team.working()
    for second in range(0, 1190, 119):
        Attempt.objects.filter(task=task).update(progress_at=clock.now)
        clock.until(second, team)
    assert (fresh(task).state, latest(task).number) == ("working", 1)
    assert "attempt.quiet" not in team.journal()


def test_a_task_has_two_hours_in_all_its_tries_then_a_named_person_decides(clock: Clock, team: Team) -> None:
    task = team.one_task()
    close_by = task.close_by
    assert close_by == clock.at(7200)
    for start in (0, 2400, 4800):
        clock.until(start, team)
        Task.objects.filter(pk=task.pk).update(tries=0)
        perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
        team.send("scribe")
        team.answer("scribe", {"sessionId": f"acp-{start}"})
        team.send("scribe")
        assert fresh(task).close_by == close_by
        clock.until(start + 1200, team, busy=["scribe"])
        team.answer("scribe", {"stopReason": "cancelled"})
    clock.until(7100, team)
    Task.objects.filter(pk=task.pk).update(tries=0)
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    assert (fresh(task).deadline_at, fresh(task).deadline_effect) == (close_by, "a person decides how it goes on")
    epoch = fresh(task).epoch
    clock.until(7199, team)
    assert fresh(task).state == "assigned"
    clock.until(7200, team)
    found = fresh(task)
    assert (found.state, found.next_actor, found.epoch) == ("stuck", "ada", epoch + 1)
    assert (found.failure, latest(task).failure) == (Failure.TASK_TIMED_OUT, Failure.TASK_TIMED_OUT)
    assert "2 h" in found.reason


def test_a_person_who_lets_a_task_go_on_gives_it_its_whole_time_anew(clock: Clock, team: Team) -> None:
    task = team.one_task()
    Task.objects.filter(pk=task.pk).update(close_by=clock.at(10))
    clock.until(10, team)
    assert fresh(task).state == "stuck"
    clock.until(500, team)
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    assert fresh(task).close_by == clock.at(500 + 7200)
    assert fresh(task).failure == ""


def test_a_task_that_becomes_ready_later_gets_its_time_then(clock: Clock, team: Team) -> None:
    run = team.run(TWO)
    assert Task.objects.get(run=run, key="write").close_by is None
    count = Task.objects.get(run=run, key="count")
    clock.until(100, team)
    perform(takeover.take_over, count.pk, actor=team.actor("ada"))
    perform(finishing.submit_held, count.pk, result="12", actor=team.actor("ada"))
    perform(review.accept_task, count.pk, actor=team.actor("ada"))
    assert Task.objects.get(run=run, key="write").close_by == clock.at(100 + 7200)


def test_a_runs_deadline_ends_it_and_cancels_what_is_open(clock: Clock, team: Team) -> None:
    task = team.working()
    clock.until(300, team, busy=["scribe"])
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    waits = fresh(task)
    assert waits.resting_since is not None
    Run.objects.filter(pk=task.run_id).update(deadline_at=clock.at(400))
    clock.until(399, team)
    assert fresh(task).state == "held"
    clock.until(400, team)
    run = Run.objects.get(pk=task.run_id)
    assert (run.state, run.open_tasks, fresh(task).state) == ("failed", 0, "cancelled")
    assert "12 hours" in run.reason
    assert fresh(task).resting_since is None
    assert team.journal()[-1] == "run.failed"


def test_a_runs_time_begins_with_its_start(clock: Clock, team: Team) -> None:
    run = team.run(TWO, start=False)
    clock.go(50_000)
    clock.sweep()
    assert Run.objects.get(pk=run.pk).state == "proposed"
    perform(runs.start_run, run.pk, actor=team.actor("ada"))
    assert Run.objects.get(pk=run.pk).deadline_at == clock.at(50_000 + 43_200)
    waiting = Task.objects.get(run=run, key="write")
    assert (waiting.deadline_at, waiting.deadline_effect) == (clock.at(50_000 + 43_200), RUN_ENDS)


def test_a_task_that_nobody_takes_is_put_before_a_named_person(clock: Clock, team: Team) -> None:
    task = team.one_task()
    clock.until(3599, team)
    assert fresh(task).state == "ready"
    clock.until(3600, team)
    assert (fresh(task).state, fresh(task).next_actor, fresh(task).failure) == ("stuck", "ada", "")


def test_one_that_waits_for_an_agents_owner_does_not_wait_for_ever_either(clock: Clock, team: Team) -> None:
    task = team.one_task()
    perform(
        waiting.park_task, task.pk, reason="Scribe is offline.", who="ada, who owns Scribe", match={},
        actor=coordinator(team),
    )  # fmt: skip
    clock.until(3600, team)
    assert (fresh(task).state, fresh(task).next_actor) == ("stuck", "ada")
    assert "Scribe is offline." in fresh(task).reason


def in_review(team: Team) -> Task:
    task = team.working(acceptance=["It reads well."])
    team.finish("scribe", "Sales rose.")
    return fresh(task)


def test_a_review_that_nobody_begins_is_started_again_and_then_put_before_a_person(clock: Clock, team: Team) -> None:
    task = in_review(team)
    clock.until(120, team)
    assert fresh(task).deadline_at == clock.at(240)
    clock.until(7195, team)
    assert (fresh(task).state, fresh(task).blocked_on) == ("in_review", "nobody")
    clock.until(7200, team)
    assert (fresh(task).state, fresh(task).blocked_on, fresh(task).next_actor) == ("in_review", "person", "ada")
    perform(review.accept_task, task.pk, actor=team.actor("ada"))


def test_a_judge_is_reminded_by_name_once_in_each_period(clock: Clock, team: Team) -> None:
    set_timers(team, review=3600)
    task = in_review(team)
    perform(waiting.ask_judge, task.pk, verdicts=[], actor=coordinator(team))
    assert (fresh(task).next_actor, fresh(task).deadline_at) == ("ada", clock.at(3600))
    clock.until(3595, team)
    assert not said(team)
    clock.until(3600, team)
    clock.until(7195, team)
    assert said(team) == ["@ada: “Write it up” still waits for you."]
    clock.until(7200, team)
    assert len(said(team)) == 2


def said(team: Team) -> list[str]:
    """What the system itself said in the chat."""
    rows = Message.objects.filter(workspace=team.workspace).order_by("created_at", "pk")
    return [m.body for m in rows if m.actor["kind"] == "system"]


def test_many_stuck_tasks_of_a_run_make_one_reminder(clock: Clock, team: Team) -> None:
    set_timers(team, review=3600)
    run = team.run([{"key": f"t{n}", "title": f"T{n}", "skills": ["singing"]} for n in range(7)])
    for task in Task.objects.filter(run=run):
        perform(tasks.stick_task, task.pk, reason="Nobody sings.", who="ada", actor=coordinator(team))
    clock.until(3600, team)
    (body,) = said(team)
    assert body.startswith("@ada: “T0”, ")
    assert body.endswith(" and 2 more still wait for you.")


def test_an_idle_holder_is_reminded_then_others_may_take_over_and_nothing_is_handed_back(
    clock: Clock, team: Team
) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    assert fresh(task).deadline_at == clock.at(900)
    clock.until(895, team)
    assert not said(team)
    clock.until(900, team)
    assert "@bob" in said(team)[0]
    clock.until(3595, team)
    assert len(said(team)) == 1
    assert not is_offered(fresh(task), fresh(task).attempt, clock.now)
    clock.until(3600, team)
    assert "may take it over" in said(team)[1]
    clock.until(20_000, team)
    assert fresh(task).holder == team.seat("bob")
    perform(takeover.take_over, task.pk, actor=team.actor("carol"))
    assert fresh(task).holder == team.seat("carol")


def test_a_holder_who_saves_is_at_it(clock: Clock, team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    for second in (800, 1600, 2400):
        clock.until(second, team)
        perform(drafts.save_draft, task.pk, text=f"{second}", actor=team.actor("bob"))
        assert fresh(task).deadline_at == clock.at(second + 900)
    assert not said(team)


def test_a_hand_back_that_is_not_acknowledged_goes_to_whoever_handed_it_back(clock: Clock, team: Team) -> None:
    task = handed_back(team)
    assert fresh(task).deadline_at == clock.at(120)
    clock.until(115, team)
    assert fresh(task).state == "working"
    clock.until(120, team)
    assert (fresh(task).state, fresh(task).next_actor) == ("stuck", "bob")
    assert (fresh(task).failure, latest(task).failure) == (Failure.NOT_ACKNOWLEDGED, Failure.NOT_ACKNOWLEDGED)


def test_one_that_is_acknowledged_has_the_time_of_any_other_work(clock: Clock, team: Team) -> None:
    task = handed_back(team)
    clock.until(100, team)
    team.answer("scribe", {"stopReason": "end_turn"}, text="Understood.")
    assert (fresh(task).deadline_at, latest(task).start_by) == (clock.at(1200), None)
    clock.until(250, team)
    assert fresh(task).state == "working"


def test_one_that_is_acknowledged_at_the_last_moment_goes_on(clock: Clock, team: Team) -> None:
    task = handed_back(team)
    clock.go(120)
    (found,) = in_hand.survey(clock.now, expire=True)
    team.answer("scribe", {"stopReason": "end_turn"}, text="Understood.")
    sweep._do([lambda: sweep._take_back(found.attempt, Failure.NOT_ACKNOWLEDGED, clock.now)])
    assert fresh(task).state == "working"


def handed_back(team: Team) -> Task:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    team.send("scribe")
    team.answer("scribe", {"stopReason": "cancelled"})
    perform(handback.hand_back, task.pk, note="Shorter.", actor=team.actor("bob"))
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    (asked,) = team.send("scribe")
    assert asked.purpose == "acknowledge"
    return fresh(task)


def test_an_agent_that_ignores_a_stop_gets_nothing_new_until_it_answers(clock: Clock, team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    team.send("scribe")
    agent = team.agents["scribe"].pk
    clock.until(14, team)
    assert latest_of_agent(task).stop == "asked"
    clock.until(15, team)
    assert latest_of_agent(task).stop == "unconfirmed"
    assert contact.unconfirmed([agent]) == {agent: clock.at(20)}
    other = team.one_task()
    with pytest.raises(Conflict, match="has not confirmed it"):
        perform(tasks.assign_task, other.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    Command.objects.filter(purpose="cancel").update(state="answered")
    team.answer("scribe", {"stopReason": "cancelled"})
    assert contact.unconfirmed([agent]) == {}


def latest_of_agent(task: Task) -> Attempt:
    found = Attempt.objects.filter(task=task, member__agent__isnull=False).last()
    assert found is not None
    return found


def test_a_workspaces_own_deadlines_hold_there_and_nowhere_else(clock: Clock, team: Team) -> None:
    set_timers(team, schedule_to_start=60, hard_stall=200, soft_stall=30, cancel_grace=40, unassigned=100)
    offered, working, free = team.assigned(), team.working("judge", skills=["review"]), team.one_task()
    perform(takeover.take_over, free.pk, actor=team.actor("bob"))
    perform(handback.hand_back, free.pk, actor=team.actor("bob"))
    clock.until(30, team)
    assert latest(working).quiet_since is not None
    clock.until(60, team)
    assert fresh(offered).state == "ready"
    clock.until(100, team)
    assert fresh(free).state == "stuck"
    clock.until(200, team)
    assert fresh(working).state == "ready"
    ended = latest(working).ended_at
    assert ended is not None
    clock.until(235, team)
    assert latest(working).stop == "asked"
    clock.until(240, team)
    assert latest(working).stop == "unconfirmed"


def test_what_has_begun_keeps_the_time_it_was_given(clock: Clock, team: Team) -> None:
    task = team.working()
    set_timers(team, start_to_close=400, hard_stall=350)
    assert latest(task).close_by == clock.at(1200)
    assert Workspace.objects.get().timers == {"start_to_close": 400, "hard_stall": 350}
