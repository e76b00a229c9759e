"""What the coordinator sees of a run: values read from rows, once per round."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count as RowCount
from django.db.models import Q

from agents.models import Connection
from clawgroups.coordinator.contenders import left_by_others
from clawgroups.core.breaker import Breaker, BreakerState
from clawgroups.core.matching import QUARANTINED, RESTING, Candidate
from clawgroups.models import Artifact, Attempt, Member, Run, Task
from clawgroups.services import breakers, contact, late
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


def situation_of(run: Run, now: datetime) -> Situation:
    """Read a run's situation."""
    seats = list(
        Member.objects.select_related("agent__owner")
        .prefetch_related("agent__skills")
        .filter(workspace_id=run.workspace_id, left_at=None, agent__isnull=False, agent__retired_at=None)
    )
    inputs = Artifact.objects.filter(run=run, kind="input").order_by("created_at")
    candidates = tuple(_candidates(seats, run, now))
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
        allowance=left_by_others(run, seats, candidates, now),
        descriptions={s.pk: _description(s) for s in seats},
        builtin=frozenset(s.pk for s in seats if s.agent and s.agent.is_builtin),
        inputs=tuple(InputView(a.name, a.sha256, a.content_type) for a in inputs),
        author=name_of(run),
        owners=_owners(seats, run),
        to_tell=to_tell(run) if run.state == "running" else (),
    )


def _owners(seats: list[Member], run: Run) -> dict[UUID, str]:
    people = Member.objects.filter(workspace_id=run.workspace_id, user__isnull=False).values_list("user_id", "name")
    names = dict(people)
    return {s.pk: names.get(s.agent.owner_id) or s.agent.owner.get_username() for s in seats if s.agent}


def _description(seat: Member) -> str:
    assert seat.agent is not None
    skills = " ".join(f"{s.name.replace('-', ' ')} {s.description}" for s in seat.agent.skills.all())
    return f"{seat.agent.description} {skills}"


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


def _candidates(seats: list[Member], run: Run, now: datetime) -> list[Candidate]:
    agent_ids = [seat.agent_id for seat in seats if seat.agent_id is not None]
    # Load is counted over all workspaces: an agent is one program, wherever it sits.
    live = Q(state__in=["offered", "working"])
    loads = Attempt.objects.filter(live, member__agent_id__in=agent_ids).values_list("member__agent_id")
    busy = dict(loads.annotate(n=RowCount("pk")))
    fresh = now - timedelta(seconds=timers_of(run.workspace).lost_contact)
    open_links = Connection.objects.filter(
        agent_id__in=agent_ids, closed_at=None, ready_at__isnull=False, seen_at__gt=fresh
    )
    online = set(open_links.values_list("agent_id", flat=True))
    unconfirmed = contact.unconfirmed(agent_ids)
    candidates = []
    for seat in seats:
        agent = seat.agent
        assert agent is not None
        health = breakers.breaker_of(agent)
        candidates.append(
            Candidate(
                member_id=seat.pk,
                name=seat.name,
                skills={s.name: s.level for s in agent.skills.all()},
                online=agent.pk in online,
                unconfirmed=agent.pk in unconfirmed,
                needs_login=contact.login_is_needed(agent, now),
                busy=busy.get(agent.pk, 0),
                capacity=agent.max_sessions,
                failures=health.failures,
                on_trial=health.state is BreakerState.PROBING,
                rests=_rests(health),
            )
        )
    return candidates


def _rests(health: Breaker) -> str:
    """Why an agent gets no work, as the matching says it."""
    if health.state is BreakerState.QUARANTINED:
        return QUARANTINED
    if health.state is not BreakerState.OPEN:
        return ""
    return RESTING if health.until is None else f"{RESTING}; it is tried again at {health.until:%H:%M:%S} UTC"
