"""What a workspace and its runs look like to everybody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, partial
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Exists, Max, OuterRef, Q
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from agents.models import Agent, Connection
from clawgroups.core.breaker import Breaker, read
from clawgroups.core.lifecycle import RUN_TERMINAL, TASK_TERMINAL, RunState
from clawgroups.core.replan_asked import id_of
from clawgroups.core.timers import Timers
from clawgroups.fragments.model_use import Planner, planner_of, stands_in
from clawgroups.fragments.tasks import TaskCard, cards, foremost
from clawgroups.models import Artifact, Attempt, Member, Message, Run, Task, Workspace

STRIP = 150
SMALL = 16
FOREMOST = 24


@dataclass(frozen=True, slots=True)
class Group:
    """Tasks of a run that stand alike: how many, and the longest path from one of them to the end."""

    state: str
    blocked_on: str
    number: int
    path: int


@dataclass(frozen=True)
class RunView:
    """A run at a glance: where it stands, and one mark per task while they are few enough to be told apart."""

    run: Run
    groups: tuple[Group, ...] = ()
    strip: tuple[str, ...] = ()
    # Files by run, of this run and those read with it: read when somebody looks at one.
    shelf: Mapping[UUID, Sequence[Artifact]] = field(default_factory=dict)
    # When the goal was said: its card stands right below.
    said_at: datetime | None = None

    @property
    def at(self) -> datetime:
        """The moment by which its card is ordered in the chat."""
        return self.said_at or self.run.created_at

    @property
    def state(self) -> str:
        """The state as shown: a paused run is running, but says so."""
        return "paused" if self.run.paused and self.run.state == RunState.RUNNING else self.run.state

    @property
    def total(self) -> int:
        return sum(group.number for group in self.groups)

    @property
    def closed(self) -> int:
        return sum(group.number for group in self.groups if group.state in TASK_TERMINAL)

    @property
    def counts(self) -> list[tuple[str, int]]:
        """How many tasks are in which state."""
        found: Counter[str] = Counter()
        for group in self.groups:
            found[group.state] += group.number
        return sorted(found.items())

    @property
    def path_left(self) -> int:
        """How many tasks are still done one after another, at the least."""
        return max((group.path for group in self.groups if group.state not in TASK_TERMINAL), default=0)

    @property
    def breadth(self) -> float:
        """How many members can work side by side, on average over the longest path (work over span)."""
        return self.total / max(self.run.path_length, 1)

    @property
    def speed_up(self) -> float | None:
        """How many times as fast it went as one after another: accepted work over the time since the start."""
        if self.run.started_at is None or not self.run.worked_ms:
            return None
        elapsed = (self.run.ended_at or timezone.now()) - self.run.started_at
        return self.run.worked_ms / max(elapsed / timedelta(milliseconds=1), 1)

    @property
    def is_open(self) -> bool:
        return self.run.state not in RUN_TERMINAL

    @cached_property
    def planner(self) -> Planner:
        """Which coordinator plans it."""
        return planner_of(self.run)

    @cached_property
    def stands_in(self) -> str:
        """Why the built-in coordinator plans it instead of a model that there is."""
        return stands_in(self.run) if self.is_open else ""

    @property
    def files(self) -> Sequence[Artifact]:
        return self.shelf.get(self.run.pk, ())

    @property
    def deliverables(self) -> tuple[Artifact, ...]:
        return tuple(f for f in self.files if f.kind == "deliverable")

    @property
    def inputs(self) -> tuple[Artifact, ...]:
        return tuple(f for f in self.files if f.kind == "input")

    @property
    def results(self) -> tuple[Artifact, ...]:
        return tuple(f for f in self.files if f.kind == "result")

    @property
    def is_small(self) -> bool:
        """Whether the plan fits side by side on a screen."""
        return self.total <= SMALL

    @property
    def is_large(self) -> bool:
        """Whether it has more tasks than a page shows at once."""
        return self.total > STRIP

    @property
    def foremost(self) -> list[TaskCard]:
        """Of a large plan: the tasks that matter most now."""
        return foremost(self.run.pk, FOREMOST)

    @property
    def needs(self) -> int:
        """How many of its tasks wait for a person."""
        return sum(group.number for group in self.groups if group.blocked_on == "person")

    @property
    def asks(self) -> bool:
        """Whether the coordinator waits for an answer before it plans."""
        return self.run.state == RunState.PLANNING and bool(self.run.question)

    @property
    def asked(self) -> str:
        """Who gave the goal."""
        return self.run.created_by.get_full_name() or self.run.created_by.get_username()

    @property
    def version(self) -> str:
        """Changes whenever a viewer's buttons may have to change."""
        return f"{self.state}-{len(self.run.answers)}" if self.asks else self.state

    @property
    def plan_mark(self) -> str:
        """Changes whenever what a page shows of the plan as a proposal may have to change."""
        return f"{self.run.state}-{self.run.plan_version}-{id_of(self.run.replan)}"

    @property
    def tasks(self) -> list[TaskCard]:
        return cards(Q(run=self.run))

    @property
    def levels(self) -> list[list[TaskCard]]:
        """The tasks in the order in which they can be done, those side by side that can be done together."""
        lanes: dict[int, list[TaskCard]] = {}
        for card in self.tasks:
            lanes.setdefault(card.task.level, []).append(card)
        return [lanes[level] for level in sorted(lanes)]


@dataclass(frozen=True, slots=True)
class Seat:
    """A member with what is known of its presence."""

    member: Member
    presence: str = ""
    busy: int = 0
    doing: str = ""

    @property
    def agent(self) -> Agent | None:
        return self.member.agent

    @property
    def breaker(self) -> Breaker:
        """Whether an agent gets work."""
        agent = self.member.agent
        return Breaker() if agent is None else read(agent.breaker, agent.breaker_until, agent.health)

    @property
    def name(self) -> str:
        return self.member.name


@dataclass(frozen=True, slots=True)
class Room:
    """A workspace with the run that its page shows."""

    workspace: Workspace
    current: RunView | None = None


def runs(wanted: Q, limit: int = 1000) -> list[RunView]:
    """Runs with their tasks counted, newest first, in four queries, and one more when a file is looked at."""
    rows = list(Run.objects.filter(wanted).select_related("created_by", "workspace").order_by("-created_at")[:limit])
    ids = [run.pk for run in rows]
    groups: dict[UUID, list[Group]] = {}
    tasks = Task.objects.filter(run__in=ids)
    counted = tasks.order_by().values_list("run_id", "state", "blocked_on")
    for run_id, *group in counted.annotate(number=Count("pk"), path=Max("bottom_level")):
        groups.setdefault(run_id, []).append(Group(*group))
    few = [pk for pk, found in groups.items() if sum(group.number for group in found) <= STRIP]
    strips: dict[UUID, list[str]] = {}
    for run_id, state in tasks.filter(run__in=few).order_by("position").values_list("run_id", "state"):
        strips.setdefault(run_id, []).append(state)
    shelf: Mapping[UUID, list[Artifact]] = SimpleLazyObject(partial(_files, ids))  # type: ignore[assignment]
    said = Message.objects.filter(run__in=ids).order_by("-created_at").values_list("run_id", "created_at")
    first: dict[UUID | None, datetime] = dict(said)
    return [
        RunView(
            run,
            tuple(groups.get(run.pk, ())),
            tuple(strips.get(run.pk, ())),
            shelf,
            first.get(run.pk),
        )
        for run in rows
    ]


def _files(ids: Sequence[UUID]) -> dict[UUID, list[Artifact]]:
    files: dict[UUID, list[Artifact]] = {}
    for row in Artifact.objects.filter(run__in=ids).exclude(kind="late").select_related("task"):
        files.setdefault(row.run_id, []).append(row)
    return files


def runs_of(ids: Iterable[UUID]) -> list[RunView]:
    """These runs."""
    return runs(Q(pk__in=list(ids)))


def rooms_of(ids: Iterable[UUID]) -> list[Room]:
    """These workspaces, each with its newest open run, or else its newest."""
    return [Room(workspace, current_run(workspace.pk)) for workspace in Workspace.objects.filter(pk__in=list(ids))]


def current_run(workspace_id: UUID) -> RunView | None:
    """The run that a workspace's page shows."""
    here = Run.objects.filter(workspace=workspace_id).order_by("-created_at")
    found = here.exclude(state__in=[s.value for s in RUN_TERMINAL]).first() or here.first()
    return runs_of([found.pk])[0] if found else None


def presences(ids: Iterable[UUID]) -> dict[UUID, str]:
    """`online`, `offline` or `never`, by agent: presence is a lease that must be renewed."""
    since = timezone.now() - timedelta(seconds=Timers().scaled(settings.CLOCK_SCALE).lost_contact)
    links = Connection.objects.filter(agent=OuterRef("pk"))
    alive = links.filter(closed_at=None, ready_at__isnull=False, seen_at__gte=since)
    agents = Agent.objects.filter(pk__in=list(ids)).annotate(is_online=Exists(alive), was_seen=Exists(links))
    found = agents.values_list("pk", "is_online", "was_seen")
    return {pk: "online" if here else "offline" if seen else "never" for pk, here, seen in found}


def seats(wanted: Q) -> list[Seat]:
    """Present members with presence and what they are at."""
    members = list(
        Member.objects.filter(wanted, left_at=None)
        .select_related("agent", "user")
        .defer(*(f"agent__{column}" for column in ("announced", "offered", "preferences", "toolkits", "description")))
        .order_by("joined_at", "id")
    )
    present = presences(m.agent_id for m in members if m.agent_id)
    at: dict[UUID, list[str]] = {}
    work = Attempt.objects.filter(member__in=[m.pk for m in members], state__in=["offered", "working"])
    for member_id, title in work.values_list("member_id", "task__title"):
        at.setdefault(member_id, []).append(title)
    return [
        Seat(
            m,
            present.get(m.agent_id, "") if m.agent_id else "",
            len(at.get(m.pk, ())),
            next(iter(at.get(m.pk, ())), ""),
        )
        for m in members
    ]


def seats_of(ids: Iterable[UUID]) -> list[Seat]:
    """These members."""
    return seats(Q(pk__in=list(ids)))
