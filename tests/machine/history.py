"""What must hold of a workspace's history after every step, whatever was done: checked against its rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from clawgroups.coordinator.evidence import look
from clawgroups.core.fold import State, fold
from clawgroups.core.invariants import Allowance, World, breaches
from clawgroups.core.lifecycle import ATTEMPT_OPEN, TASK_TERMINAL
from clawgroups.journal import entries_after, entry_as_json, snapshot
from clawgroups.models import Artifact, Attempt, Draft, Part, Step, Task
from tests.machine.hands import Hands
from tests.stories.checker import fenced

OPEN = frozenset(state.value for state in ATTEMPT_OPEN)
OVER = frozenset(state.value for state in TASK_TERMINAL)
# What nobody writes any more once an attempt is over. Evidence (a late result, how its stop went) is not among it.
SHOWN = ("state", "epoch", "result", "reason", "failure", "plan", "acknowledgement", "number", "member_id")


class History:
    """Follows one workspace: its journal, folded as a client does, and what its rows said before."""

    def __init__(self, workspace_id: UUID) -> None:
        self.workspace_id = workspace_id
        first = snapshot(workspace_id)
        self.generation, self.seq = first.head.generation, first.head.seq
        self.folded: State = first.state
        self.entries: list[dict[str, Any]] = []
        self.types: set[str] = set()
        self.world = World()
        self._hands = Hands(workspace_id)
        self._epochs: dict[UUID, int] = {}
        self._over: dict[UUID, str] = {}
        self._frozen: dict[UUID, tuple[Any, ...]] = {}

    def check(self, now: datetime, allowance: Allowance) -> list[str]:
        """Everything that is wrong now, as sentences."""
        self.world = look()
        found = [f"{b.kind.name}: {b.title}: {b.sentence}" for b in breaches(self.world, now, allowance)]
        before = len(self.entries)
        found += self._journal()
        return [*found, *self._tasks(), *self._attempts(), *self._hands.check(self.entries[before:])]

    def _journal(self) -> list[str]:
        entries = entries_after(self.workspace_id, self.generation, self.seq, 10_000)
        new = [entry_as_json(entry) for entry in entries]
        found = []
        for entry in new:
            self.seq += 1
            if entry["seq"] != self.seq:
                found.append(f"entry {entry['seq']} follows entry {self.seq - 1}")
        self.entries += new
        self.types.update(entry["type"] for entry in new)
        self.folded = fold(self.folded, new)
        now = snapshot(self.workspace_id)
        if now.head.seq != self.seq:
            found.append(f"the head is {now.head.seq}, and {self.seq} entries are there")
        last = ", ".join(entry["type"] for entry in new)
        if new:
            found += fenced(self.entries)
        return [*found, *(f"after {last}: {one}" for one in differences(self.folded, now.state))]

    def _tasks(self) -> list[str]:
        found = []
        for pk, state, epoch in Task.objects.filter(workspace=self.workspace_id).values_list("pk", "state", "epoch"):
            if epoch < self._epochs.get(pk, 0):
                found.append(f"the epoch of task {pk} fell from {self._epochs[pk]} to {epoch}")
            if self._over.get(pk, state) != state:
                found.append(f"task {pk} was {self._over[pk]} and is {state}")
            self._epochs[pk] = epoch
            if state in OVER:
                self._over[pk] = state
        return found

    def _attempts(self) -> list[str]:
        parts, steps, drafts = _said(self.workspace_id), _did(self.workspace_id), _wrote(self.workspace_id)
        files = _delivered(self.workspace_id)
        open_of: dict[UUID, int] = {}
        accepted: dict[UUID, int] = {}
        found = []
        rows = Attempt.objects.filter(workspace=self.workspace_id).order_by("task_id", "number")
        for pk, task_id, *shown in rows.values_list("pk", "task_id", *SHOWN):
            state = shown[0]
            open_of[task_id] = open_of.get(task_id, 0) + (state in OPEN)
            accepted[task_id] = accepted.get(task_id, 0) + (state == "accepted")
            if state not in OPEN:
                now = (*shown, parts.get(pk, 0), steps.get(pk, 0), drafts.get(pk, 0), files.get(pk, 0))
                if self._frozen.setdefault(pk, now) != now:
                    found.append(f"attempt {pk} is over and was written to: {self._frozen[pk]} became {now}")
        found += [f"task {pk} has {n} open attempts" for pk, n in open_of.items() if n > 1]
        found += [f"task {pk} has {n} accepted results" for pk, n in accepted.items() if n > 1]
        done = {pk for pk, state in self._over.items() if state == "done"}
        found += [f"task {pk} is done without an accepted result" for pk in done if accepted.get(pk) != 1]
        return found + [
            f"task {pk} is not done, a result is accepted" for pk, n in accepted.items() if n and pk not in done
        ]


def _said(workspace_id: UUID) -> dict[UUID, int]:
    """How many characters each attempt said before it was over."""
    found: dict[UUID, int] = {}
    rows = Part.objects.filter(attempt__workspace=workspace_id, after_stop=False).exclude(kind="prompt")
    for attempt, text in rows.values_list("attempt_id", "text"):
        found[attempt] = found.get(attempt, 0) + len(text)
    return found


def _did(workspace_id: UUID) -> dict[UUID, int]:
    found: dict[UUID, int] = {}
    for attempt in Step.objects.filter(attempt__workspace=workspace_id).values_list("attempt_id", flat=True):
        found[attempt] = found.get(attempt, 0) + 1
    return found


def _wrote(workspace_id: UUID) -> dict[UUID, int]:
    """How many versions of its draft each attempt has."""
    found: dict[UUID, int] = {}
    rows = Draft.objects.filter(attempt__workspace=workspace_id, kind__in=["own", "offered"])
    for attempt in rows.values_list("attempt_id", flat=True):
        found[attempt] = found.get(attempt, 0) + 1
    return found


def _delivered(workspace_id: UUID) -> dict[UUID, int]:
    """How many files each attempt has that count: not what came late or was kept beside it."""
    found: dict[UUID, int] = {}
    rows = Artifact.objects.filter(attempt__workspace=workspace_id, kind__in=["draft", "result"])
    for attempt in rows.values_list("attempt_id", flat=True):
        if attempt is not None:
            found[attempt] = found.get(attempt, 0) + 1
    return found


def differences(folded: State, rows: State) -> list[str]:
    """Where the journal, folded by a client, says something else than the rows."""
    found: list[str] = []
    for part in rows:
        left, right = _told(part, folded[part]), _told(part, rows[part])
        found += [
            f"{part} {key}: the journal says {left.get(key)}, the row {right.get(key)}"
            for key in sorted(left.keys() | right.keys())
            if left.get(key) != right.get(key)
        ]
    return found


def _told(part: str, rows: dict[str, Any]) -> dict[str, Any]:
    """Without tasks that were planned and not begun: no entry names them before they move."""
    if part != "tasks":
        return rows
    return {
        pk: {**row, "run": ""}
        for pk, row in rows.items()
        if row["state"] != "waiting" and not (row["state"] == "cancelled" and row["assignee"] is None)
    }
