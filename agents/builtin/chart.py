"""One chart that tells the most about a profile, as accessible SVG for light and dark pages."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any, Literal

from agents.builtin.facts import EMPTY, Profile
from agents.builtin.figures import fmt
from agents.builtin.findings import find, named, rank
from agents.builtin.roles import words_of

_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 150, 24, 56, 48
_MOST_BARS = 12
_TICKS = 4
_STYLE = (
    ":root{color:#1f2430}@media (prefers-color-scheme:dark){:root{color:#e8eaf0}}"
    "text{fill:currentColor;font:13px system-ui,sans-serif}.t{font-size:16px;font-weight:600}.s{opacity:.72}"
)


@dataclass(frozen=True)
class ChartData:
    """What a chart shows: labelled values, and the words around them."""

    kind: Literal["line", "bars"]
    title: str
    description: str
    labels: list[str]
    values: list[float]


def choose(profile: Profile, wish: str = "") -> ChartData | None:
    """A line over time if there are enough periods, else the group that stands out most, else counts; or None."""
    return _line(profile, wish) or _groups(profile, wish) or _counts(profile)


def _line(profile: Profile, wish: str) -> ChartData | None:
    wanted = set(words_of(wish))
    columns = {column["name"]: column for column in profile["columns"]}

    def order(series: dict[str, Any]) -> tuple[int, bool, bool]:
        # What the wish names, then amounts before rates, then money before pieces.
        column = columns[series["measure"]]
        relevance = named(frozenset({series["measure"]}), wanted)
        return -relevance, column["role"] != "measure", column["type"] == "integer"

    long_enough = [entry for entry in profile["series"] if len([row for row in entry["rows"] if row[1]]) >= 3]
    if not long_enough:
        return None
    series = min(long_enough, key=order)
    additive = columns[series["measure"]]["role"] == "measure"
    rows = [row for row in series["rows"] if row[1]]
    values = [float(row[2] if additive else row[3]) for row in rows]
    what = f"{'Sum' if additive else 'Mean'} of {series['measure']} by {series['unit']}"
    return ChartData("line", what, _describe(what, [row[0] for row in rows], values), [row[0] for row in rows], values)


def _groups(profile: Profile, wish: str) -> ChartData | None:
    measures = {column["name"]: column["role"] for column in profile["columns"]}
    told = [finding for finding in rank(find(profile), wish) if finding.rule in ("share", "mean", "extremes")]
    groups = profile["groups"]
    for finding in told:
        for group in groups:
            if {group["by"], group["measure"]} <= finding.about:
                additive = measures[group["measure"]] == "measure"
                what = f"{'Sum' if additive else 'Mean'} of {group['measure']} by {group['by']}"
                place = 2 if additive else 3
                rows = [(EMPTY if row[0] is None else str(row[0]), float(row[place])) for row in group["rows"]]
                return _bars(what, rows)
    return None


def _counts(profile: Profile) -> ChartData | None:
    for column in profile["columns"]:
        if column["role"] in ("category", "measure", "rate") and len(column["top"]) >= 2:
            return _bars(f"Rows by {column['name']}", [(str(value), float(times)) for value, times in column["top"]])
    gaps = [(column["name"], float(column["missing"])) for column in profile["columns"] if column["missing"]]
    return _bars("Missing cells by column", gaps) if gaps else None


def _bars(title: str, rows: list[tuple[str, float]]) -> ChartData:
    rows = sorted(rows, key=lambda row: -row[1])[:_MOST_BARS]
    labels, values = [row[0] for row in rows], [row[1] for row in rows]
    return ChartData("bars", title, _describe(title, labels, values), labels, values)


def _describe(title: str, labels: list[str], values: list[float]) -> str:
    high, low = max(range(len(values)), key=values.__getitem__), min(range(len(values)), key=values.__getitem__)
    return (
        f"{title}. Highest: {labels[high]} with {fmt(values[high])}. Lowest: {labels[low]} with {fmt(values[low])}. "
        f"{len(values)} values from {labels[0]} to {labels[-1]}."
    )


def to_svg(data: ChartData) -> str:
    """The chart as an SVG document; the description says in words what the picture shows."""
    body = _draw_line(data) if data.kind == "line" else _draw_bars(data)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-labelledby="chart-title chart-desc">\n'
        f'<title id="chart-title">{_xml(data.title)}</title>\n'
        f'<desc id="chart-desc">{_xml(data.description)}</desc>\n'
        f"<style>{_STYLE}</style>\n"
        f'<text class="t" x="24" y="30">{_xml(_cut(data.title, 70))}</text>\n{body}</svg>\n'
    )


def _scale(values: list[float]) -> tuple[float, float]:
    low, high = min(0.0, *values), max(0.0, *values)
    return (low, high) if high > low else (low, low + 1)


def _draw_bars(data: ChartData) -> str:
    low, high = _scale(data.values)
    room = _WIDTH - _LEFT - _RIGHT - 90
    step = (_HEIGHT - _TOP - 16) / len(data.values)
    zero = _LEFT + room * (0 - low) / (high - low)
    lines = []
    for number, (label, value) in enumerate(zip(data.labels, data.values, strict=True)):
        middle = _TOP + step * (number + 0.5)
        end = _LEFT + room * (value - low) / (high - low)
        lines.append(
            f'<text x="{_LEFT - 10}" y="{middle + 4:.1f}" text-anchor="end">{_xml(_cut(label, 18))}</text>'
            f'<rect x="{min(zero, end):.1f}" y="{middle - step * 0.32:.1f}" width="{max(abs(end - zero), 1):.1f}" '
            f'height="{step * 0.64:.1f}" rx="3" fill="currentColor" fill-opacity=".55"/>'
            f'<text class="s" x="{max(zero, end) + 8:.1f}" y="{middle + 4:.1f}">{fmt(value)}</text>'
        )
    lines.append(f'<line x1="{zero:.1f}" x2="{zero:.1f}" y1="{_TOP}" y2="{_HEIGHT - 16}" stroke="currentColor"/>')
    return "\n".join(lines) + "\n"


def _draw_line(data: ChartData) -> str:
    low, high = _scale(data.values)
    left, wide, tall = 110, _WIDTH - 110 - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    step = wide / max(len(data.values) - 1, 1)
    places = [(left + step * n, _TOP + tall * (1 - (v - low) / (high - low))) for n, v in enumerate(data.values)]
    lines = []
    for tick in range(_TICKS + 1):
        value = low + (high - low) * tick / _TICKS
        y = _TOP + tall * (1 - tick / _TICKS)
        lines.append(
            f'<line x1="{left}" x2="{left + wide}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" opacity=".18"/>'
            f'<text class="s" x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{fmt(value)}</text>'
        )
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    lines.append(f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="2.5"/>')
    if len(places) <= 36:
        lines += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="currentColor"/>' for x, y in places]
    every = max(1, -(-len(places) // 7))
    for number in range(0, len(places), every):
        x = places[number][0]
        label = _xml(data.labels[number])
        lines.append(f'<text class="s" x="{x:.1f}" y="{_HEIGHT - 20}" text-anchor="middle">{label}</text>')
    return "\n".join(lines) + "\n"


def _xml(text: str) -> str:
    """Text for the inside of an element; control characters have no place in XML."""
    return escape("".join(character if character.isprintable() else " " for character in text))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
