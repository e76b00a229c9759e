"""What a workspace and its runs look like to everybody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypedDict
from uuid import UUID

from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from clawgroups.core.forecast import Forecast, read_forecast
from clawgroups.core.lifecycle import RUN_TERMINAL, TASK_TERMINAL, RunState, TaskState
from clawgroups.core.replan_asked import id_of
from clawgroups.fragments.files import finals_first
from clawgroups.fragments.model_use import Planner, planner_of, stands_in
from clawgroups.fragments.stop_progress import Progress, progress_of
from clawgroups.fragments.tasks import TaskCard, cards, foremost, shown_state
from clawgroups.models import Artifact, Attempt, Message, Run, Task, Workspace
from clawgroups.planned import Planned
from clawgroups.queries import unseen_rules

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

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
class Room:
    """A workspace with the run that its page shows."""

    workspace: Workspace
    current: RunView | None = None


def runs(wanted: Q, limit: int = 1000) -> list[RunView]:
    """Runs with their tasks counted, newest first, in two or three queries, and one more when a file is looked at."""
    return _views(list(_runs(wanted)[:limit]))


def runs_of(ids: Iterable[UUID]) -> list[RunView]:
    """These runs."""
    return _views(_runs_asked(list(ids)))


class _Said(TypedDict):
    said_at: datetime | None


def _runs(wanted: Q) -> QuerySet[WithAnnotations[Run, _Said]]:
    said = Message.objects.filter(run=OuterRef("pk")).order_by("created_at").values("created_at")[:1]
    rows = Run.objects.filter(wanted).select_related("created_by", "workspace")
    return rows.annotate(said_at=Subquery(said)).order_by("-created_at")


_runs_asked: Planned[WithAnnotations[Run, _Said]] = Planned(lambda ids: _runs(Q(pk__in=ids)))
_counted: Planned[tuple[UUID, str, str, int, int]] = Planned(
    lambda ids: (
        Task.objects.filter(run__in=ids)
        .order_by()
        .values_list("run_id", "state", "blocked_on")
        .annotate(number=Count("pk"), path=Max("bottom_level"))
    )
)
_stands: Planned[tuple[UUID, str, str, str]] = Planned(
    lambda ids: (
        Task.objects.filter(run__in=ids).order_by("position").values_list("run_id", "state", "paused", "failure")
    )
)


def _views(rows: Sequence[WithAnnotations[Run, _Said]]) -> list[RunView]:
    ids = [run.pk for run in rows]
    groups: dict[UUID, list[Group]] = {}
    for run_id, state, blocked_on, number, path in _counted(ids):
        groups.setdefault(run_id, []).append(Group(state, blocked_on, number, path))
    few = [pk for pk, found in groups.items() if sum(group.number for group in found) <= STRIP]
    strips: dict[UUID, list[str]] = {}
    for run_id, state, paused, failure in _stands(few) if few else ():
        strips.setdefault(run_id, []).append(shown_state(state, paused, failure))
    shelf: Mapping[UUID, list[Artifact]] = SimpleLazyObject(partial(_files, ids))  # type: ignore[assignment]
    return [
        RunView(
            run,
            tuple(groups.get(run.pk, ())),
            tuple(strips.get(run.pk, ())),
            shelf,
            run.said_at,
        )
        for run in rows
    ]


def _files(ids: Sequence[UUID]) -> dict[UUID, list[Artifact]]:
    files: dict[UUID, list[Artifact]] = {}
    for row in Artifact.objects.filter(run__in=ids).exclude(kind__in=("late", "draft", "kept")).select_related("task"):
        files.setdefault(row.run_id, []).append(row)
    return files


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
    return [unseen(one) for one in _with_other_rules(list(ids))]


_with_other_rules: Planned[Workspace] = Planned(lambda ids: Workspace.objects.filter(pk__in=ids, rules_version__gt=1))


def current_run(workspace_id: UUID) -> RunView | None:
    """The run that a workspace's page shows."""
    here = Run.objects.filter(workspace=workspace_id, kind="goal").order_by("-created_at")
    found = here.exclude(state__in=[s.value for s in RUN_TERMINAL]).first() or here.first()
    return runs_of([found.pk])[0] if found else None
