"""`/healthz`: this process answers. `/readyz`: it can do useful work, and what else is needed is there."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from clawgroups import bus, commit, draining
from clawgroups.models import Workspace

log = logging.getLogger(__name__)

WORKER_KEY = "clawgroups:worker"
WORKER_SILENCE = 60.0


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
    if not settings.REDIS_URL:
        return
    try:
        with bus.client() as client:
            client.ping()
    except (redis.RedisError, OSError):
        raise NotReady("does not answer") from None


def _writer() -> None:
    if not commit.is_open():
        raise NotReady("takes no changes")


def _worker() -> None:
    """The worker's sweep says every few seconds when it last finished (unix seconds under `WORKER_KEY`)."""
    if not settings.REDIS_URL:
        return
    try:
        with bus.client() as client:
            seen = client.get(WORKER_KEY)
    except (redis.RedisError, OSError):
        raise NotReady("not heard of") from None
    if not isinstance(seen, bytes | str) or time.time() - float(seen) > WORKER_SILENCE * max(settings.CLOCK_SCALE, 1):
        raise NotReady("has done nothing lately")


# Whoever knows of another condition adds it here.
CHECKS: dict[str, Callable[[], None]] = {
    "server": _not_draining,
    "database": _database,
    "migrations": _migrations,
    "redis": _redis,
    "writer": _writer,
    "worker": _worker,
}


def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 when every check passes, else 503 with what does not."""
    found: dict[str, str] = {}
    for name, check in CHECKS.items():
        try:
            check()
            found[name] = "ok"
        except NotReady as missing:
            found[name] = str(missing)
            log.warning("not ready: %s %s", name, missing)
    ready = all(said == "ok" for said in found.values())
    body = {"status": "ready" if ready else "not ready", "checks": found}
    return JsonResponse(body, status=200 if ready else 503, headers={"Cache-Control": "no-store"})
