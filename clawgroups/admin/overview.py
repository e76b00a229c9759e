"""What an operator looks at first: what goes on, what is stuck, and whether the machinery keeps up. Reads only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Count, F, Min, Q
from django.utils import timezone

from agents.models import Agent
from clawgroups import bus, canary, commit
from clawgroups.coordinator import watchdog
from clawgroups.core.lifecycle import TASK_OPEN
from clawgroups.fragments import model_use, roster
from clawgroups.models import Approval, Command, Lease, Run, Task, Workspace
from clawgroups.services import trying_again

SHOWN = 10
SWEEP = "sweep"
OPEN = [state.value for state in TASK_OPEN]


@dataclass(frozen=True, slots=True)
class Part:
    """Something that must work, and how it does."""

    name: str
    ok: bool
    said: str


@dataclass(frozen=True, slots=True)
class Model:
    """A model server, and how it stands."""

    pk: UUID
    name: str
    word: str
    ok: bool | None  # None: neither well nor not
    said: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """How many there are, and the first of them."""

    count: int
    rows: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Owed:
    """Frames that wait for an agent or for its answer."""

    agent: Agent
    unsent: int
    unanswered: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Overview:
    """One look at the installation."""

    runs: list[tuple[str, int]]
    agents: list[tuple[Agent, str]]
    online: int
    registered: int
    stuck: Listing
    overdue: Listing
    unexplained: Listing
    approvals: Listing
    owed: list[Owed]
    behind: Listing
    turns: Listing
    parts: list[Part]
    models: list[Model]
    failed: int
    """What failed and can be tried again, as far as it is listed."""


def overview() -> Overview:
    """What the first page shows, at this moment."""
    now = timezone.now()
    tasks = Task.objects.select_related("workspace", "run").filter(state__in=OPEN)
    agents = list(Agent.objects.filter(retired_at=None).select_related("owner").order_by("name", "pk"))
    present = roster.presences(agent.pk for agent in agents)
    # A run that is not running has no task that must move.
    moving = tasks.filter(run__state__in=["running", "consolidating"])
    return Overview(
        runs=_runs(),
        agents=[(agent, present[agent.pk]) for agent in agents[:SHOWN]],
        online=sum(state == "online" for state in present.values()),
        registered=len(agents),
        stuck=_listing(tasks.filter(state="stuck"), "deadline_at"),
        overdue=_listing(moving.filter(deadline_at__lt=now), "deadline_at"),
        # The watchdog's proof: an open task always says who must act, and by when.
        unexplained=_listing(moving.filter(Q(blocked_on="") | Q(next_actor="") | Q(deadline_at=None)), "created_at"),
        approvals=_listing(Approval.objects.filter(state="open").select_related("task", "workspace"), "asked_at"),
        owed=_owed(),
        behind=_listing(Workspace.objects.filter(head__gt=F("reacted")).annotate(lag=F("head") - F("reacted")), "-lag"),
        turns=_listing(Run.objects.filter(wanted__gt=F("turned")).select_related("workspace"), "created_at"),
        parts=[_writer(), _redis(), _worker(now), *_queues(now), _watchdog(now)],
        models=[_model(view) for view in model_use.servers()],
        failed=sum(len(rows) for rows in trying_again.found(now).values()),
    )


MODEL_WORDS = {"trying": "on trial", "untested": "never tested", "failing": "failed its test"}
MODEL_WELL = {"well": True, "resting": False, "failing": False}


def _model(view: model_use.ServerView) -> Model:
    row, state = view.server, view.state
    said = view.because if state == "resting" else str(row.checked.get("said", "")) if state == "failing" else ""
    return Model(row.pk, row.name, MODEL_WORDS.get(state, state), MODEL_WELL.get(state), said)


def _listing(rows: Any, order: str) -> Listing:
    return Listing(rows.count(), list(rows.order_by(order, "pk")[:SHOWN]))


def _runs() -> list[tuple[str, int]]:
    counted = Run.objects.order_by().values_list("state").annotate(Count("pk"))
    found = dict(counted)
    order = [state for state, _ in Run._meta.get_field("state").choices or ()]
    paused = Run.objects.filter(paused=True, state="running").count()
    return [(str(state), found.get(state, 0)) for state in order] + [("paused", paused)]


def _owed() -> list[Owed]:
    waiting = (
        Command.objects.filter(state__in=["open", "sent"])
        .order_by()
        .values_list("agent_id")
        .annotate(
            unsent=Count("pk", filter=Q(state="open")),
            unanswered=Count("pk", filter=Q(state="sent")),
            oldest=Min("created_at"),
        )
        .order_by("oldest")[:SHOWN]
    )
    rows: list[tuple[UUID, int, int, datetime]] = list(waiting)
    agents = Agent.objects.in_bulk([row[0] for row in rows])
    return [Owed(agents[pk], unsent, unanswered, oldest) for pk, unsent, unanswered, oldest in rows]


def _writer() -> Part:
    is_open = commit.is_open()
    return Part("Writer", is_open, "takes changes" if is_open else "takes no changes")


def _redis() -> Part:
    if not settings.REDIS_URL:
        return Part("Redis", True, "not used: hints stay in this process")
    if not bus.answers():
        return Part("Redis", False, "does not answer: hints are lost, everything is only later")
    return Part("Redis", True, "answers")


def _worker(now: datetime) -> Part:
    try:
        lease = Lease.objects.filter(name=SWEEP).first()
    except DatabaseError:
        return Part("Worker", False, "cannot be read")
    if lease is None or lease.done_at is None:
        return Part("Worker", False, "has never swept")
    silence = (now - lease.done_at).total_seconds()
    return Part("Worker", silence < 60, f"last swept {silence:.0f} s ago")


def _queues(now: datetime) -> list[Part]:
    """Whether somebody hears each queue. Nothing is queued without Redis."""
    if not settings.REDIS_URL:
        return []
    try:
        deaf, heard = canary.deaf(now), canary.last_heard()
    except DatabaseError:
        return [Part("Queues", False, "cannot be read")]
    return [Part(f"Queue {queue}", queue not in deaf, _heard(at, now)) for queue, at in heard.items()]


def _heard(at: datetime | None, now: datetime) -> str:
    return "has never been heard" if at is None else f"last heard {(now - at).total_seconds():.0f} s ago"


def _watchdog(now: datetime) -> Part:
    lease = Lease.objects.filter(name=watchdog.NAME).exclude(done_at=None).first()
    if lease is None or lease.done_at is None:
        return Part("Watchdog", False, "has proven nothing yet")
    age = (now - lease.done_at).total_seconds()
    found = watchdog.summary(lease.detail.get("kinds", {}))
    said = f"found {found}" if found else f"{lease.detail.get('open', 0)} open tasks, each says what happens next"
    return Part("Watchdog", age <= watchdog.STALE and not found, f"{said} ({age:.0f} s ago)")
