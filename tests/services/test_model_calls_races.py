"""Questions with the real writer: two that take the same one, a process that dies, places that are taken at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.utils import timezone

from agents.llm.base import Fault, FaultKind, Reply
from clawgroups import bus, jobs
from clawgroups.coordinator.consultant import Consultant
from clawgroups.core.actors import Actor, coordinator_for
from clawgroups.jobs import Sweeper
from clawgroups.models import Entry, ModelCall, ModelServer, Run, Usage
from clawgroups.services import consulting, knocking, model_calls, runs
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.model_support import QUESTION, Model, ask, away, model, now_of, planning, reply, server
from tests.services.test_by_hand import seconds_until

pytestmark = pytest.mark.django_db(transaction=True)
WAIT = 20


def in_threads(work: Callable[[Any], Any], what: list[Any]) -> list[Any]:
    """Do this with each at the same time."""
    together = threading.Barrier(len(what), timeout=WAIT)

    def one(it: Any) -> Any:
        together.wait()
        try:
            return work(it)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(what)) as pool:
        return list(pool.map(one, what))


def test_of_several_who_take_the_same_question_one_asks_it(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    server(concurrency=9)
    run = planning(team)
    asked = model(monkeypatch).asked
    for number in range(5):
        call = ask(team, run, subject=str(number))
        in_threads(consulting.consult, [call.pk] * 4)
        assert now_of(call).state == "answered"
    assert len(asked) == 5
    assert Entry.objects.filter(type="run.model_called").count() == 5
    assert Run.objects.get(pk=run.pk).spent_tokens == 5 * 1200
    assert Usage.objects.get().calls == 5


def test_nobody_holds_a_connection_to_the_database_while_a_model_thinks(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    server()
    held: list[object] = []

    def thinks(wanted: Callable[[], bool]) -> Reply:
        held.append(connections["default"].connection)
        assert wanted()
        held.append(connections["default"].connection)
        return reply()

    monkeypatch.setattr(consulting, "LOOK", 0.0)
    model(monkeypatch, thinks)
    call = ask(team, planning(team))
    in_threads(consulting.consult, [call.pk])
    assert now_of(call).state == "answered"
    assert held == [None, None]


def test_the_same_question_that_two_turns_record_at_once_is_one_row(team: Team) -> None:
    run = planning(team)
    by = coordinator_for(team.users["ada"].pk)

    def record(_: int) -> str:
        done = perform(model_calls.record_call, run.pk, kind="plan", request=QUESTION, digest="", actor=by)
        return str(done.answer["id"])

    assert len(set(in_threads(record, list(range(4))))) == 1
    assert ModelCall.objects.count() == 1


def test_places_that_are_free_are_not_given_out_twice(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    server(concurrency=2)
    run = planning(team)
    under_way, most, lock = [0], [0], threading.Lock()
    full, go = threading.Event(), threading.Event()

    def slow(_wanted: Callable[[], bool]) -> Reply:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
            if under_way[0] == 2:
                full.set()
        assert go.wait(WAIT)
        with lock:
            under_way[0] -= 1
        return reply()

    model(monkeypatch, slow)
    calls = [ask(team, run, "judge", subject=str(number)).pk for number in range(6)]
    consultant = Consultant()
    assert all(consultant.take(pk) for pk in calls)
    assert full.wait(WAIT)
    go.set()
    assert consultant.rest(WAIT)
    while due := model_calls.due_calls(timezone.now(), 9):
        for pk in due:
            consultant.take(pk)
        assert consultant.rest(WAIT)
    assert most[0] == 2
    assert {call.state for call in ModelCall.objects.all()} == {"answered"}


def test_a_process_that_is_killed_before_it_has_kept_the_answer_costs_a_repeat_and_nothing_else(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    server()
    run = planning(team)
    asked = model(monkeypatch, reply("lost"), reply("kept"))
    call = ask(team, run)
    with monkeypatch.context() as killed:
        # It has heard the answer, and is gone before anything of it is written.
        killed.setattr(consulting, "_keep_answer", lambda *_: None)
        consulting.consult(call.pk)
    assert now_of(call).state == "calling"
    assert not consulting.consult(call.pk)
    ModelCall.objects.filter(pk=call.pk).update(until=timezone.now() - timedelta(seconds=1))
    consulting.consult(call.pk)
    assert (now_of(call).state, now_of(call).text) == ("answered", "kept")
    assert len(asked.asked) == 2
    assert asked.asked[0][1].rid != asked.asked[1][1].rid
    assert Entry.objects.filter(type="run.model_called").count() == 1
    assert Run.objects.get(pk=run.pk).spent_tokens == 1200


def test_a_run_that_is_cancelled_while_it_is_answered_has_one_end(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    server(concurrency=9)
    both = threading.Barrier(2, timeout=WAIT)

    def meets(_wanted: Callable[[], bool]) -> Reply:
        both.wait()
        return reply()

    model(monkeypatch, meets)
    ada = team.actor("ada")
    for _ in range(4):
        run = planning(team)
        call = ask(team, run)

        def end(pk: UUID, call: ModelCall = call, run: Run = run, ada: Actor = ada) -> None:
            if pk == call.pk:
                consulting.consult(pk)
            else:
                both.wait()
                perform(runs.cancel_run, run.pk, actor=ada)

        in_threads(end, [call.pk, run.pk])
        assert Run.objects.get(pk=run.pk).state == "cancelled"
        assert now_of(call).state in ("answered", "cancelled")
        ends = Entry.objects.filter(type="run.model_called", payload__call_id=str(call.pk))
        assert [entry.payload["state"] for entry in ends] == [now_of(call).state]


# Without any broker


@pytest.fixture
def dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that drops every message."""
    monkeypatch.setattr(bus._sender, "put", lambda _: None)


@pytest.fixture
def sweeper(dropped: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sweeper]:
    """Sweeps, and takes no turns: what is asked here is nobody's but ours."""
    consultant = Consultant()
    monkeypatch.setattr(jobs, "consultant", consultant)
    monkeypatch.setattr(jobs, "take_turn", lambda *_, **__: False)
    made = Sweeper()
    yield made
    made.stop()
    assert made.rest(WAIT)
    assert consultant.rest(WAIT)


def test_a_question_is_asked_in_time_though_every_message_is_lost(
    team: Team, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    server()
    model(monkeypatch)
    call = ask(team, planning(team))
    sweeper.start()
    assert seconds_until(lambda: now_of(call).state == "answered") < 10


def test_a_server_that_has_come_back_is_asked_though_it_should_rest_for_minutes(
    team: Team, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = timezone.now() + timedelta(minutes=4)
    made = server()
    health = {"faults": 3, "opens": 5, "kind": "slow", "said": "nothing came"}
    ModelServer.objects.filter(pk=made.pk).update(breaker="open", breaker_until=until, health=health)
    monkeypatch.setattr(knocking, "EVERY", 0.5)
    says = model(monkeypatch, away())
    call = ask(team, Run.objects.get(pk=team.working().run_id), "judge")
    sweeper.start()
    seconds_until(lambda: len(says.asked) >= 2)
    assert now_of(call).tries == 0
    says.says = [reply()]
    assert seconds_until(lambda: now_of(call).state == "answered") < 10
    assert ModelServer.objects.get().breaker == "closed"
    assert all(request == knocking.QUESTION for _, request in says.asked[:2])


def test_nobody_knocks_where_no_run_goes_on(team: Team) -> None:
    made = server()
    until = timezone.now() + timedelta(minutes=4)
    ModelServer.objects.filter(pk=made.pk).update(breaker="open", breaker_until=until, health={"kind": "slow"})
    assert knocking.resting(timezone.now()) == []
    planning(team)
    assert knocking.resting(timezone.now()) == [made.pk]


def test_a_consultant_asks_a_bounded_number_at_once_and_puts_back_when_it_leaves(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    server(concurrency=9)
    run = planning(team)
    begun = threading.Event()

    def until_unwanted(wanted: Callable[[], bool]) -> Reply:
        begun.set()
        while wanted():
            threading.Event().wait(0.01)
        raise Fault(FaultKind.ABORTED, "not wanted")

    made: Model = model(monkeypatch, until_unwanted)
    one, two = ask(team, run, "judge", subject="1"), ask(team, run, "judge", subject="2")
    consultant = Consultant(most=1)
    assert consultant.take(one.pk)
    assert begun.wait(WAIT)
    assert not consultant.take(one.pk)
    assert not consultant.take(two.pk)
    assert consultant.leave(WAIT)
    assert not consultant.take(two.pk)
    assert now_of(one).state == "waiting"
    assert len(made.asked) == 1
