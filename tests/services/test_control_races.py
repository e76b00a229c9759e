"""Two people act on one held task at the same moment: one goes first, and the other is told who has it now."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.utils import timezone

from clawgroups.core.changes import Outcome
from clawgroups.core.errors import ClawError, Conflict
from clawgroups.models import Attempt, ControlRequest, Draft, Entry, Task
from clawgroups.permissions import get_task
from clawgroups.services import control, drafts, finishing, handback, takeover, texts
from clawgroups.services.perform import perform
from clawgroups.services.sweep import sweep
from tests.conftest import Team

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 4
Act = Callable[[], Outcome]


def at_once(*acts: Act) -> list[Outcome | ClawError]:
    """Carry the acts out in a thread each, begun together; what each came to."""
    barrier = threading.Barrier(len(acts))

    def carry_out(act: Act) -> Outcome | ClawError:
        barrier.wait()
        try:
            return act()
        except ClawError as refused:
            return refused
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(carry_out, acts))


def won(results: list[Outcome | ClawError]) -> list[int]:
    return [number for number, one in enumerate(results) if isinstance(one, Outcome) and one.applied]


def held(team: Team, by: str = "ada") -> Task:
    task = team.one_task()
    perform(takeover.take_over, task.pk, actor=team.actor(by))
    return now(task)


def now(task: Task) -> Task:
    return Task.objects.select_related("holder", "attempt").get(pk=task.pk)


def ask(team: Team, task: Task, who: str) -> UUID:
    return UUID(perform(control.ask_for, task.pk, actor=team.actor(who)).answer["id"])


def sound(task: Task) -> None:
    """One open attempt, the task's; no request to somebody who does not hold it; no epoch twice."""
    found = now(task)
    living = Attempt.objects.filter(task=task, state__in=["offered", "working", "submitted"])
    assert [one.pk for one in living] == ([found.attempt_id] if found.attempt_id else [])
    open_ones = ControlRequest.objects.filter(task=task, state__in=["open", "offered"])
    assert all(one.holder_id == found.holder_id for one in open_ones)
    epochs = [e.payload["epoch"] for e in Entry.objects.filter(type="task.taken_over", payload__task_id=str(task.pk))]
    assert len(set(epochs)) == len(epochs)


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_two_grants_at_once_give_it_to_one(team: Team, _round: int) -> None:
    task = held(team)
    requests = [ask(team, task, "bob"), ask(team, task, "carol")]
    ada = team.actor("ada")
    results = at_once(*(partial(perform, control.grant, pk, actor=ada) for pk in requests))
    (first,) = won(results)
    winner = ("bob", "carol")[first]
    loser = results[1 - first]
    assert now(task).holder == team.seat(winner)
    assert isinstance(loser, Conflict)
    assert f"{winner} holds it now" in loser.message
    assert sorted(ControlRequest.objects.values_list("state", flat=True)) == ["granted", "void"]
    sound(task)


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_a_grant_and_a_hand_back_at_once(team: Team, _round: int) -> None:
    task = held(team)
    request, ada = ask(team, task, "bob"), team.actor("ada")
    results = at_once(
        partial(perform, control.grant, request, actor=ada), partial(perform, handback.hand_back, task.pk, actor=ada)
    )
    (first,) = won(results)
    loser = results[1 - first]
    assert isinstance(loser, Conflict)
    found = now(task)
    if first == 0:
        assert (found.state, found.holder) == ("held", team.seat("bob"))
        assert "bob holds it" in loser.message
    else:
        assert (found.state, found.holder) == ("ready", None)
        assert "it is ready now" in loser.message
    sound(task)


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_a_forced_takeover_and_a_submit_at_once(team: Team, _round: int) -> None:
    """The submit first: its result is taken out of review into the draft. The takeover first: nothing is submitted."""
    task = held(team)
    results = at_once(
        partial(perform, takeover.take_over, task.pk, force=True, reason="r", actor=team.actor("carol")),
        partial(perform, finishing.submit_held, task.pk, result="Ada's result", actor=team.actor("ada")),
    )
    found = now(task)
    assert 0 in won(results)
    assert (found.state, found.holder) == ("held", team.seat("carol"))
    if 1 in won(results):
        assert texts.text_so_far(found.attempt) == "Ada's result"  # type: ignore[arg-type]
    else:
        assert isinstance(results[1], Conflict)
        assert "carol holds it" in results[1].message
    sound(task)


def test_whoever_takes_a_task_over_between_two_reads_of_it_is_named(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = held(team)
    read, taken = get_task, iter([True])

    def read_and_lost(*given: Any) -> Task:
        found = read(*given)
        if next(taken, False):
            perform(takeover.take_over, task.pk, force=True, reason="r", actor=team.actor("carol"))
        return found

    monkeypatch.setattr("clawgroups.services.hands.get_task", read_and_lost)
    with pytest.raises(Conflict, match="carol holds it now"):
        perform(finishing.submit_held, task.pk, result="Ada's result", actor=team.actor("ada"))
    sound(task)


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_two_takeovers_at_once_one_wins_and_the_other_is_told_who(team: Team, _round: int) -> None:
    task = team.working()
    names = ("bob", "carol", "ada")
    results = at_once(*(partial(perform, takeover.take_over, task.pk, actor=team.actor(name)) for name in names))
    (first,) = won(results)
    assert now(task).holder == team.seat(names[first])
    for number, one in enumerate(results):
        if number != first:
            assert isinstance(one, Conflict)
            assert (one.code, one.fields["holder"]) == ("held", names[first])
    sound(task)


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_a_save_and_a_grant_at_once_lose_no_word(team: Team, _round: int) -> None:
    """Saved first it goes along; saved too late it is refused, and the writer is told."""
    task = held(team)
    request, ada = ask(team, task, "bob"), team.actor("ada")
    results = at_once(
        partial(perform, drafts.save_draft, task.pk, text="The last words", actor=ada),
        partial(perform, control.grant, request, actor=ada),
    )
    assert 1 in won(results)
    text = texts.text_so_far(now(task).attempt)  # type: ignore[arg-type]
    if 0 in won(results):
        assert text == "The last words"
        assert Draft.objects.filter(text="The last words").count() == 2
    else:
        assert isinstance(results[0], Conflict)
        assert "bob holds it" in results[0].message
    sound(task)


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_an_ask_and_a_hand_back_at_once_leave_no_request_to_nobody(team: Team, _round: int) -> None:
    task = held(team)
    at_once(
        partial(perform, control.ask_for, task.pk, actor=team.actor("bob")),
        partial(perform, handback.hand_back, task.pk, actor=team.actor("ada")),
    )
    sweep(timezone.now(), quiet=False)
    assert not ControlRequest.objects.filter(state__in=["open", "offered"]).exists()
    assert now(task).holder is None
