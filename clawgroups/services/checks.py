"""Objective checks of a result against its acceptance lines, as far as no file is opened for them.

Without Django, since a child process does the same and opens files, too (`file_checks.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from clawgroups.core.acceptance import Finding, Line, Verdict, check_text, parse_line

# What opens files of others, by name; `file_checks.py` does it.
OPENING = frozenset({"opens", "sheet_has", "numbers_match_source", "links_resolve", "has_parts", "schema"})


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A delivered file, or an input that numbers can be held against."""

    name: str
    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Result:
    """What is judged: the text, the files that came with it, and the data it speaks of."""

    text: str
    files: tuple[ResultFile, ...] = ()
    data: tuple[ResultFile, ...] = ()


Check = Callable[[Line, Result], tuple[bool, str]]
NOTHING_OPENED: Mapping[str, Check] = MappingProxyType({})


def judge(lines: Sequence[str], result: Result, opening: Mapping[str, Check] = NOTHING_OPENED) -> list[Verdict]:
    """A verdict per acceptance line, with these checks that open files. A text line stays open: nobody has read it."""
    return [_judge(parse_line(line), result, opening) for line in lines]


def needs_child(line: str) -> bool:
    """Whether a line is judged in a process of its own: it opens files, or a pattern may search for ever."""
    return parse_line(line).check in OPENING | {"matches"}


def _judge(line: Line, result: Result, opening: Mapping[str, Check]) -> Verdict:
    if line.check == "not_empty":
        return _verdict(line, *_not_empty(result))
    if line.check == "file_type":
        return _verdict(line, *_file_type(line, result))
    by_text = check_text(line, result.text)
    if by_text is not None:
        return by_text
    check = opening.get(line.check)
    if check is None:
        return Verdict(line.text, Finding.OPEN, "a person has to judge this", "nobody yet")
    return _verdict(line, *check(line, result))


def _verdict(line: Line, ok: bool, reason: str) -> Verdict:
    return Verdict(line.text, Finding.PASSED if ok else Finding.FAILED, reason)


def _not_empty(result: Result) -> tuple[bool, str]:
    """Words alone may be a result, but not beside files that are all empty: those are what was to be delivered."""
    if result.files and not any(file.size for file in result.files):
        return False, f"{result.files[0].name} is empty"
    ok = bool(result.text.strip()) or bool(result.files)
    return ok, "there is a result" if ok else "the result is empty"


def _file_type(line: Line, result: Result) -> tuple[bool, str]:
    wanted = "." + line.argument.lower().lstrip(".")
    found = [f for f in result.files if f.name.lower().endswith(wanted)]
    full = [f.name for f in found if f.size]
    if found and not full:
        return False, f"{found[0].name} is empty"
    return bool(full), f"{full[0]} is there" if full else f"no {wanted} file was delivered"
