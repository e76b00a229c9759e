"""Whom a question of an agent is put to: who holds its task, then the agent's owner, then everybody who may answer.

It is put to one person for a time, and then to the next ones, too. Whoever may answer may do so wherever they see it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from clawgroups.core.timers import after
from clawgroups.models import Approval, Member, Session, Task, Vote, Workspace
from clawgroups.permissions import ACTIONS
from clawgroups.services.deadlines import timers_of

MAY_ANSWER = tuple(role.value for role in ACTIONS["approval.decide"].roles)


def who_may_answer(workspace_id: Any) -> QuerySet[Member]:
    """The people here who may answer what agents ask."""
    return Member.objects.filter(workspace=workspace_id, left_at=None, user__is_active=True, role__in=MAY_ANSWER)


def put_first(task: Task, session: Session, now: datetime, *, needed: int = 1) -> dict[str, Any]:
    """The columns of a new question: the first person whom it is put to, and until when it waits for them alone.

    One that several must agree to is put to everybody at once.
    """
    return _put_to(task, _one_by_one(task, session) if needed == 1 else [], now)


def put_next(approval: Approval, now: datetime) -> dict[str, Any]:
    """The columns of a question that the person it is put to has not answered in time, or cannot answer any more."""
    line = _one_by_one(approval.task, approval.session)
    ids = [member.pk for member in line]
    rest = line[ids.index(approval.asked_of_id) + 1 :] if approval.asked_of_id in ids else line
    return _put_to(approval.task, rest, now)


def _put_to(task: Task, line: list[Member], now: datetime) -> dict[str, Any]:
    if not line:
        return {"asked_of_id": None, "escalates_at": None}
    alone = len(line) == 1 and not who_may_answer(task.workspace_id).exclude(pk=line[0].pk).exists()
    return {"asked_of_id": line[0].pk, "escalates_at": None if alone else after(now, _patience(task.workspace))}


def _one_by_one(task: Task, session: Session) -> list[Member]:
    """Those who are asked by themselves, in their order."""
    able = who_may_answer(task.workspace_id)
    holder = able.filter(pk=task.holder_id).first() if task.holder_id is not None else None
    owner = able.filter(user=session.agent.owner_id).first()
    return [one for one in dict.fromkeys((holder, owner)) if one is not None]


def _patience(workspace: Workspace) -> float:
    """Seconds for one person; never so many that nobody else is asked before the question expires."""
    timers = timers_of(workspace)
    return min(timers.escalate, timers.approval / 3)


def put_to(user: User | int) -> Q:
    """Questions (rows of `Approval`) that are put to a person now; not those that they have agreed to already.

    As who holds the task, as who is asked, or as one of everybody who may answer in that workspace.
    """
    seats = Member.objects.filter(user=user, left_at=None, role__in=MAY_ANSWER)
    mine = Q(task__holder__in=seats) | Q(asked_of__in=seats) | Q(asked_of=None)
    agreed = Vote.objects.filter(member__in=seats).values("approval")
    return Q(workspace__in=seats.values("workspace")) & mine & ~Q(pk__in=agreed)
