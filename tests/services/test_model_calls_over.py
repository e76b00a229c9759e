"""How questions to the model end without an answer, and what their runs do then; nothing is burned by that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from agents.llm.base import Fault, FaultKind, Reply, Usage
from clawgroups.core.actors import coordinator_for
from clawgroups.core.errors import Conflict
from clawgroups.models import Entry, ModelCall, ModelServer, Operation, Run, Workspace
from clawgroups.services import call_ends, consulting, model_calls, runs
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.conftest import Clock
from tests.services.model_support import (
    QUESTION,
    ask,
    away,
    carried_out,
    model,
    now_of,
    planning,
    reply,
    server,
    told,
)

pytestmark = pytest.mark.django_db


# Giving up, and going on


def test_without_an_answer_in_time_the_built_in_coordinator_stands_in_and_the_page_says_why(
    team: Team, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = team.working()
    run = Run.objects.get(pk=task.run_id)
    server()
    says = model(monkeypatch, away(said="nobody listens"))
    call = carried_out(ask(team, run, "judge"))
    clock.until(400, team, busy=["scribe"])
    call = now_of(call)
    assert (call.state, call.fault) == ("failed", "slow")
    run.refresh_from_db()
    assert call.said == "No answer came in time. first: nobody listens"
    assert run.fallback == "No answer came in time. first does not answer."
    assert told(team, "run.fell_back")[-1]["reason"] == run.fallback
    says.says = [reply()]
    ModelServer.objects.update(breaker="closed", breaker_until=None)
    assert carried_out(ask(team, run, "judge", round=1)).state == "answered"
    run.refresh_from_db()
    assert run.fallback == ""
    assert len(told(team, "run.model_returned")) == 1
    task.refresh_from_db()
    assert (task.tries, run.retries, team.agents["scribe"].breaker) == (1, 0, "closed")


@pytest.mark.parametrize(("first", "faults"), [(59, 0), (0, 1)])
def test_our_own_patience_that_ends_is_no_fault_of_the_server(
    team: Team, clock: Clock, monkeypatch: pytest.MonkeyPatch, first: int, faults: int
) -> None:
    seconds = [0.0]
    monkeypatch.setattr("clawgroups.services.consulting.time.monotonic", lambda: seconds[0])
    made = server()
    # With all of its time left, a silence is the server's own.
    call = ask(team, planning(team), "match")
    clock.go(first)

    def thinks(wanted: Callable[[], bool]) -> Reply:
        seconds[0] += 30 if faults else 1
        clock.go(30 if faults else 1)
        raise Fault(FaultKind.SLOW, "The answer was not complete.", usage=Usage(prompt=7))

    model(monkeypatch, thinks)
    call = carried_out(call)
    made.refresh_from_db()
    assert made.health.get("faults", 0) == faults
    assert call.state == ("waiting" if faults else "failed")
    assert Run.objects.get().spent_tokens == 7


def test_without_any_server_a_question_is_given_up_and_nothing_is_asked(
    team: Team, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = model(monkeypatch).asked
    call = carried_out(ask(team, planning(team)))
    assert call.said == "No model server is set up."
    clock.sweep(601)
    assert now_of(call).said == "No answer came in time. No model server is set up."
    assert asked == []


def test_to_give_a_question_up_nobody_reads_it(
    team: Team, clock: Clock, django_assert_num_queries: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    server()
    model(monkeypatch, away())
    run = planning(team)
    call = carried_out(ask(team, run))
    clock.go(601)
    with django_assert_num_queries(1) as seen:
        (late,) = model_calls.late_calls(clock.now, 9)
        assert (late.pk, late.fault, model_calls.plainly(late)) == (call.pk, "unreachable", "first does not answer")
        assert (late.state, late.tries, late.run_id, late.workspace_id) == ("waiting", 1, run.pk, run.workspace_id)
    with django_assert_num_queries(1) as more:
        last = model_calls.latest_call(run.pk, "plan")
    assert last == call
    for large in ('"request"', '"raw"', '"text"', '"reasoning"'):
        assert large not in str([*seen.captured_queries, *more.captured_queries])


def test_the_call_of_a_process_that_died_is_asked_again(
    team: Team, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    server(concurrency=1)
    asked = model(monkeypatch)
    call = ask(team, planning(team))
    held = consulting._claim(call.pk, set())
    assert held is not None
    assert model_calls.due_calls(clock.now, 9) == {}
    assert not consulting.consult(call.pk)
    clock.go(16)
    assert model_calls.due_calls(clock.now, 9) == {call.pk: 1}
    assert carried_out(call).state == "answered"
    # Who had it before comes too late, and changes nothing.
    assert not consulting._keep(lambda: call_ends.answered(held, reply("another")))
    assert now_of(call).text == '{"tasks": []}'
    assert len(asked.asked) == 1
    assert len(told(team, "run.model_called")) == 1


def test_a_question_is_cancelled_with_its_run_and_whoever_asks_stops(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = planning(team)
    server()
    waiting = ask(team, run, "judge")
    monkeypatch.setattr(consulting, "LOOK", 0.0)

    def meanwhile(wanted: Callable[[], bool]) -> Reply:
        assert wanted()
        perform(runs.cancel_run, run.pk, actor=team.actor("ada"))
        assert not wanted()
        raise Fault(FaultKind.ABORTED, "not wanted any more", usage=Usage(prompt=5))

    asked = model(monkeypatch, meanwhile).asked
    call = carried_out(ask(team, run))
    assert (call.state, call.said) == ("cancelled", "The run was cancelled.")
    assert carried_out(waiting).state == "cancelled"
    assert len(asked) == 1
    run.refresh_from_db()
    assert (run.spent_tokens, run.fallback) == (5, "")
    assert [one["state"] for one in told(team, "run.model_called")] == ["cancelled", "cancelled"]


def test_a_question_recorded_while_its_run_was_cancelled_is_not_asked(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = planning(team)
    server()
    asked = model(monkeypatch).asked
    call = ask(team, run)
    perform(runs.cancel_run, run.pk, actor=team.actor("ada"))
    # Whoever cancelled it had looked before the question was there.
    ModelCall.objects.update(state="waiting", ended_at=None)
    call = carried_out(call)
    assert (call.state, call.said, asked) == ("cancelled", "The run is cancelled.", [])
    assert call.ended_at is not None


@pytest.mark.parametrize("ends", ["answered", "refused", "put back"])
def test_what_a_try_cost_is_kept_once_when_its_question_was_cancelled_meanwhile(
    team: Team, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    run = planning(team)
    server(prices={"out": 4.0})
    used = Usage(prompt=100, completion=50)
    by = coordinator_for(team.users["ada"].pk)

    def meanwhile(wanted: Callable[[], bool]) -> Reply:
        perform(model_calls.cancel_call, call.pk, reason="Not wanted.", actor=by)
        if ends == "answered":
            return reply(usage=used)
        raise away(FaultKind.MALFORMED if ends == "refused" else FaultKind.SLOW, usage=used)

    model(monkeypatch, meanwhile)
    call = ask(team, run)
    assert carried_out(call).state == "cancelled"
    run.refresh_from_db()
    assert (run.spent_tokens, run.spent_micro) == (150, 200)
    held = call_ends.Held(now_of(call), ModelServer.objects.get(), "me", QUESTION)
    for _ in range(2):
        assert not consulting._end(held, lambda: call_ends.answered(held, reply(usage=used)), used)
    run.refresh_from_db()
    assert run.spent_tokens == 300, "another try, once"


def test_a_single_question_can_be_cancelled_once(team: Team) -> None:
    by = coordinator_for(team.users["ada"].pk)
    call = ask(team, planning(team), "match")
    perform(model_calls.cancel_call, call.pk, reason="Somebody took it.", actor=by)
    assert (now_of(call).state, now_of(call).said) == ("cancelled", "Somebody took it.")
    with pytest.raises(Conflict):
        perform(model_calls.cancel_call, call.pk, reason="", actor=by)


def test_a_process_that_goes_puts_its_question_back(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    server()
    stays = [True]

    def meanwhile(wanted: Callable[[], bool]) -> Reply:
        stays[0] = False
        assert not wanted()
        raise Fault(FaultKind.ABORTED, "the process ends")

    model(monkeypatch, meanwhile, reply())
    call = ask(team, planning(team))
    consulting.consult(call.pk, staying=lambda: stays[0])
    assert (now_of(call).state, now_of(call).not_before) == ("waiting", None)
    assert carried_out(call).state == "answered"


def test_a_lease_is_renewed_while_the_model_thinks(team: Team, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    server()
    monkeypatch.setattr(consulting, "LOOK", 0.0)
    call = ask(team, planning(team))
    seconds = [0.0]
    monkeypatch.setattr("clawgroups.services.consulting.time.monotonic", lambda: seconds[0])

    def thinks(wanted: Callable[[], bool]) -> Reply:
        for _ in range(10):
            seconds[0] += 6
            clock.go(6)
            assert wanted()
            assert now_of(call).until == clock.now + timedelta(seconds=15)
        return reply()

    model(monkeypatch, thinks)
    assert carried_out(call).state == "answered"


# Decisions, and whether the model may be asked


def test_what_was_read_from_an_answer_is_kept_and_only_of_an_answer(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    server()
    model(monkeypatch)
    by = coordinator_for(team.users["ada"].pk)
    call = ask(team, planning(team))
    with pytest.raises(Conflict):
        perform(model_calls.note_decision, call.pk, decision={"tasks": 1}, problems=(), actor=by)
    carried_out(call)
    perform(model_calls.note_decision, call.pk, decision={"tasks": 1}, problems=["too few"], actor=by)
    kept = now_of(call)
    assert (kept.decision, kept.problems, kept.acted_at is None) == ({"tasks": 1}, ["too few"], False)


def test_why_the_model_is_not_asked_is_said_in_plain_words(team: Team) -> None:
    assert model_calls.unavailable(team.workspace) == "No model server is set up."
    made = server()
    assert model_calls.unavailable(team.workspace) == ""
    team.workspace.coordination = {"use_model": False}
    assert "switched off" in model_calls.unavailable(team.workspace)
    ModelServer.objects.filter(pk=made.pk).update(enabled=False)
    team.workspace.coordination = {}
    assert model_calls.unavailable(team.workspace) == "No model server is set up."


def test_the_built_in_coordinator_stands_in_once_until_the_model_returns(team: Team) -> None:
    run, by = planning(team), coordinator_for(team.users["ada"].pk)
    perform(model_calls.fall_back, run.pk, reason="No model server is set up.", actor=by)
    with pytest.raises(Conflict):
        perform(model_calls.fall_back, run.pk, reason="again", actor=by)
    run.refresh_from_db()
    assert run.fallback == "No model server is set up."
    assert len(told(team, "run.fell_back")) == 1


def test_an_unknown_call_is_nobodys(team: Team) -> None:
    assert not consulting.consult(uuid4())
    assert ModelCall.objects.count() == 0
    assert Operation.objects.filter(verb="model.answer").count() == 0


def test_a_providers_own_words_stay_on_its_row_and_in_the_calls(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    run, made, words = planning(team), server(), "org-4711: no such deployment"
    model(monkeypatch, away(FaultKind.REQUEST, words), away(FaultKind.KEY, words))
    call = carried_out(ask(team, run))
    run.refresh_from_db()
    assert (words in call.said, run.fallback) == (True, "first refuses the question.")
    assert model_calls.plainly(call) == "first refuses the question"
    call = carried_out(ask(team, run, round=1))
    made.refresh_from_db()
    assert words in call.said
    assert words in made.health["said"]
    assert model_calls.unavailable(team.workspace).startswith("first refuses our key")
    assert words not in str(list(Entry.objects.values_list("payload", flat=True)))


def test_a_question_is_not_asked_any_more_once_the_model_is_switched_off(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = planning(team)
    server()
    asked = model(monkeypatch).asked
    call = ask(team, run)
    Workspace.objects.update(coordination={"use_model": False})
    assert (carried_out(call).state, now_of(call).fault, asked) == ("failed", "off", [])
