"""A change of a plan that is accepted while its tasks move: one of the two goes first, and the other sees it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from clawgroups import commit
from clawgroups.coordinator.evidence import look
from clawgroups.core.actors import coordinator_for
from clawgroups.core.changes import Change, Outcome
from clawgroups.core.errors import ClawError, Conflict
from clawgroups.core.invariants import breaches
from clawgroups.models import Attempt, Run, Task
from clawgroups.services import plans, replan, review, runs, tasks
from clawgroups.services.perform import perform
from tests.conftest import Team

PLAN: list[dict[str, Any]] = [
    {"key": "north", "title": "North", "skills": ["data-analysis"]},
    {"key": "south", "title": "South", "skills": ["data-analysis"]},
    {"key": "write", "title": "Write", "skills": ["writing"], "depends_on": ["south"]},
]
# `south` says something else, and `write` waits for `north` too.
TAIL: list[dict[str, Any]] = [
    {"key": "south", "instructions": "Only the coast."},
    {"key": "write", "depends_on": ["north", "south"]},
    {"key": "east", "title": "East", "depends_on": ["north"]},
]
ROUNDS = 6


def proposed(team: Team, tail: list[dict[str, Any]] = TAIL) -> Run:
    """A run whose `north` is in review, with a change that waits for a verdict."""
    run = team.run(PLAN)
    team.try_once(Task.objects.get(run=run, key="north"), {"stopReason": "end_turn"}, name="counter", text="North.")
    perform(replan.propose_replan, run.pk, tasks=tail, rationale="", actor=team.actor("bob"))
    return run


def sound() -> None:
    assert [one.sentence for one in breaches(look(), timezone.now())] == []


def between(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """The next change is decided, and then `act` happens before it is committed."""
    original, waiting = commit.submit, [act]

    def submit(change: Change) -> Future[Outcome]:
        if waiting:
            waiting.pop()()
        return original(change)

    monkeypatch.setattr(commit, "submit", submit)


@pytest.mark.django_db
def test_a_task_that_is_given_out_before_the_commit_keeps_the_change_out(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = proposed(team)
    south, counter = Task.objects.get(key="south").pk, team.seat("counter").pk
    ada, bob = team.actor("ada"), team.actor("bob")
    between(monkeypatch, lambda: perform(tasks.assign_task, south, member_id=counter, actor=ada))
    with pytest.raises(Conflict, match="“South” moved on"):
        perform(replan.accept_replan, run.pk, actor=bob)
    assert Task.objects.get(pk=south).state == "assigned"
    sound()


@pytest.mark.django_db
def test_a_task_that_was_rewritten_before_the_commit_is_given_out_as_it_is_now(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = proposed(team)
    south = Task.objects.get(key="south")
    bob = team.actor("bob")
    between(monkeypatch, lambda: perform(replan.accept_replan, run.pk, actor=bob))
    perform(tasks.assign_task, south.pk, member_id=team.seat("counter").pk, actor=team.actor("ada"))
    after, attempt = Task.objects.get(pk=south.pk), Attempt.objects.get(task=south)
    assert (after.instructions, after.epoch, attempt.epoch) == ("Only the coast.", south.epoch + 2, south.epoch + 2)
    sound()


@pytest.mark.django_db
def test_a_task_that_is_done_before_the_commit_counts_as_done(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    run = proposed(team)
    north, ada = Task.objects.get(key="north").pk, team.actor("ada")
    between(monkeypatch, lambda: perform(review.accept_task, north, actor=ada))
    perform(replan.accept_replan, run.pk, actor=team.actor("bob"))
    assert (Task.objects.get(key="write").waiting_on, Task.objects.get(key="east").state) == (1, "ready")
    sound()


@pytest.mark.django_db
def test_a_task_that_is_done_after_the_change_frees_what_was_linked_behind_it(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = proposed(team)
    bob = team.actor("bob")
    between(monkeypatch, lambda: perform(replan.accept_replan, run.pk, actor=bob))
    perform(review.accept_task, Task.objects.get(key="north").pk, actor=team.actor("ada"))
    assert (Task.objects.get(key="write").waiting_on, Task.objects.get(key="east").state) == (1, "ready")
    sound()


@pytest.mark.django_db
def test_a_task_that_is_cancelled_after_the_change_takes_what_was_linked_behind_it_along(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = proposed(team)
    bob = team.actor("bob")
    between(monkeypatch, lambda: perform(replan.accept_replan, run.pk, actor=bob))
    perform(tasks.cancel_task, Task.objects.get(key="north").pk, actor=team.actor("ada"))
    states = {task.key: task.state for task in Task.objects.filter(run=run)}
    assert states == {"north": "cancelled", "south": "ready", "write": "cancelled", "east": "cancelled"}
    sound()


@pytest.mark.django_db
@pytest.mark.parametrize("end", ["cancel", "fail", "expire"])
def test_a_run_that_ends_after_the_change_leaves_none_of_its_tasks_open(
    team: Team, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    # It adds a task, and touches no other.
    run = proposed(team, [{"key": "south"}, {"key": "write"}, {"key": "east", "title": "East"}])
    ada, bob = team.actor("ada"), team.actor("bob")
    between(monkeypatch, lambda: perform(replan.accept_replan, run.pk, actor=bob))
    if end == "cancel":
        perform(runs.cancel_run, run.pk, actor=ada)
    elif end == "fail":
        perform(runs.fail_run, run.pk, reason="Nothing helps.", actor=coordinator_for(team.users["ada"].pk))
    else:
        assert not commit.wait(runs.expire_run(run.pk)).applied  # the next sweep does it again
        assert commit.wait(runs.expire_run(run.pk)).applied
    assert {task.state for task in Task.objects.filter(run=run)} == {"cancelled"}
    assert Task.objects.filter(run=run).count() == 4
    sound()


@pytest.mark.django_db
def test_a_plan_that_is_edited_before_the_start_is_started_as_it_is_then(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = team.run(PLAN, start=False)
    bob = team.actor("bob")
    between(monkeypatch, lambda: perform(plans.remove_task, run.pk, key="write", actor=bob))
    perform(runs.start_run, run.pk, actor=team.actor("ada"))
    assert {task.key: task.state for task in Task.objects.filter(run=run)} == {"north": "ready", "south": "ready"}
    assert len(Run.objects.get().forecast["minutes"]) == 2
    sound()


@pytest.mark.django_db(transaction=True)
def test_many_at_once_leave_a_plan_in_which_nothing_waits_for_ever(team: Team) -> None:
    ada, bob, counter = team.actor("ada"), team.actor("bob"), team.seat("counter").pk
    for _ in range(ROUNDS):
        run = proposed(team)
        ids = dict(Task.objects.filter(run=run).values_list("key", "pk"))
        acts: list[Callable[[], object]] = [
            lambda run=run: perform(replan.accept_replan, run.pk, actor=bob),  # type: ignore[misc]
            lambda ids=ids: perform(tasks.assign_task, ids["south"], member_id=counter, actor=ada),  # type: ignore[misc]
            lambda ids=ids: perform(review.accept_task, ids["north"], actor=ada),  # type: ignore[misc]
        ]
        together(acts)
        sound()
        run.refresh_from_db()
        south = Task.objects.get(pk=ids["south"])
        assert Task.objects.get(pk=ids["north"]).state == "done"
        # Carried out as a whole, or kept for a look since `south` was given out first.
        assert bool(run.replan) == (south.instructions == "")
        assert Task.objects.filter(run=run, key="east").exists() == (not run.replan)
        perform(runs.cancel_run, run.pk, actor=ada)


def together(acts: list[Callable[[], object]]) -> None:
    """All at the same moment, each in a thread of its own; a refusal is an answer."""
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> None:
        start.wait()
        try:
            act()
        except ClawError:
            pass
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
