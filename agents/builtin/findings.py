"""What stands out in a profile, each statement with a score; the order follows the scores and what the goal names."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from agents.builtin.facts import Profile, column_of, percent
from agents.builtin.figures import joined, name, sourced, sourced_percent
from agents.builtin.marks import ROWS, Mark
from agents.builtin.periods import whole_periods
from agents.builtin.roles import words_of

MOST = 12
_PER_RULE = 4
_MANY_KEYS = 8
_CLEAR = 3.0
"""Two means differ clearly when they are this many standard errors apart."""
Row = list[Any]


@dataclass(frozen=True)
class Finding:
    """One statement, how much it stands out from 0 to 1, and the columns and keys that it is about."""

    rule: str
    score: float
    text: str
    about: frozenset[str]


def find(profile: Profile) -> list[Finding]:
    """All that stands out in one table, the most first."""
    found = [*_shares(profile), *_means(profile), *_changes(profile), *_columns(profile), *_common(profile)]
    return sorted(found, key=lambda finding: (-finding.score, finding.text))


def rank(findings: list[Finding], wish: str) -> list[Finding]:
    """The findings to tell, at most `MOST`: first what the wish names, then by score, no rule more than four times."""
    wanted = {word for word in words_of(wish) if len(word) > 2}
    lifted = [replace(finding, score=finding.score + named(finding.about, wanted)) for finding in findings]
    lifted.sort(key=lambda finding: (-finding.score, finding.text))
    told: list[Finding] = []
    for finding in lifted:
        if len(told) < MOST and sum(other.rule == finding.rule for other in told) < _PER_RULE:
            told.append(finding)
    return told


def named(names: frozenset[str], wanted: set[str]) -> int:
    """How many of the names share a word with what is wanted; a plural or an ending makes no difference."""
    return sum(any(_same(word, other) for word in words_of(text) for other in wanted) for text in names)


def _same(word: str, other: str) -> bool:
    short, long = sorted((word, other), key=len)
    return short == long or (len(short) > 3 and long.startswith(short) and len(long) - len(short) <= 3)


def _shares(profile: Profile) -> Iterator[Finding]:
    """Which key holds the most of a sum, and how unequal the rest is."""
    for group in profile["groups"]:
        column = column_of(profile, group["measure"])
        rows: list[Row] = [row for row in group["rows"] if row[0] is not None]
        if column is None or column["role"] != "measure" or len(rows) < 2 or not column["sum"]:
            continue
        if min(row[2] for row in group["rows"]) < 0 or group["others"]["sum"] < 0:
            yield _extremes(profile, group, rows)
            continue
        yield _largest(profile, group, rows, column)
        if group["keys"] > _MANY_KEYS:
            yield from _concentration(profile, group, column)


def _largest(profile: Profile, group: dict[str, Any], rows: list[Row], column: dict[str, Any]) -> Finding:
    table, by, measure = profile["table"], group["by"], group["measure"]
    first, last = rows[0], rows[-1]
    share = float(percent(Decimal(str(first[2])), Decimal(str(column["sum"]))) or 0)
    even = 100 / group["keys"]
    mark = Mark(table, measure, "share of sum", by, str(first[0]))
    total = sourced(first[2], replace(mark, aggregate="sum"), column["unit"])
    about = frozenset({by, measure, str(first[0])})
    if share < even * 1.15:
        least = sourced_percent(
            percent(Decimal(str(last[2])), Decimal(str(column["sum"]))) or 0, replace(mark, value=str(last[0]))
        )
        whole = group["keys"] == len(rows)
        end = f"and the least, {name(str(last[0]))}, {least}" if whole else "and no other stands out"
        text = (
            f"{name(measure)} is spread almost evenly over {name(by)}: the most falls to {name(str(first[0]))}, "
            f"{sourced_percent(share, mark)}, {end}."
        )
        return Finding("share", 0.05, text, about)
    text = f"{name(str(first[0]))} holds {_weight(share)} of {name(measure)} by {name(by)}: "
    text += f"{sourced_percent(share, mark)}, or {total}"
    if len(rows) > 1 and rows[1][2] > 0:
        second = Mark(table, measure, "sum", by, str(rows[1][0]))
        text += f"; next comes {name(str(rows[1][0]))} with {sourced(rows[1][2], second, column['unit'])}"
    return Finding("share", (share - even) / (100 - even), text + ".", about)


def _weight(share: float) -> str:
    steps = (
        (90, "nearly all"),
        (66.7, "more than two thirds"),
        (50, "more than half"),
        (47, "nearly half"),
        (33.4, "more than a third"),
    )
    return next((words for limit, words in steps if share > limit), "the largest part")


def _extremes(profile: Profile, group: dict[str, Any], rows: list[Row]) -> Finding:
    by, measure = group["by"], group["measure"]
    low, high = min(rows, key=lambda row: row[2]), rows[0]
    sums = [sourced(row[2], Mark(profile["table"], measure, "sum", by, str(row[0]))) for row in (high, low)]
    text = (
        f"{name(measure)} by {name(by)} reaches from {sums[0]} for {name(str(high[0]))} "
        f"down to {sums[1]} for {name(str(low[0]))}; negative sums make shares meaningless here."
    )
    return Finding("extremes", 0.5, text, frozenset({by, measure, str(high[0]), str(low[0])}))


def _concentration(profile: Profile, group: dict[str, Any], column: dict[str, Any]) -> Iterator[Finding]:
    top = group["rows"][:3]
    share = float(percent(sum(Decimal(str(row[2])) for row in top), Decimal(str(column["sum"]))) or 0)
    even = 300 / group["keys"]
    if share < even * 1.5 or any(row[0] is None for row in top):
        return
    mark = Mark(profile["table"], group["measure"], "top 3 share of sum", group["by"])
    keys = joined([name(str(row[0])) for row in top])
    text = f"The three largest of {name(group['by'])} ({keys}) hold {sourced_percent(share, mark)} "
    text += f"of {name(group['measure'])}."
    about = frozenset({group["by"], group["measure"]})
    yield Finding("concentration", 0.8 * (share - even) / (100 - even), text, about)


def _means(profile: Profile) -> Iterator[Finding]:
    """Where the mean of a rate clearly differs between two keys, given the spread and the number of values."""
    for group in profile["groups"]:
        column = column_of(profile, group["measure"])
        enough = max(5, profile["rows"] // 200)
        rows: list[Row] = [row for row in group["rows"] if row[0] is not None and row[1] >= enough]
        if column is None or not column["stdev"] or len(rows) < 2 or group["others"]["keys"]:
            continue
        high, low = max(rows, key=lambda row: row[3]), min(rows, key=lambda row: row[3])
        error = column["stdev"] * math.sqrt(1 / high[1] + 1 / low[1])
        if (high[3] - low[3]) / error < _CLEAR + math.log(len(rows)):
            continue
        marks = [Mark(profile["table"], group["measure"], "mean", group["by"], str(row[0])) for row in (high, low)]
        text = (
            f"On average {name(group['measure'])} is highest where {name(group['by'])} is {name(str(high[0]))}, "
            f"{sourced(high[3], marks[0], column['unit'])}, and lowest where it is {name(str(low[0]))}, "
            f"{sourced(low[3], marks[1], column['unit'])}; that is more than chance would explain."
        )
        strength = min((high[3] - low[3]) / (column["stdev"] * 2), 1.0)
        factor = 0.8 if column["role"] == "rate" else 0.5
        yield Finding("mean", factor * strength, text, frozenset({group["by"], group["measure"], str(high[0])}))


def _changes(profile: Profile) -> Iterator[Finding]:
    """How a measure moved from the first whole period to the last, and where it peaked."""
    for series in profile["series"]:
        column = column_of(profile, series["measure"])
        rows: list[Row] = [row for row in whole_periods(series) if row[1]]
        if column is None or len(rows) < 3:
            continue
        aggregate, place = ("sum", 2) if column["role"] == "measure" else ("mean", 3)
        first, last = rows[0], rows[-1]
        change = percent(Decimal(str(last[place])) - Decimal(str(first[place])), abs(Decimal(str(first[place]))))
        if change is None:
            continue
        mark = Mark(profile["table"], series["measure"], f"change of {aggregate}", series["date"], first[0], last[0])
        text = f"{_every(series['unit'])} {aggregate} of {name(series['measure'])} {_moved(float(change))} "
        text += f"from {_period(first[0])} to {_period(last[0])} ({sourced_percent(change, mark)}); "
        peak, dip = max(rows, key=lambda row: row[place]), min(rows, key=lambda row: row[place])
        ends = []
        for word, row in (("highest", peak), ("lowest", dip)):
            there = Mark(profile["table"], series["measure"], aggregate, series["date"], row[0])
            ends.append(f"{word} in {_period(row[0])}, {sourced(row[place], there, column['unit'])}")
        text += f"it was {joined(ends)}."
        score = 0.9 * min(abs(float(change)) / 100, 1.0)
        yield Finding("change", score, text, frozenset({series["date"], series["measure"]}))


def _every(unit: str) -> str:
    return {"day": "The daily", "month": "The monthly", "year": "The yearly"}[unit]


def _period(text: str) -> str:
    """A year alone is put in quotes: it names a period and is no figure."""
    return name(text) if len(text) == 4 else text


def _moved(change: float) -> str:
    if abs(change) < 2:
        return "hardly moved"
    word = "rose" if change > 0 else "fell"
    return f"{word} steeply" if abs(change) > 50 else f"{word} a little" if abs(change) < 10 else word


def _columns(profile: Profile) -> Iterator[Finding]:
    """A mean pulled away from the median, a column with many gaps."""
    for column in profile["columns"]:
        if column["role"] in ("measure", "rate") and column["stdev"]:
            yield from _skew(profile["table"], column)
        share = percent(column["missing"], profile["rows"])
        if share and share >= 10 and column["type"] != "empty":
            gap = sourced_percent(share, Mark(profile["table"], column["name"], "missing share"))
            text = f"{name(column['name'])} is missing in {gap} of the rows; figures about it rest on the others."
            yield Finding("missing", float(share) / 100, text, frozenset({column["name"]}))


def _skew(table: str, column: dict[str, Any]) -> Iterator[Finding]:
    gap = column["mean"] - column["median"]
    if abs(gap) <= 0.25 * column["stdev"]:
        return
    mean, median = (
        sourced(column[aggregate], Mark(table, column["name"], aggregate), column["unit"])
        for aggregate in ("mean", "median")
    )
    pull = "A few large values raise" if gap > 0 else "A few small values lower"
    text = f"{pull} the mean of {name(column['name'])}: it is {mean}, the median {median}."
    yield Finding("skew", 0.4 * min(abs(gap) / column["stdev"], 1.0), text, frozenset({column["name"]}))


def _common(profile: Profile) -> Iterator[Finding]:
    """The most common value of a category, which is all there is to say where nothing can be added up."""
    measured = any(column["role"] == "measure" for column in profile["columns"])
    for column in profile["columns"]:
        if column["role"] != "category" or not column["top"] or column["distinct"] < 2:
            continue
        value, times = column["top"][0]
        share = float(percent(times, profile["rows"]) or 0)
        mark = Mark(profile["table"], ROWS, "share of rows", column["name"], str(value))
        text = (
            f"{name(str(value))} is the most common {name(column['name'])}: {sourced_percent(share, mark)} of the rows"
        )
        count = replace(mark, aggregate="count")
        text += f", {sourced(times, count)}."
        even = 100 / column["distinct"]
        if measured and share < even * 1.15:
            continue
        score = max(share - even, 0) / (100 - even) * (0.4 if measured else 0.8)
        yield Finding("common", score, text, frozenset({column["name"], str(value)}))
