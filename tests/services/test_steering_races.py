"""A steer, its answer and whatever ends the holder's attempt at the same moment: one goes first, the other sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from agents.models import Connection
from clawgroups.coordinator.evidence import look
from clawgroups.core.changes import Outcome
from clawgroups.core.errors import Conflict
from clawgroups.core.invariants import breaches
from clawgroups.models import Command, Draft, Session, Task
from clawgroups.services import drafts, finishing, handback, runs, sessions, steering, takeover, tasks, texts
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.conftest import fresh
from tests.services.races import Act, at_once, between
from tests.services.steer_support import ask, asked, attempt_of, held_by_bob

ROUNDS = 5


def answer(team: Team, command: Command) -> Outcome:
    link = Connection.objects.get(pk=team.links["scribe"])
    return perform(
        sessions.command_answered,
        command.pk,
        link=link.pk,
        epoch=link.epoch,
        received=link.received,
        result={"stopReason": "end_turn"},
        text="Shorter.",
    )


def sound() -> None:
    assert [one.sentence for one in breaches(look(), timezone.now())] == []


def nothing_is_asked_of(task: Task, team: Team) -> None:
    """Nothing goes out for an attempt that is over, and its turn, if one runs, was told to stop."""
    team.send("scribe")
    mine = attempt_of(task)
    rows = Command.objects.filter(attempt=mine, purpose="steer")
    assert not rows.filter(state="open").exists()
    runs = rows.filter(state="sent").exists()
    assert (mine.stop == "asked") == runs
    assert Command.objects.filter(attempt=mine, purpose="cancel").exists() == runs
    assert (Session.objects.get(task=task).attempt_id == mine.pk) == runs


def give_back(team: Team, task: Task) -> Act:
    return lambda: perform(handback.hand_back, task.pk, note="n", text="Mine", actor=team.actor("bob"))


def by_force(team: Team, task: Task) -> Act:
    return lambda: perform(takeover.take_over, task.pk, force=True, actor=team.actor("carol"))


def submit(team: Team, task: Task) -> Act:
    return lambda: perform(finishing.submit_held, task.pk, result="Mine", actor=team.actor("bob"))


def cancel(team: Team, task: Task) -> Act:
    return lambda: perform(tasks.cancel_task, task.pk, actor=team.actor("ada"))


def cancel_run(team: Team, task: Task) -> Act:
    return lambda: perform(runs.cancel_run, task.run_id, actor=team.actor("ada"))


ENDS: dict[str, Callable[[Team, Task], Act]] = {
    "hand back": give_back, "by force": by_force, "submit": submit, "cancel": cancel, "cancel the run": cancel_run,
}  # fmt: skip
STATES = {
    "hand back": "ready", "by force": "held", "submit": "in_review", "cancel": "cancelled",
    "cancel the run": "cancelled",
}  # fmt: skip


def asking(team: Team, task: Task) -> Act:
    return lambda: ask(team, task)


@pytest.mark.django_db
@pytest.mark.parametrize("end", ENDS)
def test_what_is_asked_just_before_the_end_is_not_sent(team: Team, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    task = held_by_bob(team)
    between(monkeypatch, asking(team, task))
    ENDS[end](team, task)()
    monkeypatch.undo()
    assert fresh(task).state == STATES[end]
    assert not Command.objects.filter(purpose="steer", state="open").exists()
    nothing_is_asked_of(task, team)
    sound()


@pytest.mark.django_db
@pytest.mark.parametrize("end", ENDS)
def test_what_is_asked_just_after_the_end_is_refused(team: Team, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    task = held_by_bob(team)
    between(monkeypatch, ENDS[end](team, task))
    with pytest.raises(Conflict) as refused:
        ask(team, task)
    assert refused.value.code == "not_holder"
    monkeypatch.undo()
    nothing_is_asked_of(task, team)
    sound()


@pytest.mark.django_db
@pytest.mark.parametrize("end", ENDS)
def test_what_is_sent_at_the_moment_of_the_end_is_told_to_stop(
    team: Team, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    task = held_by_bob(team)
    ask(team, task)
    between(monkeypatch, lambda: team.send("scribe"))
    ENDS[end](team, task)()
    monkeypatch.undo()
    assert attempt_of(task).stop == "asked"
    nothing_is_asked_of(task, team)


@pytest.mark.django_db
@pytest.mark.parametrize("end", ENDS)
def test_the_end_at_the_moment_of_sending_voids_it(team: Team, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    task = held_by_bob(team)
    ask(team, task)
    between(monkeypatch, ENDS[end](team, task))
    with pytest.raises(Conflict):
        team.send("scribe")
    monkeypatch.undo()
    assert Command.objects.get(purpose="steer").state == "void"
    nothing_is_asked_of(task, team)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("end", ENDS)
def test_asking_sending_and_the_end_at_once_leave_one_story(team: Team, end: str) -> None:
    for _ in range(ROUNDS):
        task = held_by_bob(team)
        at_once(asking(team, task), ENDS[end](team, task), lambda: team.send("scribe"))
        assert fresh(task).state == STATES[end]
        nothing_is_asked_of(task, team)
        sound()
        for command in Command.objects.filter(purpose="steer", state="sent"):
            answer(team, command)
        assert fresh(task).state == STATES[end]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("end", ENDS)
def test_an_answer_and_the_end_at_once_never_change_what_the_person_did(team: Team, end: str) -> None:
    for _ in range(ROUNDS):
        task = held_by_bob(team)
        command = asked(team, task)
        found = at_once(lambda command=command: answer(team, command), ENDS[end](team, task))  # type: ignore[misc]
        assert all(isinstance(one, Outcome) for one in found), found
        assert fresh(task).state == STATES[end]
        mine = attempt_of(task)
        assert mine.result == ("Mine" if end == "submit" else "")
        assert mine.late_result == ""
        offers = Draft.objects.filter(attempt=mine, kind="offered").count()
        command.refresh_from_db()
        assert (command.state, "outcome" in command.answer) == ("answered", bool(offers))
        assert mine.stop in ("none", "done")
        sound()


@pytest.mark.django_db(transaction=True)
def test_an_answer_and_a_save_at_once_are_two_versions(team: Team) -> None:
    for _ in range(ROUNDS):
        task = held_by_bob(team)
        command = asked(team, task)

        def save(task: Task = task) -> Any:
            return perform(drafts.save_draft, task.pk, text="Mine", actor=team.actor("bob"))

        found = at_once(lambda command=command: answer(team, command), save)  # type: ignore[misc]
        assert all(isinstance(one, Outcome) for one in found), found
        rows = Draft.objects.filter(attempt=task.attempt).order_by("version").values_list("version", "kind")
        assert [version for version, _ in rows] == [1, 2, 3]
        assert sorted(kind for _, kind in rows) == ["offered", "own", "own"]
        newest = texts.newest(attempt_of(task))
        assert newest is not None
        assert newest.text == "Mine"


@pytest.mark.django_db(transaction=True)
def test_taking_back_and_sending_at_once_do_one_of_the_two(team: Team) -> None:
    for _ in range(ROUNDS):
        task = held_by_bob(team)
        ask(team, task)
        command = Command.objects.get(purpose="steer", attempt=task.attempt)

        def take_back(task: Task = task, command: Command = command) -> Any:
            return perform(steering.withdraw_steer, task.pk, command.pk, actor=team.actor("bob"))

        at_once(take_back, lambda: team.send("scribe"))
        command.refresh_from_db()
        moved = Session.objects.get(task=task).attempt_id == task.attempt_id
        assert (command.state, moved) in (("void", False), ("sent", True))
        if command.state == "sent":
            answer(team, command)
