"""What a run's plan is expected to take, from who is here and what earlier work took; and how it went against that."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count as RowCount
from django.db.models import F, Q, Sum
from django.utils import timezone

from agents.models import Agent, Skill
from clawgroups.core.breaker import BreakerState
from clawgroups.core.breaker import read as read_breaker
from clawgroups.core.course import Course, Done, course
from clawgroups.core.forecast import Forecast, Helper, Known, forecast, read_forecast, typical_minutes
from clawgroups.core.matching import NEEDS_LOGIN, OFFLINE, QUARANTINED, RESTING
from clawgroups.core.plan import PlanTask
from clawgroups.core.record import DAYS
from clawgroups.fragments.roster import presences
from clawgroups.models import Attempt, Dependency, Member, Run, Task, Usage
from clawgroups.services import contact
from clawgroups.services.plan_changes import read_plan

NEWEST = 2_000  # accepted attempts that typical times are taken from
SHOWN = (
    *("name", "handle", "skills", "capacity"),
    *(f"agent__{column}" for column in ("max_sessions", "breaker", "breaker_until", "health")),
)
BREAKERS = {BreakerState.QUARANTINED: QUARANTINED, BreakerState.OPEN: RESTING}


def forecast_of(run: Run, plan: Sequence[PlanTask] | None = None) -> Forecast:
    """The forecast of a run's plan (or of another one) by who is here now."""
    tasks = read_plan(run).planned if plan is None else plan
    return forecast(tasks, helpers_of(run.workspace_id), known_of(run.workspace_id))


def helpers_of(workspace_id: UUID) -> list[Helper]:
    """Everybody who may be given work here: agents, and people who may be asked."""
    now = timezone.now()
    seats = list(
        Member.objects.filter(workspace=workspace_id, left_at=None, agent__retired_at=None)
        .filter(Q(agent__isnull=False) | Q(capacity__gt=0))
        .select_related("agent")
        .only(*SHOWN)
        # Of what 300 agents announced nothing else is needed.
        .annotate(needs_login=F("agent__announced__needs_login"))
        .order_by("name", "pk")
    )
    agents = [seat.agent_id for seat in seats if seat.agent_id]
    present = presences(agents)
    skills: dict[UUID, dict[str, int]] = {}
    for agent_id, name, level in Skill.objects.filter(agent__in=agents).values_list("agent_id", "name", "level"):
        skills.setdefault(agent_id, {})[name] = level
    busy = _busy(seats, agents)
    return [
        Helper(
            name=seat.name,
            handle=seat.handle,
            skills=skills.get(seat.agent_id, {}) if seat.agent_id else dict(seat.skills),
            capacity=seat.agent.max_sessions if seat.agent else seat.capacity,
            busy=busy.get(seat.agent_id or seat.pk, 0),
            away=_away(seat.agent, seat.needs_login, present, now) if seat.agent else "",
            is_person=seat.agent_id is None,
        )
        for seat in seats
    ]


def _busy(seats: Sequence[Member], agents: Sequence[UUID]) -> dict[UUID, int]:
    """How much each is at: agents wherever they sit, people with what they hold here."""
    live = Attempt.objects.filter(state__in=["offered", "working"], member__agent__in=agents)
    found = dict(live.order_by().values_list("member__agent").annotate(number=RowCount("pk")))
    held = Task.objects.filter(state="held", holder__in=[seat.pk for seat in seats if not seat.agent_id])
    return {**found, **dict(held.order_by().values_list("holder").annotate(number=RowCount("pk")))}


def _away(agent: Agent, needs_login: Any, present: dict[UUID, str], now: datetime) -> str:
    if present.get(agent.pk) != "online":
        return OFFLINE
    if contact.login_is_needed({"needs_login": needs_login}, now):
        return NEEDS_LOGIN
    return BREAKERS.get(read_breaker(agent.breaker, agent.breaker_until, agent.health).state, "")


def known_of(workspace_id: UUID) -> Known:
    """What accepted work of the last 30 days took here, and what it used."""
    since = timezone.now() - timedelta(days=DAYS)
    done = Attempt.objects.filter(workspace=workspace_id, state="accepted", ended_at__gte=since)
    spans = done.filter(begun_at__isnull=False, submitted_at__isnull=False).order_by("-ended_at")
    rows = spans.values_list("task__skills", "begun_at", "submitted_at")[:NEWEST]
    minutes = typical_minutes((skills, minutes_between(*span)) for skills, *span in rows)
    used = Usage.objects.filter(workspace=workspace_id, day__gte=since.date(), run__isnull=False)
    total = used.aggregate(sent=Sum("prompt_tokens"), made=Sum("completion_tokens"), cost=Sum("cost_micro"))
    tokens = (total["sent"] or 0) + (total["made"] or 0)
    tasks = Task.objects.filter(run__in=used.values("run"), state="done").count() if tokens else 0
    if not tasks:
        return Known(minutes)
    # No prices are set: what it costs is not known.
    return Known(minutes, tokens / tasks, total["cost"] / tasks if total["cost"] else None)


def minutes_between(begun: datetime | None, ended: datetime | None) -> float:
    """A length of time in minutes, never below zero; 0 where an end of it is not known."""
    return max((ended - begun).total_seconds() / 60, 0.0) if begun is not None and ended is not None else 0.0


def course_of(run: Run) -> Course | None:
    """How a run went, or goes, against the forecast it began with; None where there was none."""
    foreseen = read_forecast(run.forecast)
    if foreseen is None:
        return None
    parents: dict[str, list[str]] = {}
    for child, parent in Dependency.objects.filter(task__run=run).values_list("task__key", "parent__key"):
        parents.setdefault(child, []).append(parent)
    tries = dict(Attempt.objects.filter(task__run=run).order_by().values_list("task").annotate(number=RowCount("pk")))
    accepted = Attempt.objects.filter(task__run=run, state="accepted", submitted_at__isnull=False)
    took = {
        task: minutes_between(begun or offered, ended)
        for task, begun, offered, ended in accepted.values_list("task", "begun_at", "offered_at", "submitted_at")
    }
    tasks = Task.objects.filter(run=run).order_by("position").values_list("pk", "key", "title", "state")
    done = [
        Done(str(pk), key, title, state, tuple(parents.get(key, ())), took.get(pk), tries.get(pk, 0))
        for pk, key, title, state in tasks
    ]
    tokens, cost = _spent(run)
    until = run.ended_at or timezone.now()
    elapsed = None if run.started_at is None else minutes_between(run.started_at, until)
    return course(foreseen, done, elapsed=elapsed, tokens=tokens, cost_micro=cost)


def _spent(run: Run) -> tuple[int | None, int | None]:
    """Tokens and cost so far; None where nothing was counted."""
    used = Usage.objects.filter(run=run).aggregate(
        sent=Sum("prompt_tokens"), made=Sum("completion_tokens"), cost=Sum("cost_micro")
    )
    tokens = max((used["sent"] or 0) + (used["made"] or 0), run.spent_tokens)
    cost = max(used["cost"] or 0, run.spent_micro)
    return tokens or None, cost or None
