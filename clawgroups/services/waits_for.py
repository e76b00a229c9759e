"""What waits for a person in all their workspaces, and what they are told of it elsewhere than on our pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from clawgroups.core.lifecycle import TASK_TERMINAL
from clawgroups.models import Approval, Member, Run, Task
from clawgroups.permissions import ACTIONS

MOST = 100


def open_asks(user_id: int | None) -> QuerySet[Approval]:
    """Questions of agents that this person may answer."""
    return Approval.objects.filter(workspace__in=_where(user_id, "approval.decide"), state="open")


def held_up(user_id: int | None) -> Q:
    """Tasks that wait for a person; what somebody else holds is that person's."""
    mine = Q(workspace__in=_where(user_id, "task.take_over"), blocked_on="person", run__state="running")
    free = Q(holder=None) | Q(holder__user_id=user_id)
    # One that somebody is asked to do is theirs to answer.
    names = Member.objects.filter(user=user_id, left_at=None).values("name")
    free &= ~Q(state="ready") | Q(next_actor__in=names)
    return mine & free & ~Q(state__in=[s.value for s in TASK_TERMINAL])


def plans(user_id: int | None) -> Q:
    """Plans to check, and goals that the coordinator asks about."""
    asked = Q(workspace__in=_where(user_id, "run.answer"), state="planning") & ~Q(question="")
    return Q(workspace__in=_where(user_id, "run.start"), state="proposed") | asked


def _where(user_id: int | None, action: str) -> list[UUID]:
    """The workspaces where the person may do this."""
    roles = [role.value for role in ACTIONS[action].roles]
    seats = Member.objects.filter(user=user_id, left_at=None, role__in=roles)
    return list(seats.values_list("workspace_id", flat=True))


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing that waits for a person, in our own words: nothing of what an agent wants to do exactly."""

    key: str
    """Says which it is, also the next time; the same thing that waits again later has it again."""
    since: datetime
    room: str
    what: str
    about: str
    path: str


def waiting_for(user_id: int) -> list[Waiting]:
    """What is put to this person and nobody else has in hand, oldest first: what they are told of."""
    found = [*_asks(user_id), *_tasks(user_id), *_plans(user_id)]
    return sorted(found, key=lambda one: (one.since, one.key))[:MOST]


def _asks(user_id: int) -> Iterator[Waiting]:
    put_to = Q(asked_of=None) | Q(asked_of__user_id=user_id)
    rows = open_asks(user_id).filter(put_to).select_related("attempt__member", "task", "workspace")
    for ask in rows.order_by("asked_at")[:MOST]:
        words = {
            "permission": _("%(name)s asks for permission"),
            "form": _("%(name)s has some questions"),
        }.get(ask.kind, _("%(name)s has a question"))
        path = f"{_task_path(ask.task)}#ask-{ask.pk}"
        what = words % {"name": ask.attempt.member.name}
        yield Waiting(f"approval:{ask.pk}", ask.asked_at, ask.workspace.name, what, ask.task.title, path)


def _tasks(user_id: int) -> Iterator[Waiting]:
    """Not what they hold: they know. A task whose agent asks waits by its question."""
    rows = Task.objects.filter(held_up(user_id), holder=None).exclude(approvals__state="open")
    for task in rows.select_related("workspace").order_by("created_at")[:MOST]:
        words = {
            "ready": _("You are asked to do a task"),
            "in_review": _("A result waits to be reviewed"),
            "stuck": _("A task is stuck"),
        }
        since = task.resting_since or task.created_at
        what = words.get(task.state, _("A task waits for a person"))
        yield Waiting(f"task:{task.pk}:{task.state}", since, task.workspace.name, what, task.title, _task_path(task))


def _plans(user_id: int) -> Iterator[Waiting]:
    for run in Run.objects.filter(plans(user_id)).select_related("workspace").order_by("created_at")[:MOST]:
        asks = run.state == "planning"
        what = _("The coordinator asks about a goal") if asks else _("A plan waits for a start")
        key = f"run:{run.pk}:asked-{len(run.answers)}" if asks else f"run:{run.pk}:proposed"
        path = reverse("run", args=[run.workspace_id, run.pk])
        yield Waiting(key, run.created_at, run.workspace.name, what, run.goal[:140], path)


def _task_path(task: Task) -> str:
    return reverse("task", args=[task.workspace_id, task.pk])


def as_json(one: Waiting) -> dict[str, Any]:
    """As scripts and pages get it."""
    said = {"key": one.key, "since": one.since.isoformat().replace("+00:00", "Z"), "workspace": one.room}
    return {**said, "what": one.what, "about": one.about, "path": one.path}
