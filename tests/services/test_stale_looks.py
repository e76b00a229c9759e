"""What was decided from an old look does no harm: explanations, judges, and members who leave meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import timedelta
from unittest import mock

import pytest
from django.utils import timezone

from clawgroups import commit
from clawgroups.coordinator.evidence import look
from clawgroups.coordinator.loop import take_turn
from clawgroups.core.actors import Actor, ActorKind, coordinator_for
from clawgroups.core.changes import Change, Outcome
from clawgroups.core.errors import Conflict
from clawgroups.core.invariants import breaches
from clawgroups.models import Approval, Attempt, Command, Draft, Member, Session, Task
from clawgroups.reactions import react
from clawgroups.services import agents, approvals, drafts, putting, runs, takeover, tasks, waiting
from clawgroups.services.perform import perform
from clawgroups.services.sweep import sweep
from tests.conftest import Team

pytestmark = pytest.mark.django_db


def test_a_task_that_was_given_out_meanwhile_is_not_said_to_be_stuck(team: Team) -> None:
    task = team.assigned()
    actor = coordinator_for(team.users["ada"].pk)
    with pytest.raises(Conflict, match="assigned"):
        perform(tasks.stick_task, task.pk, reason="r", who="w", actor=actor)
    with pytest.raises(Conflict, match="assigned"):
        perform(waiting.park_task, task.pk, reason="r", who="w", match={}, actor=actor)
    assert breaches(look(), timezone.now()) == []


def test_nobody_is_asked_to_judge_what_went_back_meanwhile(team: Team) -> None:
    task = team.one_task()
    with pytest.raises(Conflict, match="ready"):
        perform(waiting.ask_judge, task.pk, verdicts=[], actor=coordinator_for(team.users["ada"].pk))


def test_the_work_of_a_member_who_has_left_is_given_on_by_the_next_sweep(team: Team) -> None:
    task = team.working()
    # The seat was given up at the very moment at which the task was given out.
    Member.objects.filter(pk=team.seat("scribe").pk).update(left_at=timezone.now())
    sweep(timezone.now(), quiet=True)
    task.refresh_from_db()
    # Nobody failed at it: the try is given back.
    assert (task.state, task.assignee, task.tries) == ("ready", None, 0)
    assert Attempt.objects.get(task=task).state == "expired"


def test_the_work_of_a_retired_agent_is_given_on_before_its_first_turn_begins(team: Team) -> None:
    task = team.assigned()
    perform(agents.retire_agent, team.agents["scribe"].pk, actor=team.actor("ada"))
    sweep(timezone.now(), quiet=True)
    assert Task.objects.get(pk=task.pk).state == "ready"


def test_a_task_held_by_somebody_who_has_left_is_free_again_and_the_draft_is_kept(team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    perform(drafts.save_draft, task.pk, text="Half of it", actor=team.actor("bob"))
    Member.objects.filter(pk=team.seat("bob").pk).update(left_at=timezone.now())
    sweep(timezone.now(), quiet=False)
    task.refresh_from_db()
    assert (task.state, task.holder) == ("ready", None)
    perform(takeover.take_over, task.pk, actor=team.actor("carol"))
    task.refresh_from_db()
    last = Draft.objects.filter(attempt=task.attempt).last()
    assert last is not None
    assert last.text == "Half of it"


def test_nobody_takes_a_task_from_a_holder_who_is_here(team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    task.refresh_from_db()
    with pytest.raises(Conflict, match="held"):
        perform(tasks.release_task, task.pk, reason="r", epoch=task.epoch, actor=team.actor("ada"))
    sweep(timezone.now() + timedelta(minutes=5), quiet=False)
    assert Task.objects.get(pk=task.pk).state == "held"


@contextmanager
def between(act: Callable[[], object]) -> Iterator[None]:
    """The next change is decided, and then `act` happens before it is committed."""
    original, waiting = commit.submit, [act]

    def submit(change: Change) -> Future[Outcome]:
        if waiting:
            waiting.pop()()
        return original(change)

    with mock.patch.object(commit, "submit", submit):
        yield


def ask(team: Team, task: Task) -> Approval:
    """The agent of a working task asks for permission."""
    me = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    session = Session.objects.get(task=task)
    options = [{"optionId": "n", "kind": "reject_once"}]
    perform(putting.request_approval, session.pk, request_id=1, tool_call={}, options=options, actor=me)
    return Approval.objects.get()


def test_a_question_of_a_turn_that_has_ended_is_void_and_answered(team: Team) -> None:
    task = team.working()
    asked = ask(team, task)
    team.finish("scribe", "The end.")
    asked.refresh_from_db()
    assert (Task.objects.get(pk=task.pk).state, asked.state) == ("in_review", "void")
    assert Command.objects.get(purpose="reply").params["result"] == {"outcome": {"outcome": "cancelled"}}
    assert breaches(look(), timezone.now()) == []


def test_a_question_that_came_in_while_its_attempt_was_being_ended_is_void_after_the_next_sweep(team: Team) -> None:
    task = team.working()
    asked = ask(team, task)
    # As if whoever ended the attempt had not seen the question yet.
    Attempt.objects.filter(task=task).update(state="expired", ended_at=timezone.now())
    Task.objects.filter(pk=task.pk).update(state="ready", attempt=None, assignee=None, epoch=9)
    sweep(timezone.now(), quiet=True)
    asked.refresh_from_db()
    assert asked.state == "void"
    assert team.journal().count("approval.voided") == 1


def test_nobody_lets_an_agent_go_on_whose_task_was_taken_over_while_it_asked(team: Team) -> None:
    task = team.working()
    seen: list[Approval] = []
    with between(lambda: seen.append(ask(team, task))):
        perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    # The takeover knew nothing of the question, which is open until the next sweep.
    with pytest.raises(Conflict, match="attempt is over"):
        perform(approvals.decide_approval, seen[0].pk, option_id="n", actor=team.actor("ada"))
    sweep(timezone.now(), quiet=True)
    assert Command.objects.get(purpose="reply").params["result"] == {"outcome": {"outcome": "cancelled"}}


def test_an_answer_that_crosses_a_takeover_does_not_count(team: Team) -> None:
    task = team.working()
    asked = ask(team, task)
    with (
        between(lambda: perform(takeover.take_over, task.pk, actor=team.actor("bob"))),
        pytest.raises(Conflict) as told,
    ):
        perform(approvals.decide_approval, asked.pk, option_id="n", actor=team.actor("ada"))
    assert (told.value.code, told.value.fields["state"]) == ("not_open", "void")
    assert Command.objects.get(purpose="reply").params["result"] == {"outcome": {"outcome": "cancelled"}}


def test_a_run_whose_plan_was_cancelled_before_its_start_comes_to_an_end(team: Team) -> None:
    run = team.run([{"key": "a", "title": "A"}], start=False)
    perform(tasks.cancel_task, Task.objects.get(run=run).pk, actor=team.actor("ada"))
    perform(runs.start_run, run.pk, actor=team.actor("ada"))
    assert breaches(look(), timezone.now()) == []
    react(team.workspace.pk)
    take_turn(run.pk)
    run.refresh_from_db()
    assert run.state == "failed"
    assert "nothing to hand over" in run.reason
