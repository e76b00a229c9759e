"""What became of a task that was given away: on its way, being read, understood, or back; and what is asked of whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from clawgroups.core.failures import Failure
from clawgroups.core.lifecycle import ATTEMPT_LIVE
from clawgroups.models import Attempt, Member, Task
from clawgroups.queries import asked_now

WAITING = ("looking", "asked", "offered", "reading")


@dataclass(frozen=True, slots=True)
class Handed:
    """A hand-back on its way. `state`: looking (for somebody), asked (a person), offered (not begun), reading (its
    answer is waited for until `until`), understood (`text`), or back (`reason`)."""

    state: str
    giver: str
    who: str = ""
    text: str = ""
    until: datetime | None = None
    reason: str = ""

    @property
    def waits(self) -> bool:
        """Whether an acknowledgement is still to come."""
        return self.state in WAITING


def handed_of(task: Task, attempts: Sequence[Attempt], now: datetime) -> Handed | None:
    """Where the last hand-back of a task stands; None where there was none, or somebody holds the task."""
    back = task.brief.get("handback") or {}
    if not back.get("attempt"):
        return None
    giver = str(back.get("from", ""))
    told = [one for one in attempts if one.member.agent_id and _is_of(one, back)]
    heard = next((one for one in reversed(told) if one.acknowledgement), None)
    if heard is not None:
        return Handed("understood", giver, heard.member.name, heard.acknowledgement)
    last = told[-1] if told else None
    if last is not None and last.state in ATTEMPT_LIVE:
        begun = last.state == "working"
        return Handed("reading" if begun else "offered", giver, last.member.name, until=last.start_by)
    if task.state not in ("ready", "stuck"):
        return None
    if last is not None and last.failure == Failure.NOT_ACKNOWLEDGED and task.state == "stuck":
        return Handed("back", giver, last.member.name, reason=last.reason)
    if asked_now(task, now):
        return Handed("asked", giver, task.next_actor, until=task.deadline_at)
    return Handed("looking", giver, reason=task.reason, until=task.deadline_at)


def _is_of(attempt: Attempt, back: dict[str, Any]) -> bool:
    return bool((attempt.brief.get("handback") or {}).get("attempt") == back["attempt"])


@dataclass(frozen=True, slots=True)
class Question:
    """A task that somebody is asked to do, as they see it. `busy`: what they have in hand, of `seat.capacity`."""

    task: Task
    seat: Member
    hops: tuple[dict[str, str], ...] = ()
    returned: dict[str, Any] | None = None
    busy: int = 0
    others: tuple[Member, ...] = ()

    @property
    def asker(self) -> str:
        """Who asks; empty: the coordinator."""
        return self.hops[-1]["from_name"] if self.hops else ""

    @property
    def note(self) -> str:
        """What was said with it."""
        return self.hops[-1]["note"] if self.hops else ""

    @property
    def goes_back(self) -> str:
        """Who has it back after a “no”; empty: somebody else is looked for."""
        return self.asker if self.hops and self.hops[-1]["how"] != "chosen" else ""

    @property
    def too_many(self) -> bool:
        """Whether it would be more than they said they take on; nothing of who said nothing."""
        return 0 < self.seat.capacity <= self.busy

    @property
    def after(self) -> int:
        """How many they would have in hand."""
        return self.busy + 1


def question_of(task: Task, seat: Member, busy: int, team: Sequence[Member]) -> Question:
    """The question to this seat, with those whom it can be passed on to. `busy`: without this one."""
    given = task.brief.get("given") or []
    hops = tuple(given) if given and given[-1]["to"] == str(seat.pk) else ()
    had = {str(seat.pk), *(one[end] for one in hops for end in ("from", "to"))}
    others = tuple(one for one in team if str(one.pk) not in had)
    return Question(task, seat, hops, task.brief.get("returned"), busy, others)


def team_of(workspaces: Sequence[UUID]) -> dict[UUID, list[Member]]:
    """Those who may do tasks, by workspace and name."""
    here = Q(workspace__in=workspaces, left_at=None, user__is_active=True, role__in=("owner", "admin", "member"))
    found: dict[UUID, list[Member]] = {}
    for member in Member.objects.filter(here).order_by("name"):
        found.setdefault(member.workspace_id, []).append(member)
    return found
