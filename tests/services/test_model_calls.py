"""Questions to the model: recorded, asked once, failed over, given up, cancelled; nothing is burned by that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from agents.llm.base import Fault, FaultKind, Mode, Reply, Usage
from clawgroups.core.actors import coordinator_for
from clawgroups.core.errors import Conflict, Forbidden, Invalid
from clawgroups.models import Entry, ModelCall, ModelServer, Operation, Run, Workspace
from clawgroups.models import Usage as Used
from clawgroups.services import call_ends, consulting, endpoints, model_calls, runs
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
)

pytestmark = pytest.mark.django_db


def told(team: Team, type_: str) -> list[dict[str, object]]:
    return [dict(entry.payload) for entry in Entry.objects.filter(workspace=team.workspace, type=type_).order_by("seq")]


# Recording


def test_the_same_question_is_recorded_once_however_often_it_is_asked(team: Team) -> None:
    run = planning(team)
    first, again = ask(team, run), ask(team, run)
    assert first.pk == again.pk
    mended = ask(team, run, round=1)
    assert mended.pk != first.pk
    assert model_calls.latest_call(run.pk, "plan") == mended
    assert model_calls.latest_call(run.pk, "plan", "other") is None


def test_a_question_has_the_mode_that_the_workspace_names_else_the_servers_else_the_usual(team: Team) -> None:
    run = planning(team)
    assert ask(team, run, "match", subject="1").mode == "instant"
    server(mode="preserve-thinking")
    assert ask(team, run, "match", subject="2").mode == "preserve-thinking"
    Workspace.objects.update(coordination={"modes": {"match": "thinking"}})
    assert ask(team, run, "match", subject="3").mode == "thinking"


def test_its_time_and_its_place_in_the_queue_are_those_of_its_kind(team: Team, clock: Clock) -> None:
    call = ask(team, planning(team), "match")
    assert call.give_up_at == clock.at(60)
    assert call.priority == 70
    assert call.state == "waiting"


def test_only_the_coordinator_asks_and_only_about_a_run_that_goes_on(team: Team) -> None:
    run = planning(team)
    with pytest.raises(Forbidden):
        perform(model_calls.record_call, run.pk, kind="plan", request=QUESTION, digest="", actor=team.actor("ada"))
    with pytest.raises(Invalid):
        ask(team, run, "chat")
    perform(runs.cancel_run, run.pk, actor=team.actor("ada"))
    with pytest.raises(Conflict, match="cancelled"):
        ask(team, run)


# Asking


def test_an_answer_is_kept_with_what_it_cost_and_wakes_the_run(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    run = planning(team)
    server(key="sk-1", prices={"miss": 1.0, "hit": 0.1, "out": 4.0}, timeouts={"first": 7})
    asked = model(monkeypatch, reply(raw={"id": "x"}, reasoning="hm")).asked
    call = carried_out(ask(team, run))
    assert (call.state, call.text, call.reasoning, call.raw) == ("answered", '{"tasks": []}', "hm", {"id": "x"})
    assert (call.prompt_tokens, call.cached_tokens, call.completion_tokens, call.reasoning_tokens) == (
        1000,
        400,
        200,
        50,
    )
    assert call.cost_micro == 600 + 40 + 800
    assert (call.first_ms, call.took_ms, call.model, call.tries) == (250, 1500, "kimi-k2.6", 1)
    endpoint, request = asked[0]
    assert (endpoint.key, endpoint.timeouts.first) == ("sk-1", 7)
    assert (request.rid, request.priority, request.mode) == (call.rid, 100, Mode.THINKING)
    run.refresh_from_db()
    assert (run.spent_tokens, run.spent_micro) == (1200, 1440)
    row = Used.objects.get()
    assert (row.run_id, row.agent_id, row.calls, row.cached_tokens, row.cost_micro) == (run.pk, None, 1, 400, 1440)
    assert told(team, "run.model_called")[-1]["state"] == "answered"
    assert not consulting.consult(call.pk)
    assert len(asked) == 1


def test_what_a_provider_says_that_a_call_cost_counts_more_than_the_prices(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = planning(team)
    server(prices={"miss": 100})
    model(monkeypatch, reply(usage=Usage(prompt=10, completion=1, cost=0.25)))
    assert carried_out(ask(team, run)).cost_micro == 250_000


def test_the_next_server_is_asked_at_once_where_one_does_not_answer(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = server(), server("second", model="other")
    asked = model(monkeypatch, away(), reply(model=""))
    call = carried_out(ask(team, planning(team)))
    assert asked.servers == ["first", "second"]
    assert (call.state, call.server_id, call.model, call.tries) == ("answered", second.pk, "other", 2)
    assert asked.asked[0][1].rid != asked.asked[1][1].rid
    first.refresh_from_db()
    assert (first.breaker, first.health["faults"]) == ("closed", 1)


def test_a_server_that_fails_three_times_rests_and_says_why(
    team: Team, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, first = planning(team), server()
    says = model(monkeypatch, away())
    call = ask(team, run)
    for _ in range(3):
        call = carried_out(call)
        assert call.state == "waiting"
        clock.go(5)
    first.refresh_from_db()
    assert first.breaker == "open"
    assert "rests after 3 faults" in model_calls.unavailable(team.workspace)
    assert model_calls.due_calls(clock.now, 9) == {}
    carried_out(call)
    assert len(says.asked) == 3
    clock.go(15)
    assert model_calls.unavailable(team.workspace) == ""
    carried_out(call)
    first.refresh_from_db()
    assert (first.breaker, first.breaker_until) == ("open", clock.at(60))
    says.says = [reply()]
    clock.go(31)
    assert carried_out(call).state == "answered"
    first.refresh_from_db()
    assert (first.breaker, first.health) == ("closed", {"asked": 5})


def test_a_busy_server_is_asked_again_when_it_says_so_and_nothing_is_held_against_it(
    team: Team, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = server()
    model(monkeypatch, away(FaultKind.BUSY, "too many requests", again_in=20), reply())
    call = carried_out(ask(team, planning(team)))
    assert (call.state, call.not_before) == ("waiting", clock.at(20))
    assert not consulting.consult(call.pk)
    first.refresh_from_db()
    assert first.breaker == "closed"
    clock.go(20)
    assert carried_out(call).state == "answered"


def test_a_quota_that_is_used_up_is_waited_out_and_goes_on_by_itself(
    team: Team, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = planning(team)
    server()
    model(monkeypatch, away(FaultKind.QUOTA, "insufficient balance"), reply())
    call = carried_out(ask(team, run))
    assert call.state == "waiting"
    assert "insufficient balance" in call.said
    assert "used up its quota" in model_calls.unavailable(team.workspace)
    clock.go(61)
    assert list(model_calls.due_calls(clock.now, 9)) == [call.pk]
    assert carried_out(call).state == "answered"


def test_a_server_whose_key_is_refused_rests_until_somebody_mends_it(
    team: Team, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = server(), server("second")
    asked = model(monkeypatch, away(FaultKind.KEY, "invalid key"), reply())
    assert carried_out(ask(team, planning(team))).state == "answered"
    clock.go(100_000)
    first.refresh_from_db()
    assert endpoints.breaker_of(first).rests_for_a_person
    assert carried_out(ask(team, planning(team))).state == "answered"
    assert asked.servers == ["first", "second", "second"]


def test_a_key_that_cannot_be_opened_any_more_is_never_sent_and_said(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = server(key="sk-1")
    ModelServer.objects.filter(pk=broken.pk).update(secret="not ours")
    asked = model(monkeypatch).asked
    call = carried_out(ask(team, planning(team)))
    assert asked == []
    assert "enter it again" in call.said


@pytest.mark.parametrize("kind", [FaultKind.REQUEST, FaultKind.TOO_LONG, FaultKind.MALFORMED])
def test_a_question_that_has_no_answer_fails_at_once_and_the_server_is_well(
    team: Team, monkeypatch: pytest.MonkeyPatch, kind: FaultKind
) -> None:
    run, first = planning(team), server()
    server("second")
    asked = model(monkeypatch, away(kind, "no good", usage=Usage(prompt=70)))
    call = carried_out(ask(team, run))
    assert (call.state, call.fault, call.said) == ("failed", kind.value, "first: no good")
    assert asked.servers == ["first"]
    first.refresh_from_db()
    run.refresh_from_db()
    assert (first.breaker, run.spent_tokens, call.prompt_tokens) == ("closed", 70, 70)


def test_an_answer_that_no_database_can_hold_is_kept_without_what_it_cannot(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    server()
    model(monkeypatch, reply("a\x00b\ud800", raw={"k\x00": ["\x00", float("nan"), 1]}))
    call = carried_out(ask(team, planning(team)))
    assert (call.state, call.text, call.raw) == ("answered", "ab?", {"k": ["", None, 1]})


def test_a_bug_in_the_client_fails_the_question_and_loses_nothing(
    team: Team, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server()

    def broken(_wanted: Callable[[], bool]) -> Reply:
        raise KeyError("choices")

    model(monkeypatch, broken)
    call = carried_out(ask(team, planning(team)))
    assert (call.state, call.fault) == ("failed", "request")
    assert "choices" in caplog.text


def test_no_more_calls_are_under_way_at_a_server_than_it_takes(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    run = planning(team)
    server(concurrency=1)
    other = ask(team, run, "judge")

    def meanwhile(_wanted: Callable[[], bool]) -> Reply:
        assert now_of(other).state == "waiting"
        consulting.consult(other.pk)
        return reply()

    asked = model(monkeypatch, meanwhile, reply())
    assert carried_out(ask(team, run)).state == "answered"
    assert len(asked.asked) == 1
    assert now_of(other).said == "All servers are busy."
    assert carried_out(other).state == "answered"


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
    assert run.fallback == "No answer came in time. first: nobody listens"
    assert told(team, "run.fell_back")[-1]["reason"] == run.fallback
    says.says = [reply()]
    ModelServer.objects.update(breaker="closed", breaker_until=None)
    assert carried_out(ask(team, run, "judge", round=1)).state == "answered"
    run.refresh_from_db()
    assert run.fallback == ""
    assert len(told(team, "run.model_returned")) == 1
    task.refresh_from_db()
    assert (task.tries, run.retries, team.agents["scribe"].breaker) == (1, 0, "closed")


def test_without_any_server_a_question_is_given_up_and_nothing_is_asked(
    team: Team, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = model(monkeypatch).asked
    call = carried_out(ask(team, planning(team)))
    assert call.said == "No model server is set up."
    clock.sweep(601)
    assert now_of(call).said == "No answer came in time. No model server is set up."
    assert asked == []


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
