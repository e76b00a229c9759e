"""Acceptance lines: a text, or a check from a closed set (design.md 4).

A check is written `name: argument`; anything else is a text line, judged by an agent with the skill
`review`, by the model, or by a person, and never passed unread.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

CHECKS = (
    "not_empty",
    "contains",
    "not_contains",
    "matches",
    "min_words",
    "file_type",
    "opens",
    "sheet_has",
    "numbers_match_source",
    "links_resolve",
    "has_parts",
    "schema",
)
NEED_ARGUMENT = frozenset(
    {"contains", "not_contains", "matches", "min_words", "file_type", "sheet_has", "has_parts", "schema"}
)
_CHECK = re.compile(r"(?P<name>[a-z_]+)\s*(?::\s*(?P<argument>.*))?", re.DOTALL)
_WORD = re.compile(r"\w+", re.UNICODE)
MAX_PATTERN = 200
MAX_UNBOUNDED = 3
SEARCHED = 20_000  # characters that a pattern is looked for in
# Escaped characters and character classes: what stands in them is no operator.
_LITERAL = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_UNBOUNDED = re.compile(r"[*+]|\{\d*,\}")


class Finding(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    OPEN = "open"  # nobody has judged it yet


@dataclass(frozen=True, slots=True)
class Line:
    """One acceptance line; `check` is empty for a text line."""

    text: str
    check: str = ""
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found for one line, by whom, and why."""

    line: str
    finding: Finding
    reason: str
    by: str = "objective check"

    def as_json(self) -> dict[str, str]:
        return {"line": self.line, "finding": self.finding.value, "reason": self.reason, "by": self.by}


def parse_line(text: str) -> Line:
    """A line of acceptance. Raises ValueError for a known check whose argument is missing or bad."""
    found = _CHECK.fullmatch(text.strip())
    if found is None or found["name"] not in CHECKS:
        return Line(text.strip())
    name, argument = found["name"], (found["argument"] or "").strip()
    if name in NEED_ARGUMENT and not argument:
        raise ValueError(f"the check {name!r} needs an argument, as in “{name}: …”")
    if name == "min_words" and not argument.isdigit():
        raise ValueError("min_words needs a number, as in “min_words: 200”")
    if name == "schema" and not all(part.strip() for part in argument.partition(":")):
        raise ValueError("schema needs a file and its columns, as in “schema: orders.csv: id, amount:number”")
    if name == "matches":
        _checked_pattern(argument)
    return Line(text.strip(), name, argument)


def _checked_pattern(pattern: str) -> None:
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"a pattern holds at most {MAX_PATTERN} characters")
    try:
        re.compile(pattern)
    except (re.error, OverflowError) as fault:
        raise ValueError(f"not a pattern: {fault}") from None
    # What can be repeated in two ways takes for ever on a text that almost fits.
    if _repeats_a_choice(pattern):
        raise ValueError("in a pattern, a group that repeats may hold no repetition and no choice itself")
    if len(_UNBOUNDED.findall(pattern)) > MAX_UNBOUNDED:
        raise ValueError(f"a pattern holds at most {MAX_UNBOUNDED} of * and +")


def _repeats_a_choice(pattern: str) -> bool:
    """Whether a repeated group holds a repetition, a choice or something optional, however deep."""
    plain = _LITERAL.sub("x", pattern)
    loose = [False]
    for place, sign in enumerate(plain):
        if sign == "(":
            loose.append(False)
        elif sign == ")":
            inner = loose.pop()
            if inner and plain[place + 1 : place + 2] in ("*", "+", "{"):
                return True
            loose[-1] = loose[-1] or inner
        elif sign in "*+{|" or (sign == "?" and plain[place - 1 : place] != "("):
            loose[-1] = True
    return False


def check_text(line: Line, text: str) -> Verdict | None:
    """Judge a line by the result's text alone; None when it needs files or a judge."""
    match line.check:
        case "not_empty":
            ok = bool(text.strip())
            return _verdict(line, ok, "there is a result" if ok else "the result is empty")
        case "contains":
            ok = line.argument.casefold() in text.casefold()
            return _verdict(line, ok, f"“{line.argument}” is {'there' if ok else 'missing'}")
        case "not_contains":
            ok = line.argument.casefold() not in text.casefold()
            return _verdict(line, ok, f"“{line.argument}” is {'absent' if ok else 'there'}")
        case "matches":
            ok = re.search(line.argument, text[:SEARCHED]) is not None
            return _verdict(line, ok, "the pattern is found" if ok else "the pattern is not found")
        case "min_words":
            words = len(_WORD.findall(text))
            return _verdict(line, words >= int(line.argument), f"{words} words of {line.argument} wanted")
        case _:
            return None


def _verdict(line: Line, ok: bool, reason: str) -> Verdict:
    return Verdict(line.text, Finding.PASSED if ok else Finding.FAILED, reason)
