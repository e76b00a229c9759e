"""What a task looks like to everybody: card, present state with its history, steps. Reads in bulk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict
from uuid import UUID

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext

from clawgroups.core.acceptance import parse_line
from clawgroups.core.failures import Failure
from clawgroups.core.lifecycle import ATTEMPT_LIVE, TASK_TERMINAL, TaskState
from clawgroups.fragments.late import LateResult, late_of
from clawgroups.fragments.ranking import Ranked, ranking_of
from clawgroups.fragments.stops import Overrun, overruns_of
from clawgroups.models import Approval, Artifact, Attempt, ControlRequest, Dependency, Draft, Step, Task
from clawgroups.planned import Planned
from clawgroups.queries import asked_now

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

CHECK_WORDS = {
    "not_empty": "The result is not empty",
    "contains": "Contains “{}”",
    "not_contains": "Does not contain “{}”",
    "matches": "Matches the pattern {}",
    "min_words": "Has at least {} words",
    "file_type": "Comes with a file of type {}",
    "opens": "Its files open",
    "sheet_has": "The workbook has {}",
    "numbers_match_source": "Every number matches its source",
    "links_resolve": "Every link leads to something that was delivered",
    "has_parts": "Has the parts {}",
    "schema": "The table has its columns: {}",
}


URGENCY = (
    Q(blocked_on="person") & ~Q(state__in=TASK_TERMINAL),
    Q(state__in=(TaskState.STUCK, TaskState.HELD)),
    Q(state__in=(TaskState.WORKING, TaskState.ASSIGNED)),
    Q(state=TaskState.IN_REVIEW),
    Q(state=TaskState.READY),
    Q(state=TaskState.WAITING),
    Q(state=TaskState.FAILED),
)


# What a card shows. Every change of a task draws it: whole rows would cost more than to make the piece.
SHOWN = (
    *("workspace__name", "run__state", "run__path_length"),
    *("position", "level", "bottom_level", "title", "instructions", "skills", "state", "tries", "paused", "failure"),
    *("epoch", "minutes"),
    *("blocked_on", "next_actor", "deadline_at", "deadline_effect", "reason"),
    *(f"{seat}__{column}" for seat in ("assignee", "holder") for column in ("name", "agent")),
    *(f"attempt__{column}" for column in ("state", "plan", "progress", "contact", "back_by", "quiet_since")),
    *("attempt__member", "attempt__progress_at"),
)


class _CardRow(TypedDict):
    last_step: str | None
    asks: int
    wanted: bool


@dataclass(frozen=True, slots=True)
class TaskCard:
    """A task as a card: where it stands and what happens in it right now."""

    task: Task
    last_step: str = ""
    asks: int = 0
    parents: tuple[str, ...] = ()
    # What it waits for that a person has in hand: title and holder.
    held: tuple[tuple[str, str], ...] = ()
    # Whether somebody asks its holder for it.
    wanted: bool = False

    @property
    def ticks(self) -> tuple[int, int]:
        """Done and all entries of the agent's own plan."""
        plan = self.task.attempt.plan if self.task.attempt else []
        return sum(1 for e in plan if isinstance(e, dict) and e.get("status") == "completed"), len(plan)

    @property
    def percent(self) -> int | None:
        """How far its agent says it is."""
        attempt = self.task.attempt
        live = attempt is not None and self.task.state == TaskState.WORKING
        return attempt.progress.get("percent") if live and attempt is not None else None

    @property
    def doing(self) -> str:
        """What its agent does at this moment, in the agent's words."""
        attempt = self.task.attempt
        if self.task.state != TaskState.WORKING or attempt is None:
            return ""
        current = [e for e in attempt.plan if isinstance(e, dict) and e.get("status") == "in_progress"]
        said = str(current[0].get("content", "")) if current else str(attempt.progress.get("note", ""))
        return self.last_step or said

    @property
    def is_open(self) -> bool:
        return self.task.state not in TASK_TERMINAL

    @property
    def state(self) -> str:
        """The state as shown: what a person paused or had stopped says so."""
        return shown_state(self.task.state, self.task.paused, self.task.failure)

    @property
    def is_matched(self) -> bool:
        """Whether the matching has a say in it at the moment."""
        states = (TaskState.READY, TaskState.STUCK, TaskState.ASSIGNED, TaskState.WORKING)
        return self.task.state in states and self.task.run.state == "running"

    @property
    def is_critical(self) -> bool:
        """Whether it stands on the longest path of a plan that is more than a single layer."""
        length = self.task.run.path_length
        return length > 1 and self.task.level + self.task.bottom_level == length

    @property
    def seat(self) -> Any:
        """Whose hands it is in: the holder before the assignee."""
        return self.task.holder or self.task.assignee


def shown_state(state: str, paused: str, failure: str) -> str:
    """How a task's state is shown: "paused" or "stopped" where a person wants it so."""
    if paused and state not in TASK_TERMINAL:
        return "paused"
    return "stopped" if state == TaskState.STUCK and failure == Failure.HALTED else state


@dataclass(frozen=True, slots=True)
class AcceptanceLine:
    """One acceptance line in words, with the newest verdict."""

    text: str
    finding: str = "open"
    reason: str = ""
    by: str = ""
    # The line as the plan has it, and the try that the verdict is about.
    line: str = ""
    number: int | None = None


@dataclass(frozen=True, slots=True)
class TaskNow:
    """All that a task's page shows beside its transcript: state, lines, ranking, tries, files."""

    card: TaskCard
    attempts: tuple[Attempt, ...] = ()
    lines: tuple[AcceptanceLine, ...] = ()
    files: tuple[Artifact, ...] = ()
    inputs: tuple[Artifact, ...] = ()
    draft: Draft | None = None
    ranking: tuple[Ranked, ...] = ()
    overruns: dict[UUID, Overrun] = field(default_factory=dict)
    late: tuple[LateResult, ...] = ()

    @property
    def task(self) -> Task:
        return self.card.task

    @property
    def latest(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def transcript_version(self) -> str:
        """Changes when the transcript may have to be loaded as a whole."""
        return "-".join(f"{a.number}{a.state}{a.stop}" for a in self.attempts) or "none"

    @property
    def is_live(self) -> bool:
        return self.latest is not None and self.latest.state in ATTEMPT_LIVE

    @property
    def chosen(self) -> Ranked | None:
        """Whom the ranking chose."""
        return next((one for one in self.ranking if one.chosen), None)

    @property
    def fits(self) -> list[Ranked]:
        """The chosen and the runners-up."""
        return [one for one in self.ranking if not one.excluded]

    @property
    def out(self) -> list[Ranked]:
        """Those who could not get it."""
        return [one for one in self.ranking if one.excluded]

    @property
    def has_it(self) -> str:
        """Who has it or is asked for it, as a ranking names members."""
        return str(self.task.assignee_id or asked_now(self.task, timezone.now()) or "")

    @property
    def may_be_chosen(self) -> bool:
        """Whether it can still go to somebody else by a person's choice."""
        open_states = (TaskState.WAITING, TaskState.READY, TaskState.STUCK, TaskState.ASSIGNED, TaskState.WORKING)
        return self.task.state in open_states and self.task.run.state == "running"

    @property
    def waits_for_verdict(self) -> bool:
        """Whether a person has to accept or return the result."""
        return self.task.state == TaskState.IN_REVIEW and self.task.blocked_on == "person"


def _tasks(wanted: Q) -> QuerySet[WithAnnotations[Task, _CardRow]]:
    last = Step.objects.filter(attempt=OuterRef("attempt_id")).order_by("-ordinal").values("title")[:1]
    asked = Approval.objects.filter(task=OuterRef("pk"), state="open").order_by().values("task")
    asks = Coalesce(Subquery(asked.annotate(number=Count("pk")).values("number")), 0)
    wanted_by = ControlRequest.objects.filter(task=OuterRef("pk"), holder=OuterRef("holder"), state="open")
    return (
        Task.objects.filter(wanted)
        .select_related("run", "workspace", "assignee", "holder", "attempt")
        .annotate(last_step=Subquery(last), asks=asks, wanted=Exists(wanted_by))
        .order_by("position")
    )


_tasks_shown: Planned[WithAnnotations[Task, _CardRow]] = Planned(lambda ids: _tasks(Q(pk__in=ids)).only(*SHOWN))
_edges: Planned[tuple[UUID, str, str | None]] = Planned(
    lambda ids: (
        Dependency.objects.filter(task__in=ids)
        .order_by("parent__position")
        .values_list("task_id", "parent__title", "parent__holder__name")
    )
)


def cards(wanted: Q) -> list[TaskCard]:
    """Cards of the tasks that match, in plan order. Their rows hold what a card shows (`SHOWN`) and no more."""
    return _with_parents(_tasks(wanted).only(*SHOWN))


def _with_parents(rows: Iterable[WithAnnotations[Task, _CardRow]]) -> list[TaskCard]:
    tasks = list(rows)
    names: dict[UUID, list[str]] = {}
    held: dict[UUID, list[tuple[str, str]]] = {}
    for child, title, holder in _edges([t.pk for t in tasks]):
        names.setdefault(child, []).append(title)
        if holder is not None:
            held.setdefault(child, []).append((title, holder))
    return [
        TaskCard(t, t.last_step or "", t.asks, tuple(names.get(t.pk, ())), tuple(held.get(t.pk, ())), t.wanted)
        for t in tasks
    ]


def dependants_of(ids: Iterable[UUID]) -> list[UUID]:
    """The tasks that wait for these, directly."""
    children = Dependency.objects.filter(parent__in=list(ids), task__state="waiting")
    return list(children.order_by("task__position").values_list("task_id", flat=True).distinct())


def cards_of(ids: Iterable[UUID]) -> list[TaskCard]:
    """Cards of these tasks."""
    return _with_parents(_tasks_shown(list(ids)))


def foremost(run_id: UUID, most: int) -> list[TaskCard]:
    """Cards of the tasks of a run that matter most now: what waits for people, what is at work, what comes next."""
    places = [When(which, then=Value(place)) for place, which in enumerate(URGENCY)]
    urgency = Case(*places, default=Value(len(URGENCY)))
    found = Task.objects.filter(run=run_id).order_by(urgency, "position").values_list("pk", flat=True)[:most]
    by_id = {card.task.pk: card for card in cards_of(found)}
    return [by_id[pk] for pk in found if pk in by_id]


def now_of(task_id: UUID) -> TaskNow:
    """The present of one task."""
    (card,) = _with_parents(_tasks(Q(pk=task_id)))
    task = card.task
    attempts = tuple(task.attempts.select_related("member", "member__agent", "adopted_from").order_by("number"))
    own = Draft.objects.filter(attempt=task.attempt, kind="own")
    draft = own.order_by("-version").first() if task.attempt else None
    overruns = overruns_of(attempts)
    parents = Dependency.objects.filter(task=task).values("parent_id")
    given = Q(run=task.run_id, kind="input") | Q(task__in=parents, kind="result", attempt__state="accepted")
    return TaskNow(
        card,
        attempts,
        lines_of(task, attempts),
        tuple(
            task.artifacts.exclude(kind__in=("draft", "kept")).order_by(
                F("pinned_at").asc(nulls_last=True), "created_at"
            )
        ),
        tuple(Artifact.objects.filter(given).select_related("task").order_by("created_at")[:50]),
        draft,
        ranking_of(task.match),
        overruns,
        late_of(task, attempts, overruns),
    )


def lines_of(task: Task, attempts: Sequence[Attempt]) -> tuple[AcceptanceLine, ...]:
    """The acceptance lines in words, each with the verdict of the newest attempt that has one."""
    judged = next((a for a in reversed(attempts) if a.verdicts and a.submitted_at), None)
    found = {str(v.get("line", "")): v for v in judged.verdicts if isinstance(v, dict)} if judged else {}
    lines = []
    for text in map(str, task.acceptance or ["not_empty"]):
        verdict = found.get(text, {})
        said = {key: str(verdict.get(key, "")) for key in ("reason", "by")}
        number = judged.number if judged is not None and verdict else None
        finding = str(verdict.get("finding", "open"))
        lines.append(AcceptanceLine(line_words(text), finding, **said, line=text, number=number))
    return tuple(lines)


def line_words(text: str) -> str:
    """A check in words; a text line as it is."""
    try:
        line = parse_line(text)
    except ValueError:
        return text
    return gettext(CHECK_WORDS[line.check]).format(line.argument) if line.check in CHECK_WORDS else line.text


def steps_of(ids: Iterable[UUID]) -> list[Step]:
    """These steps."""
    return _steps(list(ids))


def attempts_of(ids: Iterable[UUID]) -> list[Attempt]:
    """These attempts, for the agent's own plan."""
    return _attempts(list(ids))


# What exactly they did is loaded from an address of its own.
_steps: Planned[Step] = Planned(lambda ids: Step.objects.defer("detail").filter(pk__in=ids).order_by("ordinal"))
_attempts: Planned[Attempt] = Planned(lambda ids: Attempt.objects.filter(pk__in=ids))
