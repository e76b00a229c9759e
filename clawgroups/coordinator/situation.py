"""What the coordinator sees of a run: values read from rows, once per round."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import TextField
from django.db.models.functions import Cast

from agents.models import Agent
from clawgroups.coordinator.candidates import PersonSeat, Seat, candidates_of, people_of, seats_of
from clawgroups.coordinator.consult import pending
from clawgroups.coordinator.contenders import left_by_others
from clawgroups.coordinator.needs import Surroundings, open_tasks, surroundings_of_run
from clawgroups.coordinator.parsed import parsed
from clawgroups.core.coordination import read_coordination
from clawgroups.core.match_parts import Learned
from clawgroups.core.matching import Candidate, Need
from clawgroups.core.plan import PROSE
from clawgroups.core.replan_asked import id_of, read_asked
from clawgroups.core.retries import MAX_TRIES
from clawgroups.models import Attempt, Run, Task
from clawgroups.planned import Planned
from clawgroups.queries import inputs_of
from clawgroups.services import agent_judges, budgets, late
from clawgroups.services.deadlines import name_of
from clawgroups.services.dependants import Told, to_tell

NOBODY: frozenset[UUID] = frozenset()


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
    brief: Mapping[str, Any]
    not_before: datetime | None
    blocked_on: str
    next_actor: str
    failure: str = ""
    regenerated: int = 0
    epoch: int = 0
    # The longest path from here to an end of the run, in tasks, this one too.
    bottom_level: int = 1
    instructions: str = ""
    reason: str = ""
    authors: frozenset[UUID] = frozenset()
    # Of what has to be written freely: who works by rules.
    by_rules: frozenset[UUID] = frozenset()
    # A late result that may be taken up, as nobody works on the task.
    late: UUID | None = None
    # The attempt in hand or in review.
    attempt: UUID | None = None
    # Whom the plan or a person proposes, and why; who knows of this work; what people's choices say of its kind.
    proposed: UUID | None = None
    proposal: str = ""
    warm: frozenset[UUID] = frozenset()
    knows: frozenset[UUID] = frozenset()
    learned: Mapping[UUID, Learned] = field(default_factory=dict)
    # Who paused it: nothing of it goes on.
    paused: str = ""


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
    # Results that another agent judges now, by attempt.
    judged: frozenset[UUID] = frozenset()
    # The runs in which other agents judge results of this one, by attempt, whether anybody still waits for that or not.
    judging: dict[UUID, UUID] = field(default_factory=dict)
    # The id of a person's wish for another plan, while the coordinator is to think about it.
    wish: str = ""

    @property
    def people(self) -> frozenset[UUID]:
        """The candidates who are people: they are asked."""
        return frozenset(c.member_id for c in self.candidates if c.is_person)


def situation_of(run: Run, now: datetime) -> Situation:
    """Read a run's situation."""
    seats, people = seats_of(run.workspace_id), people_of(run.workspace_id)
    candidates = candidates_of(run.workspace, seats, people, now)
    working = [c for c in candidates if not c.is_person]
    planning = run.state == "planning"
    tasks = tuple(_tasks(run, now))
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
        tasks=tasks,
        candidates=candidates,
        allowance=left_by_others(run, {s.agent_id: s.pk for s in seats}, working, now),
        descriptions={s.pk: _description(agents[s.agent_id]) for s in seats if planning}
        | {p.pk: " ".join(p.skills) for p in people if planning},
        builtin=frozenset(s.pk for s in seats if planning and agents[s.agent_id].is_builtin),
        inputs=tuple(InputView(a.name, a.sha256, a.content_type) for a in inputs_of(run.pk)),
        author=name_of(run),
        owners=_owners(seats, people),
        to_tell=to_tell(run) if run.state == "running" else (),
        question=run.question,
        answers=tuple(run.answers),
        asking=pending(run),
        judged=_judged(tasks),
        judging=agent_judges.asked_for(run) if read_coordination(run.workspace.coordination).judge == "agent" else {},
        used_up=run.budget_stop or budgets.stop_of(run, now),
        wish=id_of(run.replan) if read_asked(run.replan) else "",
    )


def _judged(tasks: Iterable[TaskView]) -> frozenset[UUID]:
    """The attempts in review that wait for the verdict of another agent."""
    waiting = [task for task in tasks if task.state == "in_review" and task.blocked_on == "agent"]
    attempts = [task.attempt for task in waiting if task.attempt is not None]
    return frozenset(agent_judges.under_way(attempts)) if attempts else frozenset()


def _agents(ids: list[UUID]) -> dict[UUID, Agent]:
    return {agent.pk: agent for agent in Agent.objects.filter(pk__in=ids).prefetch_related("skills")}


def _owners(seats: list[Seat], people: list[PersonSeat]) -> dict[UUID, str]:
    names = {one.user_id: one.name for one in people}
    return {s.pk: names.get(s.owner_id) or s.owner for s in seats}


def _description(agent: Agent) -> str:
    skills = " ".join(f"{s.name.replace('-', ' ')} {s.description}" for s in agent.skills.all())
    return f"{agent.description} {skills}"


_with_late: Planned[UUID] = Planned(
    lambda run_id: (
        Attempt.objects.filter(task__run=run_id, late_at__isnull=False, task__state__in=("ready", "stuck"))
        .order_by()
        .values_list("task_id", flat=True)
    )
)


class Row(NamedTuple):
    """The columns of a task that the coordinator looks at; a task itself has them, too."""

    pk: UUID
    key: str
    title: str
    state: str
    level: int
    position: int
    tries: int
    not_before: datetime | None
    blocked_on: str
    next_actor: str
    failure: str
    regenerated: int
    epoch: int
    bottom_level: int
    instructions: str
    reason: str
    kind: str
    attempt_id: UUID | None
    proposed_id: UUID | None
    paused: str
    # Much the same for most tasks, and as text parsed once.
    skills: Sequence[str]
    brief: Mapping[str, Any]
    proposal: Mapping[str, Any]


PARSED = ("skills", "brief", "proposal")
# Hundreds of them may wait, and a row of columns is read in a third of the time that a model takes.
_open_tasks: Planned[Any] = Planned(
    lambda run_id: (
        open_tasks(run_id)
        .order_by("position")
        .values_list(*Row._fields[: -len(PARSED)], *(Cast(name, TextField()) for name in PARSED))
    )
)


def _rows(run_id: UUID) -> list[Row]:
    return [Row(*row[: -len(PARSED)], *map(parsed, row[-len(PARSED) :])) for row in _open_tasks(run_id)]


def _tasks(run: Run, now: datetime) -> list[TaskView]:
    rows = _rows(run.pk)
    late_ones = late.adoptable_of(set(_with_late(run.pk)))
    around = surroundings_of_run(run, {task.pk: task.epoch for task in rows}, {task.kind for task in rows}, now)
    return [view_of(task, around, late_ones[task.pk].pk if task.pk in late_ones else None) for task in rows]


def view_of(task: Task | Row, around: Surroundings, late_one: UUID | None = None) -> TaskView:
    """A task as the coordinator sees it."""
    return TaskView(
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
        epoch=task.epoch,
        bottom_level=task.bottom_level,
        instructions=task.instructions,
        reason=task.reason,
        authors=around.authors.get(task.pk, frozenset()) if "review" in task.skills else frozenset(),
        by_rules=around.by_rules if task.kind == PROSE else frozenset(),
        late=late_one,
        attempt=task.attempt_id,
        proposed=task.proposed_id,
        proposal=_proposal(task),
        warm=around.warm.get(task.pk, frozenset()),
        knows=around.authors.get(task.pk, frozenset()),
        learned=around.learned(task.skills),
        paused=task.paused,
    )


def _proposal(task: Task | Row) -> str:
    """Why somebody is proposed for it, as the matching says it."""
    reason, by = (str(task.proposal.get(key) or "") for key in ("reason", "by"))
    return f"{by or 'the plan'} proposes it{f': {reason}' if reason else ''}"


def need_of(task: TaskView) -> Need:
    """What a task asks of a member, from its skills and what happened to it before."""
    brief = task.brief
    return Need(
        skills=task.skills,
        preferred=_id_or_none(brief.get("preferred")),
        failed=_members([end.get("member") for end in brief.get("dead_ends", ())]),
        refused=_members(brief.get("refused")),
        authors=task.authors,
        by_rules=task.by_rules,
        only=_id_or_none(brief.get("only")),
        proposed=task.proposed,
        proposal=task.proposal,
        warm=task.warm,
        # What was made by others is reviewed with fresh eyes.
        knows=NOBODY if "review" in task.skills else task.knows,
        asked=_members(brief.get("asked")),
        learned=task.learned,
        last_try=task.tries == MAX_TRIES - 1,
    )


def _members(said: Iterable[object] | None) -> frozenset[UUID]:
    # Nobody, nearly always, and hundreds of tasks are asked in each round.
    return frozenset(UUID(str(one)) for one in said if _is_id(one)) if said else NOBODY


def _id_or_none(text: object) -> UUID | None:
    return UUID(str(text)) if _is_id(text) else None


def _is_id(text: object) -> bool:
    return isinstance(text, str) and text not in ("", "None")
