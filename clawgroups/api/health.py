"""`/healthz`: this process answers. `/readyz`: it can do useful work, and what else is needed is there."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.utils import timezone

from clawgroups import bus, canary, commit, draining
from clawgroups.coordinator import watchdog
from clawgroups.models import Lease, Workspace

log = logging.getLogger(__name__)

SWEEP = "sweep"
WORKER_SILENCE = 60.0  # seconds; it sweeps every two


class NotReady(Exception):
    """What is missing, in a few words that tell nothing of the inside."""


_migrated = False


def _not_draining() -> None:
    if draining.is_draining():
        raise NotReady("leaving")


def _database() -> None:
    try:
        Workspace.objects.order_by().values_list("pk").first()
    except DatabaseError:
        raise NotReady("does not answer") from None


def _migrations() -> None:
    global _migrated
    if _migrated:
        return
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        raise NotReady("cannot be read") from None
    if waiting:
        raise NotReady("not applied")
    _migrated = True


def _redis() -> None:
    if settings.REDIS_URL and not bus.answers():
        raise NotReady("does not answer")


def _writer() -> None:
    if not commit.is_open():
        raise NotReady("takes no changes")


def _worker() -> None:
    """The sweep notes in its lease when it was last done to its end; a sweep without canaries means a deaf queue."""
    try:
        done = Lease.objects.filter(name=SWEEP).values_list("done_at", flat=True).first()
        deaf = canary.deaf(timezone.now())
    except DatabaseError:
        raise NotReady("cannot be read") from None
    if done is None or (timezone.now() - done).total_seconds() > WORKER_SILENCE:
        raise NotReady("has done nothing lately")
    if deaf:
        log.warning("nobody hears: %s", ", ".join(deaf))
        raise NotReady("has done nothing lately")


def _tasks() -> None:
    """The watchdog's proof that nothing open waits silently was made lately. What it found is told beside."""
    try:
        done = Lease.objects.filter(name=watchdog.NAME).values_list("done_at", flat=True).first()
    except DatabaseError:
        raise NotReady("cannot be read") from None
    if done is None:
        raise NotReady("not proven yet")
    age = (timezone.now() - done).total_seconds()
    if age > watchdog.STALE:
        raise NotReady(f"not proven for {age:.0f} s")


def _proof() -> dict[str, Any] | None:
    """How much was looked at, when, and how many exceptions there were; None while nothing was."""
    try:
        lease = Lease.objects.filter(name=watchdog.NAME).exclude(done_at=None).first()
    except DatabaseError:
        return None
    if lease is None or lease.done_at is None:
        return None
    kinds = lease.detail.get("kinds", {})
    return {
        "at": lease.done_at.isoformat(),
        "open": lease.detail.get("open", 0),
        "exceptions": sum(kinds.values()),
        "found": watchdog.summary(kinds),
    }


# Whoever knows of another condition adds it here.
CHECKS: dict[str, Callable[[], None]] = {
    "server": _not_draining,
    "database": _database,
    "migrations": _migrations,
    "redis": _redis,
    "writer": _writer,
    "worker": _worker,
    "tasks": _tasks,
}


def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 when every check passes, else 503 with what does not.

    Exceptions of the proof are told and make nothing unready: one task of one run must not take the servers
    away from all others.
    """
    found: dict[str, str] = {}
    for name, check in CHECKS.items():
        try:
            check()
            found[name] = "ok"
        except NotReady as missing:
            found[name] = str(missing)
            log.warning("not ready: %s %s", name, missing)
    ready = all(said == "ok" for said in found.values())
    proof = _proof()
    if proof is not None and found["tasks"] == "ok":
        found["tasks"] = proof["found"] or "ok"
    body = {"status": "ready" if ready else "not ready", "checks": found, "proof": proof}
    return JsonResponse(body, status=200 if ready else 503, headers={"Cache-Control": "no-store"})
