"""What the page of a run shows of its plan once it has begun: a proposed change of it, and how it goes as expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clawgroups.core.course import Course, Line
from clawgroups.core.plan import PlanTask
from clawgroups.core.plan_diff import PlanDiff, moved_on, read_diff
from clawgroups.core.replan_asked import Asked, read_asked, read_wish
from clawgroups.fragments.tasks import line_words
from clawgroups.models import Run
from clawgroups.services.forecasts import course_of
from clawgroups.services.plan_changes import read_plan
from clawgroups.services.replan import standing

NAMES: Mapping[str, Any] = {
    "title": gettext_lazy("Title"),
    "instructions": gettext_lazy("Instructions"),
    "kind": gettext_lazy("Kind"),
    "skills": gettext_lazy("Skills"),
    "acceptance": gettext_lazy("When it is done"),
    "output": gettext_lazy("What comes out"),
    "minutes": gettext_lazy("Minutes"),
    "assignee": gettext_lazy("Who"),
    "depends_on": gettext_lazy("Waits for"),
}
FIGURES: Mapping[str, Any] = {
    "time": gettext_lazy("Time"),
    "work": gettext_lazy("Work in all"),
    "path": gettext_lazy("Longest path"),
    "tasks": gettext_lazy("Tasks"),
    "tries": gettext_lazy("Tries"),
    "tokens": gettext_lazy("Tokens"),
    "cost": gettext_lazy("Cost"),
}
SHOWN = 100


@dataclass(frozen=True, slots=True)
class Words:
    """One thing that a task says otherwise, before and after."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Otherwise:
    """A task that goes on with other words or after other tasks."""

    title: str
    words: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class Coming:
    """A task that is to be added."""

    task: PlanTask
    parents: tuple[str, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True)
class RunningPlan:
    """A plan that is carried out."""

    run: Run

    template = "runs/_plan_running.html"
    shown = SHOWN

    @cached_property
    def course(self) -> Course | None:
        return course_of(self.run)

    @property
    def figures(self) -> list[tuple[str, Line]]:
        """What was expected and what came of it, each with its name."""
        return [(str(FIGURES[line.name]), line) for line in (self.course.lines if self.course else ())]

    @cached_property
    def change(self) -> PlanDiff | None:
        """The change that is proposed."""
        return read_diff(self.run.replan) if self.run.replan and self.run.state == "running" else None

    @property
    def asked(self) -> Asked | None:
        """What the coordinator thinks about."""
        return read_asked(self.run.replan) if self.run.state == "running" else None

    @property
    def wish(self) -> Asked | None:
        """What the proposed change is the answer to."""
        return read_wish(self.run.replan)

    @property
    def by(self) -> str:
        return str(self.run.replan.get("by", {}).get("name", ""))

    @property
    def at(self) -> Any:
        return parse_datetime(str(self.run.replan.get("at", "")))

    @cached_property
    def _titles(self) -> dict[str, str]:
        added = self.change.added if self.change else ()
        return {task.key: task.title for task in (*read_plan(self.run).plan, *added)}

    @cached_property
    def moved(self) -> list[str]:
        """Tasks that are not as the proposal found them, so that it cannot be accepted any more."""
        return moved_on(standing(read_plan(self.run)), self.change) if self.change else []

    @property
    def added(self) -> list[Coming]:
        return [
            Coming(task, self._named(task.depends_on), tuple(line_words(line) for line in task.acceptance))
            for task in (self.change.added if self.change else ())
        ]

    @property
    def removed(self) -> list[PlanTask]:
        return [one.task for one in self.change.removed] if self.change else []

    @property
    def changed(self) -> list[Otherwise]:
        found = []
        for one in self.change.changed if self.change else ():
            names = (*one.fields, *(["depends_on"] if one.is_relinked else []))
            words = (Words(str(NAMES[n]), self._said(one.before, n), self._said(one.after, n)) for n in names)
            found.append(Otherwise(one.before.title, tuple(words)))
        return found

    def _said(self, task: PlanTask, name: str) -> str:
        value = getattr(task, name)
        if name == "depends_on":
            value = self._named(value)
        if name == "acceptance":
            value = [line_words(line) for line in value]
        if isinstance(value, (list, tuple)):
            return ", ".join(value) or _("nothing")
        return str(value or _("nothing"))

    def _named(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self._titles.get(key, key) for key in keys)


def running_plan(run: Run) -> RunningPlan:
    """The plan of a run that has begun, or of one that is being planned."""
    return RunningPlan(run)
