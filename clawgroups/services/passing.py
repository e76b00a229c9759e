"""The question to a person whether they would do a task, as part of a larger change: who gave it to whom, and back.

It stands in the task's brief: `asked` (everybody who was, whoever is now last), `given` (the hops that led to whoever
is asked now), `returned` (who said no to it, while it is back with whoever gave it). Until when stands in `not_before`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from clawgroups.core.actors import SYSTEM
from clawgroups.core.asking_events import TaskDeclined
from clawgroups.core.changes import Fact
from clawgroups.core.task_events import TaskReady
from clawgroups.core.timers import after, wait_for_asked
from clawgroups.models import Member, Task
from clawgroups.permissions import ACTIONS
from clawgroups.services.attempts import Decision
from clawgroups.services.deadlines import timers_of, wait_of_ready, waits
from clawgroups.services.messages import message

MOST = 20  # asked or refusing members that a task remembers
MAX_NOTE = 5000
# How a task came to whoever is asked: out of its holder's hands, passed on, or by somebody's choice.
HANDED, PASSED, CHOSEN = "handed", "passed", "chosen"


def hop(giver: Member, to: Member, note: str, how: str) -> dict[str, str]:
    """One step of a task's way to whoever is asked for it."""
    names = {"from": str(giver.pk), "from_name": giver.name, "to": str(to.pk), "to_name": to.name}
    return {**names, "note": note, "how": how}


def last_hop(task: Task) -> dict[str, str]:
    """How the task came to whoever is asked now; empty where the coordinator asks."""
    given = task.brief.get("given") or []
    asked = task.brief.get("asked") or []
    return dict(given[-1]) if given and asked and given[-1]["to"] == asked[-1] else {}


def asks(
    task: Task, member: Member, now: datetime, *, brief: dict[str, Any], given: list[dict[str, str]], reason: str = ""
) -> dict[str, Any]:
    """The columns of a ready task for which this person is asked from now on."""
    timers = timers_of(task.workspace)
    came = given[-1] if given and given[-1]["to"] == str(member.pk) and given[-1]["how"] != CHOSEN else None
    wait = wait_for_asked(now, timers, member.name, came["from_name"] if came else "")
    assert wait.deadline is not None
    chosen = str(member.pk)
    asked = [*(one for one in brief.get("asked", []) if one != chosen), chosen][-MOST:]
    brief = {**brief, "asked": asked, "given": given}
    brief["refused"] = [one for one in brief.get("refused", []) if one != chosen or not given]
    if not given:
        del brief["given"]
    if not brief["refused"]:
        del brief["refused"]
    return {
        "brief": brief,
        # Who had it gets it back before the coordinator looks at it again.
        "not_before": after(wait.deadline, timers.grace) if given else wait.deadline,
        "reason": reason or f"{member.name} is asked to do it.",
        **waits(task, wait, now),
    }


@dataclass(frozen=True, slots=True)
class Back:
    """What becomes of a task when whoever was asked does not take it."""

    values: dict[str, Any]
    decision: Decision


def goes_back(task: Task, seat: Member, now: datetime, *, reason: str = "", silent: bool = False) -> Back:
    """It is whoever's gave it, and they are told; where nobody did, the coordinator looks for the next one."""
    came = last_hop(task)
    giver = _still_here(task, came.get("from"))
    said = "did not answer" if silent else f"said “not this one”{f': {reason}' if reason else ''}"
    brief = {key: value for key, value in task.brief.items() if key not in ("given", "returned")}
    if not silent:
        brief["asked"] = [one for one in brief["asked"] if one != str(seat.pk)]
        brief["refused"] = [*brief.get("refused", []), str(seat.pk)][-MOST:]
    if brief.get("only") == str(seat.pk):
        brief.pop("only")
    mine = giver is not None and came["how"] != CHOSEN
    decision = Decision()
    told = TaskDeclined(
        task_id=task.pk,
        run_id=task.run_id,
        member_id=seat.pk,
        reason=reason,
        silent=silent,
        back_to=giver.pk if giver is not None and mine else None,
    )
    decision.facts.append(Fact(task.workspace_id, told))
    if giver is not None:
        decision.add(_tell(task, giver, f"{seat.name} {said}.", mine=mine))
    if giver is not None and mine:
        brief["returned"] = {"from": seat.name, "reason": reason, "silent": silent}
        reason = f"{seat.name} {said}. It is back with {giver.name}."
        values = asks(task, giver, now, brief=brief, given=task.brief["given"][:-1], reason=reason)
        return Back(values, decision)
    decision.facts.append(Fact(task.workspace_id, TaskReady(task_id=task.pk, run_id=task.run_id)))
    values = {
        "brief": brief,
        "not_before": None,
        "reason": f"{seat.name} was asked and did not answer." if silent else f"{seat.name} {said}.",
        **waits(task, wait_of_ready(task, now), now),
    }
    return Back(values, decision)


def _still_here(task: Task, member_id: str | None) -> Member | None:
    """Whoever gave a task, while they may have one."""
    if not member_id:
        return None
    roles = [role.value for role in ACTIONS["task.take_over"].roles]
    here = Member.objects.filter(workspace=task.workspace_id, left_at=None, role__in=roles, user__is_active=True)
    return here.filter(pk=UUID(member_id)).first()


def _tell(task: Task, giver: Member, said: str, *, mine: bool) -> Decision:
    then = "It is back with you: take it, or give it to somebody else." if mine else "Somebody else is looked for."
    body = f"@{giver.handle}: “{task.title}”: {said} {then}"
    row, fact = message(task.workspace_id, body=body, actor=SYSTEM, task_id=task.pk)
    return Decision([row], [fact])
