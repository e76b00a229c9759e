"""How a try of a call ends: what is kept of it, and what it means for the run, its limits and the server.

Each ending is one change, and only who holds the call may write it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from agents.llm import base
from agents.llm.base import Fault, FaultKind, Reply, Request
from clawgroups import commit
from clawgroups.core import server_breaker
from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Change, Count, Fact, Outcome, Update, Write
from clawgroups.core.coordination_events import ModelReturned
from clawgroups.core.server_breaker import ServerBreaker, ServerState
from clawgroups.models import ModelCall, ModelServer, Run
from clawgroups.services import deadlines, endpoints, model_calls, usage

MOST_WOKEN = 200  # runs in one change; the others when the server's trial fails


@dataclass(frozen=True, slots=True)
class Held:
    """A call that this thread asks, at this server."""

    call: ModelCall
    server: ModelServer
    owner: str
    request: Request


def answered(held: Held, reply: Reply) -> Future[Outcome]:
    """Keep an answer with all that it means: for the run, its limits, and the server."""
    call, now = held.call, deadlines.database_now()
    cost = reply.usage.micro_usd(endpoints.prices_of(held.server))
    values = {
        **_ends("answered", now),
        "model": storable(reply.model or held.server.model)[:200],
        "raw": storable(reply.raw),
        "text": storable(reply.text),
        "reasoning": storable(reply.reasoning),
        "first_ms": round(reply.first * 1000),
        "took_ms": round(reply.took * 1000),
        **_tokens(reply.usage, cost),
    }
    writes, facts = [*_used(call, reply.usage, cost, now)], model_calls.ended(call, "answered")
    run = _run_of(call)
    if run is not None and run.fallback:
        writes.append(Update("clawgroups.Run", run.pk, {"fallback": ""}, {"fallback": run.fallback}))
        facts.append(Fact(call.workspace_id, ModelReturned(run_id=run.pk)))
    writes += _server(held, server_breaker.answered)
    return submit(call, values, writes, facts, owner=held.owner, verb="model.answer")


def put_back(held: Held, fault: Fault, pause: float, *, is_ours: bool = False) -> Future[Outcome]:
    """The call waits again: for another server, for this one, or for another process.

    `is_ours`: the fault is not held against the server.
    """
    call, now = held.call, deadlines.database_now()
    later = now + timedelta(seconds=pause)
    values = {
        "state": "waiting",
        "owner": "",
        "until": None,
        "fault": fault.kind.value,
        "said": _said(held.server, fault),
        "not_before": min(later, call.give_up_at or later) if pause else None,
    }
    limits = endpoints.breaker_limits()

    def after(before: ServerBreaker) -> ServerBreaker:
        if is_ours or fault.kind in (FaultKind.BUSY, FaultKind.ABORTED):
            return server_breaker.unfinished(before, now)
        return server_breaker.failed(before, fault.kind.value, str(fault), now, limits, fault.again_in)

    server = _server(held, after)
    writes: list[Write] = [*_spent(held, fault, now), *server]
    # Where no other server takes it over now, whether to go on without an answer is the coordinator's to say.
    woken = {call.run_id} if pause and call.run_id is not None else set()
    if any(_rests(write, now) for write in server):
        woken |= model_calls.runs_without_a_plan(MOST_WOKEN)
    writes += [Count("clawgroups.Run", run_id, "wanted", 1) for run_id in sorted(woken)]
    return submit(call, values, writes, owner=held.owner, verb="model.put_back")


def aborted(held: Held, fault: Fault) -> Future[Outcome]:
    """The call was cancelled meanwhile, or lost to another process: what it cost is kept all the same."""
    now = deadlines.database_now()
    writes = (
        *_spent(held, fault, now),
        *_server(held, lambda before: server_breaker.unfinished(before, now)),
    )
    operation = f"model.abort {held.call.pk} {held.call.tries} {held.owner}"
    return commit.submit(Change(SYSTEM, held.call.workspace_id, writes=writes, operation=operation, verb="model.abort"))


def refused(held: Held, fault: Fault) -> Future[Outcome]:
    """The server is well, and this question has no answer: it will have none at another try either."""
    call, now = held.call, deadlines.database_now()
    writes = [*_spent(held, fault, now), *_server(held, server_breaker.answered)]
    said = _said(held.server, fault)
    more = _tokens(fault.usage, fault.usage.micro_usd(endpoints.prices_of(held.server)))
    plainly = f"{server_breaker.plainly(held.server.name, fault.kind.value)}."
    return fail(call, fault.kind.value, said, writes, more, owner=held.owner, plainly=plainly)


def late(now: datetime, limit: int) -> list[Callable[[], Future[Outcome]]]:
    """A verb for each call whose answer is not worth waiting for any more."""
    return [partial(give_up, call) for call in model_calls.late_calls(now, limit)]


def give_up(call: ModelCall) -> Future[Outcome]:
    """No answer came in the time that one was worth waiting for."""
    none = endpoints.why_none(deadlines.database_now()) or "No server was free."
    plainly = f"{model_calls.plainly(call)}." if call.fault and call.server_id else none
    said = f"No answer came in time. {call.said or none}"
    return fail(call, FaultKind.SLOW.value, said, plainly=f"No answer came in time. {plainly}")


def cancel(call: ModelCall, reason: str) -> Future[Outcome]:
    """End a call that nobody wants an answer to any more, and that nobody is asking."""
    values = {**_ends("cancelled", deadlines.database_now()), "said": reason[: model_calls.MAX_SAID]}
    return submit(call, values, facts=model_calls.ended(call, "cancelled"), verb="model.cancel")


def fail(
    call: ModelCall,
    fault: str,
    said: str,
    writes: Sequence[Write] = (),
    more: Mapping[str, Any] | None = None,
    *,
    owner: str | None = None,
    plainly: str = "",
) -> Future[Outcome]:
    """End a call without an answer; the built-in coordinator stands in for the model in its run.

    `plainly`: what everybody is told of it, where `said` has words of a server.
    """
    values = {**_ends("failed", deadlines.database_now()), "fault": fault, "said": said[: model_calls.MAX_SAID]}
    run = _run_of(call)
    marked, told = model_calls.fell_back(run, plainly or said) if run is not None else ([], [])
    facts = [*model_calls.ended(call, "failed"), *told]
    return submit(call, {**values, **(more or {})}, [*writes, *marked], facts, owner=owner, verb="model.fail")


def wait_for_one(call: ModelCall, now: datetime) -> None:
    """Say why a call waits, once."""
    said = endpoints.why_none(now) or "All servers are busy."
    if call.state != "waiting" or call.said != said:
        values = {"state": "waiting", "owner": "", "until": None, "said": said[: model_calls.MAX_SAID]}
        commit.wait(submit(call, values, verb="model.wait"))


def submit(
    call: ModelCall,
    values: Mapping[str, Any],
    writes: Sequence[Write] = (),
    facts: Sequence[Fact] = (),
    *,
    verb: str,
    owner: str | None = None,
) -> Future[Outcome]:
    """A move of a call: from how it was read, or where `owner` says so, from being asked by this one."""
    expect = {"state": call.state, "owner": call.owner, "until": call.until}
    if owner is not None:
        expect = {"state": "calling", "owner": owner}
    move = Update("clawgroups.ModelCall", call.pk, values, expect)
    # An operation of its own per try: the first row of a day's usage may be made by two processes at once.
    operation = f"{verb} {call.pk} {call.tries} {owner}" if owner is not None else ""
    return commit.submit(
        Change(SYSTEM, call.workspace_id, writes=(move, *writes), facts=tuple(facts), operation=operation, verb=verb)
    )


def _ends(state: str, now: datetime) -> dict[str, Any]:
    return {"state": state, "fault": "", "said": "", "owner": "", "until": None, "not_before": None, "ended_at": now}


def _tokens(spent: base.Usage, cost_micro: int) -> dict[str, int]:
    return {
        "prompt_tokens": spent.prompt,
        "cached_tokens": spent.cached,
        "completion_tokens": spent.completion,
        "reasoning_tokens": spent.reasoning,
        "cost_micro": cost_micro,
    }


def _spent(held: Held, fault: Fault, now: datetime) -> list[Write]:
    """What a try without an answer cost all the same."""
    return _used(held.call, fault.usage, fault.usage.micro_usd(endpoints.prices_of(held.server)), now)


def _used(call: ModelCall, spent: base.Usage, cost_micro: int, now: datetime) -> list[Write]:
    return usage.used(call.workspace_id, run_id=call.run_id, at=now, calls=1, tokens=spent, cost_micro=cost_micro)


def _server(held: Held, move: Callable[[ServerBreaker], ServerBreaker]) -> list[Update]:
    """How a try leaves its server's breaker, from how it stands now; nothing where it was removed."""
    server = ModelServer.objects.filter(pk=held.server.pk).first()
    return [] if server is None else endpoints.moved(server, move(endpoints.breaker_of(server)))


def _rests(write: Update, now: datetime) -> bool:
    """Whether a server is not asked for a while from this write on."""
    state, until = write.values["breaker"], write.values["breaker_until"]
    return bool(state == ServerState.OPEN and until != now)


def _run_of(call: ModelCall) -> Run | None:
    return None if call.run_id is None else Run.objects.filter(pk=call.run_id).first()


def _said(server: ModelServer, fault: Fault) -> str:
    return str(storable(f"{server.name}: {fault}"))[: model_calls.MAX_SAID]


def storable(value: Any) -> Any:
    """A value of JSON as any database keeps it: without what no text may hold, and without numbers that are none."""
    match value:
        case str():
            return value.replace("\x00", "").encode("utf-8", "replace").decode()
        case float() if not math.isfinite(value):
            return None
        case Mapping():
            return {storable(str(key)): storable(one) for key, one in value.items()}
        case list() | tuple():
            return [storable(one) for one in value]
        case _:
            return value
