"""How the machinery does: what waits in each queue and for how long, and what models took, missed and cost. Reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, F, Min, Q, QuerySet, Sum
from django.utils.translation import gettext as _

from agents.models import Connection
from clawgroups import bus, canary
from clawgroups.core.amounts import say_dollars
from clawgroups.models import Command, Entry, Export, Lease, Letter, ModelCall, ModelServer, Run, Workspace
from clawgroups.services import turns

MOST = 10_000  # calls whose times are compared
SHOWN = 10
BARS = 24
HOURS = (24, 168)
WIDTH, HEIGHT = 480, 80


@dataclass(frozen=True, slots=True)
class Lane:
    """Work of one kind: how much waits, since when the oldest, and how much is in somebody's hands."""

    name: str
    waiting: int
    oldest: datetime | None = None
    in_hand: int | None = None


@dataclass(frozen=True, slots=True)
class Queues:
    """What waits, and who is there to do it."""

    lanes: list[Lane]
    messages: dict[str, int] | None
    heard: dict[str, datetime | None]
    workers: list[str]
    sweep: Lease | None
    processes: list[tuple[str, int]]
    has_redis: bool


def queues() -> Queues:
    """The queues at this moment."""
    held = Connection.objects.filter(closed_at=None).order_by().values_list("process").annotate(Count("pk"))
    messages = bus.lengths(canary.QUEUES)
    return Queues(
        lanes=[_reactions(), _turns(), _questions(), _commands(), _letters(), _archives()],
        messages=messages,
        heard=canary.last_heard() if messages is not None else {},
        workers=bus.workers() if messages is not None else [],
        sweep=Lease.objects.filter(name="sweep").first(),
        processes=sorted((str(process), int(number)) for process, number in held),
        has_redis=bool(settings.REDIS_URL),
    )


def _reactions() -> Lane:
    late = Workspace.objects.filter(head__gt=F("reacted"))
    new = Entry.objects.filter(workspace__in=late, generation=F("workspace__generation"))
    return Lane(_("Journals to react to"), late.count(), _oldest(new.filter(seq__gt=F("workspace__reacted")), "at"))


def _turns() -> Lane:
    rows = Run.objects.filter(wanted__gt=F("turned"), state__in=turns.ACTIVE)
    held = rows.exclude(turn_owner="").count()
    return Lane(_("Turns of the coordinator"), rows.count() - held, in_hand=held)


def _questions() -> Lane:
    return _lane(_("Questions to models"), ModelCall.objects.all(), "waiting", "calling")


def _commands() -> Lane:
    return _lane(_("Commands to agents"), Command.objects.all(), "open", "sent")


def _letters() -> Lane:
    rows = Letter.objects.filter(sent_at=None)
    return Lane(_("Letters"), rows.count(), _oldest(rows, "made_at"))


def _archives() -> Lane:
    rows = Export.objects.filter(state="waiting")
    making = Export.objects.filter(state="making").count()
    return Lane(_("Archives of workspaces"), rows.count(), _oldest(rows, "asked_at"), making)


def _lane(name: str, rows: QuerySet[Any], waits: str, held: str) -> Lane:
    found = rows.filter(state__in=[waits, held]).aggregate(
        waiting=Count("pk", filter=Q(state=waits)),
        held=Count("pk", filter=Q(state=held)),
        oldest=Min("created_at", filter=Q(state=waits)),
    )
    return Lane(name, found["waiting"], found["oldest"], found["held"])


def _oldest(rows: QuerySet[Any], column: str) -> datetime | None:
    found: datetime | None = rows.aggregate(oldest=Min(column))["oldest"]
    return found


@dataclass(frozen=True, slots=True)
class Measure:
    """What calls came to: of one server, or of all."""

    name: str
    pk: UUID | None
    calls: int
    failed: int
    middle: float | None
    """Seconds in which half of the answers were there."""
    slow: float | None
    """And nineteen of twenty."""
    first: float | None
    """Seconds until the first word, of half of them."""
    tokens: int
    cost: str

    @property
    def failed_percent(self) -> float:
        return 100 * self.failed / self.calls if self.calls else 0.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time in the picture: where its columns stand, and what they say."""

    since: datetime
    calls: int
    failed: int
    cost: str
    x: float
    width: float
    top: float
    height: float
    failed_top: float
    failed_height: float


@dataclass(frozen=True, slots=True)
class Health:
    """How the coordinator's models did for some hours."""

    hours: int
    all: Measure
    servers: list[Measure]
    bars: list[Bar]
    faults: list[tuple[str, int]]
    runs: list[tuple[Run, int, int, str]]
    most: int


def coordinator(now: datetime, hours: int) -> Health:
    """How models did in the last so many hours."""
    since = now - timedelta(hours=hours)
    rows = ModelCall.objects.filter(ended_at__gte=since, state__in=["answered", "failed"]).order_by()
    names = dict(ModelServer.objects.values_list("pk", "name"))
    servers = [
        _measure(names.get(pk, _("No server")) if pk else _("No server"), pk, rows.filter(server=pk))
        for pk in sorted(rows.values_list("server", flat=True).distinct(), key=str)
    ]
    bars, highest = _bars(rows, since, now)
    faults = rows.filter(state="failed").values_list("fault").annotate(n=Count("pk")).order_by("-n", "fault")
    return Health(hours, _measure(_("All"), None, rows), servers, bars, list(faults[:SHOWN]), _runs(rows), highest)


def _measure(name: str, pk: UUID | None, rows: QuerySet[ModelCall]) -> Measure:
    sums = rows.aggregate(
        calls=Count("pk"),
        failed=Count("pk", filter=Q(state="failed")),
        tokens=Sum(F("prompt_tokens") + F("completion_tokens"), default=0),
        cost=Sum("cost_micro", default=0),
    )
    answered = rows.filter(state="answered").order_by("-ended_at").values_list("took_ms", "first_ms")[:MOST]
    took = sorted(one for one, _first in answered)
    first = sorted(one for _took, one in answered if one)
    return Measure(
        name, pk, sums["calls"], sums["failed"], _at(took, 0.5), _at(took, 0.95), _at(first, 0.5), sums["tokens"],
        say_dollars(sums["cost"]),
    )  # fmt: skip


def _at(ordered: Sequence[int], share: float) -> float | None:
    """The time, in seconds, that this share of all did not exceed."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1000


def _bars(rows: QuerySet[ModelCall], since: datetime, now: datetime) -> tuple[list[Bar], int]:
    """The time in equal stretches, and how many calls the highest has."""
    step = (now - since) / BARS
    counted: list[list[int]] = [[0, 0, 0] for _one in range(BARS)]
    for at, state, cost in rows.order_by("-ended_at").values_list("ended_at", "state", "cost_micro")[:MOST]:
        if at is not None:
            one = counted[min(BARS - 1, int((at - since) / step))]
            one[0] += 1
            one[1] += state == "failed"
            one[2] += cost
    highest = max((calls for calls, _failed, _cost in counted), default=0)
    scale = HEIGHT / highest if highest else 0
    wide = WIDTH / BARS
    return [
        Bar(
            since + number * step, calls, failed, say_dollars(cost), round(number * wide + 1, 1), round(wide - 2, 1),
            round(HEIGHT - calls * scale, 1), round((calls - failed) * scale, 1),
            round(HEIGHT - failed * scale, 1), round(failed * scale, 1),
        )
        for number, (calls, failed, cost) in enumerate(counted)
    ], highest  # fmt: skip


def _runs(rows: QuerySet[ModelCall]) -> list[tuple[Run, int, int, str]]:
    """The runs that cost most: calls, tokens, dollars."""
    sums = (
        rows.exclude(run=None)
        .values_list("run")
        .annotate(
            calls=Count("pk"),
            tokens=Sum(F("prompt_tokens") + F("completion_tokens"), default=0),
            cost=Sum("cost_micro", default=0),
        )
        .order_by("-cost", "-tokens")[:SHOWN]
    )
    found = list(sums)
    runs = Run.objects.select_related("workspace").in_bulk([pk for pk, *_rest in found])
    return [(runs[pk], calls, tokens, say_dollars(cost)) for pk, calls, tokens, cost in found if pk in runs]
