"""How attempts were stopped: asked when, confirmed when or not at all, and what they spent against somebody's will."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Max, Q

from agents.models import Connection
from agents.protocol import version
from clawgroups.models import Attempt, Command, Part, Session

# How `core.transcript` tells of a tool call after the end of an attempt.
_STEP_ENDED = re.compile(r": (?:completed|failed)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Overrun:
    """How an attempt went on after it was asked to stop; `until` is None while it still does.

    `tokens` and `cost_micro`: what its agent told of after that, a part of which may be from before.
    """

    since: datetime
    until: datetime | None
    steps: int = 0
    tokens: int = 0
    cost_micro: int = 0
    unconfirmed: bool = False
    # When its connection was closed, since it did not confirm.
    closed_at: datetime | None = None

    @property
    def seconds(self) -> float:
        """How long, once it has ended."""
        return 0.0 if self.until is None else max(0.0, (self.until - self.since).total_seconds())

    @property
    def is_worth_telling(self) -> bool:
        """Stopping takes a moment; more than that is spent against somebody's will."""
        return self.until is None or self.seconds >= 1 or self.has_spent

    @property
    def has_spent(self) -> bool:
        """Whether there is anything to tell beside the time."""
        return bool(self.steps or self.tokens or self.cost_micro)

    def as_json(self) -> dict[str, object]:
        return {
            "asked_at": _moment(self.since),
            "stopped_at": _moment(self.until),
            "seconds": None if self.until is None else round(self.seconds, 3),
            "closed_at": _moment(self.closed_at),
            "steps": self.steps,
            "tokens": self.tokens,
            "cost_micro": self.cost_micro,
        }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def overruns_of(attempts: Iterable[Attempt]) -> dict[UUID, Overrun]:
    """The attempts that were asked to stop, and how they went on from there."""
    over = {one.pk: one for one in attempts if one.ended_at is not None and one.stop != "none"}
    # The last time: whoever steers a session stops single turns of it before.
    asked = _moments(Q(attempt__in=over, purpose="cancel"), "created_at")
    if not asked:
        return {}
    prompts = Q(attempt__in=asked, method=version.SESSION_PROMPT)
    ended = _moments(prompts & Q(answered_at__isnull=False), "answered_at")
    gone = _moments(prompts & Q(state="interrupted", session__closed_at__isnull=False), "session__closed_at")
    going_on = set(Command.objects.filter(prompts, state="sent").values_list("attempt_id", flat=True))
    steps, spent, closed = _steps(asked), _spent(asked), _closed(going_on)
    return {
        pk: Overrun(
            since,
            None if pk in going_on else max(since, *(one[pk] for one in (ended, gone) if pk in one), since),
            steps.get(pk, 0),
            *spent.get(pk, (0, 0)),
            over[pk].stop == "unconfirmed",
            closed[pk] if pk in closed and closed[pk] > since else None,
        )
        for pk, since in asked.items()
    }


def _moments(which: Q, column: str) -> dict[UUID, datetime]:
    rows = Command.objects.filter(which).order_by().values("attempt_id").annotate(moment=Max(column))
    return dict(rows.values_list("attempt_id", "moment"))


def _steps(attempts: Iterable[UUID]) -> dict[UUID, int]:
    found: dict[UUID, int] = {}
    notices = Part.objects.filter(attempt__in=list(attempts), kind="notice", after_stop=True)
    for pk, text in notices.values_list("attempt_id", "text"):
        found[pk] = found.get(pk, 0) + len(_STEP_ENDED.findall(text))
    return found


def _spent(attempts: Iterable[UUID]) -> dict[UUID, tuple[int, int]]:
    """Tokens and millionths of a dollar, of those whose agent told of it after the stop."""
    wanted = {str(pk): pk for pk in attempts}
    tasks = Attempt.objects.filter(pk__in=list(wanted.values())).values("task_id")
    found: dict[UUID, tuple[int, int]] = {}
    for told in Session.objects.filter(task__in=tasks).values_list("told__after_stop", flat=True):
        for key, said in (told or {}).items():
            if key in wanted:
                found[wanted[key]] = (int(said.get("tokens", 0)), int(said.get("cost_micro", 0)))
    return found


def _closed(attempts: Iterable[UUID]) -> dict[UUID, datetime]:
    """Since when the links of these attempts are closed, as their agents ignored the stop."""
    prompts = Command.objects.filter(attempt__in=list(attempts), state="sent", method=version.SESSION_PROMPT)
    links = {link: pk for pk, link in prompts.values_list("attempt_id", "link") if pk is not None and link is not None}
    found: dict[UUID, datetime] = {}
    rows = Connection.objects.filter(pk__in=list(links)).values_list("pk", "close_reason", "closed_at", "client")
    for link, reason, closed_at, client in rows:
        if reason == version.IGNORED_STOP and closed_at is not None:
            found[links[link]] = closed_at
        elif "closed_off" in client:
            # It came back since.
            found[links[link]] = datetime.fromisoformat(client["closed_off"])
    return found
