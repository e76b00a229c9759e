"""Knocks at model servers that rest after they did not answer: with the smallest question, every few seconds.

A breaker keeps work away for minutes; a server that has come back shall not wait for as long. One that only looks
healthy, and answers everything but questions, is not let in so: what it is asked is a question.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from agents.llm.base import Fault, FaultKind, Message, Mode, Request, Timeouts
from clawgroups import commit, sealing
from clawgroups.core import server_breaker
from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Change
from clawgroups.core.server_breaker import ServerState
from clawgroups.models import ModelServer, Run
from clawgroups.services import deadlines, endpoints, model_calls

log = logging.getLogger(__name__)

EVERY = 4.0  # seconds between two knocks at one server
PATIENCE = Timeouts(connect=2.0, first=4.0, between=4.0, total=4.0)
QUESTION = Request((Message("user", "Answer with the word: yes"),), mode=Mode.INSTANT, max_output=8)
# Whoever says so is there: an answer that was cut, or cannot be used, is one.
THERE = frozenset({FaultKind.MALFORMED, FaultKind.REQUEST, FaultKind.TOO_LONG})


def resting(now: datetime) -> list[UUID]:
    """The servers to knock at: away, and somebody has a run that may want them."""
    rows = ModelServer.objects.filter(enabled=True, breaker=ServerState.OPEN.value, breaker_until__gt=now)
    away = [server.pk for server in rows if endpoints.breaker_of(server).kind in server_breaker.AWAY]
    wanted = Q(state__in=["planning", "running", "consolidating"])
    return away if away and Run.objects.filter(wanted).exists() else []


def every() -> float:
    """Seconds between two knocks, on this installation's clock scale."""
    scale: float = min(settings.CLOCK_SCALE, 1.0)
    return EVERY * scale


def knock(server_id: UUID) -> bool:
    """Ask a server that rests the smallest question; one that answers may be tried with a call at once."""
    server = ModelServer.objects.filter(pk=server_id).first()
    if server is None or not _answers(server):
        return False
    after = server_breaker.knocked(endpoints.breaker_of(server), deadlines.database_now())
    writes = endpoints.moved(server, after)
    return bool(writes) and commit.wait(commit.submit(Change(SYSTEM, writes=tuple(writes), verb="model.knock"))).applied


def _answers(server: ModelServer) -> bool:
    try:
        endpoint = replace(endpoints.endpoint_of(server), timeouts=PATIENCE)
        model_calls.ask(endpoint, QUESTION)
    except sealing.Unreadable:
        return False
    except Fault as fault:
        return fault.kind in THERE
    return True
