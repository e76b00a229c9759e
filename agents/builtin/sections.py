"""The parts of a text about data: key figures, columns, gaps, method, sources. Every number carries its mark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agents.builtin.facts import EMPTY, Profile, column_of
from agents.builtin.figures import fmt, joined, name, numeral, plural, sourced
from agents.builtin.findings import Finding
from agents.builtin.marks import ROWS, Mark, escape
from agents.builtin.periods import cut_first, cut_last

_MOST_MEASURES = 8
_MOST_COLUMNS = 60
_TOP_SHOWN = 3
_MOST_TABLES = 3
_MOST_KEYS = 10
_MOST_PERIODS = 24
_GROUP_RULES = frozenset({"share", "mean", "extremes", "concentration"})


def shape(profile: Profile) -> str:
    """One sentence: how many rows, what kinds of columns, over which time."""
    table = profile["table"]
    rows = sourced(profile["rows"], Mark(table, ROWS, "count"))
    sentence = f"{name(table)} has {rows} {plural(profile['rows'], 'row')}"
    parts = []
    for role, word in (("measure", "amount"), ("rate", "rate or score"), ("category", "category"), ("date", "date")):
        names = [column["name"] for column in profile["columns"] if column["role"] == role]
        if names:
            shown = [name(text) for text in names[:6]] + (["others"] if len(names) > 6 else [])
            many = {"category": "categories", "rate or score": "rates or scores"}.get(word, word + "s")
            parts.append(f"{joined(shown)} as {many if len(names) > 1 else word}")
    if parts:
        sentence += f", with {'; '.join(parts)}"
    for column in profile["columns"]:
        if column["role"] == "date" and column["min"]:
            sentence += f". {name(column['name'])} runs from {column['min'][:10]} to {column['max'][:10]}"
            break
    return sentence + "."


def key_figures(profiles: Sequence[Profile]) -> str:
    """A table of the figures that sum up each table, one number and its source a line."""
    lines = ["| Figure | Value | Source |", "| --- | ---: | --- |"]
    for profile in profiles:
        where = f" in {name(profile['table'])}" if len(profiles) > 1 else ""
        lines.append(_line(f"Rows{where}", profile["rows"], Mark(profile["table"], ROWS, "count")))
        measures = [column for column in profile["columns"] if column["role"] in ("measure", "rate")]
        for column in [column for column in measures if column["mean"] is not None][:_MOST_MEASURES]:
            lines += _measure_lines(profile["table"], column, where)
    return "\n".join(lines)


def _measure_lines(table: str, column: dict[str, Any], where: str) -> list[str]:
    aggregates = ["sum", "mean", "median"] if column["role"] == "measure" else ["mean", "min", "max"]
    words = {"sum": "Sum of", "mean": "Mean of", "median": "Median of", "min": "Least", "max": "Greatest"}
    return [
        _line(f"{words[aggregate]} {name(column['name'])}{where}", column[aggregate], mark, column["unit"])
        for aggregate in aggregates
        for mark in [Mark(table, column["name"], aggregate)]
    ]


def _line(label: str, value: float, mark: Mark, unit: str = "") -> str:
    return f"| {label} | {fmt(value)}{' ' + unit if unit else ''} | {mark} |"


def columns_table(profile: Profile) -> str:
    """Every column: its type, what is missing, how many values, and the most common or the range."""
    lines = ["| Column | Type | Missing | Distinct | Values |", "| --- | --- | --- | --- | --- |"]
    for column in profile["columns"][:_MOST_COLUMNS]:
        table, label = profile["table"], column["name"]
        missing = sourced(column["missing"], Mark(table, label, "missing"))
        distinct = sourced(column["distinct"], Mark(table, label, "distinct"))
        lines.append(f"| {name(label)} | {column['type']} | {missing} | {distinct} | {_values(table, column)} |")
    if len(profile["columns"]) > _MOST_COLUMNS:
        lines.append("\nThe profile lists the columns that are left out here.")
    return "\n".join(lines)


def _values(table: str, column: dict[str, Any]) -> str:
    if column["mean"] is not None:
        ends = [sourced(column[end], Mark(table, column["name"], end), column["unit"]) for end in ("min", "max")]
        return f"{ends[0]} to {ends[1]}"
    if column["min"] is not None:
        return f"{column['min'][:10]} to {column['max'][:10]}"
    shown = [name(_short(str(value))) for value, _ in column["top"][:_TOP_SHOWN]]
    more = " and others" if len(column["top"]) > _TOP_SHOWN else ""
    return ", ".join(shown) + more if shown else "too varied to list" if column["type"] != "empty" else "none"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def findings_list(findings: Sequence[Finding]) -> str:
    """The findings as a numbered list."""
    return "\n".join(f"{number}. {finding.text}" for number, finding in enumerate(findings, 1))


def breakdown(profiles: Sequence[Profile], findings: Sequence[Finding]) -> str:
    """The figures behind the first findings about groups and time, as tables of one number and its source a line."""
    tables: list[str] = []
    for finding in findings:
        for profile in profiles:
            entries = [(entry["by"], entry) for entry in profile["groups"] if finding.rule in _GROUP_RULES]
            entries += [(entry["date"], entry) for entry in profile["series"] if finding.rule == "change"]
            for by, entry in entries:
                if {by, entry["measure"]} <= finding.about and len(tables) < _MOST_TABLES:
                    table = _entry_table(profile, by, entry)
                    tables += [] if table in tables else [table]
    return "\n\n".join(tables)


def _entry_table(profile: Profile, by: str, entry: dict[str, Any]) -> str:
    column = column_of(profile, entry["measure"])
    additive = column is not None and column["role"] == "measure"
    aggregate, place = ("sum", 2) if additive else ("mean", 3)
    unit = column["unit"] if column else ""
    shown = [row for row in entry["rows"] if row[1]]
    shown = shown[-_MOST_PERIODS:] if "date" in entry else shown[:_MOST_KEYS]
    title = f"### {aggregate.capitalize()} of {name(entry['measure'])} by {name(by)}"
    lines = [title, "", f"| {name(by)} | {aggregate.capitalize()} | Source |", "| --- | ---: | --- |"]
    for row in shown:
        key = EMPTY if row[0] is None else str(row[0])
        label = key if "date" in entry and len(key) > 4 else name(key)
        lines.append(_line(label, row[place], Mark(profile["table"], entry["measure"], aggregate, by, key), unit))
    left = len(entry["rows"]) - len(shown) + entry.get("others", {}).get("keys", 0)
    if left:
        lines += ["", "Earlier periods are in the profile." if "date" in entry else "The profile holds the others."]
    return "\n".join(lines)


def gaps(profile: Profile) -> list[str]:
    """What is missing, doubled, out of range or was read with a doubt; one item each."""
    table = profile["table"]
    items = _missing(profile)
    if profile["duplicates"]:
        count = sourced(profile["duplicates"], Mark(table, ROWS, "duplicates"))
        verb = plural(profile["duplicates"], "row repeats", "rows repeat")
        items.append(f"{count} {verb} an earlier row exactly; all were counted.")
    for entry in profile["outliers"]:
        count = sourced(entry["count"], Mark(table, entry["column"], "outliers"))
        verb = plural(entry["count"], "value", "values")
        items.append(f"{name(entry['column'])} has {count} {verb} far from the middle half; none was removed.")
    for series in profile["series"][:1]:
        ends = ((series["rows"][0], cut_first(series)), (series["rows"][-1], cut_last(series)))
        cut = list(dict.fromkeys(row[0] for row, is_cut in ends if is_cut))
        if cut:
            which = joined([name(text) if len(text) == 4 else text for text in cut])
            items.append(f"The data covers {which} only in part, so it is not compared with whole {series['unit']}s.")
    if any(column["distinct_capped"] for column in profile["columns"]):
        items.append("Some columns hold more different values than were counted; their figure is a lower bound.")
    items += [f"Noted while reading {name(table)}:\n\n> {escape(note)}\n" for note in profile["notes"]]
    return items


def _missing(profile: Profile) -> list[str]:
    columns = [column for column in profile["columns"] if column["missing"]]
    empty = [name(column["name"]) for column in columns if column["type"] == "empty"]
    items = [f"{joined(empty)} {plural(len(empty), 'holds', 'hold')} nothing at all."] if empty else []
    rest = sorted((c for c in columns if c["type"] != "empty"), key=lambda column: -column["missing"])
    for column in rest[:10]:
        count = sourced(column["missing"], Mark(profile["table"], column["name"], "missing"))
        what = plural(column["missing"], "row", "rows")
        items.append(f"{name(column['name'])} has no value in {count} {what}.")
    if len(rest) > 10:
        items.append("Further columns have gaps too; the profile lists them.")
    return items


def bullet(items: Sequence[str]) -> str:
    """A list of items; one of several lines keeps its lines together."""
    return "\n".join("- " + item.strip().replace("\n", "\n  ") for item in items)


def method(profiles: Sequence[Profile], findings: Sequence[Finding]) -> str:
    """How the figures came about, as far as it concerns this data."""
    sentences = [
        "Sums are exact; means are the exact sum divided by the number of values; missing cells count nowhere."
    ]
    rules = {finding.rule for finding in findings}
    if findings:
        sentences.append(
            "Findings are ordered by what the request names, then by how far a figure is from the unremarkable: "
            "shares from an even split, changes from none, means from each other, gaps from none."
        )
    if "mean" in rules:
        sentences.append(
            "Means are compared only where the gap exceeds what the spread and the number of values explain."
        )
    if any(profile["outliers"] for profile in profiles):
        sentences.append(
            "A value is far out when it lies beyond the middle half by more than one and a half times its width."
        )
    if any(profile["series"] for profile in profiles):
        sentences.append("Change over time compares the first whole period with the last.")
    sentences.append("A mark in brackets after a number names the table, the column and the figure it was taken from.")
    return " ".join(sentences)


def sources(profiles: Sequence[Profile]) -> str:
    """The tables behind the figures, with the hash of each file."""
    lines = []
    for profile in profiles:
        rows = sourced(profile["rows"], Mark(profile["table"], ROWS, "count"))
        rows += f" {plural(profile['rows'], 'row')}"
        lines.append(f"- {name(profile['table'])}: {rows}, SHA-256 `{profile['sha256']}`")
    return "\n".join(lines)


def count_of(number: int, one: str, many: str = "") -> str:
    """A small number of things in words."""
    return f"{numeral(number)} {plural(number, one, many)}"
