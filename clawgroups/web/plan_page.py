"""What the page of a run shows of a proposed plan: its tasks, who would do them, and what it is expected to take."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.utils.translation import gettext as _

from clawgroups.core.forecast import Forecast, Helper, forecast
from clawgroups.core.plan import PlanTask
from clawgroups.fragments.tasks import line_words
from clawgroups.models import Member, PlanEdit, Run
from clawgroups.services.forecasts import helpers_of, known_of
from clawgroups.services.plan_changes import PlanRows, read_plan

PAGE = 100
MARK = 16


@dataclass(frozen=True, slots=True)
class Fit:
    """A member beside a task: how well it fits, in words, and what keeps it from the work, if anything does."""

    name: str
    handle: str
    words: str = ""
    away: str = ""
    can: bool = True
    is_person: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One task of the plan as a line of the list. `up` and `down`: places to move to change with its neighbour."""

    pk: UUID
    task: PlanTask
    level: int
    minutes: float
    source: str
    who: Fit | None = None
    # Whether the plan or a person proposes them; else it is whoever fits best.
    is_proposed: bool = False
    why: str = ""
    nobody: str = ""
    parents: tuple[str, ...] = ()
    is_critical: bool = False
    up: int | None = None
    down: int | None = None

    @property
    def mark(self) -> str:
        """Changes with anything that the task says."""
        return mark_of(self.task)

    @property
    def lines(self) -> list[str]:
        """Its acceptance lines in words; none where it has only the one that every task has."""
        return [] if self.task.acceptance == ("not_empty",) else [line_words(line) for line in self.task.acceptance]


@dataclass(frozen=True)
class PlanPage:
    """A proposed plan, read once for a page. `number`: which page of a long list."""

    run: Run
    number: str = "1"
    helpers: list[Helper] = field(default_factory=list)

    template = "runs/_plan.html"

    @cached_property
    def rows_of_plan(self) -> PlanRows:
        return read_plan(self.run)

    @cached_property
    def plan(self) -> tuple[PlanTask, ...]:
        return self.rows_of_plan.planned

    @cached_property
    def forecast(self) -> Forecast:
        return forecast(self.plan, self.helpers, known_of(self.run.workspace_id))

    @cached_property
    def last(self) -> PlanEdit | None:
        """The edit that can be taken back."""
        return PlanEdit.objects.filter(run=self.run, undone=None).order_by("-version").first()

    @cached_property
    def titles(self) -> dict[str, str]:
        return {task.key: task.title for task in self.plan}

    @property
    def nobody(self) -> list[str]:
        """The titles of tasks that nobody here can do."""
        return [self.titles[key] for key in self.forecast.nobody]

    @cached_property
    def page(self) -> Page[tuple[int, PlanTask]]:
        """The tasks of this page in the order in which they can be done, each with its place in the plan."""
        tasks = self.rows_of_plan.tasks
        ordered = sorted(enumerate(self.plan), key=lambda one: (tasks[one[1].key].level, one[0]))
        return Paginator(ordered, PAGE).get_page(self.number)

    @cached_property
    def lanes(self) -> list[list[Row]]:
        """The rows of this page, those together that can be done side by side."""
        tasks, found = self.rows_of_plan.tasks, []
        for _level, group in groupby(self.page.object_list, key=lambda one: tasks[one[1].key].level):
            lane = list(group)
            places = [place for place, _task in lane]
            found.append(
                [self._row(task, _step(places, n, -1), _step(places, n, 1)) for n, (_place, task) in enumerate(lane)]
            )
        return found

    @cached_property
    def last_level(self) -> int:
        return max((task.level for task in self.rows_of_plan.tasks.values()), default=0)

    def _row(self, task: PlanTask, up: int | None, down: int | None) -> Row:
        row = self.rows_of_plan.tasks[task.key]
        proposed = _fit(row.proposed, task, self.helpers) if row.proposed else None
        best = proposed or best_fit(task, self.helpers)
        return Row(
            row.pk,
            task,
            row.level,
            self.forecast.minutes[task.key],
            self.forecast.sources[task.key],
            best,
            proposed is not None,
            task.why or (best.words if best else ""),
            "" if best else nobody_words(task, self.helpers),
            tuple(self.titles[key] for key in task.depends_on if key in self.titles),
            len(self.plan) > 1 and self.last_level > 0 and task.key in self.forecast.path,
            up,
            down,
        )


def mark_of(task: PlanTask) -> str:
    """A short mark of what a task says."""
    return hashlib.sha256(task.model_dump_json().encode()).hexdigest()[:MARK]


def plan_page(run: Run, number: str = "1") -> PlanPage:
    """The proposed plan of a run."""
    return PlanPage(run, number, helpers_of(run.workspace_id))


def fits_for(task: PlanTask, helpers: Sequence[Helper]) -> list[Fit]:
    """Everybody who may be given work, whoever fits best first."""
    ordered = sorted(helpers, key=lambda h: (not h.can(task.skills), bool(h.away), -h.fit(task.skills), h.name))
    return [fit_of(task, helper) for helper in ordered]


def fit_of(task: PlanTask, helper: Helper) -> Fit:
    """A member beside a task."""
    can = helper.can(task.skills)
    return Fit(helper.name, helper.handle, fit_words(task, helper), helper.away, can, helper.is_person)


def best_fit(task: PlanTask, helpers: Sequence[Helper]) -> Fit | None:
    """Whoever fits best now; None where nobody can do it at all."""
    return next((fit for fit in fits_for(task, helpers) if fit.can), None)


def fit_words(task: PlanTask, helper: Helper) -> str:
    """How well a member fits."""
    missing = [skill for skill in task.skills if skill not in helper.skills]
    if missing:
        return _("lacks %(skills)s") % {"skills": ", ".join(missing)}
    levels = [_("%(skill)s at level %(level)s of 5") % {"skill": s, "level": helper.skills[s]} for s in task.skills]
    return ", ".join(levels) or _("no particular skill is needed")


def nobody_words(task: PlanTask, helpers: Sequence[Helper]) -> str:
    """Why nobody can do it yet."""
    lacking = [skill for skill in task.skills if not any(skill in h.skills for h in helpers)]
    if not helpers:
        return _("no agent is here yet")
    if lacking:
        return _("nobody has the skill %(skills)s") % {"skills": ", ".join(lacking)}
    return _("nobody has %(skills)s together") % {"skills": ", ".join(task.skills)}


def _fit(member: Member, task: PlanTask, helpers: Sequence[Helper]) -> Fit:
    for helper in helpers:
        if helper.handle == member.handle:
            return fit_of(task, helper)
    away = "" if member.left_at is None else _("has left")
    return Fit(member.name, member.handle, away=away, is_person=member.agent_id is None)


def _step(places: Sequence[int], at: int, by: int) -> int | None:
    """How far to move in the plan to change places with the neighbour in the lane; None at its ends."""
    return places[at + by] - places[at] if 0 <= at + by < len(places) else None
