"""What is equal in two lists of lines and what is not, as `difflib` says it, in bounded time. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from typing import Any

Passage = tuple[str, int, int, int, int]
# Pairs of equal lines times the lines of the shorter side: so much is looked at, at the worst; a fifth of a second.
WORK = 2_000_000


def passages(one: Sequence[str], other: Sequence[str], fits: Callable[[int, int], bool]) -> list[Passage]:
    """What is equal at both ends is left out of the comparison; what is between is one passage where it does not fit.

    `fits`: whether so many lines on the left and on the right are compared at all.
    """
    shorter, start, end = min(len(one), len(other)), 0, 0
    while start < shorter and one[start] == other[start]:
        start += 1
    while end < shorter - start and one[-1 - end] == other[-1 - end]:
        end += 1
    left, right = one[start : len(one) - end], other[start : len(other) - end]
    codes: list[Any] = [("replace", 0, len(left), 0, len(right))]
    if fits(len(left), len(right)):
        codes = SequenceMatcher(_common(left, right).__contains__, left, right, autojunk=False).get_opcodes()
    found: list[Passage] = [("equal", 0, start, 0, start)] if start else []
    found += [(kind, a + start, b + start, c + start, d + start) for kind, a, b, c, d in codes]
    if end:
        found.append(("equal", len(one) - end, len(one), len(other) - end, len(other)))
    return found


def _common(left: Sequence[str], right: Sequence[str]) -> frozenset[str]:
    """Lines that stand in both so often that pairing them takes too long: no match begins with one of them alone."""
    here, there = Counter(left), Counter(right)
    pairs = sorted((here[line] * there[line], line) for line in here.keys() & there.keys())
    most = WORK // max(min(len(left), len(right)), 1)
    total = sum(number for number, _ in pairs)
    dropped = set()
    while total > most and pairs and pairs[-1][0] > 1:
        number, line = pairs.pop()
        total -= number
        dropped.add(line)
    return frozenset(dropped)
