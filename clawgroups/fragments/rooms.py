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
from clawgroups.core.forecast import Forecast, read_forecast
from clawgroups.core.lifecycle import RUN_TERMINAL, TASK_TERMINAL, RunState, TaskState
from clawgroups.core.replan_asked import id_of
from clawgroups.core.timers import Timers
from clawgroups.fragments.files import finals_first
from clawgroups.fragments.model_use import Planner, planner_of, stands_in
from clawgroups.fragments.stop_progress import Progress, progress_of
from clawgroups.fragments.tasks import TaskCard, cards, foremost, shown_state
from clawgroups.models import Artifact, Attempt, Member, Message, Run, Task, Workspace
from clawgroups.queries import people_here, unconfirmed_stops, unseen_rules

STRIP = 150
FOREMOST = 24
UNSEEN = 5
# From what is done to what is far from it.
BAR = ("done", "in_review", "held", "working", "assigned", "ready", "stuck", "waiting", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Group:
    """Tasks of a run that stand alike: how many, and the longest path from one of them to the end."""

    state: str
    blocked_on: str
    number: int
    path: int


@dataclass(frozen=True, slots=True)
class Segment:
    """So many tasks of one state in the bar of a run, from `at` on."""

    state: str
    at: int
    number: int


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
    def at_work(self) -> int:
        """How many of its tasks agents have in hand."""
        return sum(group.number for group in self.groups if group.state in (TaskState.ASSIGNED, TaskState.WORKING))

    @cached_property
    def stops(self) -> Progress:
        """Once everything in it was stopped: how far its agents are with that."""
        return progress_of(self.run.pk) if self.state == "paused" else Progress()

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

    @cached_property
    def foreseen(self) -> Forecast | None:
        """What was expected of it when it began."""
        return read_forecast(self.run.forecast)

    @property
    def minutes(self) -> float | None:
        """How long it takes so far, or took."""
        if self.run.started_at is None:
            return None
        return max(((self.run.ended_at or timezone.now()) - self.run.started_at) / timedelta(minutes=1), 0.0)

    @property
    def bar(self) -> list[Segment]:
        """The tasks as one bar: of each state so many, what is done first and what is far from it last."""
        numbers, at, bar = dict(self.counts), 0, []
        for state in BAR:
            if number := numbers.get(state, 0):
                bar.append(Segment(state, at, number))
                at += number
        return bar

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
        return tuple(finals_first([f for f in self.files if f.kind == "deliverable"]))

    @property
    def finals(self) -> tuple[Artifact, ...]:
        """Final revisions of what is no deliverable."""
        return tuple(f for f in self.files if f.pinned_at is not None and f.kind != "deliverable")

    @property
    def inputs(self) -> tuple[Artifact, ...]:
        return tuple(f for f in self.files if f.kind == "input")

    @property
    def results(self) -> tuple[Artifact, ...]:
        return tuple(f for f in self.files if f.kind == "result")

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
        if self.asks:
            return f"{self.state}-{len(self.run.answers)}"
        return f"{self.state}-{bool(self.at_work)}" if self.state == "paused" else self.state

    @property
    def plan_mark(self) -> str:
        """Changes whenever what a page shows of the plan as a proposal may have to change."""
        return f"{self.run.state}-{self.run.plan_version}-{id_of(self.run.replan)}"

    @property
    def tasks(self) -> list[TaskCard]:
        return cards(Q(run=self.run))


@dataclass(frozen=True, slots=True)
class Seat:
    """A member with what is known of its presence."""

    member: Member
    presence: str = ""
    busy: int = 0
    doing: str = ""
    # It was asked to stop other work and has not confirmed it, so that it gets nothing new.
    ignores_stop: bool = False

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
    ordered = tasks.filter(run__in=few).order_by("position")
    for run_id, *stands in ordered.values_list("run_id", "state", "paused", "failure"):
        strips.setdefault(run_id, []).append(shown_state(*stands))
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
    for row in Artifact.objects.filter(run__in=ids).exclude(kind__in=("late", "draft", "kept")).select_related("task"):
        files.setdefault(row.run_id, []).append(row)
    return files


def runs_of(ids: Iterable[UUID]) -> list[RunView]:
    """These runs."""
    return runs(Q(pk__in=list(ids)))


def rooms_of(ids: Iterable[UUID]) -> list[Room]:
    """These workspaces, each with its newest open run, or else its newest."""
    return [Room(workspace, current_run(workspace.pk)) for workspace in Workspace.objects.filter(pk__in=list(ids))]


def aims_of(ids: Iterable[UUID]) -> list[Room]:
    """These workspaces, for what they say of themselves only."""
    return [Room(workspace) for workspace in Workspace.objects.filter(pk__in=list(ids))]


@dataclass(frozen=True, slots=True)
class Unseen:
    """Who works by a goal or rules that do not hold any more: the tries, and the first of them by name."""

    workspace: Workspace
    attempts: tuple[Attempt, ...] = ()

    @property
    def named(self) -> tuple[Attempt, ...]:
        return self.attempts[:UNSEEN]

    @property
    def more(self) -> int:
        return len(self.attempts) - len(self.named)


def unseen(workspace: Workspace) -> Unseen:
    """The running tasks of a workspace that have not seen its newest goal and rules."""
    return Unseen(workspace, tuple(unseen_rules(workspace)))


def unseen_of(ids: Iterable[UUID]) -> list[Unseen]:
    """The same of these workspaces; none of one whose goal and rules were never changed."""
    return [unseen(one) for one in Workspace.objects.filter(pk__in=list(ids), rules_version__gt=1)]


def current_run(workspace_id: UUID) -> RunView | None:
    """The run that a workspace's page shows."""
    here = Run.objects.filter(workspace=workspace_id, kind="goal").order_by("-created_at")
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


def seats(wanted: Q, most: int | None = None, *more: str) -> list[Seat]:
    """Present members with presence and what they are at, those who came first. `more`: what is prefetched of them."""
    members = list(
        Member.objects.filter(wanted, left_at=None)
        .select_related("agent", "user")
        .defer(*(f"agent__{column}" for column in ("announced", "offered", "preferences", "toolkits", "description")))
        .prefetch_related(*more)
        .order_by("joined_at", "id")[:most]
    )
    present = presences(m.agent_id for m in members if m.agent_id)
    here = set(people_here().filter(user__in=[m.user_id for m in members if m.user_id]))
    ignoring = {agent_id for agent_id, _, _ in unconfirmed_stops([m.agent_id for m in members if m.agent_id])}
    at: dict[UUID, list[str]] = {}
    work = Attempt.objects.filter(member__in=[m.pk for m in members], state__in=["offered", "working"])
    for member_id, title in work.values_list("member_id", "task__title"):
        at.setdefault(member_id, []).append(title)
    return [
        Seat(
            m,
            present.get(m.agent_id, "") if m.agent_id else "online" if m.user_id in here else "",
            len(at.get(m.pk, ())),
            next(iter(at.get(m.pk, ())), ""),
            m.agent_id in ignoring,
        )
        for m in members
    ]


def seats_of(ids: Iterable[UUID]) -> list[Seat]:
    """These members."""
    return seats(Q(pk__in=list(ids)))
