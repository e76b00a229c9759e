"""A held task is handed back, or given to somebody else, with what the person changed and says."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from clawgroups import commit
from clawgroups.core.acceptance import Verdict
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Expect, Fact, Outcome, Update
from clawgroups.core.errors import Invalid
from clawgroups.core.lifecycle import AttemptVerb, TaskVerb, move_task
from clawgroups.core.retries import MAX_TRIES
from clawgroups.core.task_events import TaskHandedBack
from clawgroups.models import Attempt, Member, Task
from clawgroups.permissions import get_task, require
from clawgroups.services import asking, choices, passing
from clawgroups.services.asked_for import voided
from clawgroups.services.attempts import end_attempt, fence
from clawgroups.services.deadlines import wait_of_ready, waits
from clawgroups.services.drafts import clean_draft, keeps, typed_row, unsaved
from clawgroups.services.handback_brief import given_back
from clawgroups.services.hands import check_seen, held
from clawgroups.services.workspaces import clean_text


@dataclass(frozen=True, slots=True)
class Giving:
    """What goes along with a task that is given away.

    `text` is what stands in the editor; it goes along in this very change, so that a save that is still under way
    cannot put an older text in its place. Without it the newest saved version goes along. `verdicts`: what the checks
    say of it. `epoch`: the one the person looked at, where the door knows it.
    """

    note: str = ""
    text: str | None = None
    verdicts: Sequence[Verdict] = ()
    epoch: int | None = None


@keeps("text")
def hand_back(
    task_id: UUID,
    *,
    actor: Actor,
    note: str = "",
    text: str | None = None,
    verdicts: Sequence[Verdict] = (),
    epoch: int | None = None,
    operation: str = "",
) -> Future[Outcome]:
    """Give a held task back with what `Giving` says; what the person changed becomes the next one's brief.

    Raises `Conflict` naming whoever holds it, where that is not the actor, or no longer in this very hold.
    """
    task, attempt = held(task_id, actor)
    return _give(task, attempt, actor, Giving(note, text, verdicts, epoch), None, operation)


@keeps("text")
def reassign_task(
    task_id: UUID,
    *,
    member_id: UUID,
    actor: Actor,
    note: str = "",
    text: str | None = None,
    verdicts: Sequence[Verdict] = (),
    epoch: int | None = None,
    anyway: bool = False,
    stop: bool = False,
    operation: str = "",
) -> Future[Outcome]:
    """Give a task to a certain agent, or ask a certain person; where one holds it, with all that `Giving` says.

    One that nobody holds goes there by the coordinator's next turn, or a person is asked at once; `stop`: also where
    an agent is at work on it. `anyway`: also to a person whose hands are full. Raises `Conflict` saying why not.
    """
    task = get_task(actor, task_id, "task.hold")
    if task.state != "held":
        check_seen(task, epoch)
        return _chosen(task, member_id, note, actor, anyway=anyway, stop=stop, operation=operation)
    task, attempt = held(task_id, actor)
    if member_id == attempt.member_id:
        raise Invalid("It is in your own hands. Choose somebody else.", field="member")
    receiver = _receiver(task, member_id, anyway=anyway)
    return _give(task, attempt, actor, Giving(note, text, verdicts, epoch), receiver, operation)


def _chosen(
    task: Task, member_id: UUID, note: str, actor: Actor, *, anyway: bool, stop: bool, operation: str
) -> Future[Outcome]:
    """The door for a task that nobody holds."""
    person = Member.objects.filter(pk=member_id, workspace_id=task.workspace_id, user__isnull=False).exists()
    if person and task.state in ("ready", "stuck"):
        return asking.ask_member(
            task.pk, member_id=member_id, note=note, anyway=anyway, actor=actor, operation=operation
        )
    return choices.choose_member(task.pk, member_id=member_id, note=note, stop=stop, actor=actor, operation=operation)


def _receiver(task: Task, member_id: UUID, *, anyway: bool) -> Member:
    member = Member.objects.select_related("agent").filter(pk=member_id, workspace_id=task.workspace_id).first()
    if member is None:
        raise Invalid("Choose a member of this workspace.", field="member")
    if member.agent is None:
        person = asking.person_here(task, member_id)
        asking.check_room(task, person, timezone.now(), anyway=anyway)
        return person
    if member.left_at is not None or member.agent.retired_at is not None:
        raise Invalid(f"{member.name} is not here any more. Choose somebody else.", field="member")
    return member


def _give(
    task: Task, attempt: Attempt, actor: Actor, giving: Giving, member: Member | None, operation: str
) -> Future[Outcome]:
    # What is saved while this is decided goes along, too: then it is decided again.
    unmoved = Expect("clawgroups.Attempt", attempt.pk, unsaved(attempt))
    expects = (*require(actor, "task.hold", task.workspace_id), unmoved)
    check_seen(task, giving.epoch)
    note = clean_text(giving.note, what="Note", limit=passing.MAX_NOTE)
    now, text = timezone.now(), giving.text
    decision = end_attempt(attempt, AttemptVerb.SUPERSEDE, now, reason="handed back")
    decision.add(voided(task, now))
    if text is not None:
        text = clean_draft(text)
        decision.writes += typed_row(attempt, text, actor)
    if member is not None:
        expects = (*expects, Expect("clawgroups.Member", member.pk, {"left_at": None}))
    brief = given_back(task, attempt, note, text, giving.verdicts)
    epoch = task.epoch + 1
    values = {
        "state": move_task(task.state, TaskVerb.HAND_BACK).value,
        "epoch": epoch,
        "holder_id": None,
        "assignee_id": None,
        "attempt_id": None,
        "tries": min(max(task.tries, 1), MAX_TRIES) - 1,
        **_onward(task, attempt.member, member, note, brief, now),
    }
    to = None if member is None else member.pk
    fact = TaskHandedBack(task_id=task.pk, member_id=attempt.member_id, epoch=epoch, to_id=to)
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            expects,
            (*decision.writes, Update("clawgroups.Task", task.pk, values, fence(task))),
            (*decision.facts, Fact(task.workspace_id, fact)),
            operation,
            verb="task.hand_back",
            answer={"id": str(task.pk), "state": "ready", "epoch": epoch, "to": None if to is None else str(to)},
            wakes=tuple(decision.wakes),
        )
    )


def _onward(
    task: Task, giver: Member, member: Member | None, note: str, brief: dict[str, Any], now: datetime
) -> dict[str, Any]:
    """Where it goes from here: to a person who is asked, to this agent and no other, or to whom it fits best."""
    if member is not None and member.user_id is not None:
        given = [passing.hop(giver, member, note, passing.HANDED)]
        reason = f"{giver.name} asks {member.name} to go on with it: take it over, or say “not this one”."
        return passing.asks(task, member, now, brief=brief, given=given, reason=reason)
    if member is not None:
        chosen = str(member.pk)
        # Chosen anew: what it said before does not stand against it.
        refused = [one for one in brief.get("refused", []) if one != chosen]
        brief = {**brief, "preferred": chosen, "only": chosen, "refused": refused}
    return {"brief": brief, "not_before": None, **waits(task, wait_of_ready(task, now), now)}
