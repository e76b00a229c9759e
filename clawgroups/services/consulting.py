"""Carries recorded questions to the model out: which server, one try after the other, and what is kept of each.

A call that is being asked is held by a lease. A process that dies in the middle lets it lapse, and the call is asked
again: that costs one repeat, and no answer is kept twice, since only who holds the call may end it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

from django.conf import settings
from django.db import DatabaseError, connection

from agents.llm.base import Fault, FaultKind, Reply, Usage
from agents.llm.stored import request_from_json
from clawgroups import bus, commit, sealing
from clawgroups.core import server_breaker
from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Change, Outcome, Update
from clawgroups.core.coordination import read_coordination
from clawgroups.core.errors import Busy, ClawError, Invalid, OutcomeUnknown
from clawgroups.core.lifecycle import RUN_TERMINAL
from clawgroups.models import ModelCall, ModelServer
from clawgroups.services import budgets, call_ends, deadlines, endpoints, installation, model_calls, model_images
from clawgroups.services.call_ends import Held

log = logging.getLogger(__name__)

LEASE = 15.0
LEAST_SCALE = 0.5
LOOK = 1.0  # seconds between two looks at whether a call is still wanted
BACK_OFF = 1.0
LONGEST = 5.0
LONGEST_BUSY = 30.0
NEXT = 4
TRIES = 5  # of a change whose rows have moved
PATIENCE = (0.0, 1.0, 2.0, 4.0, 8.0)  # seconds before each try to keep an answer while the database is away
NEXT_SERVER = frozenset({FaultKind.UNREACHABLE, FaultKind.SLOW, FaultKind.BUSY, FaultKind.QUOTA, FaultKind.KEY})
UNREADABLE = "its key cannot be read since the server's secret was changed: enter it again"

Wanted = Callable[[], bool]
Verb = Callable[[], Future[Outcome]]


class OutOfTime(Fault):
    """Our patience with a question ended before the server's own time: that says nothing about the server."""


def consult(call_id: UUID, *, staying: Wanted = lambda: True) -> bool:
    """Ask a recorded question until it has ended or has to wait. False when it was not to be asked now.

    `staying`: False once this process goes away; the call is put back then. Safe to repeat, to lose and to kill.
    """
    failed: set[UUID] = set()
    done = False
    while staying() and (held := _claim(call_id, failed)) is not None:
        done = True
        try:
            reply = _ask(held, staying)
        except Fault as fault:
            if not _faulted(held, fault, failed, staying):
                break
        else:
            _keep_answer(held, reply)
            break
    return done


def _keep_answer(held: Held, reply: Reply) -> None:
    try:
        _end(held, partial(call_ends.answered, held, reply), reply.usage)
    except Invalid as strange:
        # Asked again it would come again, and cost again.
        broken = Fault(FaultKind.MALFORMED, str(strange), usage=reply.usage)
        _end(held, partial(call_ends.refused, held, broken), reply.usage)


def _end(held: Held, verb: Verb, spent: Usage) -> bool:
    """End a try. Where the call was cancelled meanwhile, or taken over, what the try cost is kept all the same."""
    lost = partial(call_ends.aborted, held, Fault(FaultKind.ABORTED, "it is not ours any more", usage=spent))
    return _keep(verb, lost=lost)


def _claim(call_id: UUID, failed: set[UUID]) -> Held | None:
    """Hold a call for one try at the first server that may be asked; None where it ended, waits, or is another's."""
    for _ in range(TRIES):
        now = deadlines.database_now()
        call = ModelCall.objects.select_related("run", "workspace").filter(pk=call_id).first()
        if call is None or not model_calls.is_due(call, now):
            return None
        if (verb := _refusal(call, now)) is not None:
            commit.wait(verb())
            return None
        server = endpoints.choose_server(now, without=failed)
        if server is None:
            call_ends.wait_for_one(call, now)
            return None
        held = _held(call, server, now)
        if commit.wait(_take(held, now)).applied:
            return held
    return None


def _refusal(call: ModelCall, now: datetime) -> Verb | None:
    """How a call ends that is not asked any more: its run is over, or there is no time or money left."""
    if call.run is not None and call.run.state in RUN_TERMINAL:
        # Recorded while its run ended: whoever ended it did not see it.
        return partial(call_ends.cancel, call, f"The run is {call.run.state}.")
    if call.give_up_at is not None and call.give_up_at <= now:
        return partial(call_ends.give_up, call)
    if none := installation.model_stop(now):
        return partial(call_ends.fail, call, model_calls.OFF, none)
    if not read_coordination(call.workspace.coordination).use_model:
        return partial(call_ends.fail, call, model_calls.OFF, model_calls.SWITCHED_OFF)
    if call.run is not None:
        call.run.workspace = call.workspace
    stop = budgets.stop_of(call.run, now) if call.run is not None else budgets.month_stop(call.workspace, now)
    return partial(call_ends.fail, call, model_calls.BUDGET, stop) if stop else None


def _held(call: ModelCall, server: ModelServer, now: datetime) -> Held:
    mode = endpoints.mode_of(call.workspace, server, call.kind)
    rid = f"{call.pk.hex}-{call.tries + 1}"
    asked = replace(request_from_json(call.request), mode=mode, rid=rid, priority=call.priority)
    return Held(call, server, f"{bus.PROCESS}-{uuid4().hex[:8]}", asked)


def _take(held: Held, now: datetime) -> Future[Outcome]:
    call, server = held.call, held.server
    values = {
        "state": "calling",
        "owner": held.owner,
        "until": now + lease(),
        "server_id": server.pk,
        "model": server.model,
        "mode": held.request.mode.value,
        "rid": held.request.rid,
        "tries": call.tries + 1,
        "not_before": None,
        "started_at": call.started_at or now,
        "said": "",
    }
    begun = endpoints.moved(server, server_breaker.begun(endpoints.breaker_of(server)))
    return call_ends.submit(call, values, begun, verb="model.claim")


def lease() -> timedelta:
    """For how long a call is held; renewed through the database, which no clock scale makes faster."""
    return timedelta(seconds=LEASE * max(settings.CLOCK_SCALE, LEAST_SCALE))


def _ask(held: Held, staying: Wanted) -> Reply:
    """One try. Raises `Fault`, for whatever reason there is no answer."""
    left = None
    if held.call.give_up_at is not None:
        left = (held.call.give_up_at - deadlines.database_now()).total_seconds()
    try:
        endpoint = endpoints.endpoint_of(held.server, at_most=left)
    except sealing.Unreadable:
        raise Fault(FaultKind.KEY, UNREADABLE) from None
    began = time.monotonic()
    try:
        asked = model_images.inlined(held.request)
        _let_go()
        return model_calls.ask(endpoint, asked, wanted=_Lease(held, staying))
    except Fault as fault:
        total = endpoint.timeouts.total
        is_cut = total < endpoints.timeouts_of(held.server).total
        if fault.kind is FaultKind.SLOW and is_cut and time.monotonic() - began >= total:
            raise OutOfTime(fault.kind, str(fault), usage=fault.usage, raw=fault.raw) from None
        raise
    except Exception as bug:
        log.exception("the call %s failed", held.call.pk)
        raise Fault(FaultKind.REQUEST, f"it could not be asked: {type(bug).__name__}") from bug


def _let_go() -> None:
    """Give the connection back while a model thinks: a process has fewer of them than it may have questions."""
    if not connection.in_atomic_block:
        connection.close()


class _Lease:
    """Whether a call is still wanted, looked at once a second while it is asked; that also renews its lease."""

    def __init__(self, held: Held, staying: Wanted) -> None:
        self._held, self._staying = held, staying
        self._looked = time.monotonic()
        self._renewed = self._looked
        self._wanted = True

    def __call__(self) -> bool:
        now = time.monotonic()
        if self._wanted and now - self._looked >= LOOK:
            self._looked = now
            try:
                self._wanted = self._look(now)
            except (ClawError, DatabaseError) as away:
                log.warning("the lease of call %s could not be looked at: %s", self._held.call.pk, away)
            finally:
                _let_go()
        return self._wanted and self._staying()

    def _look(self, now: float) -> bool:
        call, owner = self._held.call, self._held.owner
        if now - self._renewed < lease().total_seconds() / 3:
            return ModelCall.objects.filter(pk=call.pk, state="calling", owner=owner).exists()
        self._renewed = now
        renewed = {"until": deadlines.database_now() + lease()}
        write = Update("clawgroups.ModelCall", call.pk, renewed, {"state": "calling", "owner": owner})
        return commit.wait(commit.submit(Change(SYSTEM, writes=(write,), verb="model.renew"))).applied


def _keep(verb: Verb, *, lost: Verb | None = None) -> bool:
    """Carry out what ends a try, decided anew where rows have moved, and again while the database is away.

    Where the call itself has moved on, `lost` is carried out instead; then False.
    """
    for pause in PATIENCE:
        if pause:
            time.sleep(pause)
        try:
            for _ in range(TRIES):
                outcome = commit.wait(verb())
                if outcome.applied:
                    return True
                if outcome.mismatch is not None and outcome.mismatch.model == "clawgroups.ModelCall":
                    if lost is not None:  # cancelled, or another one's by now
                        _keep(lost)
                    return False
        except (Busy, OutcomeUnknown, DatabaseError) as away:
            log.warning("the end of a call is not kept yet: %s", away)
    return False


def _faulted(held: Held, fault: Fault, failed: set[UUID], staying: Wanted) -> bool:
    """Keep what became of a try without an answer; whether another server may be tried at once."""
    kind = fault.kind
    if kind is FaultKind.ABORTED and not staying():
        _end(held, partial(call_ends.put_back, held, fault, 0.0), fault.usage)
    elif kind is FaultKind.ABORTED:
        _keep(partial(call_ends.aborted, held, fault))
    elif isinstance(fault, OutOfTime):
        return _end(held, partial(call_ends.put_back, held, fault, 0.0, is_ours=True), fault.usage)
    elif kind in NEXT_SERVER:
        failed.add(held.server.pk)
        pause = 0.0 if endpoints.choose_server(deadlines.database_now(), without=failed) else _pause(held.call, fault)
        return _end(held, partial(call_ends.put_back, held, fault, pause), fault.usage) and not pause
    else:
        _end(held, partial(call_ends.refused, held, fault), fault.usage)
    return False


def _pause(call: ModelCall, fault: Fault) -> float:
    """Seconds until a call is asked again that no other server could take over."""
    if fault.kind is FaultKind.BUSY and fault.again_in is not None:
        return fault.again_in
    longest = LONGEST_BUSY if fault.kind is FaultKind.BUSY else LONGEST
    return float(min(BACK_OFF * 2 ** min(call.tries, 10), longest) * settings.CLOCK_SCALE)


def send_next() -> None:
    """A place is free: have those who wait for one asked at once."""
    for call_id in model_calls.due_calls(deadlines.database_now(), NEXT):
        bus.enqueue(model_calls.JOB, str(call_id))
