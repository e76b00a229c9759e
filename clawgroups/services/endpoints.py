"""Model servers as the client of models knows them, and which of them may be asked now."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count

from agents.llm.base import Endpoint, Mode, Prices, Timeouts
from clawgroups import sealing
from clawgroups.core import server_breaker
from clawgroups.core.changes import Update
from clawgroups.core.coordination import MODES, read_coordination
from clawgroups.core.server_breaker import ServerBreaker
from clawgroups.models import ModelCall, ModelServer, Workspace

LEAST_TOTAL = 1.0  # seconds that a call is given at least, however near its end is


def purpose(server_id: UUID) -> str:
    """What a model server's key is sealed for."""
    return f"model server {server_id}"


def endpoint_of(server: ModelServer, *, at_most: float | None = None) -> Endpoint:
    """The server with its key, and with `at_most` seconds for a call. Raises `sealing.Unreadable`."""
    timeouts = timeouts_of(server)
    if at_most is not None:
        timeouts = replace(timeouts, total=max(min(timeouts.total, at_most), LEAST_TOTAL))
    return Endpoint(
        provider=server.provider,
        url=server.url,
        model=server.model,
        key=sealing.unseal(server.secret, purpose=purpose(server.pk)),
        timeouts=timeouts,
        prices=prices_of(server),
        extra=server.extra,
    )


def timeouts_of(server: ModelServer) -> Timeouts:
    """How long a call may take at a server."""
    return Timeouts(**_numbers(server.timeouts, Timeouts))


def prices_of(server: ModelServer) -> Prices:
    """What a server's tokens cost."""
    return Prices(**_numbers(server.prices, Prices))


def _numbers(said: Mapping[str, Any], kind: type[Timeouts] | type[Prices]) -> dict[str, float]:
    """What is known of these settings; what is no number is the default."""
    found = {field.name: said.get(field.name) for field in fields(kind)}
    return {
        name: float(value)
        for name, value in found.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
    }


def mode_of(workspace: Workspace, server: ModelServer | None, kind: str) -> Mode:
    """How much the model thinks about a kind of call: the workspace's word, then the server's, then what is usual."""
    said = read_coordination(workspace.coordination).mode(kind) or (server.mode if server is not None else "")
    return Mode(said) if said in list(Mode) else Mode(MODES[kind])


def breaker_of(server: ModelServer) -> ServerBreaker:
    """Where a server stands."""
    return server_breaker.read(server.breaker, server.breaker_until, server.health)


def breaker_limits() -> server_breaker.Limits:
    """When breakers of servers open, on this installation's clock scale."""
    return server_breaker.Limits().scaled(settings.CLOCK_SCALE)


def moved(server: ModelServer, after: ServerBreaker) -> list[Update]:
    """The write by which a server's breaker comes to stand so, from where it was read; none where it stays."""
    if after == breaker_of(server):
        return []
    values = {"breaker": after.state.value, "breaker_until": after.until, "health": after.health}
    expect = {"breaker": server.breaker, "breaker_until": server.breaker_until, "health": server.health}
    return [Update("clawgroups.ModelServer", server.pk, values, expect)]


def enabled() -> list[ModelServer]:
    """The servers that may be asked at all, in the order in which they are."""
    return list(ModelServer.objects.filter(enabled=True).order_by("position", "created_at", "pk"))


def choose_server(now: datetime, *, without: Collection[UUID] = ()) -> ModelServer | None:
    """The first in order that may be asked now; None where none may."""
    servers = [server for server in enabled() if server.pk not in without]
    calling = _calling(now) if servers else {}
    for server in servers:
        if server_breaker.may_be_asked(now, breaker_of(server), calling.get(server.pk, 0), server.concurrency):
            return server
    return None


def _calling(now: datetime) -> dict[UUID | None, int]:
    """How many calls each server has in hand: those of a process that died do not count once their lease lapses."""
    rows = ModelCall.objects.filter(state="calling", until__gt=now).order_by().values_list("server_id")
    return dict(rows.annotate(number=Count("pk")))


def why_none(now: datetime) -> str:
    """Why no server may be asked now, in plain words; empty where one is only busy, or free."""
    servers = enabled()
    if not servers:
        return "No model server is set up."
    said = [server_breaker.says(server.name, breaker_of(server), now) for server in servers]
    return " ".join(said) if all(said) else ""
