"""Every message is lost: journals, turns and agents' commands are found all the same, within five seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import connections

from clawgroups import bus, jobs
from clawgroups.jobs import ByHand, Sweeper
from clawgroups.models import Command, Lease, Run, Task, Workspace
from clawgroups.services import runs, turns
from clawgroups.services.perform import perform, read_async
from tests.conftest import Team
from tests.gateway.support import connected, new_key

pytestmark = pytest.mark.django_db(transaction=True)
IN_TIME = 5.0


@pytest.fixture
def dropped(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A broker that drops every message, and a hub that drops every hint."""
    lost: list[Any] = []
    monkeypatch.setattr(bus._sender, "put", lost.append)
    monkeypatch.setattr(bus, "_deliver", lambda *hint: lost.append(hint))
    return lost


@pytest.fixture
def sweeper() -> Iterator[Sweeper]:
    made = Sweeper()
    yield made
    made.stop()
    assert made.rest(20)


def seconds_until(so: Callable[[], object]) -> float:
    """How long it took; rows of another thread give no event."""
    began = time.monotonic()
    while not so():
        assert time.monotonic() - began < 30, "it did not happen"
        time.sleep(0.02)
    return time.monotonic() - began


def test_a_reaction_and_the_turn_that_it_asks_for_are_done_in_time(
    team: Team, dropped: list[Any], sweeper: Sweeper
) -> None:
    # At a moment between two sweeps, as it comes.
    sweeper.start()
    seconds_until(lambda: Lease.objects.filter(name="sweep", done_at__isnull=False).exists())
    plan = [{"key": "write", "title": "Write", "skills": ["writing"]}]
    outcome = perform(runs.draft_run, team.workspace.pk, goal="Write", plan=plan, start=True, actor=team.actor("ada"))
    run = UUID(outcome.answer["id"])
    took = seconds_until(lambda: Task.objects.filter(run=run, state="assigned").exists())
    assert took < IN_TIME
    assert dropped
    workspace = Workspace.objects.get(pk=team.workspace.pk)
    seconds_until(lambda: Workspace.objects.filter(pk=workspace.pk, reacted__gte=workspace.head).exists())
    # What the agent is owed is a row: any process that holds its socket finds it.
    assert Command.objects.filter(agent=team.agents["scribe"], state="open").count() == 1


def test_a_turn_that_is_wanted_is_taken_in_time(team: Team, dropped: list[Any], sweeper: Sweeper) -> None:
    task = team.one_task()
    Workspace.objects.filter(pk=team.workspace.pk).update(reacted=Workspace.objects.get().head)
    Run.objects.filter(pk=task.run_id).update(wanted=1)
    sweeper.start()
    assert seconds_until(lambda: Task.objects.get(pk=task.pk).state == "assigned") < IN_TIME


async def test_an_agents_command_is_found_in_time(team: Team, dropped: list[Any]) -> None:
    key = (await read_async(new_key, team))[0]
    async with connected(key) as agent:
        await agent.until(lambda: [f for f in agent.heard if f.get("method") == "initialize"])
        await read_async(team.assigned)
        began = time.monotonic()
        await agent.asked("session/prompt")
        # Two messages are lost here: that a session is owed, and that its first prompt is.
        assert time.monotonic() - began < 2 * IN_TIME
    assert dropped


def test_only_what_is_still_due_at_a_second_look_is_done_by_hand(
    team: Team, dropped: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[UUID] = []
    monkeypatch.setattr(jobs, "take_turn", lambda run, **_: done.append(run))
    task = team.one_task()
    Workspace.objects.update(reacted=Workspace.objects.get().head)
    Run.objects.filter(pk=task.run_id).update(wanted=1)
    hand = ByHand()
    hand.look()
    # A worker took it and it is wanted again: somebody hears.
    Run.objects.filter(pk=task.run_id).update(turned=1, wanted=2)
    hand.look()
    assert hand.rest(10)
    assert done == []
    hand.look()
    assert hand.rest(10)
    assert done == [task.run_id]


def test_a_turn_under_way_is_not_begun_a_second_time(
    team: Team, dropped: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, over = threading.Semaphore(0), threading.Event()
    count: list[UUID] = []

    def long_turn(run: UUID, **_: Any) -> None:
        count.append(run)
        begun.release()
        assert over.wait(20)

    monkeypatch.setattr(jobs, "take_turn", long_turn)
    task = team.one_task()
    Workspace.objects.update(reacted=Workspace.objects.get().head)
    Run.objects.filter(pk=task.run_id).update(wanted=1)
    hand = ByHand()
    hand.look()
    hand.look()
    assert begun.acquire(timeout=60)
    hand.look()
    hand.look()
    over.set()
    assert hand.rest(10)
    assert count == [task.run_id]


def test_a_sweep_that_fails_is_not_the_last_one(
    team: Team, dropped: list[Any], sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "EVERY", 0.02)
    again = threading.Event()
    faults = [RuntimeError("a bug"), ValueError("another")]

    def sweep(*_: Any, **__: Any) -> int:
        if faults:
            raise faults.pop()
        again.set()
        return 0

    monkeypatch.setattr(jobs, "sweep", sweep)
    sweeper.start()
    assert again.wait(10)


def test_what_is_due_is_told_with_how_far_it_has_come(team: Team) -> None:
    task = team.one_task()
    workspace = Workspace.objects.get()
    assert turns.due_work() == {("react", workspace.pk): workspace.reacted}
    Run.objects.filter(pk=task.run_id).update(wanted=7, turned=3)
    assert turns.due_work()["coordinate", task.run_id] == 3
    connections.close_all()
