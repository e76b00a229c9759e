"""A person chooses who does a task: kept with the task, and as an override, from which the matching learns."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from agents.ids import new_id
from clawgroups import commit
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.changes import Change, Delete, Fact, Insert, Outcome, Update, Write
from clawgroups.core.coordination_events import AssigneeChosen
from clawgroups.core.errors import Conflict, Invalid, NotFound
from clawgroups.core.lifecycle import AttemptVerb, TaskVerb, move_task
from clawgroups.core.retries import MAX_TRIES
from clawgroups.core.task_events import TaskReady, TaskReleased
from clawgroups.models import Member, Override, Task
from clawgroups.permissions import get_task, require
from clawgroups.services.attempts import Decision, check_unpaused, end_attempt, fence
from clawgroups.services.deadlines import wait_of_ready, waits
from clawgroups.services.workspaces import clean_text

MAX_NOTE = 5000
BEFORE = ("waiting", "ready", "stuck")
IN_HAND = ("assigned", "working")


def choose_member(
    task_id: UUID, *, member_id: UUID, note: str = "", stop: bool = False, actor: Actor, operation: str = ""
) -> Future[Outcome]:
    """Have a task given to this agent, or this person asked for it, in the coordinator's next turn.

    The turn gives it to nobody else, and says why not where this one may not have it. Whoever has it in hand is
    stopped, one that is at work only with `stop`. Raises `Conflict` where that is not possible now.
    """
    task = get_task(actor, task_id, "task.choose", "proposed")
    expects = require(actor, "task.choose", task.workspace_id)
    member = _member(task, member_id)
    _check(task, member, stop)
    now = timezone.now()
    decision = _moved(task, actor, now)
    values = {"proposed_id": member.pk, "proposal": {"reason": "", "by": actor.name}, "failure": ""}
    note = clean_text(note, what="Note", limit=MAX_NOTE)
    values |= {
        "brief": _brief(task, member, note, actor.name),
        "not_before": None,
        "tries": min(task.tries, MAX_TRIES - 1),
    }
    if task.state in IN_HAND:
        values |= {"epoch": task.epoch + 1, "assignee_id": None, "attempt_id": None}
        values |= {"tries": max(min(task.tries, MAX_TRIES) - 1, 0)}
    if task.state in (*IN_HAND, "stuck"):
        values |= {"state": move_task(task.state, TaskVerb.RELEASE).value}
    if task.state != "waiting":
        values |= {"reason": f"{actor.name} chose {member.name}."}
        values |= waits(task, wait_of_ready(task, now), now)
    decision.writes.append(Update("clawgroups.Task", task.pk, values, {**fence(task), "not_before": task.not_before}))
    decision.writes += _learned(task, member, actor, now)
    fact = AssigneeChosen(task_id=task.pk, member_id=member.pk)
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            expects,
            tuple(decision.writes),
            (*decision.facts, Fact(task.workspace_id, fact)),
            operation,
            verb="task.choose",
            answer={"id": str(task.pk), "member": str(member.pk), "state": values.get("state", task.state)},
            wakes=tuple(decision.wakes),
        )
    )


def _member(task: Task, member_id: UUID) -> Member:
    member = Member.objects.filter(pk=member_id, workspace_id=task.workspace_id, left_at=None).first()
    if member is None:
        raise Invalid("Choose a member of this workspace.", field="member")
    if member.agent_id is None and not member.capacity:
        raise Invalid(
            f"{member.name} has not said what they may be asked for. They can take the task over themselves.",
            field="member",
        )
    return member


def _check(task: Task, member: Member, stop: bool) -> None:
    if task.run.state != "running":
        raise Conflict(
            f"The run is {task.run.state}. Nobody is chosen for its tasks here now; a proposed plan can be edited.",
            code="run_not_running",
        )
    if task.state == "held" and task.holder is not None:
        raise Conflict(f"{task.holder.name} holds this task, and can give it to {member.name}.", code="held")
    if task.state not in (*BEFORE, *IN_HAND):
        raise Conflict(f"This task is {task.state.replace('_', ' ')}; nobody else can be chosen for it now.")
    if task.state in IN_HAND and task.assignee is not None:
        if task.assignee_id == member.pk:
            raise Conflict(f"{member.name} has this task already.", code="same_member")
        if task.state == "working" and not stop:
            raise Conflict(
                f"{task.assignee.name} is at work on it. Say that it is to be stopped; what it did so far is kept.",
                code="at_work",
            )


def _moved(task: Task, actor: Actor, now: datetime) -> Decision:
    """What ends where somebody has it in hand."""
    decision = Decision()
    if task.state == "stuck":
        decision.facts.append(Fact(task.workspace_id, TaskReady(task_id=task.pk, run_id=task.run_id)))
    if task.state not in IN_HAND:
        return decision
    reason = f"{actor.name} chose somebody else"
    if task.attempt is not None and task.attempt.ended_at is None:
        decision.add(end_attempt(task.attempt, AttemptVerb.SUPERSEDE, now, reason=reason))
    released = TaskReleased(task_id=task.pk, attempt_id=task.attempt_id, reason=reason, epoch=task.epoch + 1)
    decision.facts.append(Fact(task.workspace_id, released))
    return decision


def check_chosen(task: Task, member_id: UUID, actor: Actor) -> dict[str, Any]:
    """What a write expects that gives the task to this member. Raises `Conflict` for a paused task, and where a person
    chose another one.

    A turn of the coordinator may have looked at the task before that. People give it to whom they like.
    """
    check_unpaused(task)
    if actor.kind is not ActorKind.COORDINATOR:
        return fence(task)
    only = task.brief.get("only")
    if only and only != str(member_id):
        name = Member.objects.filter(pk=only).values_list("name", flat=True).first() or "Somebody else"
        raise Conflict(f"{name} was chosen for it meanwhile; it goes to nobody else.", code="chosen")
    # A choice leaves the epoch of a ready task as it is.
    return {**fence(task), "brief": task.brief}


def _brief(task: Task, member: Member, note: str, by: str) -> dict[str, Any]:
    """Only this one from now on, also where it refused before or let it pass: a person asks anew."""
    chosen = str(member.pk)
    brief = {**task.brief, "only": chosen, "note": {"from": by, "note": note}}
    if not note:
        del brief["note"]
    for key in ("refused", "asked"):
        if key in brief:
            brief[key] = [one for one in brief[key] if one != chosen]
    if task.attempt_id is not None:
        # The next one goes on from what this one left.
        brief["previous"] = str(task.attempt_id)
    if brief.get("preferred") not in (None, "", chosen):
        brief["preferred"] = ""
    return brief


def _before(task: Task) -> Member | None:
    """Whom it would have gone to, or went to: the last choice, whoever has it, or the first of the ranking."""
    if task.state in IN_HAND:
        return task.assignee
    if task.proposed is not None:
        return task.proposed if task.proposed.left_at is None else None
    ranked = task.match if isinstance(task.match, dict) else {}
    first = ranked.get("chosen") or next(iter(ranked.get("runners_up") or []), None)
    if not isinstance(first, dict):
        return None
    here = Member.objects.filter(workspace_id=task.workspace_id, left_at=None)
    return here.filter(pk=str(first.get("member"))).first()


def _learned(task: Task, chosen: Member, actor: Actor, now: datetime) -> list[Write]:
    """The override that the matching learns from. Of several choices for one task only the last one counts."""
    last = Override.objects.filter(task=task).select_related("proposed").first()
    before = _before(task) if last is None else last.proposed
    writes: list[Write] = [] if last is None else [Delete("clawgroups.Override", last.pk)]
    if before is None or before.pk == chosen.pk:
        return writes
    values = {
        "workspace_id": task.workspace_id,
        "task_id": task.pk,
        "skills": sorted(map(str, task.skills)),
        "proposed_id": before.pk,
        "chosen_id": chosen.pk,
        "actor": actor.as_json(),
        "at": now,
    }
    return [*writes, Insert("clawgroups.Override", new_id(), values)]


def overrides_of(workspace_id: UUID, actor: Actor) -> QuerySet[Override]:
    """What the matching learned from people's choices in a workspace, newest first."""
    require(actor, "task.view", workspace_id)
    return Override.objects.filter(workspace=workspace_id).select_related("task", "proposed", "chosen")


def forget_choice(override_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Have the matching learn nothing from a choice any more. The task stays as it is."""
    found = Override.objects.filter(pk=override_id).first()
    missing = NotFound("There is no such choice, or you may not see it.")
    if found is None:
        raise missing
    try:
        expects = require(actor, "task.choose", found.workspace_id)
    except NotFound:
        raise missing from None
    return commit.submit(
        Change(
            actor,
            found.workspace_id,
            expects,
            (Delete("clawgroups.Override", found.pk),),
            operation=operation,
            verb="task.forget_choice",
            answer={"id": str(found.pk)},
        )
    )
