"""A running plan as the model sees it: what is open in detail, what is in hand by title, what is done with a line of
its result. Everything of it is quoted data, and bounded however large the plan is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db.models.functions import Left

from clawgroups.coordinator.quoting import line, quote
from clawgroups.core.plan import PlanTask
from clawgroups.core.plan_diff import IN_HAND, OPEN
from clawgroups.core.tokens import tokens
from clawgroups.models import Attempt, Run, Task
from clawgroups.services.plan_changes import PlanRows

MAX_OPEN = 120  # told in detail
MAX_OTHERS = 60  # in hand, and done, by title
OPEN_TOKENS = 14_000
OTHER_TOKENS = 2_500
LIMIT = 60_000  # characters of a quote: what is told is bounded by its tokens
LINES = 8
WORDS = 400


def told_plan(rows: PlanRows) -> str:
    """The part of a prompt about a plan that is carried out."""
    open_ones = [(task, rows.tasks[task.key]) for task in rows.plan if rows.tasks[task.key].state in OPEN]
    in_hand = [task for task in rows.plan if rows.tasks[task.key].state in IN_HAND]
    done = [task for task in rows.plan if rows.tasks[task.key].state == "done"][-MAX_OTHERS:]
    said = ["# The plan as it is carried out"]
    said += _part("open tasks, which you may change", (_told(task, row) for task, row in open_ones), len(open_ones))
    said += _part("tasks in somebody's hands, which stay", (_titled(task) for task in in_hand), len(in_hand))
    results = _results(rows.run, [rows.tasks[task.key] for task in done])
    with_results = (f"{_titled(task)}{results.get(task.key, '')}" for task in done)
    everything = sum(row.state == "done" for row in rows.tasks.values())
    said += _part("tasks that are done, with how their results begin", with_results, everything)
    return "\n".join(said)


def _part(source: str, tasks: Iterable[str], number: int) -> list[str]:
    """A list of tasks as a quote, as many as there is room for, and how many more there are."""
    is_open = source.startswith("open")
    most, room = (MAX_OPEN, OPEN_TOKENS) if is_open else (MAX_OTHERS, OTHER_TOKENS)
    shown: list[str] = []
    for told in tasks:
        room -= tokens(told)
        if len(shown) == most or room < 0:
            break
        shown.append(told)
    if not number:
        return [f"There are no {source.partition(',')[0]}."]
    left = f"{number - len(shown)} more of these are not shown; they stay as they are." if number > len(shown) else ""
    return [quote(source, "\n".join(shown), LIMIT), *([left] if left else [])]


def _told(task: PlanTask, row: Task) -> str:
    said = [f"{task.key}: {line(task.title, 200)} ({row.state})"]
    if task.instructions:
        said.append(f"  instructions: {line(task.instructions, WORDS)}")
    said.append(f"  skills: {_listed(task.skills, 60) or 'none'}; depends_on: {_listed(task.depends_on, 60) or 'none'}")
    said.append(f"  acceptance: {_listed(task.acceptance[:LINES], 160, '; ')}")
    if task.assignee:
        said.append(f"  proposed: @{line(task.assignee, 60)}")
    return "\n".join(said)


def _titled(task: PlanTask) -> str:
    return f"{task.key}: {line(task.title, 120)}"


def _listed(texts: Sequence[str], limit: int, by: str = ", ") -> str:
    return by.join(line(text, limit) for text in texts)


def _results(run: Run, done: Sequence[Task]) -> dict[str, str]:
    """How results begin, by key of the task."""
    accepted = Attempt.objects.filter(task__run=run, task__in=[task.pk for task in done], state="accepted")
    begun = accepted.annotate(begins=Left("result", 600)).values_list("task__key", "begins")
    return {key: f" — {line(text, 160)}" for key, text in begun if text.strip()}
