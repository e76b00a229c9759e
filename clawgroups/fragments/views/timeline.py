"""Who worked when, and how much of it side by side; before a run begins, what could begin when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from clawgroups.core.forecast import ASSUMED
from clawgroups.core.timeline import STEPS, Axis, Crowd, axis, crowd, earliest
from clawgroups.fragments.rooms import RunView
from clawgroups.fragments.views.timeline_rows import members_of, newest, on_axis, spans_of, with_bars
from clawgroups.models import Dependency, Task

PAGE, MOST = 50, 500
ZOOMS = {"": timedelta(0), "1h": timedelta(hours=1), "10m": timedelta(minutes=10)}
CURVE = 44  # how high the curve is


def load(view: RunView, said: Mapping[str, str]) -> dict[str, Any]:
    """The drawn timeline. `said`: `zoom` (1h, 10m) or `from` and `to` in seconds, and how many `rows`."""
    now = timezone.now()
    members = members_of(view.run.pk)
    if not members:
        return {"foreseen": _foreseen(view, said), "rows": ()}
    begun = min(row.first for row in members)
    until = max(view.run.ended_at or now, begun)
    window, zoom = _window(said, begun, until)
    if zoom != "":
        members = on_axis(view.run.pk, members, window)
    shown = _number(said.get("rows", ""), PAGE, MOST)
    rows, too_many = with_bars(view.run.pk, members[:shown], window, min(now, until) if view.run.ended_at else now)
    spans = spans_of(view.run.pk, until)
    at_once = crowd(spans, window.start, window.end)
    over = crowd(spans, max(window.start, begun), min(window.end, until))
    return {
        "rows": rows,
        "axis": window,
        "ticks": [_tick(window, moment, said) for moment in window.ticks],
        "grid": [round(window.share(moment), 3) for moment in window.ticks],
        "is_today": window.start.date() == now.date() and window.step >= 60,
        "is_long": window.step >= 86400,
        "curve": curve(at_once),
        "average": over.average,
        "most": at_once.most,
        "now": round(window.share(now), 3) if window.start <= now <= window.end and not view.run.ended_at else None,
        **_ways_on(said, window, zoom, begun, until),
        "more": _address(said, rows=str(shown + PAGE)) if len(members) > shown else "",
        "members": len(members),
        "too_many": too_many,
        "table": newest(rows),
        "bars": sum(len(row.bars) for row in rows),
        "marks": sorted({bar.mark for row in rows for bar in row.bars if bar.mark}),
    }


def _ways_on(
    said: Mapping[str, str], window: Axis, zoom: str | None, begun: datetime, until: datetime
) -> dict[str, Any]:
    """Addresses of more or less time, and of what was before and after."""
    return {
        "zooms": [
            (_address(said, zoom=name, **{"from": "", "to": ""}), word, name == zoom)
            for name, word in (("", _("Whole run")), ("1h", _("Last hour")), ("10m", _("Last 10 minutes")))
        ],
        "earlier": _move(said, window, -0.5) if window.start > begun else "",
        "later": _move(said, window, 0.5) if window.end < until else "",
    }


def _number(said: str, otherwise: int, most: int) -> int:
    return max(1, min(int(said), most)) if said.isdecimal() and len(said) < 12 else otherwise


def _window(said: Mapping[str, str], begun: datetime, until: datetime) -> tuple[Axis, str | None]:
    """The axis that was asked for, and by which name; what cannot be read is the whole run."""
    low, high = _moment(said.get("from", "")), _moment(said.get("to", ""))
    if low and high and low < high:
        return axis(low, high), None
    zoom = said.get("zoom", "") if said.get("zoom") in ZOOMS else ""
    return axis(max(begun, until - ZOOMS[zoom]) if zoom else begun, until), zoom


def _moment(said: str) -> datetime | None:
    return datetime.fromtimestamp(int(said), UTC) if said.isdecimal() and len(said) < 11 else None


def _address(said: Mapping[str, str], **changed: str) -> str:
    kept = {key: value for key, value in {**said, **changed}.items() if value}
    return f"?{urlencode(kept)}"


def _between(said: Mapping[str, str], start: datetime, end: datetime) -> str:
    return _address(said, zoom="", **{"from": str(int(start.timestamp())), "to": str(int(end.timestamp()))})


def _move(said: Mapping[str, str], window: Axis, share: float) -> str:
    by = (window.end - window.start) * share
    return _between(said, window.start + by, window.end + by)


def _tick(window: Axis, moment: datetime, said: Mapping[str, str]) -> tuple[datetime, str]:
    """A moment of the axis, and the address of the step after it on its own; none where it is short enough."""
    end = moment + timedelta(seconds=window.step)
    return moment, _between(said, moment, end) if window.step > 10 else ""


def curve(at_once: Crowd) -> str:
    """How many worked at once, as the path of an area: as wide as there are parts, as high as `CURVE`."""
    if not at_once.most:
        return ""
    path = f"M0,{CURVE}"
    for part, number in enumerate(at_once.parts):
        high = round(CURVE - (CURVE - 3) * number / at_once.most, 1)
        path += f"V{high}H{part + 1}"
    return f"{path}V{CURVE}Z"


@dataclass(frozen=True, slots=True)
class Ghost:
    """A task that has not begun: when it could at the earliest, in percent of the whole."""

    pk: UUID
    title: str
    minutes: float
    start: float
    is_guess: bool
    x: float
    width: float


def _foreseen(view: RunView, said: Mapping[str, str]) -> dict[str, Any]:
    """The plan as bars before anybody has begun: each task as early as what it waits for allows."""
    tasks = list(
        Task.objects.filter(run=view.run.pk)
        .exclude(state="cancelled")
        .order_by("level", "position")
        .values_list("pk", "title", "minutes")
    )
    if not tasks or not view.is_open:
        return {}
    minutes = {str(pk): float(number) or ASSUMED for pk, _title, number in tasks}
    edges = Dependency.objects.filter(task__run=view.run.pk).values_list("parent", "task")
    known = [(str(parent), str(child)) for parent, child in edges if str(parent) in minutes and str(child) in minutes]
    starts = earliest(minutes, known)
    end = max(starts[key] + minutes[key] for key in starts)
    step, number = _steps(end)
    shown = _number(said.get("rows", ""), PAGE, MOST)
    full = step * number
    rows = [
        Ghost(pk, title, at, start, not told, round(100 * start / full, 3), round(100 * at / full, 3))
        for pk, title, told in tasks[:shown]
        for at, start in ((minutes[str(pk)], starts[str(pk)]),)
    ]
    return {
        "rows": rows,
        "ticks": [step * n for n in range(number)],
        "end": end,
        "guessed": sum(1 for one in tasks if not one[2]),
        "tasks": len(tasks),
        "more": _address(said, rows=str(shown + PAGE)) if len(tasks) > shown else "",
    }


def _steps(minutes: float, most: int = 9) -> tuple[int, int]:
    """A round step in minutes, and how many of them there are."""
    steps: Sequence[int] = [one // 60 for one in STEPS if one >= 60]
    step = next((one for one in steps if minutes / one <= most), steps[-1])
    return step, max(-(-int(minutes * 60) // (step * 60)), 1)
