"""Asking a person whether they would do a task: it is theirs only once they take it over, and “not this one” is fine.

How the question stands in the task's brief, and where it goes from there, is in `passing`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count
from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Expect, Fact, Outcome, Update
from clawgroups.core.errors import Conflict, Invalid
from clawgroups.core.lifecycle import TaskVerb, move_task
from clawgroups.core.task_events import TaskParked, TaskReady
from clawgroups.models import Member, Task
from clawgroups.permissions import ACTIONS, get_task, require, seat_of
from clawgroups.queries import asked_now
from clawgroups.services import passing
from clawgroups.services.attempts import fence
from clawgroups.services.choices import check_chosen
from clawgroups.services.workspaces import clean_text

MAX_REASON = 500


def asked_of(users: Iterable[int], now: datetime) -> list[int]:
    """Whom of these people is asked for a task at this moment, once for each of their tasks."""
    waiting = Task.objects.filter(state="ready", blocked_on="person", not_before__gt=now).only(
        "state", "blocked_on", "not_before", "brief"
    )
    seats = [pk for task in waiting if (pk := asked_now(task, now)) is not None]
    if not seats:
        return []
    user_of = dict(Member.objects.filter(pk__in=seats, user_id__in=list(users)).values_list("pk", "user_id"))
    return [user for pk in seats if (user := user_of.get(pk)) is not None]


def load_of(users: Iterable[int], now: datetime) -> Counter[int]:
    """How many tasks these people hold or are asked for at this moment, in any workspace."""
    known = list(users)
    held = Task.objects.filter(state="held", holder__user_id__in=known).order_by().values_list("holder__user_id")
    load: Counter[int] = Counter()
    for user_id, number in held.annotate(n=Count("pk")):
        load[user_id or 0] += number
    load.update(asked_of(known, now))
    return load


def person_here(task: Task, member_id: UUID) -> Member:
    """A person of this workspace who may be given its tasks. Raises `Invalid` saying why somebody may not."""
    member = Member.objects.select_related("user").filter(pk=member_id, workspace_id=task.workspace_id).first()
    if member is None or member.user is None:
        raise Invalid("Choose a person of this workspace.", field="member")
    if member.left_at is not None or not member.user.is_active:
        raise Invalid(f"{member.name} is not here any more. Choose somebody else.", field="member")
    if member.role not in ACTIONS["task.take_over"].roles:
        raise Invalid(f"{member.name} is a {member.role} here and does no tasks. Choose somebody else.", field="member")
    return member


def check_room(task: Task, member: Member, now: datetime, *, anyway: bool) -> None:
    """That a person may be asked by somebody's choice: their hours may be passed over, what they can take on may not.

    Raises `Conflict` saying what speaks against it, unless that is wanted `anyway`.
    """
    missing = [skill for skill in task.skills if skill not in member.skills]
    if anyway or member.user_id is None:
        return
    busy = load_of([member.user_id], now)[member.user_id]
    if not member.capacity:
        said, code = f"{member.name} has not said that they may be asked for tasks", "at_capacity"
    elif busy >= member.capacity:
        said, code = f"{member.name} has {busy} of {member.capacity}", "at_capacity"
    elif missing:
        said, code = f"{member.name} has not said that they can do {', '.join(missing)}", "lacks_skill"
    else:
        return
    fields: dict[str, Any] = {"member": str(member.pk), "busy": busy, "capacity": member.capacity}
    raise Conflict(f"{said}. Choose somebody else, or ask {member.name} anyway.", code=code, **fields)


def ask_member(
    task_id: UUID,
    *,
    member_id: UUID,
    match: Mapping[str, Any] | None = None,
    note: str = "",
    anyway: bool = False,
    actor: Actor,
    operation: str = "",
) -> Future[Outcome]:
    """Ask a person for a ready or stuck task. Nothing is assigned: they take it over, decline, or let it pass.

    A person may ask at any hour, and with `anyway` whom the matching would not ask; they are told of a “no”.
    """
    task = get_task(actor, task_id, "task.assign")
    expects = require(actor, "task.assign", task.workspace_id)
    now, member, chooser = timezone.now(), person_here(task, member_id), seat_of(actor, task.workspace_id)
    by_person = chooser is not None and chooser.user_id is not None and actor.user_id is not None
    if by_person:
        check_room(task, member, now, anyway=anyway)
    elif not member.capacity:
        raise Invalid("Choose a person here who may be asked.", field="member")
    if task.run.state != "running":
        raise Conflict(f"The run is {task.run.state}; nobody is asked now.", code="run_not_running")
    stuck = task.state == "stuck"
    if not stuck and task.state != "ready":
        raise Conflict(f"This task is {task.state.replace('_', ' ')}; it does not wait for anybody to take it.")
    unmoved = {**check_chosen(task, member.pk, actor), "brief": task.brief, "not_before": task.not_before}
    note = clean_text(note, what="Note", limit=passing.MAX_NOTE)
    given = [passing.hop(chooser, member, note, passing.CHOSEN)] if by_person and chooser is not None else []
    brief = {key: value for key, value in task.brief.items() if key != "returned"}
    asked = passing.asks(task, member, now, brief=brief, given=given)
    values = {"state": move_task(task.state, TaskVerb.RELEASE).value if stuck else task.state, **asked}
    values["match"] = dict(task.match if match is None else match)
    parked = Fact(task.workspace_id, TaskParked(task_id=task.pk, reason=str(asked["reason"])))
    ready = [Fact(task.workspace_id, TaskReady(task_id=task.pk, run_id=task.run_id))] if stuck else []
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            (
                *expects,
                Expect("clawgroups.Run", task.run_id, {"state": "running", "paused": False}),
                Expect("clawgroups.Member", member.pk, {"left_at": None}),
            ),
            (Update("clawgroups.Task", task.pk, values, unmoved),),
            (*ready, parked),
            operation,
            verb="task.ask",
            answer={"id": str(task.pk), "member": str(member.pk), "asked": True},
        )
    )


def decline_task(task_id: UUID, *, reason: str = "", actor: Actor, operation: str = "") -> Future[Outcome]:
    """Say “not this one”, and why if one likes: whoever gave it has it back, else somebody else is looked for."""
    task = get_task(actor, task_id, "task.take_over")
    expects = require(actor, "task.take_over", task.workspace_id)
    seat = asked_seat(task, actor, timezone.now())
    reason = clean_text(reason, what="Reason", limit=MAX_REASON)
    back = passing.goes_back(task, seat, timezone.now(), reason=reason)
    write = Update("clawgroups.Task", task.pk, back.values, still_asked(task))
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            expects,
            (write, *back.decision.writes),
            tuple(back.decision.facts),
            operation,
            verb="task.decline",
            answer={"id": str(task.pk), "state": "ready"},
        )
    )


def asked_seat(task: Task, actor: Actor, now: datetime) -> Member:
    """The actor's seat, while they are asked for this task. Raises `Conflict` saying whose it is instead."""
    seat = seat_of(actor, task.workspace_id)
    if seat is None or asked_now(task, now) != seat.pk:
        whose = f" {task.holder.name} holds it." if task.holder else ""
        raise Conflict(f"You are not asked for this task any more.{whose}", code="not_asked")
    return seat


def still_asked(task: Task) -> dict[str, Any]:
    """What a write expects that answers the question: nobody took the task, passed it on or let it pass meanwhile."""
    return {**fence(task), "not_before": task.not_before, "brief": task.brief}
