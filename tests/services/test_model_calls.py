"""Questions to the model: recorded once, asked in the right way, failed over to the next server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agents.llm.base import FaultKind, Mode, Reply, Usage
from clawgroups.core.errors import Conflict, Forbidden, Invalid
from clawgroups.models import ModelServer, Workspace
from clawgroups.models import Usage as Used
from clawgroups.services import consulting, endpoints, model_calls, runs
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
    assert "first's quota is used up" in model_calls.unavailable(team.workspace)
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
