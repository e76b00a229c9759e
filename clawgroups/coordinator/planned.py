"""Whether a model's plan can be carried out here, beyond its form: its graph, size, members, budget. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clawgroups.coordinator.decisions import MAX_PLAN, PlanDecision, TaskDecision, Unreadable
from clawgroups.coordinator.prompt import Profile
from clawgroups.core.coordination import Limits
from clawgroups.core.errors import Invalid
from clawgroups.core.plan import PlanTask, handle_of, parse_plan

LEAST = 30  # tasks that any goal may have
TASKS_A_MEMBER = 3
WORDS_A_TASK = 5
MAX_NOTES = 8
NO_MORE = "no more questions: plan with what is known, and say in the rationale what you take for granted"


@dataclass(frozen=True, slots=True)
class Frame:
    """What a plan has to keep to: who is there by handle, how many tasks, the run's limits, whether it may ask."""

    members: Mapping[str, Profile]
    most: int
    limits: Limits
    may_ask: bool = True


@dataclass(frozen=True, slots=True)
class Checked:
    """A plan as `parse_plan` takes it, or a question; and what was left out of the proposal, in words."""

    tasks: tuple[dict[str, Any], ...] = ()
    question: str = ""
    rationale: str = ""
    notes: tuple[str, ...] = ()

    @property
    def why(self) -> str:
        """The rationale with what was left out."""
        return "\n\n".join([self.rationale or "The model gave no reason for this plan.", *self.notes[:MAX_NOTES]])


def fitting(goal: str, members: int, inputs: int, most: int) -> int:
    """How many tasks are sensible: more for a long goal, many files or many members, `most` at the most."""
    words = len(goal.split()) + len(goal) // 20
    return min(max(LEAST, TASKS_A_MEMBER * members, words // WORDS_A_TASK + 4 * inputs), most, MAX_PLAN)


def checked(decision: PlanDecision, frame: Frame) -> Checked:
    """The plan, with proposals that cannot hold left out. Raises `Unreadable` with everything else that is wrong."""
    if decision.question:
        if not frame.may_ask:
            raise Unreadable([NO_MORE])
        return Checked(question=decision.question, rationale=decision.rationale)
    if len(decision.tasks) > frame.most:
        raise Unreadable([f"the plan has {len(decision.tasks)} tasks; for this goal {frame.most} are the most"])
    try:
        parsed = parse_plan([_plan_task(task) for task in decision.tasks], max_tasks=frame.most)
    except Invalid as wrong:
        raise Unreadable([str(p) for p in wrong.fields.get("problems", ())] or [wrong.message]) from None
    if problems := [*doubles(parsed), *over(parsed, frame.limits)]:
        raise Unreadable(problems)
    tasks, notes = [], []
    for task in parsed:
        said = task.model_dump(mode="json")
        if task.assignee and (fault := unfit(task, frame.members)):
            notes.append(f"@{task.assignee} is not proposed for “{task.title}”: {fault}.")
            said |= {"assignee": "", "why": ""}
        tasks.append(said)
    return Checked(tuple(tasks), "", decision.rationale, tuple(notes))


def _plan_task(task: TaskDecision) -> dict[str, Any]:
    return {
        **task.model_dump(),
        "title": " ".join(task.title.split()),
        "acceptance": [" ".join(line.split()) for line in task.acceptance] or ["not_empty"],
        "assignee": handle_of(task.assignee),
    }


def unfit(task: PlanTask, members: Mapping[str, Profile]) -> str:
    """Why a member cannot be proposed for a task; empty when it can."""
    member = members.get(task.assignee)
    if member is None:
        return "no such member can take work here"
    has = {name for name, _ in member.skills}
    missing = [skill for skill in task.skills if skill not in has]
    return f"it lacks {', '.join(missing)}" if missing else ""


def doubles(tasks: Sequence[PlanTask]) -> list[str]:
    """Tasks that say the same under two keys."""
    first: dict[str, str] = {}
    problems = []
    for task in tasks:
        what = " ".join(f"{task.title} {task.instructions}".casefold().split())
        if (known := first.setdefault(what, task.key)) != task.key:
            problems.append(f"the tasks {known!r} and {task.key!r} are the same")
    return problems


def over(tasks: Sequence[PlanTask], limits: Limits) -> list[str]:
    """Where the plan by itself is more than the run may use."""
    problems = []
    if limits.steps is not None and len(tasks) > limits.steps:
        problems.append(f"the plan has {len(tasks)} tasks; the run may take {limits.steps} steps in all")
    minutes = _longest(tasks)
    if limits.seconds is not None and minutes * 60 > limits.seconds:
        problems.append(
            f"its longest path takes {minutes} minutes by its own estimates; the run may take"
            f" {limits.seconds // 60} in all: do more side by side, or less"
        )
    return problems


def _longest(tasks: Sequence[PlanTask]) -> int:
    """The minutes of the longest path through the graph, by the plan's own estimates."""
    left = {task.key: task for task in tasks}
    ends: dict[str, int] = {}
    while left:
        ready = [task for task in left.values() if all(parent in ends for parent in task.depends_on)]
        for task in ready:
            ends[task.key] = task.minutes + max((ends[parent] for parent in task.depends_on), default=0)
            del left[task.key]
    return max(ends.values(), default=0)
