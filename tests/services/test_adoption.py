"""A late result is taken up as another attempt, by a person or (where nobody works on the task) the coordinator."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from clawgroups.coordinator.act import park
from clawgroups.core.actors import coordinator_for
from clawgroups.core.errors import Conflict, Forbidden, IllegalMove, NotFound
from clawgroups.fragments.tasks import now_of
from clawgroups.models import Artifact, Command, Run, Task
from clawgroups.services import finishing, handback, late, review, runs, sessions, takeover
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.late_support import adopt, answer, came_late, deliver, expired, reassigned, turn

pytestmark = pytest.mark.django_db


# Adopted


def test_an_adopted_result_is_a_new_try_with_its_files_in_review(team: Team) -> None:
    attempt = expired(team)
    deliver(team, attempt, "a.md", b"late file")
    answer(team, attempt, "Sales rose by 4.")
    epoch = Task.objects.get(pk=attempt.task_id).epoch
    task = adopt(team, attempt)
    again = task.attempt
    assert again is not None
    assert (task.state, task.epoch, task.assignee_id) == ("in_review", epoch + 1, attempt.member_id)
    assert (again.state, again.epoch, again.number) == ("submitted", epoch + 1, 2)
    assert (again.result, again.adopted_from_id, again.member_id) == (
        "Sales rose by 4.",
        attempt.pk,
        attempt.member_id,
    )
    (file,) = Artifact.objects.filter(attempt=again)
    assert (file.kind, file.name, file.actor["kind"]) == ("result", "a.md", "agent")
    assert team.journal()[-2:] == ["task.late_result_adopted", "artifact.added"]
    perform(review.accept_task, task.pk, actor=team.actor("ada"))
    assert Task.objects.get(pk=task.pk).state == "done"
    assert Run.objects.get(pk=task.run_id).state == "consolidating"


def test_adopting_stops_whoever_works_on_it_now(team: Team) -> None:
    attempt = came_late(team)
    running = reassigned(team, attempt.task_id).attempt
    task = adopt(team, attempt)
    assert running is not None
    running.refresh_from_db()
    assert (running.state, running.stop) == ("superseded", "asked")
    assert Command.objects.filter(attempt=running, purpose="cancel", state="open").exists()
    team.send("judge")
    team.finish("judge", "mine as well")
    running.refresh_from_db()
    assert running.late_result == "mine as well"
    assert Task.objects.get(pk=task.pk).attempt_id == task.attempt_id


def test_a_late_result_is_taken_up_once(team: Team) -> None:
    attempt = came_late(team)
    task = adopt(team, attempt)
    perform(review.return_task, task.pk, reasons=["no"], actor=team.actor("ada"))
    with pytest.raises(Conflict, match="taken up before, as try 2"):
        adopt(team, attempt)


def test_a_task_that_is_held_closed_or_in_review_takes_none_up(team: Team) -> None:
    attempt = came_late(team)
    perform(takeover.take_over, attempt.task_id, actor=team.actor("bob"))
    with pytest.raises(Conflict, match="bob works on this task by hand"):
        adopt(team, attempt)
    perform(finishing.submit_held, attempt.task_id, result="mine", actor=team.actor("bob"))
    with pytest.raises(IllegalMove, match="in review"):
        adopt(team, attempt)
    perform(review.accept_task, attempt.task_id, actor=team.actor("ada"))
    with pytest.raises(Conflict, match="consolidating"):
        adopt(team, attempt)


def test_nothing_is_taken_up_that_never_came(team: Team) -> None:
    attempt = expired(team)
    other = came_late(team)
    with pytest.raises(NotFound):
        adopt(team, attempt)
    with pytest.raises(NotFound):
        perform(late.adopt_late, attempt.task_id, other.pk, actor=team.actor("bob"))


@pytest.mark.parametrize(("who", "fault"), [("gus", Forbidden), ("mallory", NotFound)])
def test_who_may_not_adopt_changes_nothing(team: Team, who: str, fault: type[Exception]) -> None:
    attempt = came_late(team)
    before = team.journal()
    with pytest.raises(fault):
        adopt(team, attempt, who)
    assert team.journal() == before


# The coordinator


def test_the_coordinator_takes_a_late_result_up_when_nobody_works_on_the_task(team: Team) -> None:
    attempt = came_late(team, acceptance=["contains: rose"])
    turn(team)
    task = Task.objects.select_related("attempt").get(pk=attempt.task_id)
    assert task.state == "done"
    assert task.attempt.adopted_from_id == attempt.pk  # type: ignore[union-attr]
    assert team.journal().count("task.late_result_adopted") == 1


def test_the_coordinator_takes_one_up_that_unsticks_a_task_after_its_last_try(team: Team) -> None:
    attempt = expired(team)
    Task.objects.filter(pk=attempt.task_id).update(state="stuck", tries=3, blocked_on="person")
    answer(team, attempt, "At last.")
    turn(team)
    assert Task.objects.get(pk=attempt.task_id).state == "done"


def test_a_late_result_that_fails_a_check_is_turned_down_once_and_the_task_goes_on(team: Team) -> None:
    attempt = came_late(team, acceptance=["contains: profit"])
    Task.objects.filter(pk=attempt.task_id).update(not_before=None)
    turn(team)
    attempt.refresh_from_db()
    assert [v["finding"] for v in attempt.verdicts] == ["failed"]
    task = Task.objects.get(pk=attempt.task_id)
    assert task.state == "assigned"
    assert task.attempt_id != attempt.pk
    assert "task.late_result_adopted" not in team.journal()
    assert [line["line"] for line in now_of(task.pk).late[0].failed] == ["contains: profit"]
    assert [line.finding for line in now_of(task.pk).lines] == ["open"]


def test_a_late_result_that_its_checks_die_of_is_left_to_people(team: Team) -> None:
    attempt = came_late(team)
    park(attempt.task.run_id, f"Adopt {attempt.task_id}")
    task = Task.objects.get(pk=attempt.task_id)
    assert (task.run.paused, late.adoptable(task)) == (False, None)
    assert now_of(task.pk).late[0].may_be_taken_up
    assert adopt(team, attempt).state == "in_review"


def test_the_coordinator_leaves_a_task_alone_that_somebody_works_on(team: Team) -> None:
    attempt = expired(team)
    running = reassigned(team, attempt.task_id)
    answer(team, attempt, "Sales rose by 4.")
    turn(team)
    assert Task.objects.get(pk=running.pk).attempt_id == running.attempt_id
    with pytest.raises(Conflict, match="only a person"):
        perform(late.adopt_late, running.pk, attempt.pk, actor=coordinator_for(team.users["ada"].pk))


def test_the_coordinator_takes_nothing_up_from_before_a_person_worked_on_it(team: Team) -> None:
    attempt = team.working().attempt
    assert attempt is not None
    perform(takeover.take_over, attempt.task_id, actor=team.actor("bob"))
    answer(team, attempt, "I went on")
    perform(handback.hand_back, attempt.task_id, note="Not like this", actor=team.actor("bob"))
    assert attempt.late_at is not None
    assert late.adoptable(Task.objects.get(pk=attempt.task_id)) is None


def test_the_coordinator_takes_nothing_up_that_was_returned_before(team: Team) -> None:
    task = team.working()
    team.finish("scribe", "Sales rose.")
    perform(review.return_task, task.pk, reasons=["by how much?"], actor=team.actor("ada"))
    again = reassigned(team, task.pk).attempt
    assert again is not None
    perform(sessions.session_lost, again.sessions.get().pk, reason="lost")
    answer(team, again, "Sales rose.", name="judge")
    assert again.late_at is not None
    assert late.adoptable(Task.objects.get(pk=task.pk)) is None


@pytest.mark.django_db(transaction=True)
def test_of_many_who_adopt_at_once_one_does(team: Team) -> None:
    attempt = came_late(team)
    start, taken = threading.Barrier(6), []

    def run(name: str) -> None:
        start.wait(10)
        try:
            taken.append(adopt(team, attempt, name).attempt_id)
        except Conflict:
            return
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(name,)) for name in ("ada", "bob", "carol") * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(taken) == 1
    assert attempt.adopted_as.count() == 1
    assert team.journal().count("task.late_result_adopted") == 1


@pytest.mark.django_db(transaction=True)
def test_an_acceptance_and_an_adoption_at_once_leave_one_accepted_result(team: Team) -> None:
    attempt = came_late(team)
    running = reassigned(team, attempt.task_id)
    start = threading.Barrier(2)

    def run(work: Any) -> None:
        start.wait(10)
        try:
            work()
        except Conflict:
            return
        finally:
            connection.close()

    work = [lambda: team.finish("judge", "by the other"), lambda: adopt(team, attempt)]
    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    task = Task.objects.get(pk=running.pk)
    assert task.state == "in_review"
    perform(review.accept_task, task.pk, actor=team.actor("ada"))
    states = sorted(task.attempts.values_list("state", flat=True))
    assert states.count("accepted") == 1
    assert len(states) == 2 + attempt.adopted_as.count()


def test_a_cancelled_run_takes_no_late_result_up(team: Team) -> None:
    attempt = came_late(team)
    perform(runs.cancel_run, attempt.task.run_id, actor=team.actor("ada"))
    with pytest.raises(Conflict, match="cancelled"):
        adopt(team, attempt)
