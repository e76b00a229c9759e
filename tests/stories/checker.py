"""What must hold of every history, whatever was killed: pure functions of the journal and of tasks as JSON.

Each gives the faults that it finds, as sentences; none is good.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

Json = dict[str, Any]
# An attempt gets the task under a new epoch, or nobody has it under a new one.
GIVEN = frozenset({"task.assigned", "task.taken_over", "task.late_result_adopted"})
RISES = GIVEN | {"task.handed_back", "task.released", "task.regenerated", "task.split"}
# The attempt that had the task is over; the epoch that goes with it is told by what comes next.
OVER = frozenset({"task.returned", "task.stuck"})
TERMINAL = {"task.done": "done", "task.cancelled": "cancelled", "task.failed": "failed"}


def faults(entries: Sequence[Json], tasks: Sequence[Json]) -> list[str]:
    """Everything that is wrong with the history of a run that is over. `tasks` are shown in full."""
    found = [*gapless(entries), *fenced(entries)]
    for check in (done_once, one_accepted, ended_as_journaled):
        found += check(entries, tasks)
    return found


def gapless(entries: Sequence[Json]) -> list[str]:
    """Numbers run 1, 2, 3... and times do not run back."""
    found = [f"entry {at} has the number {e['seq']}" for at, e in enumerate(entries, 1) if e["seq"] != at]
    found += [
        f"entry {second['seq']} is older than the one before it"
        for first, second in pairwise(entries)
        if second["at"] < first["at"]
    ]
    return found[:20]


def done_once(entries: Sequence[Json], tasks: Sequence[Json]) -> list[str]:
    """Every task is done, by exactly one `task.done`."""
    times = Counter(e["payload"]["task_id"] for e in entries if e["type"] == "task.done")
    found = [f"task {t['key']} is {t['state']}" for t in tasks if t["state"] != "done"]
    found += [f"task {t['key']} was done {times[t['id']]} times" for t in tasks if times[t["id"]] != 1]
    return found


def one_accepted(entries: Sequence[Json], tasks: Sequence[Json]) -> list[str]:
    """One attempt of each task was accepted: the one that the journal names; every other one is over."""
    winners = {e["payload"]["task_id"]: e["payload"]["attempt_id"] for e in entries if e["type"] == "task.done"}
    found = []
    for task in tasks:
        accepted = [a["id"] for a in task["attempts"] if a["state"] == "accepted"]
        if accepted != [winners.get(task["id"])]:
            found.append(f"task {task['key']}: accepted are {accepted}, the journal names {winners.get(task['id'])}")
        found += [
            f"task {task['key']}: attempt {a['number']} is still {a['state']}"
            for a in task["attempts"]
            if a["ended_at"] is None
        ]
        epochs = [a["epoch"] for a in task["attempts"]]
        if epochs != sorted(set(epochs)):
            found.append(f"task {task['key']}: its attempts have the epochs {epochs}")
    return found


def ended_as_journaled(entries: Sequence[Json], tasks: Sequence[Json]) -> list[str]:
    """Nothing moves a task once it is terminal."""
    over: dict[str, int] = {}
    found = []
    for entry in entries:
        task = entry["payload"].get("task_id")
        if task in over and entry["type"].startswith("task."):
            found.append(f"{entry['type']} of entry {entry['seq']} comes after the task's end in entry {over[task]}")
        if entry["type"] in TERMINAL:
            over[task] = entry["seq"]
    return found


class _Fence:
    """Which attempt may write to one task, as the journal tells it."""

    def __init__(self) -> None:
        self.epoch = 0
        self.attempt: str | None = None
        self.begun: set[str] = set()
        self.submitted = False

    def rise(self, entry: Json) -> list[str]:
        said = entry["payload"]
        rose = said["epoch"] > self.epoch
        found = [] if rose else [f"entry {entry['seq']}: the epoch did not rise above {self.epoch}"]
        self.epoch, self.submitted = said["epoch"], entry["type"] == "task.late_result_adopted"
        self.attempt = said["attempt_id"] if entry["type"] in GIVEN else None
        return found

    def write(self, entry: Json) -> list[str]:
        attempt = entry["payload"].get("attempt_id")
        if attempt != self.attempt:
            return [f"entry {entry['seq']}: {entry['type']} of attempt {attempt}, but {self.attempt} has the task"]
        if entry["type"] == "task.begun" and attempt in self.begun:
            return [f"entry {entry['seq']}: attempt {attempt} begins a second time"]
        if entry["type"] == "task.submitted" and self.submitted:
            return [f"entry {entry['seq']}: attempt {attempt} submits a second time"]
        if entry["type"] == "task.begun":
            self.begun.add(attempt)
        self.submitted = self.submitted or entry["type"] == "task.submitted"
        return []


WRITES = frozenset(
    {
        "task.begun",
        "task.submitted",
        "task.done",
        "step.recorded",
        "attempt.plan_ticked",
        "attempt.progress_reported",
        "attempt.acknowledged",
        "draft.saved",
        "approval.requested",
    }
)


def fenced(entries: Sequence[Json]) -> list[str]:
    """No write was accepted from an attempt that did not have the task at that moment."""
    fences: defaultdict[str, _Fence] = defaultdict(_Fence)
    found: list[str] = []
    for entry in entries:
        task = entry["payload"].get("task_id")
        if task is None:
            continue
        step: Callable[[Json], list[str]] | None = None
        if entry["type"] in RISES:
            step = fences[task].rise
        elif entry["type"] in WRITES:
            step = fences[task].write
        if step is not None:
            found += step(entry)
        if entry["type"] in OVER:
            fences[task].attempt, fences[task].submitted = None, False
    return found
