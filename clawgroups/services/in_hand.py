"""The attempts in agents' hands: what the two clocks say of each, and noting it.

`survey` looks at all of them in three light queries; only those with something new are loaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F, QuerySet

from agents.models import Connection
from clawgroups import commit
from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Change, Fact, Outcome, Update
from clawgroups.core.clocks import InHand, Sign, noted, overdue, sign
from clawgroups.core.events import Event
from clawgroups.core.failures import Failure
from clawgroups.core.task_events import AttemptQuiet, AttemptStirred, ContactLost, ContactRestored
from clawgroups.core.timers import Timers
from clawgroups.models import Attempt, Session, Task, Workspace
from clawgroups.planned import Planned
from clawgroups.services.attempts import Decision, fence
from clawgroups.services.deadlines import in_hand, timers_of, waits_in_hand

LIVE = ("offered", "working")


@dataclass(frozen=True, slots=True)
class Found:
    """An attempt of which something is new: it is overdue, or something is to be noted."""

    attempt: Attempt
    failure: Failure | None = None
    sign: Sign | None = None


def survey(now: datetime, *, expire: bool) -> list[Found]:
    """Every attempt in an agent's hands of which something is new. Without `expire` none is overdue."""
    rows = _live()
    if not rows:
        return []
    heard, newest = _heard()
    links = _links()
    timers = timers_by(row[1] for row in rows)
    new: dict[UUID, tuple[Failure | None, Sign | None]] = {}
    for pk, workspace_id, agent_id, state, resting, contact, start, close, back, progress, quiet, repeats in rows:
        link = links.get(pk)
        seen = newest.get(agent_id) if link is None else heard.get(link)
        work = InHand(
            state == "working", contact, start, close, back, progress, quiet, repeats, resting is not None, seen
        )
        failure = overdue(work, timers[workspace_id], now) if expire else None
        noticed = None if failure else sign(work, timers[workspace_id], now)
        if failure or noticed:
            new[pk] = (failure, noticed)
    return [Found(attempt, *new[attempt.pk]) for attempt in _loaded(new)]


_live: Planned[Any] = Planned(
    lambda: Attempt.objects.filter(
        state__in=LIVE, epoch=F("task__epoch"), task__state__in=["assigned", "working"], member__agent__isnull=False
    ).values_list(
        "pk", "workspace_id", "member__agent_id", "state", "task__resting_since",
        "contact", "start_by", "close_by", "back_by", "progress_at", "quiet_since", "repeats",
    )
)  # fmt: skip
_open_links: Planned[tuple[UUID, UUID, datetime]] = Planned(
    lambda: Connection.objects.filter(closed_at=None).order_by("epoch").values_list("pk", "agent_id", "seen_at")
)
_carrying: Planned[tuple[UUID, UUID | None]] = Planned(
    lambda: Session.objects.filter(
        attempt__state__in=LIVE, state__in=["opening", "open"], link__isnull=False
    ).values_list("attempt_id", "link")
)
_timers_of: Planned[tuple[UUID, dict[str, Any]]] = Planned(
    lambda ids: Workspace.objects.filter(pk__in=ids).values_list("pk", "timers")
)


def timers_by(workspace_ids: Iterable[UUID]) -> dict[UUID, Timers]:
    """The deadlines of these workspaces."""
    rows = _timers_of(set(workspace_ids))
    return {pk: Timers().overridden(own).scaled(settings.CLOCK_SCALE) for pk, own in rows}


def _heard() -> tuple[dict[UUID, datetime], dict[UUID, datetime]]:
    """The last sign of life of each open link, and of each agent."""
    rows = _open_links()
    return {link: seen for link, _, seen in rows}, {agent: seen for _, agent, seen in rows}


def _links() -> dict[UUID, UUID]:
    """The link that each live attempt's session is on, once it is on one."""
    return {attempt: link for attempt, link in _carrying() if link is not None}


def _loaded(pks: Iterable[UUID]) -> list[Attempt]:
    found = list(pks)
    return _attempts_of(found) if found else []


_attempts_of: Planned[Attempt] = Planned(
    lambda pks: (
        Attempt.objects.select_related("task__run", "task__workspace", "member").filter(pk__in=pks).order_by("pk")
    )
)


def note(attempt: Attempt, new: Sign, now: datetime) -> Future[Outcome]:
    """Note a sign of an attempt, its row as `survey` loaded it."""
    decision = decided(attempt, new, now)
    return commit.submit(
        Change(
            SYSTEM,
            attempt.workspace_id,
            writes=tuple(decision.writes),
            facts=tuple(decision.facts),
            verb=f"attempt.{new.name.lower()}",
        )
    )


def decided(attempt: Attempt, new: Sign, now: datetime) -> Decision:
    """A sign of an attempt as part of a larger change: its columns, what its task waits for, the fact."""
    task, work = attempt.task, in_hand(attempt)
    columns = noted(work, new, timers_of(task.workspace), now)
    expect = {"state": attempt.state, "contact": attempt.contact, "quiet_since": attempt.quiet_since}
    if new in (Sign.QUIET, Sign.STIRRED):
        expect["progress_at"] = attempt.progress_at
    shown = {}
    if task.resting_since is None:
        shown = waits_in_hand(task, in_hand(attempt, **columns), attempt.member.name, now)
    return Decision(
        [
            Update("clawgroups.Attempt", attempt.pk, columns, expect),
            Update("clawgroups.Task", task.pk, shown, {**fence(task), "resting_since": task.resting_since}),
        ],
        [Fact(attempt.workspace_id, _fact(attempt, task, new))],
    )


def _fact(attempt: Attempt, task: Task, new: Sign) -> Event:
    about = {"task_id": task.pk, "attempt_id": attempt.pk}
    match new:
        case Sign.LOST:
            return ContactLost(**about)
        case Sign.BACK:
            return ContactRestored(**about)
        case Sign.STIRRED:
            return AttemptStirred(**about)
        case Sign.QUIET:
            timers = timers_of(task.workspace)
            assert attempt.progress_at is not None
            end = attempt.progress_at + timedelta(seconds=timers.hard_stall)
            said = f"no sign of progress since {attempt.progress_at:%H:%M:%S} UTC; taken back at {end:%H:%M:%S} UTC"
            return AttemptQuiet(**about, reason=said)


def carried_by(agent_id: UUID, link: UUID) -> list[Attempt]:
    """Attempts in an agent's hands that this link carries, or that no link carries yet."""
    return _loaded(_carried_by(agent_id, link))


def _carried(agent_id: UUID, link: UUID) -> QuerySet[Any, UUID]:
    live = Attempt.objects.filter(
        state__in=LIVE,
        epoch=F("task__epoch"),
        task__state__in=["assigned", "working"],
        member__agent=agent_id,
    )
    elsewhere = Session.objects.filter(
        agent=agent_id, state__in=["opening", "open"], attempt__in=live, link__isnull=False
    ).exclude(link=link)
    return live.exclude(pk__in=elsewhere.values("attempt_id")).values_list("pk", flat=True)


_carried_by: Planned[UUID] = Planned(_carried)
