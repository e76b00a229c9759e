"""Writes: an `Idempotency-Key` becomes an operation id, so that a repeated request gets the first answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from clawgroups.api.access import actor_of, seats_of
from clawgroups.commit.batch import operation_key
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, OperationId, Outcome
from clawgroups.core.errors import ClawError, Conflict, Invalid
from clawgroups.models import Operation
from clawgroups.services.perform import perform

Answer = dict[str, Any]
Verb = Callable[..., Future[Outcome]]
MAX_KEY = 120


def operation_of(request: HttpRequest) -> str:
    """The request's `Idempotency-Key`, or "". Raises `Invalid` for one that cannot be kept."""
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > MAX_KEY or not key.isprintable() or "|" in key:
        raise Invalid(
            f"An Idempotency-Key is at most {MAX_KEY} printable characters, without “|”.", field="Idempotency-Key"
        )
    return f"api:{key}" if key else ""


def digest_of(request: HttpRequest, given: Any) -> str:
    """What was asked, as a hash: the same key with anything else is refused."""
    said = json.dumps([request.method, request.path, given], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()


def write(
    request: HttpRequest,
    response: HttpResponse,
    verb: Verb,
    *args: Any,
    part: str = "",
    given: Any = None,
    **kwargs: Any,
) -> Answer:
    """Carry a verb out for the caller and give its answer, exactly as it was the first time.

    `given` is what the digest is made of where the arguments do not say it; `part` tells the verbs of one
    request apart.
    """
    actor = actor_of(request)
    operation = operation_of(request)
    if operation and part:
        operation = f"{operation}:{part}"
    if not operation:
        return dict(perform(verb, *args, actor=actor, **kwargs).answer)
    digest = digest_of(request, [part, [*map(str, args)], kwargs if given is None else given])
    try:
        outcome = perform(verb, *args, actor=actor, operation=OperationId(operation, digest), **kwargs)
    except ClawError:
        # Done before, it may well be impossible now: a run that was started cannot be started.
        first = _first_answer(actor, operation, digest)
        if first is None:
            raise
        outcome = Outcome(True, answer=first, repeated=True)
    if outcome.repeated:
        response["Idempotency-Replayed"] = "true"
    return dict(outcome.answer)


def _first_answer(actor: Actor, operation: str, digest: str) -> Answer | None:
    scopes: list[UUID | None] = [None, *seats_of(actor).values_list("workspace_id", flat=True)]
    keys = [operation_key(Change(actor, scope, operation=operation)) for scope in scopes]
    done = Operation.objects.filter(key__in=keys).first()
    if done is None:
        return None
    if done.digest != digest:
        raise Conflict(
            "This Idempotency-Key was used for another request. Choose a new one.", code="idempotency_key_reused"
        )
    return dict(done.answer)
