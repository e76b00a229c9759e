"""What a workspace looks like, as a value: a snapshot is one, and the journal's entries move it on.

`fold` is what a client of the journal socket does: a snapshot at seq n, folded with the entries n+1...m, equals
the snapshot at m (`digest` compares). What no entry carries, a fold of entries alone lacks: tasks that were planned
and still wait for others, and the goal given at the opening.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

State = dict[str, dict[str, Any]]
Payload = Mapping[str, Any]

_OPEN = frozenset({"waiting", "ready", "assigned", "working", "in_review", "held", "stuck"})


def empty() -> State:
    """The state before the first entry."""
    return {"workspace": {}, "members": {}, "runs": {}, "tasks": {}, "approvals": {}}


def digest(state: State) -> str:
    """SHA-256 of the state's canonical JSON: sorted keys, no spaces, UTF-8."""
    canonical = json.dumps(state, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def fold(state: State, entries: Iterable[Mapping[str, Any]]) -> State:
    """The state after `entries` ({"type", "payload"}, in order). `state` is not changed."""
    after: State = {part: {key: _copy(row) for key, row in rows.items()} for part, rows in state.items()}
    for entry in entries:
        step = _STEPS.get(entry["type"])
        if step is not None:
            step(after, entry["payload"])
    return after


def task_row(
    run_id: str | None,
    state: str,
    *,
    epoch: int = 0,
    assignee: str | None = None,
    holder: str | None = None,
    attempt: str | None = None,
) -> dict[str, Any]:
    """A task as the state holds it."""
    return {
        "run": run_id,
        "state": state,
        "epoch": epoch,
        "assignee": assignee,
        "holder": holder,
        "attempt": attempt,
    }


def _copy(row: Any) -> Any:
    return dict(row) if isinstance(row, dict) else row


def _workspace(column: str) -> Callable[[State, Payload], None]:
    def step(state: State, said: Payload) -> None:
        state["workspace"][column] = said[column]

    return step


def _created(state: State, said: Payload) -> None:
    state["workspace"].update(name=said["name"], goal="", rules="")


def _joined(state: State, said: Payload) -> None:
    state["members"][said["member_id"]] = {
        "name": said["name"],
        "role": said["role"],
        "agent": said.get("agent_id"),
        "user": said.get("user_id"),
    }


def _left(state: State, said: Payload) -> None:
    state["members"].pop(said["member_id"], None)


def _role(state: State, said: Payload) -> None:
    if said["member_id"] in state["members"]:
        state["members"][said["member_id"]]["role"] = said["role"]


def _renamed(state: State, said: Payload) -> None:
    for row in state["members"].values():
        if row["agent"] == said["agent_id"]:
            row["name"] = said["name"]


def _drafted(state: State, said: Payload) -> None:
    state["runs"][said["run_id"]] = {"goal": said["goal"], "state": "draft", "paused": False}


def _run(**values: Any) -> Callable[[State, Payload], None]:
    def step(state: State, said: Payload) -> None:
        state["runs"].setdefault(said["run_id"], {"goal": "", "paused": False}).update(values)

    return step


def _run_cancelled(state: State, said: Payload) -> None:
    _run(state="cancelled")(state, said)
    for key, task in state["tasks"].items():
        if task["run"] == said["run_id"] and task["state"] in _OPEN:
            _cancel(state, key)


def _task(state: State, said: Payload) -> dict[str, Any]:
    row: dict[str, Any] = state["tasks"].setdefault(said["task_id"], task_row(said.get("run_id"), "ready"))
    return row


def _cancel(state: State, key: str) -> None:
    row = state["tasks"][key]
    row.update(state="cancelled", holder=None, attempt=None, epoch=row["epoch"] + 1)
    _close_approvals(state, key)


def _close_approvals(state: State, task_id: str) -> None:
    for key in [k for k, approval in state["approvals"].items() if approval["task"] == task_id]:
        del state["approvals"][key]


def _unassigned(to: str) -> Callable[[State, Payload], None]:
    def step(state: State, said: Payload) -> None:
        row = _task(state, said)
        epoch = said.get("epoch")
        row.update(state=to, assignee=None, holder=None, attempt=None)
        row.update(epoch=row["epoch"] if epoch is None else epoch)

    return step


def _assigned(state: State, said: Payload) -> None:
    _task(state, said).update(
        state="assigned",
        epoch=said["epoch"],
        assignee=said["member_id"],
        holder=None,
        attempt=said["attempt_id"],
    )


def _taken_over(state: State, said: Payload) -> None:
    _task(state, said).update(
        state="held",
        epoch=said["epoch"],
        assignee=said["member_id"],
        holder=said["member_id"],
        attempt=said["attempt_id"],
    )


def _moved(to: str) -> Callable[[State, Payload], None]:
    def step(state: State, said: Payload) -> None:
        _task(state, said)["state"] = to

    return step


def _returned(state: State, said: Payload) -> None:
    row = _task(state, said)
    row.update(state="ready", assignee=None, holder=None, attempt=None, epoch=row["epoch"] + 1)


def _submitted(state: State, said: Payload) -> None:
    _task(state, said).update(state="in_review", holder=None)


def _adopted(state: State, said: Payload) -> None:
    _assigned(state, said)
    _submitted(state, said)


def _split(state: State, said: Payload) -> None:
    _unassigned("waiting")(state, said)
    for part in said["parts"]:
        state["tasks"].setdefault(part, task_row(said["run_id"], "waiting"))


def _edited(state: State, said: Payload) -> None:
    for key in said["removed"]:
        state["tasks"].pop(key, None)
    for key in said["added"]:
        state["tasks"].setdefault(key, task_row(said["run_id"], "waiting"))


def _replanned(state: State, said: Payload) -> None:
    for key in said["tasks"]:
        state["tasks"].setdefault(key, task_row(said["run_id"], "waiting"))
    for key in said["again"]:
        row = state["tasks"].setdefault(key, task_row(said["run_id"], "waiting"))
        row.update(state="waiting", assignee=None, holder=None, attempt=None, epoch=row["epoch"] + 1)


def _ended(to: str) -> Callable[[State, Payload], None]:
    def step(state: State, said: Payload) -> None:
        _task(state, said).update(state=to, holder=None)
        _close_approvals(state, said["task_id"])

    return step


def _cancelled(state: State, said: Payload) -> None:
    _task(state, said)
    _cancel(state, said["task_id"])


def _asked(state: State, said: Payload) -> None:
    state["approvals"][said["approval_id"]] = {"task": said["task_id"], "attempt": said["attempt_id"]}


def _answered(state: State, said: Payload) -> None:
    state["approvals"].pop(said["approval_id"], None)


_STEPS: dict[str, Callable[[State, Payload], None]] = {
    "workspace.created": _created,
    "workspace.renamed": _workspace("name"),
    "workspace.goal_set": _workspace("goal"),
    "workspace.rules_set": _workspace("rules"),
    "member.joined": _joined,
    "member.left": _left,
    "member.role_set": _role,
    "agent.profile_set": _renamed,
    "run.drafted": _drafted,
    "run.planning": _run(state="planning"),
    "run.proposed": _run(state="proposed"),
    "run.plan_edited": _edited,
    "run.replan_accepted": _replanned,
    "run.started": _run(state="running", paused=False),
    "run.paused": _run(paused=True),
    "run.resumed": _run(paused=False),
    "run.consolidating": _run(state="consolidating"),
    "run.done": _run(state="done"),
    "run.failed": _run(state="failed"),
    "run.cancelled": _run_cancelled,
    "task.ready": _unassigned("ready"),
    "task.assigned": _assigned,
    "task.begun": _moved("working"),
    "task.submitted": _submitted,
    "task.returned": _returned,
    "task.done": _ended("done"),
    "task.taken_over": _taken_over,
    "task.handed_back": _unassigned("ready"),
    "task.released": _unassigned("ready"),
    "task.late_result_adopted": _adopted,
    "task.regenerated": _unassigned("ready"),
    "task.split": _split,
    "task.stuck": _unassigned("stuck"),
    "task.failed": _ended("failed"),
    "task.cancelled": _cancelled,
    "approval.requested": _asked,
    "approval.decided": _answered,
    "approval.expired": _answered,
    "approval.voided": _answered,
}
