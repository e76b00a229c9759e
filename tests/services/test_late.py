"""What comes under an epoch that is over: kept, shown, told, and taken up only as another attempt."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from clawgroups.core.errors import Conflict, NotFound, StaleAttempt
from clawgroups.fragments.tasks import now_of
from clawgroups.models import Approval, Artifact, Attempt, Command, Session, Task
from clawgroups.services import artifacts, late, putting, review, sessions, takeover, tasks
from clawgroups.services.briefs import task_inputs
from clawgroups.services.perform import perform
from clawgroups.services.sweep import sweep
from tests.conftest import Team
from tests.services.late_support import answer, came_late, deliver, expired, me, prompt_of, reassigned

pytestmark = pytest.mark.django_db


# Acceptance


def test_a_completion_while_contact_is_lost_counts(team: Team) -> None:
    task = team.working()
    Attempt.objects.filter(task=task).update(contact="lost")
    team.finish("scribe", "in time")
    task = Task.objects.get(pk=task.pk)
    assert (task.state, task.attempt.result) == ("in_review", "in time")  # type: ignore[union-attr]


def test_a_prompt_answered_after_a_long_outage_of_ours_counts(team: Team) -> None:
    task = team.working()
    sweep(timezone.now() + timedelta(hours=1), quiet=True)
    team.finish("scribe", "all along")
    assert Task.objects.get(pk=task.pk).state == "in_review"


def test_a_completion_after_the_expiry_never_counts_and_is_kept(team: Team) -> None:
    attempt = came_late(team)
    task = Task.objects.get(pk=attempt.task_id)
    assert (task.state, attempt.state, attempt.result) == ("ready", "expired", "")
    assert (attempt.late_result, attempt.stop) == ("Sales rose by 4.", "done")
    assert team.journal()[-1] == "attempt.late_result_kept"
    assert "task.submitted" not in team.journal()


@pytest.mark.parametrize("stop", ["cancelled", "refusal", "max_tokens"])
def test_only_a_turn_that_ended_well_leaves_a_late_result(team: Team, stop: str) -> None:
    attempt = expired(team)
    answer(team, attempt, "half of it", stop=stop)
    assert (attempt.late_at, attempt.late_result) == (None, "")
    assert not Command.objects.filter(purpose="stale").exists()


def test_a_late_acknowledgement_is_no_result(team: Team) -> None:
    attempt = expired(team)
    Command.objects.filter(pk=prompt_of(attempt).pk).update(purpose="acknowledge")
    link = team.links["scribe"]
    (command,) = Command.objects.filter(purpose="acknowledge")
    perform(
        sessions.command_answered,
        command.pk,
        link=link,
        epoch=1,
        received=0,
        result={"stopReason": "end_turn"},
        text="I keep it.",
    )
    attempt.refresh_from_db()
    assert (attempt.late_at, attempt.late_result) == (None, "")


# Duplicates


@pytest.mark.parametrize("accepted", [False, True])
def test_what_another_has_submitted_already_is_a_plain_duplicate(team: Team, accepted: bool) -> None:
    attempt = expired(team)
    task = reassigned(team, attempt.task_id)
    team.finish("judge", "Sales rose by 4.")
    if accepted:
        perform(review.accept_task, task.pk, actor=team.actor("ada"))
    before = team.journal()
    answer(team, attempt, "Sales rose by 4.\n")
    assert (attempt.late_at, attempt.stop) == (None, "done")
    assert team.journal() == before
    assert not Command.objects.filter(purpose="stale").exists()


def test_the_same_words_with_another_file_are_no_duplicate(team: Team) -> None:
    attempt = expired(team)
    reassigned(team, attempt.task_id)
    team.finish("judge", "See the file.")
    assert deliver(team, attempt, "a.md", b"other")["kind"] == "late"
    answer(team, attempt, "See the file.")
    assert attempt.late_at is not None


def test_two_late_tries_with_the_same_words_leave_one_result(team: Team) -> None:
    first = came_late(team)
    second = reassigned(team, first.task_id).attempt
    assert second is not None
    perform(sessions.session_lost, second.sessions.get().pk, reason="lost too")
    answer(team, second, "Sales rose by 4.", name="judge")
    assert second.late_at is None
    assert team.journal().count("attempt.late_result_kept") == 1


# Files


def test_late_files_are_evidence_and_neither_inputs_nor_results(team: Team) -> None:
    plan = [
        {"key": "count", "title": "Count", "skills": ["writing"]},
        {"key": "write", "title": "Write", "skills": ["writing"], "depends_on": ["count"]},
    ]
    run = team.run(plan)
    count, write = Task.objects.filter(run=run).order_by("position")
    perform(tasks.assign_task, count.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    team.send("scribe")
    team.answer("scribe", {"sessionId": "s"})
    team.send("scribe")
    count.refresh_from_db()
    stale = count.attempt
    assert stale is not None
    assert deliver(team, stale, "early.md", b"early")["kind"] == "result"
    perform(sessions.session_lost, stale.sessions.get().pk, reason="lost")
    told = deliver(team, stale, "late.md", b"late")
    assert (told["kind"], told["current_epoch"]) == ("late", Task.objects.get(pk=count.pk).epoch)
    assert deliver(team, stale, "late.md", b"late")["id"] == told["id"]
    task = reassigned(team, count.pk)
    assert "late.md" not in {f.name for f in artifacts.work_files(task.attempt.sessions.get())}  # type: ignore[union-attr]
    team.finish("judge", "12")
    perform(review.accept_task, count.pk, actor=team.actor("ada"))
    assert [f.name for f in task_inputs(write)] == []
    assert [a.name for a in now_of(count.pk).files] == ["early.md", "late.md"]


def test_a_file_that_goes_back_to_what_it_was_is_delivered_again(team: Team) -> None:
    attempt = team.working().attempt
    assert attempt is not None
    kinds = [deliver(team, attempt, "a.md", content)["id"] for content in (b"1", b"2", b"1", b"1")]
    assert len(set(kinds)) == 3
    newest = Artifact.objects.filter(attempt=attempt).order_by("created_at", "pk").last()
    assert newest is not None
    assert str(newest.pk) == kinds[-1]


# Told


def test_a_question_of_an_attempt_that_is_over_is_answered_with_the_present_epoch(team: Team) -> None:
    attempt = expired(team)
    session = Session.objects.get(attempt=attempt)
    options = [{"optionId": "y", "kind": "allow_once"}]
    for _ in range(2):
        asked = perform(
            putting.request_approval, session.pk, request_id=5, tool_call={}, options=options, actor=me(team)
        )
        assert asked.answer["open"] is False
    (reply,) = Command.objects.filter(purpose="reply", params__id=5)
    error = reply.params["error"]
    epoch = Task.objects.get(pk=attempt.task_id).epoch
    assert (error["code"], error["data"]) == (-32010, {"current_epoch": epoch, "kept_as": None})
    assert Approval.objects.get().state == "void"


def test_an_open_question_is_answered_cancelled_when_its_task_is_taken_over(team: Team) -> None:
    task = team.working()
    session = task.attempt.sessions.get()  # type: ignore[union-attr]
    options = [{"optionId": "y", "kind": "allow_once"}]
    perform(putting.request_approval, session.pk, request_id=5, tool_call={}, options=options, actor=me(team))
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    (reply,) = Command.objects.filter(purpose="reply")
    assert reply.params["result"] == {"outcome": {"outcome": "cancelled"}}


def test_a_release_under_an_old_epoch_says_which_one_holds(team: Team) -> None:
    task = team.working()
    with pytest.raises(StaleAttempt) as refused:
        perform(tasks.release_task, task.pk, reason="x", epoch=task.epoch - 1, actor=team.actor("bob"))
    assert refused.value.fields == {"current_epoch": task.epoch, "kept_as": None}


def test_what_a_link_was_to_be_told_is_forgotten_once_another_has_come(team: Team) -> None:
    came_late(team)
    agent, link = team.agents["scribe"].pk, team.links["scribe"]
    assert late.forget_told(agent, link) is None
    forgotten = late.forget_told(agent, UUID(int=1))
    assert forgotten is not None
    assert forgotten.result().applied
    assert Command.objects.get(purpose="stale").state == "void"
    with pytest.raises(NotFound):
        perform(late.noted, UUID(int=2), actor=me(team))


# Shown


def test_what_goes_on_after_a_stop_is_shown_with_its_time_and_steps(team: Team) -> None:
    task = team.working()
    attempt = task.attempt
    assert attempt is not None
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    assert now_of(task.pk).overruns[attempt.pk].until is None
    three = timezone.now() - timedelta(minutes=3)
    Command.objects.filter(attempt=attempt, purpose="cancel").update(created_at=three)
    attempt.parts.create(
        pk=attempt.pk, ordinal=9, kind="notice", text="Look: pending\nLook: completed\n", after_stop=True, at=three
    )
    team.send("scribe")
    answer(team, attempt, "I went on")
    overrun = now_of(task.pk).overruns[attempt.pk]
    assert (round(overrun.seconds / 60), overrun.steps, overrun.is_worth_telling) == (3, 1, True)


# Races


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_", range(3))
def test_a_completion_and_its_expiry_at_once_give_one_of_both_and_never_half(team: Team, round_: int) -> None:
    task = team.working()
    attempt = task.attempt
    assert attempt is not None
    start, faults = threading.Barrier(2), []

    def at_once(work: Any) -> threading.Thread:
        def run() -> None:
            start.wait(10)
            try:
                work()
            except Conflict as moved:
                faults.append(moved)
            finally:
                connection.close()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    session = attempt.sessions.get().pk
    racers = [
        at_once(lambda: answer(team, Attempt.objects.get(pk=attempt.pk), "done")),
        at_once(lambda: perform(sessions.session_lost, session, reason="lost")),
    ]
    for racer in racers:
        racer.join(30)
    attempt.refresh_from_db()
    task.refresh_from_db()
    in_time = (task.state, attempt.state, attempt.result, attempt.late_result)
    assert in_time in {("in_review", "submitted", "done", ""), ("ready", "expired", "", "done")}
    journal = team.journal()
    assert journal.count("task.submitted") + journal.count("attempt.late_result_kept") == 1
    assert Command.objects.get(attempt=attempt, purpose="work").state == "answered"
