"""Stopping and pausing at the very moment of something else: one of the two goes first, and the end is clear."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import Any

import pytest
from django.utils import timezone

from agents.ids import new_id
from clawgroups.coordinator.evidence import look
from clawgroups.core.actors import coordinator_for
from clawgroups.core.errors import ClawError
from clawgroups.core.invariants import breaches
from clawgroups.fragments.stop_progress import progress_of
from clawgroups.models import Attempt, Command, Member, Run, Session, Task
from clawgroups.services import pausing, stopping, takeover, tasks
from clawgroups.services.perform import perform
from clawgroups.services.stop_all import stop_the_rest
from tests.conftest import Team
from tests.services.races import Act, at_once, between

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 8
WAIT = 20


def sound() -> None:
    assert [one.sentence for one in breaches(look(), timezone.now())] == []


def outcome(given: object) -> str:
    return given.code if isinstance(given, ClawError) else "done"


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_stop_and_a_result_at_once_have_one_clear_end(team: Team, round_: int) -> None:
    task, ada = team.working(), team.actor("ada")
    stop, _ = at_once(
        lambda: perform(stopping.stop_task, task.pk, actor=ada), lambda: team.finish("scribe", "The end.")
    )
    after, attempt = Task.objects.get(pk=task.pk), Attempt.objects.get(task=task)
    if outcome(stop) == "done":
        # What came a moment too late is kept beside it.
        assert (after.state, attempt.state, attempt.result) == ("stuck", "cancelled", "")
        assert (attempt.late_result, attempt.stop) == ("The end.", "done")
    else:
        assert (outcome(stop), after.state, attempt.result) == ("in_review", "in_review", "The end.")
    sound()


@pytest.mark.parametrize("stop_goes_first", [True, False])
def test_whichever_of_a_stop_and_a_result_is_committed_first_holds(
    team: Team, monkeypatch: pytest.MonkeyPatch, stop_goes_first: bool
) -> None:
    task, ada = team.working(), team.actor("ada")
    stop: Act = lambda: perform(stopping.stop_task, task.pk, actor=ada)  # noqa: E731
    finish: Act = lambda: team.finish("scribe", "The end.")  # noqa: E731
    sooner, later = (stop, finish) if stop_goes_first else (finish, stop)
    between(monkeypatch, sooner)
    with nullcontext() if stop_goes_first else pytest.raises(ClawError, match="in review"):
        later()
    assert Task.objects.get(pk=task.pk).state == ("stuck" if stop_goes_first else "in_review")
    assert Attempt.objects.get(task=task).late_result == ("The end." if stop_goes_first else "")
    sound()


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_stop_and_a_takeover_at_once_end_with_the_person_who_took_it(team: Team, round_: int) -> None:
    task = team.working()
    ada, bob = team.actor("ada"), team.actor("bob")
    stop, take = at_once(
        lambda: perform(stopping.stop_task, task.pk, actor=ada), lambda: perform(takeover.take_over, task.pk, actor=bob)
    )
    after = Task.objects.get(pk=task.pk)
    assert outcome(take) == "done"
    assert (after.state, after.holder) == ("held", team.seat("bob"))
    assert outcome(stop) in ("done", "held")
    assert Command.objects.filter(purpose="cancel").count() == 1
    sound()


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_paused_task_is_in_nobodys_hands_whoever_gave_it_out_at_that_moment(team: Team, round_: int) -> None:
    task, ada = team.one_task(), team.actor("ada")
    coordinator, scribe = coordinator_for(team.users["ada"].pk), team.seat("scribe").pk
    pause, give = at_once(
        lambda: perform(pausing.pause_task, task.pk, actor=ada),
        lambda: perform(tasks.assign_task, task.pk, member_id=scribe, actor=coordinator),
    )
    after = Task.objects.get(pk=task.pk)
    assert outcome(pause) == "done"
    assert outcome(give) in ("done", "paused")
    assert (after.state, after.paused, after.attempt_id) == ("ready", "ada", None)
    assert not Attempt.objects.filter(task=task, ended_at=None).exists()
    sound()


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_nothing_is_at_work_in_a_run_that_was_stopped_while_work_was_given_out(team: Team, round_: int) -> None:
    plan = [{"key": f"t{n}", "title": f"T{n}", "skills": ["writing"]} for n in range(6)]
    run, ada = team.run(plan), team.actor("ada")
    coordinator = coordinator_for(team.users["ada"].pk)
    rows = list(Task.objects.filter(run=run))
    seats = [team.seat(name).pk for name in ("scribe", "counter", "judge")]

    def stop() -> None:
        perform(stopping.stop_run, run.pk, actor=ada)
        stop_the_rest(run.pk, actor=ada)

    def give(task: Task, member: Any) -> Act:
        return lambda: perform(tasks.assign_task, task.pk, member_id=member, actor=coordinator)

    stopped, *_ = at_once(stop, *(give(task, seats[n % 3]) for n, task in enumerate(rows)))
    assert outcome(stopped) == "done"
    run.refresh_from_db()
    assert run.paused
    assert set(Task.objects.filter(run=run).values_list("state", flat=True)) == {"ready"}
    assert not Attempt.objects.filter(task__run=run, ended_at=None).exists()
    sound()


def test_two_who_stop_everything_at_once_ask_each_agent_once(team: Team) -> None:
    task = team.working()
    acts = [lambda who=who: perform(stopping.stop_run, task.run_id, actor=team.actor(who)) for who in ("ada", "bob")]
    assert {outcome(one) for one in at_once(*acts)} == {"done"}
    assert Command.objects.filter(purpose="cancel").count() == 1
    sound()


@pytest.mark.parametrize("busy", [300])
def test_three_hundred_turns_are_stopped_in_pieces_while_some_of_them_end(team: Team, busy: int) -> None:
    plan = [{"key": f"t{n}", "title": f"T{n}", "skills": ["writing"]} for n in range(busy)]
    run, ada = team.run(plan), team.actor("ada")
    _at_work(team, run)
    begun = time.perf_counter()
    perform(stopping.stop_run, run.pk, actor=ada)
    progress = stop_the_rest(run.pk, actor=ada)
    took = time.perf_counter() - begun
    print(f"{busy} turns were asked to stop in {took:.2f} s")
    assert (progress.asked, progress.stopping) == (busy, busy)
    assert Command.objects.filter(purpose="cancel").count() == busy
    assert not Attempt.objects.filter(task__run=run, ended_at=None).exists()
    assert set(Task.objects.filter(run=run).values_list("state", flat=True)) == {"ready"}
    sound()


def _at_work(team: Team, run: Run) -> None:
    """Every task of a run is in the middle of a turn, without the way there."""
    now, seat = timezone.now(), Member.objects.get(workspace=team.workspace, agent=team.agents["scribe"])
    rows = list(Task.objects.filter(run=run))
    attempts = [
        Attempt(
            pk=new_id(), workspace=team.workspace, task=task, member=seat, number=1, epoch=1, state="working",
            offered_at=now, begun_at=now, progress_at=now, close_by=now,
        )
        for task in rows
    ]  # fmt: skip
    Attempt.objects.bulk_create(attempts)
    sessions = [
        Session(
            pk=new_id(), workspace=team.workspace, agent=team.agents["scribe"], task=task, attempt=attempt,
            link=team.links["scribe"], acp_id=f"s{n}", public_id=f"p{n}", digest="d", state="open", opened_at=now,
        )
        for n, (task, attempt) in enumerate(zip(rows, attempts, strict=True))
    ]  # fmt: skip
    Session.objects.bulk_create(sessions)
    Command.objects.bulk_create(
        Command(
            pk=new_id(), agent=team.agents["scribe"], session=one, attempt=one.attempt, epoch=1, purpose="work",
            method="session/prompt", state="sent", link=one.link, sent_at=now, created_at=now,
        )
        for one in sessions
    )  # fmt: skip
    for task, attempt in zip(rows, attempts, strict=True):
        task.state, task.epoch, task.assignee, task.attempt, task.tries = "working", 1, seat, attempt, 1
        task.blocked_on, task.next_actor = "agent", "Scribe"
    columns = ("state", "epoch", "assignee", "attempt", "tries", "blocked_on", "next_actor")
    Task.objects.bulk_update(rows, columns)
    assert progress_of(run.pk).asked == 0
