"""A difference with line numbers, in passages: what is alike, and what was there beside what is there now. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clawgroups.core.text_merge import LONG_LINE, passages

AROUND = 3  # lines alike that stand before and after what differs
MOST_FOLDED = 400  # lines alike that a fold shows when it is opened
MOST_SHOWN = 1500  # lines that differ

Line = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Passage:
    """Some lines. "alike": the same on both sides; "folded": the same and put away; "changed"; "more": left out;
    "hidden": the same and left out.

    `count`: how many lines alike a fold stands for, or how many lines that differ are left out.
    """

    kind: str
    left: tuple[Line, ...] = ()
    right: tuple[Line, ...] = ()
    count: int = 0


@dataclass(frozen=True, slots=True)
class Numbered:
    """A difference as a whole, and how many lines it adds and takes out."""

    passages: tuple[Passage, ...]
    added: int
    removed: int


def numbered(before: str, after: str) -> Numbered:
    """What the second text has otherwise."""
    old, new = _lines(before), _lines(after)
    found = passages(old, new) if old or new else []
    made: list[Passage] = []
    added = removed = 0
    for number, (kind, a, b, c, d) in enumerate(found):
        left, right = _numbers(old, a, b), _numbers(new, c, d)
        if kind == "equal":
            made += _alike(left, right, first=number == 0, last=number == len(found) - 1)
            continue
        room = max(0, MOST_SHOWN - added - removed)
        added, removed = added + len(right), removed + len(left)
        if room:
            made.append(Passage("changed", left[:room], right[:room]))
        if len(left) > room or len(right) > room:
            made.append(Passage("more", count=max(0, len(left) - room) + max(0, len(right) - room)))
    return Numbered(tuple(made), added, removed)


def beginning(whole: Numbered, most: int) -> Numbered:
    """The first passages of a difference: about so many lines, and what is left out told."""
    made: list[Passage] = []
    room, out = most, 0
    for one in whole.passages:
        changes = len(one.left) + len(one.right) if one.kind == "changed" else one.count if one.kind == "more" else 0
        if room <= 0:
            out += changes
        elif one.kind == "folded":
            made.append(Passage("hidden", count=one.count))
        elif one.kind == "changed":
            left, right = (
                one.left[: max(room // 2, room - len(one.right))],
                one.right[: max(room // 2, room - len(one.left))],
            )
            made.append(Passage("changed", left, right))
            out += changes - len(left) - len(right)
            room -= len(left) + len(right)
        else:
            made.append(one)
            room -= len(one.left)
    if out:
        made.append(Passage("more", count=out))
    return Numbered(tuple(made), whole.added, whole.removed)


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _numbers(lines: Sequence[str], start: int, end: int) -> tuple[Line, ...]:
    return tuple((start + n + 1, line[:LONG_LINE].rstrip("\r")) for n, line in enumerate(lines[start:end]))


def _alike(left: Sequence[Line], right: Sequence[Line], *, first: bool, last: bool) -> list[Passage]:
    head, tail = 0 if first else AROUND, 0 if last else AROUND
    if len(left) <= head + tail + 1:
        return [Passage("alike", tuple(left), tuple(right))]
    end = len(left) - tail
    shown = min(end, head + MOST_FOLDED)
    fold = Passage("folded", tuple(left[head:shown]), tuple(right[head:shown]), end - head)
    parts = [Passage("alike", tuple(left[:head]), tuple(right[:head])), fold]
    return [one for one in [*parts, Passage("alike", tuple(left[end:]), tuple(right[end:]))] if one.left]
