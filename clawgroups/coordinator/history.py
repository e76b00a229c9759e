"""What the members of a workspace have done lately, and what it cost: read at intervals, since it changes slowly."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Any
from uuid import UUID

from django.db.models import Count, Q

from clawgroups.core.failures import Failure, consequence
from clawgroups.core.match_parts import ANYTHING
from clawgroups.core.record import DAYS, Ended, Tally, read_context, record_of, since_reset
from clawgroups.models import Attempt, Session

KEPT = 10.0  # seconds: a month's record need not be counted anew several times a second
MOST_KEPT = 500  # workspaces
MOST_SESSIONS = 2000  # the newest ones whose cost is looked at
_Groups = dict[UUID, list[Ended]]


@dataclass(frozen=True, slots=True)
class History:
    """By member: what became of its attempts, by skill. By agent: the usual cost of an accepted task in USD."""

    records: Mapping[UUID, Mapping[str, Tally]] = field(default_factory=dict)
    costs: Mapping[UUID, float] = field(default_factory=dict)
    usual_cost: float | None = None


_kept: dict[UUID, tuple[float, History]] = {}
_lock = threading.Lock()


def history_of(workspace_id: UUID, now: datetime) -> History:
    """The history of a workspace, at most `KEPT` seconds old."""
    with _lock:
        read_at, known = _kept.get(workspace_id, (0.0, History()))
    if read_at and time.monotonic() < read_at + KEPT:
        return known
    found = _read(workspace_id, now)
    with _lock:
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        _kept[workspace_id] = time.monotonic(), found
    return found


def forget(workspace_id: UUID | None = None) -> None:
    """Have it read anew next time: of one workspace, or of all."""
    with _lock:
        if workspace_id is None:
            _kept.clear()
        else:
            _kept.pop(workspace_id, None)


def _read(workspace_id: UUID, now: datetime) -> History:
    since = now - timedelta(days=DAYS)
    costs = _costs(workspace_id, since)
    return History(_records(workspace_id, since), costs, median(costs.values()) if costs else None)


def _records(workspace_id: UUID, since: datetime) -> dict[UUID, dict[str, Tally]]:
    """Counted by the database; row by row only for agents whose record was reset for some skill."""
    ended = Attempt.objects.filter(workspace=workspace_id, ended_at__gte=since, member__agent__isnull=False)
    never = Q(member__agent__record_since={})
    columns = ("member_id", "task__skills", "state", "failure")
    groups: _Groups = {}
    counted = ended.filter(never).values_list(*columns).annotate(number=Count("pk")).order_by()
    for member_id, skills, state, failure, number in counted:
        _add(groups, member_id, Ended(skills, state, failure, number))
    for member_id, skills, state, failure, at, resets in ended.exclude(never).values_list(
        *columns, "ended_at", "member__agent__record_since"
    ):
        if at is not None and (kept := since_reset(Ended(skills, state, failure, 1), at, resets)):
            _add(groups, member_id, kept)
    return {member_id: _folded(mine) for member_id, mine in groups.items()}


def _add(groups: _Groups, member_id: UUID, group: Ended) -> None:
    if _answers_for(group):
        groups.setdefault(member_id, []).append(group)


def _answers_for(group: Ended) -> bool:
    """Whether the agent answers for how it ended: not where it was interrupted by somebody else."""
    if group.state in ("accepted", "returned") or group.failure not in set(Failure):
        return True
    return consequence(Failure(group.failure)).against_agent


def _folded(groups: Iterable[Ended]) -> dict[str, Tally]:
    record = record_of(groups)
    return {**record.skills, ANYTHING: record.total} if record.total.total else {}


def _costs(workspace_id: UUID, since: datetime) -> dict[UUID, float]:
    """The median of what the agents have told that their sessions cost which ended in accepted work."""
    told = Session.objects.filter(workspace=workspace_id, attempt__state="accepted", opened_at__gte=since)
    told = told.exclude(told={}).order_by("-opened_at")
    found: dict[UUID, list[float]] = {}
    for agent_id, usage in told.values_list("agent_id", "told__usage")[:MOST_SESSIONS]:
        if (cost := _usd(usage)) is not None:
            found.setdefault(agent_id, []).append(cost)
    return {agent_id: median(costs) for agent_id, costs in found.items()}


def _usd(usage: Any) -> float | None:
    # Other currencies are shown where they are told, but not compared.
    context = read_context(usage)
    return context.cost if context is not None and context.currency.upper() in ("", "USD") else None
