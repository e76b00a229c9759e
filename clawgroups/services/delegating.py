"""Passing on a task that one is asked for: the question goes to somebody else, and comes back if they say no."""

from __future__ import annotations

from concurrent.futures import Future
from uuid import UUID

from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.asking_events import TaskDelegated
from clawgroups.core.changes import Change, Expect, Fact, Outcome, Update
from clawgroups.core.errors import Conflict
from clawgroups.models import Member, Task
from clawgroups.permissions import get_task, require
from clawgroups.services import passing
from clawgroups.services.asking import asked_seat, check_room, person_here, still_asked
from clawgroups.services.workspaces import clean_text

MAX_HOPS = 3


def delegate_task(
    task_id: UUID, *, member_id: UUID, note: str = "", anyway: bool = False, actor: Actor, operation: str = ""
) -> Future[Outcome]:
    """Ask another person in one's place, with a note. They have as long to answer as one had.

    Raises `Conflict` for whoever had it before, after three hops, and (unless `anyway`) for who has their hands full.
    """
    task = get_task(actor, task_id, "task.delegate")
    expects = require(actor, "task.delegate", task.workspace_id)
    now = timezone.now()
    seat = asked_seat(task, actor, now)
    member = person_here(task, member_id)
    _check_way(task, seat, member)
    check_room(task, member, now, anyway=anyway)
    note = clean_text(note, what="Note", limit=passing.MAX_NOTE)
    given = [*task.brief.get("given", []), passing.hop(seat, member, note, passing.PASSED)]
    brief = {key: value for key, value in task.brief.items() if key != "returned"}
    if brief.get("only") == str(seat.pk):
        brief.pop("only")
    reason = f"{seat.name} asks {member.name} to do it instead: take it over, or say “not this one”."
    values = passing.asks(task, member, now, brief=brief, given=given, reason=reason)
    fact = TaskDelegated(task_id=task.pk, member_id=seat.pk, to_id=member.pk, note=note)
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            (*expects, Expect("clawgroups.Member", member.pk, {"left_at": None})),
            (Update("clawgroups.Task", task.pk, values, still_asked(task)),),
            (Fact(task.workspace_id, fact),),
            operation,
            verb="task.delegate",
            answer={"id": str(task.pk), "member": str(member.pk), "hops": _passed(given)},
        )
    )


def _check_way(task: Task, seat: Member, member: Member) -> None:
    given = task.brief.get("given", [])
    before = {str(seat.pk), *(one[end] for one in given for end in ("from", "to"))}
    if str(member.pk) in before:
        whose = "You are asked yourself" if member.pk == seat.pk else f"{member.name} had it before you"
        raise Conflict(f"{whose}. Ask somebody else, or say “not this one”.", code="had_it_before")
    if _passed(given) >= MAX_HOPS:
        raise Conflict(
            f"It was passed on {MAX_HOPS} times already. Take it, or say “not this one”, and it goes back.",
            code="too_many_hops",
        )


def _passed(given: list[dict[str, str]]) -> int:
    return sum(1 for one in given if one["how"] == passing.PASSED)
