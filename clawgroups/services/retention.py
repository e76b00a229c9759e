"""How long things are kept: what is over, how much of it there is, and deleting it. Nothing is deleted by default.

Only what nobody goes on from is ever deleted, and of runs only of such as are over. The journal and the audit trail
are never: a journal is replayed from its first entry, and each row of the trail is bound to the one before it
(docs/decisions.md). These rows are written as Django writes, a few hundred in a short transaction each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.sessions.models import Session as BrowserSession
from django.db import transaction
from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from agents.models import Enrolment
from clawgroups import commit
from clawgroups.core.actors import SYSTEM, Actor
from clawgroups.core.audit import Audit
from clawgroups.core.changes import Change
from clawgroups.core.installation import Kind, of_kind
from clawgroups.core.lifecycle import RUN_TERMINAL
from clawgroups.models import Draft, Export, Invitation, Letter, LoginLink, ModelCall, Operation, Share
from clawgroups.services import exporting, installation

CHUNK = 500
MOST = 20_000  # of each kind in one pass; the rest follows with the next

Rows = QuerySet[Any]


@dataclass(frozen=True, slots=True)
class Over:
    """What is over of one setting: days (None: kept for ever), how many rows, and since when the oldest is."""

    name: str
    days: int | None
    rows: int = 0


def _model_words(before: datetime) -> list[Rows]:
    """What was said to models and by them; what it cost, and what was read from it, stays."""
    over = Q(run__state__in=RUN_TERMINAL) | Q(run=None, acted_at__isnull=False)
    return [ModelCall.objects.filter(over, ended_at__lt=before).exclude(request={}, raw={}, text="", reasoning="")]


def _drafts(before: datetime) -> list[Rows]:
    """Versions of drafts that a newer one has replaced."""
    newer = Draft.objects.filter(attempt=OuterRef("attempt"), kind="own", version__gt=OuterRef("version"))
    ended = Draft.objects.filter(attempt__ended_at__lt=before, attempt__task__run__state__in=RUN_TERMINAL)
    return [ended.filter(Exists(newer), kind="own", saved_at__lt=before)]


def _operations(before: datetime) -> list[Rows]:
    """Answers that are kept for whoever repeats a request."""
    return [Operation.objects.filter(at__lt=before)]


def _letters(before: datetime) -> list[Rows]:
    return [Letter.objects.filter(sent_at__lt=before)]


def _admissions(before: datetime) -> list[Rows]:
    """Links, codes and browsers' sessions that let nobody in any more."""
    ended = Q(expires_at__lt=before) | Q(revoked_at__lt=before)
    return [
        Invitation.objects.filter(ended),
        Share.objects.filter(ended),
        Enrolment.objects.filter(expires_at__lt=before),
        LoginLink.objects.filter(expires_at__lt=before),
        BrowserSession.objects.filter(expire_date__lt=before),
    ]


def _exports(before: datetime) -> list[Rows]:
    return [Export.objects.filter(state="ready", ended_at__lt=before)]


FOUND: Mapping[str, Callable[[datetime], list[Rows]]] = {
    "keep_model_words": _model_words,
    "keep_drafts": _drafts,
    "keep_operations": _operations,
    "keep_letters": _letters,
    "keep_admissions": _admissions,
    "keep_exports": _exports,
}
BLANK: Mapping[str, Any] = {"request": {}, "raw": {}, "text": "", "reasoning": ""}


def in_force() -> dict[str, int | None]:
    """How many days each kind is kept now."""
    return {one.name: installation.limit(one.name) for one in of_kind(Kind.DAYS)}


def over(days: Mapping[str, int | None], now: datetime) -> list[Over]:
    """How much would be deleted, were things kept for so many days. Deletes nothing."""
    found = []
    for name, many in days.items():
        rows = 0 if many is None else sum(each.count() for each in FOUND[name](now - timedelta(days=many)))
        found.append(Over(name, many, rows))
    return found


def prune(now: datetime, *, actor: Actor = SYSTEM) -> dict[str, int]:
    """Delete what is over by the settings in force: how many of each kind. Safe to repeat, and to be cut off.

    A person has to be staff.
    """
    if actor is not SYSTEM:
        installation.require_operator(actor)
    done: dict[str, int] = {}
    for name, days in in_force().items():
        if days is None:
            continue
        count = sum(_prune(name, rows) for rows in FOUND[name](now - timedelta(days=days)))
        if count:
            done[name] = count
    if done:
        audit = Audit("retention.pruned", {"rows": done, "days": {n: d for n, d in in_force().items() if d}})
        commit.wait(commit.submit(Change(actor, verb="retention.prune", audits=(audit,))))
    return done


def _prune(name: str, rows: Rows) -> int:
    count = 0
    while count < MOST and (keys := list(rows.order_by("pk").values_list("pk", flat=True)[:CHUNK])):
        _end(name, rows.model, keys)
        count += len(keys)
    return count


def _end(name: str, model: type[Model], keys: list[Any]) -> None:
    these = model._default_manager.filter(pk__in=keys)
    if name == "keep_exports":
        exporting.forget(keys)
        return
    with transaction.atomic():
        if name == "keep_model_words":
            these.update(**BLANK)
        else:
            these.delete()
