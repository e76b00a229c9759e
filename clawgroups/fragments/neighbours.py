"""What a task waits for, and what waits for it."""

from __future__ import annotations

from dataclasses import dataclass

from clawgroups.fragments.tasks import TaskCard, cards_of
from clawgroups.models import Dependency, Task

MOST = 30


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Cards of the tasks before and after one; `more_*`: how many are not among them."""

    before: tuple[TaskCard, ...] = ()
    after: tuple[TaskCard, ...] = ()
    more_before: int = 0
    more_after: int = 0

    @property
    def open_before(self) -> tuple[TaskCard, ...]:
        """What it still waits for."""
        return tuple(card for card in self.before if card.task.state != "done")

    @property
    def done_before(self) -> int:
        """How much of what it needs is there."""
        return len(self.before) - len(self.open_before)


def neighbours_of(task: Task) -> Neighbours:
    """The tasks right before and right after this one."""
    before = Dependency.objects.filter(task=task).order_by("parent__position").values_list("parent_id", flat=True)
    after = Dependency.objects.filter(parent=task).order_by("task__position").values_list("task_id", flat=True)
    first, last = list(before), list(after)
    return Neighbours(
        tuple(cards_of(first[:MOST])),
        tuple(cards_of(last[:MOST])),
        max(0, len(first) - MOST),
        max(0, len(last) - MOST),
    )
