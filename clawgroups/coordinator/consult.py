"""Asking the model within a turn: one question, from rows alone, however often the turn is repeated.

A question is recorded and answered elsewhere; the turn that finds the answer reads it, checks it and acts. An answer
that cannot be used is asked again, twice at most, with what is wrong with it and never with its own words. What the
model cannot do is handed back with the reason: the built-in coordinator goes on, or a person does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.utils import timezone

from agents.llm.base import Request
from clawgroups.coordinator.decisions import Unreadable
from clawgroups.coordinator.prompt import Prompt
from clawgroups.core.actors import Actor
from clawgroups.core.coordination import read_coordination
from clawgroups.core.errors import Conflict
from clawgroups.models import ModelCall, ModelServer, Run
from clawgroups.planned import Planned
from clawgroups.services import model_calls
from clawgroups.services.perform import perform

MAX_REPAIRS = 2
OPEN = ("waiting", "calling")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ask(Generic[T]):
    """One question. `build` makes the prompt, given what was wrong with the last answer; `read` an answer, or raises
    `Unreadable`; `as_json` is how what was read is recorded.
    """

    kind: str
    subject: str
    build: Callable[[Sequence[str]], Prompt]
    read: Callable[[str], T]
    as_json: Callable[[T], Any]
    schema: dict[str, Any]
    max_output: int = 16_000
    repairs: int = MAX_REPAIRS
    task_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The question is under way."""


@dataclass(frozen=True, slots=True)
class Decided(Generic[T]):
    """What was read from the answer, and the model's name."""

    decision: T
    model: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """There were answers, none of which could be used: a person should look."""

    problems: tuple[str, ...]
    model: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """There is no answer, for this reason. `tried`: it was asked; else it is not there to be asked."""

    reason: str
    tried: bool


def consult(run: Run, ask: Ask[T], actor: Actor) -> Waiting | Decided[T] | Unusable | Unavailable:
    """Where a question stands; recorded if it was not asked yet, and again after an answer that cannot be used."""
    call = model_calls.latest_call(run.pk, ask.kind, ask.subject)
    if call is None:
        return _asked(run, ask, actor, 0, ())
    if is_pending(call):
        if not (reason := _hopeless(run, call)):
            return Waiting()
        with contextlib.suppress(Conflict):
            perform(model_calls.cancel_call, call.pk, reason=reason, actor=actor)
        _stand_in(run, reason, actor)
        return Unavailable(reason, True)
    if call.state != "answered":
        return _without_images(run, ask, actor, call) or Unavailable(model_calls.plainly(call), True)
    try:
        decision = ask.read(call.text)
    except Unreadable as wrong:
        _note(call, None, wrong.problems, actor)
        if call.round < ask.repairs:
            return _asked(run, ask, actor, call.round + 1, wrong.problems)
        return Unusable(wrong.problems, call.model)
    _note(call, ask.as_json(decision), (), actor)
    return Decided(decision, call.model or "model")


def is_pending(call: ModelCall) -> bool:
    """Whether an answer is still waited for."""
    return call.state in OPEN and (call.give_up_at is None or call.give_up_at > timezone.now())


def pending(run: Run) -> dict[tuple[str, str], UUID]:
    """The questions of a run whose answers are still waited for: by kind and subject, the call."""
    waited = [call for call in _open_calls(run.pk) if is_pending(call) and not _hopeless(run, call)]
    return {(call.kind, call.subject): call.pk for call in waited}


_open_calls: Planned[ModelCall] = Planned(
    lambda run_id: ModelCall.objects.filter(run=run_id, state__in=OPEN).only("kind", "subject", "state", "give_up_at")
)


def _hopeless(run: Run, call: ModelCall) -> str:
    """Why a question need not be waited for: somebody waits for the plan, nobody is asking it, and no server is well.

    The others wait on: a result is better judged late by the model than sent to a person for our own outage.
    """
    if call.kind != "plan" or call.state != "waiting":
        return ""
    return model_calls.unavailable(run.workspace)


def _asked(
    run: Run, ask: Ask[T], actor: Actor, number: int, problems: Sequence[str], *, images: bool = True
) -> Waiting | Unavailable:
    if reason := model_calls.unavailable(run.workspace):
        if is_expected(run):
            _stand_in(run, reason, actor)
        return Unavailable(reason, number > 0)
    prompt = ask.build(problems)
    # In which mode is for whoever asks: the workspace, its server and the kind of question say so.
    request = Request(
        messages=prompt.messages if images else tuple(replace(one, images=()) for one in prompt.messages),
        schema=ask.schema,
        schema_name=ask.kind,
        max_output=ask.max_output,
        # What the prompts of a workspace begin with is the same for all of its runs.
        cache_key=str(run.workspace_id),
    )
    perform(
        model_calls.record_call,
        run.pk,
        kind=ask.kind,
        request=request,
        digest=prompt.digest,
        actor=actor,
        subject=ask.subject,
        round=number,
        task_id=ask.task_id,
    )
    return Waiting()


def is_expected(run: Run) -> bool:
    """Whether a model is set up and wanted here, so that people should know when it is not asked."""
    wanted = read_coordination(run.workspace.coordination).use_model
    return wanted and ModelServer.objects.filter(enabled=True).exists()


def _stand_in(run: Run, reason: str, actor: Actor) -> None:
    if not run.fallback:
        with contextlib.suppress(Conflict):
            perform(model_calls.fall_back, run.pk, reason=reason, actor=actor)


def _without_images(run: Run, ask: Ask[T], actor: Actor, call: ModelCall) -> Waiting | Unavailable | None:
    """Once more without the images, where the model refused a request that had some: not every model can see."""
    if call.fault != "request" or call.round >= ask.repairs:
        return None
    if not any(message.get("images") for message in call.request.get("messages", ())):
        return None
    return _asked(run, ask, actor, call.round + 1, (), images=False)


def _note(call: ModelCall, decision: Any, problems: Sequence[str], actor: Actor) -> None:
    """Record what was read from an answer, once. It is for people to see: nothing depends on it."""
    if call.decision is not None or call.problems:
        return
    perform(model_calls.note_decision, call.pk, decision=decision, problems=list(problems), actor=actor)
