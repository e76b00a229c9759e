"""Giving away and asking while others act: one of the two goes first, and the other is told what there is now."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from clawgroups.coordinator.evidence import look
from clawgroups.core.errors import ClawError, Conflict
from clawgroups.core.invariants import breaches
from clawgroups.models import Attempt, Draft, Entry, Task
from clawgroups.queries import asked_now
from clawgroups.services import drafts, handback, overdue, takeover
from clawgroups.services.asking import decline_task
from clawgroups.services.delegating import delegate_task
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.coordinator.test_people import may_be_asked
from tests.services.test_replan_races import between

ROUNDS = 6
Act = Callable[[], object]


def sound() -> None:
    assert [one.sentence for one in breaches(look(), timezone.now())] == []


def at_once(*acts: Act) -> list[ClawError | None]:
    """All of these at the same moment, each on a connection of its own: what each was refused with."""
    ready = threading.Barrier(len(acts))
    faults: list[ClawError | None] = [None] * len(acts)

    def run(number: int, act: Act) -> None:
        try:
            ready.wait(10)
            act()
        except ClawError as fault:
            faults[number] = fault
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return faults


def held(team: Team, key: str = "write") -> Task:
    task = team.one_task(key=key)
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    perform(drafts.save_draft, task.pk, text="Half of it", actor=team.actor("bob"))
    return Task.objects.get(pk=task.pk)


def asked(team: Team, key: str = "write") -> Task:
    """A task that bob held and gave to carol."""
    task = held(team, key)
    carol = team.seat("carol").pk
    perform(handback.reassign_task, task.pk, member_id=carol, anyway=True, actor=team.actor("bob"))
    return Task.objects.get(pk=task.pk)


def late(task: Task) -> None:
    found = Task.objects.select_related("run", "workspace", "attempt", "holder").get(pk=task.pk)
    overdue._let_pass(found, timezone.now()).result(10)


@pytest.mark.django_db
def test_a_hand_back_that_comes_behind_a_forced_takeover_is_told_who_holds_it(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = held(team)
    ada, bob = team.actor("ada"), team.actor("bob")
    between(monkeypatch, lambda: perform(takeover.take_over, task.pk, force=True, reason="Urgent", actor=ada))
    with pytest.raises(Conflict, match="ada holds it now") as refused:
        perform(handback.hand_back, task.pk, note="n", text="More of it", actor=bob)
    assert refused.value.fields["holder"] == "ada"
    sound()


@pytest.mark.django_db
def test_an_answer_that_comes_behind_the_deadline_is_told_so(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    task = asked(team)
    between(monkeypatch, lambda: late(task))
    with pytest.raises(Conflict, match="not asked for this task any more"):
        perform(decline_task, task.pk, actor=team.actor("carol"))
    task.refresh_from_db()
    assert asked_now(task, timezone.now()) == team.seat("bob").pk
    sound()


@pytest.mark.django_db
def test_a_question_that_is_answered_before_the_commit_is_not_passed_on(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = asked(team)
    between(monkeypatch, lambda: perform(takeover.take_over, task.pk, actor=team.actor("carol")))
    with pytest.raises(Conflict, match=r"any more\. carol holds it"):
        perform(delegate_task, task.pk, member_id=team.seat("ada").pk, anyway=True, actor=team.actor("carol"))
    sound()


# At the same moment, on real connections


@pytest.mark.django_db(transaction=True)
def test_of_a_hand_back_and_a_forced_takeover_at_once_one_goes_first(team: Team) -> None:
    ada, bob = team.actor("ada"), team.actor("bob")
    for n in range(ROUNDS):
        task = held(team, f"t{n}")
        faults = at_once(
            lambda pk=task.pk: perform(handback.hand_back, pk, note="n", text="More of it", actor=bob),  # type: ignore[misc]
            lambda pk=task.pk: perform(takeover.take_over, pk, force=True, reason="Urgent", actor=ada),  # type: ignore[misc]
        )
        task.refresh_from_db()
        # Behind a hand-back, ada takes over what is free; behind ada, bob is told.
        assert faults[1] is None
        assert task.holder == team.seat("ada")
        assert faults[0] is None or getattr(faults[0], "code", "") == "not_holder"
        newest = Draft.objects.filter(attempt=task.attempt).latest("version").text
        assert newest == ("Half of it" if faults[0] else "More of it")
        assert Attempt.objects.filter(task=task, ended_at=None).count() == 1
    sound()


@pytest.mark.django_db(transaction=True)
def test_of_accept_decline_and_deadline_at_once_one_answer_counts(team: Team) -> None:
    carol = team.actor("carol")
    for n in range(ROUNDS):
        task = asked(team, f"t{n}")
        Task.objects.filter(pk=task.pk).update(deadline_at=timezone.now() - timedelta(seconds=1))
        at_once(
            lambda pk=task.pk: perform(takeover.take_over, pk, actor=carol),  # type: ignore[misc]
            lambda pk=task.pk: perform(decline_task, pk, actor=carol),  # type: ignore[misc]
            lambda one=task: late(one),  # type: ignore[misc]
        )
        task.refresh_from_db()
        # Whoever was refused may still take what is free, so that carol holds it in the end; never two answers.
        assert task.holder == team.seat("carol")
        said = Entry.objects.filter(type="task.declined", payload__task_id=str(task.pk)).count()
        assert said <= 1
        assert Entry.objects.filter(type="task.taken_over", payload__task_id=str(task.pk)).count() == 2
    sound()


@pytest.mark.django_db(transaction=True)
def test_of_passing_on_and_taking_at_once_the_task_is_in_one_pair_of_hands(team: Team) -> None:
    may_be_asked(team, "ada", "writing")
    carol, ada = team.actor("carol"), team.seat("ada").pk
    for n in range(ROUNDS):
        task = asked(team, f"t{n}")
        faults = at_once(
            lambda pk=task.pk: perform(delegate_task, pk, member_id=ada, anyway=True, actor=carol),  # type: ignore[misc]
            lambda pk=task.pk: perform(takeover.take_over, pk, actor=carol),  # type: ignore[misc]
        )
        task.refresh_from_db()
        assert (task.state, task.holder, faults[1]) == ("held", team.seat("carol"), None)
        assert faults[0] is None or getattr(faults[0], "code", "") == "not_asked"
    sound()
