"""A task that is paused rests until somebody lets it go on; everything around it knows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from agents.models import Agent
from clawgroups import commit
from clawgroups.coordinator.evidence import look
from clawgroups.coordinator.loop import take_turn
from clawgroups.coordinator.situation import situation_of
from clawgroups.core.actors import coordinator_for
from clawgroups.core.errors import Conflict
from clawgroups.core.invariants import breaches
from clawgroups.models import Command, Run, Session, Task
from clawgroups.reactions import react
from clawgroups.services import (
    asking,
    choices,
    dependants,
    late,
    members,
    pausing,
    regenerate,
    review,
    runs,
    stopping,
    takeover,
    tasks,
    waiting,
)
from clawgroups.services.perform import perform
from clawgroups.services.sweep import sweep
from tests.conftest import Team, online_agent
from tests.services.conftest import Clock, fresh, latest
from tests.services.late_support import came_late

pytestmark = pytest.mark.django_db
TWO = [
    {"key": "count", "title": "Count", "skills": ["data-analysis"]},
    {"key": "write", "title": "Write", "skills": ["writing"], "depends_on": ["count"]},
]


def sound() -> None:
    assert [one.sentence for one in breaches(look(), timezone.now())] == []


def turn(team: Team, run_id: object) -> None:
    react(team.workspace.pk)
    take_turn(run_id)  # type: ignore[arg-type]


def pause(team: Team, task: Task, by: str = "ada") -> Task:
    perform(pausing.pause_task, task.pk, actor=team.actor(by))
    return fresh(task)


def resume(team: Team, task: Task, by: str = "ada") -> Task:
    perform(pausing.resume_task, task.pk, actor=team.actor(by))
    return fresh(task)


# Pausing


def test_pausing_what_an_agent_has_in_hand_stops_it_and_keeps_its_place(team: Team) -> None:
    task = team.working()
    outcome = perform(pausing.pause_task, task.pk, actor=team.actor("ada"))
    after = fresh(task)
    assert outcome.answer == {"id": str(task.pk), "state": "ready", "epoch": task.epoch + 1, "paused": "ada"}
    assert (after.state, after.paused, after.tries, after.assignee) == ("ready", "ada", 0, None)
    assert after.brief["preferred"] == str(team.seat("scribe").pk)
    assert (after.blocked_on, after.next_actor) == ("outside", "ada, who may let it go on")
    assert (latest(task).state, latest(task).stop, latest(task).reason) == ("cancelled", "asked", "ada paused it")
    assert team.journal()[-2:] == ["task.released", "task.paused"]
    sound()


def test_a_paused_task_goes_on_with_the_same_agent_in_its_session(team: Team) -> None:
    team.agents["poet"] = online_agent(team, "poet", "writing")
    task = team.working("poet")
    pause(team, task)
    team.send("poet")
    team.answer("poet", {"stopReason": "cancelled"})
    resume(team, task, by="bob")
    turn(team, task.run_id)
    assert (fresh(task).state, fresh(task).assignee) == ("assigned", team.seat("poet"))
    assert Session.objects.get(task=task).attempt_id == fresh(task).attempt_id
    assert Agent.objects.get(pk=team.agents["poet"].pk).breaker == "closed"


def test_one_that_goes_on_at_once_gives_the_agent_a_moment_to_confirm(team: Team, clock: Clock) -> None:
    task = team.working()
    pause(team, task)
    after = resume(team, task)
    assert after.not_before == clock.at(pausing.SETTLE)
    turn(team, task.run_id)
    assert fresh(task).state == "ready"
    team.send("scribe")
    team.answer("scribe", {"stopReason": "cancelled"})
    clock.sweep(pausing.SETTLE + 1)
    turn(team, task.run_id)
    assert fresh(task).state == "assigned"
    assert Session.objects.filter(task=task).count() == 1


def test_a_waiting_a_ready_and_a_stuck_task_are_only_marked(team: Team) -> None:
    run = team.run(TWO)
    count, write = Task.objects.filter(run=run).order_by("position")
    for task in (count, write):
        after = pause(team, task)
        assert (after.state, after.epoch, after.paused) == (task.state, task.epoch, "ada")
    law = team.one_task(skills=["law"])
    turn(team, law.run_id)
    assert fresh(law).state == "stuck"
    after = pause(team, law)
    assert (after.state, after.paused, after.blocked_on) == ("stuck", "ada", "outside")
    sound()
    after = resume(team, law)
    assert (after.state, after.paused, after.blocked_on, after.next_actor) == ("stuck", "", "person", "ada")
    sound()


def test_where_it_cannot_be_paused_the_answer_says_why(team: Team) -> None:
    ada = team.actor("ada")
    held = team.one_task()
    perform(takeover.take_over, held.pk, actor=team.actor("bob"))
    reviewed = team.working()
    team.finish("scribe", "The end.")
    over = team.one_task()
    perform(tasks.cancel_task, over.pk, actor=ada)
    paused = pause(team, team.one_task(), by="bob")
    idle = team.one_task()
    proposed = Task.objects.filter(run=team.run(TWO, start=False)).earliest("position")
    said = {
        held: ("held", "bob works on this task by hand"),
        reviewed: ("in_review", "in review"),
        over: ("closed", "nothing to pause"),
        paused: ("already_paused", "bob paused this task already"),
        proposed: ("run_not_running", "The run is proposed"),
    }
    for task, (code, words) in said.items():
        with pytest.raises(Conflict, match=words) as refused:
            perform(pausing.pause_task, task.pk, actor=ada)
        assert refused.value.code == code
    with pytest.raises(Conflict, match="Nobody paused or stopped this task; it is ready") as refused:
        perform(pausing.resume_task, idle.pk, actor=ada)
    assert refused.value.code == "not_paused"
    with pytest.raises(Conflict, match="moved on"):
        perform(pausing.pause_task, idle.pk, epoch=7, actor=ada)


# Given to nobody


def test_a_paused_task_is_given_to_nobody_and_says_who_paused_it(team: Team) -> None:
    task = pause(team, team.one_task())
    turn(team, task.run_id)
    assert fresh(task).state == "ready"
    scribe, ada = team.seat("scribe").pk, team.actor("ada")
    with pytest.raises(Conflict, match=r"ada paused this task\. Let it go on first, or take it over") as refused:
        perform(tasks.assign_task, task.pk, member_id=scribe, actor=ada)
    assert (refused.value.code, refused.value.fields["by"]) == ("paused", "ada")
    perform(members.set_profile, team.workspace.pk, skills=[], capacity=1, actor=team.actor("bob"))
    coordinator = coordinator_for(team.users["ada"].pk)
    refused_by: list[tuple[Any, dict[str, Any]]] = [
        (asking.ask_member, {"member_id": team.seat("bob").pk, "match": {}}),
        (tasks.stick_task, {"reason": "r", "who": "ada"}),
        (waiting.park_task, {"reason": "r", "who": "ada", "match": {}}),
    ]
    for verb, more in refused_by:
        with pytest.raises(Conflict, match="ada paused this task"):
            perform(verb, task.pk, actor=coordinator, **more)


def test_a_pause_that_comes_between_a_look_and_an_assignment_goes_first(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, submit, waiting_ = team.one_task(), commit.submit, [True]

    def pausing_first(change):  # type: ignore[no-untyped-def]
        if waiting_ and waiting_.pop():
            pause(team, task)
        return submit(change)

    monkeypatch.setattr(commit, "submit", pausing_first)
    with pytest.raises(Conflict, match="ada paused this task"):
        perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("bob"))
    assert (fresh(task).state, fresh(task).attempt) == ("ready", None)


def test_who_was_asked_for_it_is_asked_no_more_and_may_be_asked_again(team: Team) -> None:
    perform(
        members.set_profile,
        team.workspace.pk,
        skills=[{"name": "law", "level": 4}],
        capacity=1,
        actor=team.actor("bob"),
    )
    task = team.one_task(skills=["law"])
    turn(team, task.run_id)
    assert fresh(task).next_actor == "bob"
    after = pause(team, task)
    assert (after.brief["asked"], after.not_before, after.next_actor) == ([], None, "ada, who may let it go on")
    resume(team, task)
    turn(team, task.run_id)
    assert fresh(task).next_actor == "bob"


def test_a_paused_task_keeps_no_agent_from_other_runs_and_wakes_nobody(team: Team) -> None:
    other = team.one_task()
    mine = team.one_task()
    run = Run.objects.get(pk=mine.run_id)
    assert situation_of(run, timezone.now()).allowance is not None
    pause(team, other)
    assert situation_of(run, timezone.now()).allowance is None
    turn(team, other.run_id)
    Run.objects.filter(pk=other.run_id).update(turned=100)
    sweep(timezone.now(), quiet=True)
    assert Run.objects.get(pk=other.run_id).wanted < 100


def test_a_late_result_of_a_paused_task_is_taken_up_by_people_only(team: Team) -> None:
    attempt = came_late(team)
    task = pause(team, Task.objects.get(pk=attempt.task_id))
    with pytest.raises(Conflict, match="paused"):
        perform(late.adopt_late, task.pk, attempt.pk, actor=coordinator_for(team.users["ada"].pk))
    perform(late.adopt_late, task.pk, attempt.pk, actor=team.actor("bob"))
    assert (fresh(task).state, fresh(task).paused) == ("in_review", "")


def test_it_may_be_written_anew_and_chosen_for_and_rests_all_the_same(team: Team) -> None:
    task = pause(team, team.one_task())
    perform(regenerate.regenerate_task, task.pk, instructions="Shorter.", actor=team.actor("bob"))
    perform(choices.choose_member, task.pk, member_id=team.seat("judge").pk, actor=team.actor("bob"))
    after = fresh(task)
    assert (after.paused, after.next_actor, after.instructions) == ("ada", "ada, who may let it go on", "Shorter.")
    assert after.resting_since is not None
    parts = [{"title": "One", "instructions": "1"}, {"title": "Two", "instructions": "2"}]
    with pytest.raises(Conflict, match="paused"):
        perform(regenerate.regenerate_task, task.pk, instructions="Join", parts=parts, actor=team.actor("bob"))
    sound()


def test_whoever_takes_it_over_holds_it_and_it_is_paused_no_more(team: Team) -> None:
    task = pause(team, team.one_task())
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    assert (fresh(task).state, fresh(task).paused) == ("held", "")
    sound()


# Time and others


def test_its_time_rests_while_it_is_paused(team: Team, clock: Clock) -> None:
    task = team.one_task()
    before = task.close_by
    assert before is not None
    pause(team, task)
    clock.until(5 * 3600, team)
    assert (fresh(task).state, fresh(task).paused) == ("ready", "ada")
    after = resume(team, task)
    assert after.close_by == before + timedelta(hours=5)
    sound()


def test_what_becomes_ready_while_it_is_paused_rests_from_the_next_sweep_on(team: Team) -> None:
    run = team.run(TWO)
    count, write = Task.objects.filter(run=run).order_by("position")
    pause(team, write)
    team.try_once(count, {"stopReason": "end_turn"}, name="counter", text="12")
    perform(review.accept_task, count.pk, actor=team.actor("ada"))
    sweep(timezone.now(), quiet=True)
    after = fresh(write)
    assert (after.state, after.next_actor) == ("ready", "ada, who may let it go on")
    assert after.resting_since is not None
    turn(team, run.pk)
    assert fresh(write).state == "ready"
    done = len(team.journal())
    sweep(timezone.now(), quiet=True)
    assert len(team.journal()) == done
    sound()


def test_a_run_that_is_paused_and_resumed_leaves_a_paused_task_as_it_is(team: Team) -> None:
    task, ada = pause(team, team.one_task()), team.actor("ada")
    for verb in (runs.pause_run, runs.resume_run, stopping.stop_run, runs.resume_run):
        perform(verb, task.run_id, actor=ada)
        sweep(timezone.now(), quiet=True)
        assert fresh(task).next_actor == "ada, who may let it go on"
    perform(runs.pause_run, task.run_id, actor=ada)
    assert resume(team, task).next_actor == "ada, who may resume the run"
    sound()


def test_what_waits_for_a_paused_task_says_so_until_it_goes_on(team: Team) -> None:
    run = team.run(TWO)
    count, write = Task.objects.filter(run=run).order_by("position")
    pause(team, count, by="bob")
    turn(team, run.pk)
    assert (fresh(write).reason, fresh(write).next_actor) == ("It waits for “Count”, which bob paused.", "bob")
    resume(team, count)
    turn(team, run.pk)
    run.refresh_from_db()
    assert dependants.to_tell(run) == ()
    assert fresh(write).reason == ""


def test_the_model_is_asked_nothing_about_a_task_while_it_is_paused(team: Team) -> None:
    task = team.one_task()
    Task.objects.filter(pk=task.pk).update(tries=3)
    pause(team, task)
    turn(team, task.run_id)
    assert fresh(task).regenerated == 0
    assert not Command.objects.exists()
