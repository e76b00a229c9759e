"""Questions to the model as rows: recorded before they are asked, read after they are answered.

What happens between is `services.consulting`. Every question belongs to a run (the entry `run.model_called` that its
end writes wakes that run), or to a message that names nobody (`services.hearing`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

from agents.ids import new_id
from agents.llm import client
from agents.llm.base import Endpoint, Reply, Request
from agents.llm.stored import request_as_json
from clawgroups import bus, commit
from clawgroups.core import server_breaker
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Expect, Fact, Insert, Outcome, Update, Write, one_of
from clawgroups.core.coordination import KINDS, PATIENCE, PRIORITIES, read_coordination
from clawgroups.core.coordination_events import FellBack, ModelCalled
from clawgroups.core.errors import Conflict, Invalid, NotFound
from clawgroups.core.lifecycle import RUN_TERMINAL
from clawgroups.models import ModelCall, Run, Workspace
from clawgroups.permissions import get_run, require
from clawgroups.planned import Planned
from clawgroups.services import budgets, deadlines, endpoints, installation

JOB = "clawgroups.consult"
OPEN = ("waiting", "calling")
LARGE = ("request", "text", "reasoning", "raw")
# What is looked at of a call that is given up.
OF_LATE = (
    "workspace_id", "run_id", "kind", "state", "owner", "until", "tries", "fault", "said", "give_up_at", "server__name",
)  # fmt: skip
MAX_SAID = 500
MAX_REASON = 300
# Faults that are none of a server.
BUDGET = "budget"
OFF = "off"
OURS = frozenset({BUDGET, OFF})
SWITCHED_OFF = "The model is switched off in this workspace."


def ask(
    endpoint: Endpoint, request: Request, *, wanted: Callable[[], bool] = lambda: True, streaming: bool = True
) -> Reply:
    """Ask a model; see `agents.llm.client.ask`. Whoever carries calls out takes this one, so that tests replace it."""
    return client.ask(endpoint, request, wanted=wanted, streaming=streaming)


def record_call(
    run_id: UUID,
    *,
    kind: str,
    request: Request,
    digest: str,
    actor: Actor,
    subject: str = "",
    round: int = 0,
    task_id: UUID | None = None,
) -> Future[Outcome]:
    """Ask the model this about a run, soon; once however often it is repeated with the same kind, subject and round.

    Answer: {"id"}. Raises `Conflict` for a run that is over.
    """
    if kind not in KINDS:
        raise Invalid(f"There are calls of the kinds {', '.join(KINDS)}.", field="kind")
    run = get_run(actor, run_id, "run.consult")
    expects = require(actor, "run.consult", run.workspace_id)
    if run.state in RUN_TERMINAL:
        raise Conflict(f"The run is {run.state}; nothing is asked about it any more.", code="run_over")
    call = new_call(run.workspace, kind=kind, request=request, digest=digest, subject=subject, round=round)
    pk, values = call.pk, {**call.values, "run_id": run.pk, "task_id": task_id}
    future = commit.submit(
        Change(
            actor,
            run.workspace_id,
            (*expects, Expect("clawgroups.Run", run.pk, {"state": run.state})),
            (Insert("clawgroups.ModelCall", pk, values),),
            operation=f"model call {run.pk} {kind} {round} {subject}",
            verb="run.consult",
            answer={"id": str(pk)},
        )
    )
    future.add_done_callback(_send)
    return future


def new_call(
    workspace: Workspace, *, kind: str, request: Request, digest: str, subject: str = "", round: int = 0
) -> Insert:
    """A question to the model as part of a larger change, about no run."""
    now, servers = deadlines.database_now(), endpoints.enabled()
    mode = endpoints.mode_of(workspace, servers[0] if servers else None, kind)
    values = {
        "workspace_id": workspace.pk,
        "kind": kind,
        "subject": subject,
        "round": round,
        "state": "waiting",
        "mode": mode.value,
        "priority": PRIORITIES[kind],
        "digest": digest,
        "request": request_as_json(replace(request, mode=mode, priority=PRIORITIES[kind])),
        "created_at": now,
        "give_up_at": now + timedelta(seconds=PATIENCE[kind] * settings.CLOCK_SCALE),
    }
    return Insert("clawgroups.ModelCall", new_id(), values)


def _send(recorded: Future[Outcome]) -> None:
    """Have a call that is recorded carried out; where this is lost, the sweep finds it."""
    if recorded.exception() is None and recorded.result().applied:
        send(recorded.result().answer["id"])


def send(call_id: UUID | str) -> None:
    """Have a recorded call carried out soon."""
    bus.enqueue(JOB, str(call_id))


def latest_call(run_id: UUID, kind: str, subject: str = "") -> ModelCall | None:
    """The last question of this kind and subject about a run: the one of the highest round; None: none was asked.

    What was asked and what came back is read from the database only where somebody looks at it.
    """
    rows = ModelCall.objects.filter(run=run_id, kind=kind, subject=subject).defer(*LARGE)
    return rows.order_by("-round").first()


def note_decision(call_id: UUID, *, decision: Any, problems: Sequence[str], actor: Actor) -> Future[Outcome]:
    """Keep what was read from an answer, or what is wrong with it, before anybody acts on it."""
    call = _call_of(call_id, actor)
    values = {"decision": decision, "problems": list(problems), "acted_at": deadlines.database_now()}
    return commit.submit(
        Change(
            actor,
            call.workspace_id,
            require(actor, "run.consult", call.workspace_id),
            (Update("clawgroups.ModelCall", call.pk, values, {"state": "answered"}),),
            verb="run.note_decision",
            answer={"id": str(call.pk)},
        )
    )


def cancel_call(call_id: UUID, *, reason: str, actor: Actor) -> Future[Outcome]:
    """Nobody wants the answer to this any more: whoever is asking stops. Raises `Conflict` for one that has ended."""
    call = _call_of(call_id, actor)
    if call.state not in OPEN:
        raise Conflict(f"The call is {call.state} already.", code="call_over")
    write, facts = _cancelled(call, reason)
    expects = require(actor, "run.consult", call.workspace_id)
    return commit.submit(Change(actor, call.workspace_id, expects, (write,), tuple(facts), verb="run.cancel_call"))


def cancel_calls(run: Run, reason: str) -> tuple[list[Write], list[Fact]]:
    """What the end of a run does to the questions about it that are open: part of the change that ends it."""
    writes: list[Write] = []
    facts: list[Fact] = []
    for call in ModelCall.objects.filter(run=run, state__in=OPEN).order_by("pk"):
        write, told = _cancelled(call, reason)
        writes.append(write)
        facts += told
    return writes, facts


def _cancelled(call: ModelCall, reason: str) -> tuple[Update, list[Fact]]:
    values = {"state": "cancelled", "said": reason[:MAX_SAID], "ended_at": deadlines.database_now()}
    values |= {"owner": "", "until": None, "not_before": None}
    return Update("clawgroups.ModelCall", call.pk, values, {"state": one_of(*OPEN)}), ended(call, "cancelled")


def ended(call: ModelCall, state: str) -> list[Fact]:
    """What the journal says of a call that has ended."""
    if call.run_id is None:
        return []
    told = ModelCalled(run_id=call.run_id, call_id=call.pk, kind=call.kind, state=state)
    return [Fact(call.workspace_id, told)]


def _call_of(call_id: UUID, actor: Actor) -> ModelCall:
    call = ModelCall.objects.filter(pk=call_id).first()
    if call is None:
        raise NotFound("There is no such call, or it is not yours to see.")
    require(actor, "run.consult", call.workspace_id)
    return call


def unavailable(workspace: Workspace) -> str:
    """Why the model is not asked for this workspace now, in plain words; empty where it may be."""
    if not read_coordination(workspace.coordination).use_model:
        return SWITCHED_OFF
    now = deadlines.database_now()
    return installation.model_stop(now) or endpoints.why_none(now) or budgets.month_stop(workspace, now)


def plainly(call: ModelCall) -> str:
    """Why a call has no answer, for everybody: without the words of its server, which its own page shows."""
    if call.state == "cancelled" or call.fault in OURS:
        return call.said.rstrip(".")
    return server_breaker.plainly(call.server.name if call.server is not None else "", call.fault)


def fall_back(run_id: UUID, *, reason: str, actor: Actor) -> Future[Outcome]:
    """Say that the built-in coordinator stands in for the model in this run, and why; once until the model returns."""
    run = get_run(actor, run_id, "run.consult")
    expects = require(actor, "run.consult", run.workspace_id)
    writes, facts = fell_back(run, reason)
    if not writes:
        raise Conflict("The built-in coordinator stands in already.", code="fell_back")
    return commit.submit(Change(actor, run.workspace_id, expects, tuple(writes), tuple(facts), verb="run.fall_back"))


def fell_back(run: Run, reason: str) -> tuple[list[Write], list[Fact]]:
    """The writes and facts by which the built-in coordinator stands in; none where it does already."""
    if run.fallback or run.state in RUN_TERMINAL:
        return [], []
    said = reason[:MAX_REASON] or "The model did not answer."
    write = Update("clawgroups.Run", run.pk, {"fallback": said}, {"fallback": "", "state": run.state})
    return [write], [Fact(run.workspace_id, FellBack(run_id=run.pk, reason=said))]


def _due(now: datetime) -> QuerySet[ModelCall]:
    """Calls that wait and may be asked, and those whose process has died."""
    waits = Q(state="waiting") & (Q(not_before=None) | Q(not_before__lte=now))
    return ModelCall.objects.filter(waits | Q(state="calling", until__lte=now))


def is_due(call: ModelCall, now: datetime) -> bool:
    """Whether a call is to be asked, or given up, by whoever looks at it now."""
    if call.state == "waiting":
        return call.not_before is None or call.not_before <= now
    return call.state == "calling" and (call.until is None or call.until <= now)


def due_calls(now: datetime, limit: int) -> Mapping[UUID, int]:
    """Calls to be carried out now, the most urgent first, with how often each was tried; none while no server may
    be asked."""
    rows = _urgent(now, most=limit)
    if not rows or endpoints.choose_server(now) is None:
        return {}
    return dict(rows)


_urgent: Planned[tuple[UUID, int]] = Planned(
    lambda now, most: (
        _due(now).exclude(give_up_at__lte=now).order_by("-priority", "created_at").values_list("pk", "tries")[:most]
    )
)


def runs_without_a_plan(limit: int) -> set[UUID]:
    """Runs that wait for the model's plan while nobody is asking it, the longest waiting first."""
    rows = ModelCall.objects.filter(state="waiting", kind="plan", run__state="planning").order_by("created_at")
    return {pk for pk in rows.values_list("run_id", flat=True)[:limit] if pk is not None}


def late_calls(now: datetime, limit: int) -> list[ModelCall]:
    """Calls that nobody is asking and whose answer is not worth waiting for any more."""
    return _late(now, most=limit)


_late: Planned[ModelCall] = Planned(
    lambda now, most: (
        ModelCall.objects.select_related("server")
        .only(*OF_LATE)
        .filter(Q(state="waiting") | Q(state="calling", until__lte=now), give_up_at__lte=now)
        .order_by("give_up_at")[:most]
    )
)
