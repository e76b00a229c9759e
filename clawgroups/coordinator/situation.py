"""What the coordinator sees of a run: values read from rows, once per round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count as RowCount
from django.db.models import Q, QuerySet

from agents.models import Agent, Connection, Skill
from clawgroups.coordinator.consult import pending
from clawgroups.coordinator.contenders import left_by_others
from clawgroups.core.breaker import Breaker, BreakerState
from clawgroups.core.breaker import read as read_breaker
from clawgroups.core.matching import QUARANTINED, RESTING, Candidate
from clawgroups.models import Artifact, Attempt, Member, Run, Task
from clawgroups.services import budgets, contact, late
from clawgroups.services.deadlines import name_of, timers_of
from clawgroups.services.dependants import Told, to_tell


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task that may need the coordinator: ready, stuck or in review."""

    id: UUID
    key: str
    title: str
    state: str
    skills: tuple[str, ...]
    level: int
    position: int
    tries: int
    brief: dict[str, Any]
    not_before: datetime | None
    blocked_on: str
    next_actor: str
    failure: str = ""
    regenerated: int = 0
    # The longest path from here to an end of the run, in tasks, this one too.
    bottom_level: int = 1
    instructions: str = ""
    reason: str = ""
    authors: frozenset[UUID] = frozenset()
    # A late result that may be taken up, as nobody works on the task.
    late: UUID | None = None
    # The attempt in hand or in review.
    attempt: UUID | None = None


@dataclass(frozen=True, slots=True)
class InputView:
    """An input file of the run."""

    name: str
    sha256: str
    content_type: str


@dataclass(frozen=True, slots=True)
class Situation:
    """One run at one moment."""

    run_id: UUID
    workspace_id: UUID
    state: str
    paused: bool
    start_when_planned: bool
    goal: str
    asked_by: int
    now: datetime
    tasks: tuple[TaskView, ...]
    candidates: tuple[Candidate, ...]
    descriptions: dict[UUID, str] = field(default_factory=dict)
    builtin: frozenset[UUID] = frozenset()
    inputs: tuple[InputView, ...] = ()
    # Names: who asked for the run (or stands in), and whose each agent is, by its seat.
    author: str = ""
    owners: dict[UUID, str] = field(default_factory=dict)
    # How many more tasks it may give out now, where other runs want the same members; None: as many as it can.
    allowance: int | None = None
    # Waiting tasks that shall say something else than they do.
    to_tell: tuple[Told, ...] = ()
    # What a person is asked before there is a plan, and was told so far: {"question", "answer", "by"}.
    question: str = ""
    answers: tuple[dict[str, str], ...] = ()
    # Questions to the model whose answers are waited for: by kind and subject, the call.
    asking: dict[tuple[str, str], UUID] = field(default_factory=dict)
    # Which limit is used up, so that nothing new begins; empty: none.
    used_up: str = ""


@dataclass(frozen=True, slots=True)
class Seat:
    """An agent's seat in the workspace, with what of the agent counts for giving out work."""

    pk: UUID
    name: str
    agent_id: UUID
    owner_id: int
    owner: str
    max_sessions: int
    health: Breaker
    announced: Mapping[str, Any]
    budget: Mapping[str, Any]


def situation_of(run: Run, now: datetime) -> Situation:
    """Read a run's situation."""
    seats = _seats(run.workspace_id)
    inputs = Artifact.objects.filter(run=run, kind="input").order_by("created_at")
    candidates = tuple(_candidates(seats, run, now))
    planning = run.state == "planning"
    agents = _agents([s.agent_id for s in seats]) if planning else {}
    return Situation(
        run_id=run.pk,
        workspace_id=run.workspace_id,
        state=run.state,
        paused=run.paused,
        start_when_planned=run.start_when_planned,
        goal=run.goal,
        asked_by=run.created_by_id,
        now=now,
        tasks=tuple(_tasks(run)),
        candidates=candidates,
        allowance=left_by_others(run, {s.agent_id: s.pk for s in seats}, candidates, now),
        descriptions={s.pk: _description(agents[s.agent_id]) for s in seats if planning},
        builtin=frozenset(s.pk for s in seats if planning and agents[s.agent_id].is_builtin),
        inputs=tuple(InputView(a.name, a.sha256, a.content_type) for a in inputs),
        author=name_of(run),
        owners=_owners(seats, run),
        to_tell=to_tell(run) if run.state == "running" else (),
        question=run.question,
        answers=tuple(run.answers),
        asking=pending(run),
        used_up=run.budget_stop or budgets.stop_of(run, now),
    )


def _seats(workspace_id: UUID) -> list[Seat]:
    # Columns, not models: a round of 300 agents reads them several times a second.
    rows = _present(workspace_id).values_list(
        "pk",
        "name",
        "agent_id",
        "agent__owner_id",
        "agent__owner__username",
        "agent__max_sessions",
        "agent__breaker",
        "agent__breaker_until",
        "agent__health",
        "agent__announced",
        "agent__budget",
    )
    return [Seat(*row[:6], read_breaker(*row[6:9]), *row[9:]) for row in rows]


def _present(workspace_id: UUID) -> QuerySet[Member]:
    return Member.objects.filter(workspace_id=workspace_id, left_at=None, agent__isnull=False, agent__retired_at=None)


def _agents(ids: list[UUID]) -> dict[UUID, Agent]:
    return {agent.pk: agent for agent in Agent.objects.filter(pk__in=ids).prefetch_related("skills")}


def _owners(seats: list[Seat], run: Run) -> dict[UUID, str]:
    people = Member.objects.filter(workspace_id=run.workspace_id, user__isnull=False).values_list("user_id", "name")
    names = dict(people)
    return {s.pk: names.get(s.owner_id) or s.owner for s in seats}


def _description(agent: Agent) -> str:
    skills = " ".join(f"{s.name.replace('-', ' ')} {s.description}" for s in agent.skills.all())
    return f"{agent.description} {skills}"


def _tasks(run: Run) -> list[TaskView]:
    rows = Task.objects.filter(run=run, state__in=["ready", "stuck", "in_review"]).order_by("position")
    late_ones = set(Attempt.objects.filter(task__run=run, late_at__isnull=False).values_list("task_id", flat=True))
    authors = _authors([task.pk for task in rows if "review" in task.skills])
    return [
        TaskView(
            id=task.pk,
            key=task.key,
            title=task.title,
            state=task.state,
            skills=tuple(task.skills),
            level=task.level,
            position=task.position,
            tries=task.tries,
            brief=task.brief,
            not_before=task.not_before,
            blocked_on=task.blocked_on,
            next_actor=task.next_actor,
            failure=task.failure,
            regenerated=task.regenerated,
            bottom_level=task.bottom_level,
            instructions=task.instructions,
            reason=task.reason,
            authors=authors.get(task.pk, frozenset()),
            late=_late(task) if task.pk in late_ones else None,
            attempt=task.attempt_id,
        )
        for task in rows
    ]


def _late(task: Task) -> UUID | None:
    found = late.adoptable(task) if task.state in ("ready", "stuck") else None
    return None if found is None else found.pk


def _authors(reviews: list[UUID]) -> dict[UUID, frozenset[UUID]]:
    """Whose work each review task looks at: the authors of what it depends on."""
    found: dict[UUID, set[UUID]] = {}
    accepted = Attempt.objects.filter(task__dependants__task__in=reviews, state="accepted")
    for task_id, member_id in accepted.values_list("task__dependants__task", "member_id"):
        found.setdefault(task_id, set()).add(member_id)
    return {task_id: frozenset(members) for task_id, members in found.items()}


def _candidates(seats: list[Seat], run: Run, now: datetime) -> list[Candidate]:
    # Named by a query: 300 ids took longer to be sent than to be found.
    seated = _present(run.workspace_id).values("agent_id")
    # Load is counted over all workspaces: an agent is one program, wherever it sits.
    live = Q(state__in=["offered", "working"])
    loads = Attempt.objects.filter(live, member__agent_id__in=seated).values_list("member__agent_id")
    busy = dict(loads.annotate(n=RowCount("pk")))
    fresh = now - timedelta(seconds=timers_of(run.workspace).lost_contact)
    open_links = Connection.objects.filter(
        agent_id__in=seated, closed_at=None, ready_at__isnull=False, seen_at__gt=fresh
    )
    online = set(open_links.values_list("agent_id", flat=True))
    unconfirmed = contact.unconfirmed(seated)
    skills: dict[UUID, dict[str, int]] = {}
    for agent_id, name, level in Skill.objects.filter(agent_id__in=seated).values_list("agent_id", "name", "level"):
        skills.setdefault(agent_id, {})[name] = level
    spent = budgets.agents_over({seat.agent_id: seat.budget for seat in seats if seat.budget}, now)
    return [
        Candidate(
            member_id=seat.pk,
            name=seat.name,
            skills=skills.get(seat.agent_id, {}),
            online=seat.agent_id in online,
            unconfirmed=seat.agent_id in unconfirmed,
            needs_login=contact.login_is_needed(seat.announced, now),
            busy=busy.get(seat.agent_id, 0),
            capacity=seat.max_sessions,
            failures=seat.health.failures,
            on_trial=seat.health.state is BreakerState.PROBING,
            rests=_rests(seat.health) or spent.get(seat.agent_id, ""),
        )
        for seat in seats
    ]


def _rests(health: Breaker) -> str:
    """Why an agent gets no work, as the matching says it."""
    if health.state is BreakerState.QUARANTINED:
        return QUARANTINED
    if health.state is not BreakerState.OPEN:
        return ""
    return RESTING if health.until is None else f"{RESTING}; it is tried again at {health.until:%H:%M:%S} UTC"
