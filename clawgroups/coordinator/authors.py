"""Whose work open tasks build on: kept, as each look asks for all of them again, until it may be another's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from uuid import UUID

Members = frozenset[UUID]
Plan = tuple[UUID, int, int]
"""A run, the generation of its workspace's journal, and the number of its plan."""

MOST_ASKED = 4000  # keys in one statement
MOST_PLANS = 16
SPARE = 50  # tasks that may be kept although they are done


class Authors:
    """`read`: of these tasks, pairs of a task and a member whose accepted work it depends on."""

    def __init__(self, read: Callable[[Sequence[UUID]], Iterable[tuple[UUID, UUID]]]) -> None:
        self._read = read
        self._kept: dict[Plan, dict[tuple[UUID, int], Members]] = {}

    def of(self, plan: Plan, tasks: Mapping[UUID, int]) -> dict[UUID, Members]:
        """For all open tasks of a plan, given with their epochs, who did what they depend on.

        All of that is done, so it changes with the plan or the task's epoch: one that was split depends on its parts.
        """
        known = self._of(plan)
        new = [task for task in tasks.items() if task not in known]
        for at in range(0, len(new), MOST_ASKED):
            some = new[at : at + MOST_ASKED]
            found = by_task(self._read([task for task, _ in some]))
            known.update((task, found.get(task[0], frozenset())) for task in some)
        if len(known) > 2 * len(tasks) + SPARE:
            # Those that are done are not asked for again.
            known = self._kept[plan] = {task: known[task] for task in tasks.items()}
        return {task: known[task, epoch] for task, epoch in tasks.items()}

    def __len__(self) -> int:
        """Of how many tasks it is kept."""
        return sum(map(len, [*self._kept.values()]))

    def _of(self, plan: Plan) -> dict[tuple[UUID, int], Members]:
        known = self._kept.get(plan)
        if known is None:
            for old in list(self._kept)[: len(self._kept) - MOST_PLANS + 1]:
                self._kept.pop(old, None)
            known = self._kept[plan] = {}
        return known


def by_task(pairs: Iterable[tuple[UUID, UUID]]) -> dict[UUID, Members]:
    """The members of each task."""
    found: dict[UUID, set[UUID]] = {}
    for task_id, member_id in pairs:
        found.setdefault(task_id, set()).add(member_id)
    return {task_id: frozenset(members) for task_id, members in found.items()}
