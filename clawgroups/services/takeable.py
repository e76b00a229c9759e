"""Whether a task can be taken over at this moment, and if not: who has it, since when, and what one can do."""

from __future__ import annotations

from datetime import datetime

from clawgroups.core.durations import say_duration
from clawgroups.core.errors import Conflict
from clawgroups.core.lifecycle import TASK_TERMINAL
from clawgroups.models import Dependency, Member, Task
from clawgroups.services.deadlines import timers_of
from clawgroups.services.overdue import is_offered

IN_HAND = ("assigned", "working")
ENDED = {"done": "is done", "failed": "has failed", "cancelled": "was cancelled"}


def check_takeable(task: Task, seat: Member, *, may_force: bool, now: datetime) -> None:
    """Raises `Conflict` with what is the case and what to do: `already_holder`, `closed`, `waiting`, `held`."""
    if task.holder_id == seat.pk:
        raise Conflict("You hold this task already.", code="already_holder", attempt=str(task.attempt_id))
    if task.state in TASK_TERMINAL:
        raise _closed(task, now)
    if task.state == "waiting":
        raise Conflict(waits_for(task), code="waiting")
    if task.holder is not None and not may_force and not is_offered(task, task.attempt, now):
        raise _held(task, task.holder, now)


def waits_for(task: Task) -> str:
    """What a task waits for that cannot be begun yet, and who is at that."""
    if task.run.state != "running":
        return f"This task has not begun: its run is {task.run.state}. Start the run, then take it over."
    edges = Dependency.objects.filter(task=task).exclude(parent__state="done").select_related("parent__assignee")
    parents = [edge.parent for edge in edges.select_related("parent__holder").order_by("parent__position")]
    if not parents:
        return "This task waits for others; take it over when it is ready."
    said = "; ".join(_parent(parent) for parent in parents[:3])
    more = f"; and {len(parents) - 3} more" if len(parents) > 3 else ""
    return f"This task waits for {said}{more}. Take that over, or this one when it is ready."


def _parent(parent: Task) -> str:
    if parent.holder is not None:
        return f"“{parent.title}”, which {parent.holder.name} works on"
    if parent.assignee is not None and parent.state in IN_HAND:
        return f"“{parent.title}”, which {parent.assignee.name} works on"
    return f"“{parent.title}”, which is {parent.state.replace('_', ' ')}"


def _closed(task: Task, now: datetime) -> Conflict:
    ago = f" {_ago(task.ended_at, now)}" if task.ended_at else ""
    why = f": {task.reason.rstrip('.')}" if task.reason and task.state != "done" else ""
    late = task.attempts.filter(late_at__isnull=False).exists()
    kept = "A result that came late is kept on its page. " if late else ""
    if task.run.state == "running":
        on = "Its result stays as it is; ask for a change of the plan, or give a new goal, to have it done again."
    else:
        on = "Its result stays as it is; give a new goal to have it done again."
    said = f"“{task.title}” {ENDED[task.state]}{ago}{why}; nobody can take it over. {kept}{on}"
    return Conflict(said, code="closed", state=task.state, ended_at=task.ended_at and task.ended_at.isoformat())


def _held(task: Task, holder: Member, now: datetime) -> Conflict:
    attempt, timers = task.attempt, timers_of(task.workspace)
    since = attempt.offered_at if attempt else None
    idle = (now - (attempt.progress_at or attempt.offered_at)).total_seconds() if attempt else 0.0
    how_long = f" since {say_duration((now - since).total_seconds())}" if since else ""
    ago = say_duration(idle)
    what = f"did something {ago} ago" if idle < timers.holder_remind else f"idle for {ago}"
    left = max(timers.holder_offer - idle, 0)
    said = (
        f"{holder.name} holds this task{how_long} ({what}). Ask them for it on its page. "
        f"If {holder.name} does nothing for {say_duration(left)} more, anybody may take it; an admin may take it now."
    )
    return Conflict(
        said,
        code="held",
        holder=holder.name,
        since=since and since.isoformat(),
        idle_seconds=round(idle),
        next=["ask", "force"],
    )


def _ago(at: datetime, now: datetime) -> str:
    return f"{say_duration((now - at).total_seconds())} ago"
