"""Two texts that were changed apart: what differs between them, and both of them put together.

Line by line, in bounded time: what is long and differs all over is taken as one passage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clawgroups.core import line_match
from clawgroups.core.line_match import Passage

MOST_COMPARED = 2000  # lines on each side, where they begin to differ
MOST_SHOWN = 600  # lines of a difference
LONG_LINE = 2000  # characters


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a difference: "same", "out" (in the first text only), "in" (in the second), "gap" (left out)."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Merged:
    """Both texts in one. `clean`: they were changed in different places, so that nothing is left to choose."""

    text: str
    clean: bool


def diff(before: str, after: str, context: int = 2) -> list[DiffLine]:
    """What the second text has otherwise, with a little around it."""
    if before == after:
        return []
    return list(_bounded(_diff(before.split("\n"), after.split("\n"), context)))


def merge(base: str | None, mine: str, other: str, marks: tuple[str, str]) -> Merged:
    """What both made of `base` (None: not known), in one text.

    Where both changed the same lines, both stand there, each below its mark: first `other`, then `mine`.
    """
    ours, theirs = mine.split("\n"), other.split("\n")
    common = sorted(_equal(ours, theirs))
    ground = [ours[n] for n in common] if base is None else base.split("\n")
    in_ours, in_theirs = _equal(ground, ours), _equal(ground, theirs)
    kept = sorted(in_ours.keys() & in_theirs.keys())
    said: list[str] = []
    clean, at = True, (0, 0, 0)
    for place in (*kept, None):
        ends = (len(ground), len(ours), len(theirs)) if place is None else (place, in_ours[place], in_theirs[place])
        was, mine_now, other_now = (lines[a:b] for lines, a, b in zip((ground, ours, theirs), at, ends, strict=True))
        if mine_now in (was, other_now):
            said += other_now
        elif other_now == was:
            said += mine_now
        else:
            clean = False
            said += [marks[0], *other_now, marks[1], *mine_now]
        if place is not None:
            said.append(ground[place])
        at = (ends[0] + 1, ends[1] + 1, ends[2] + 1)
    return Merged("\n".join(said), clean)


def _equal(one: Sequence[str], other: Sequence[str]) -> dict[int, int]:
    """The lines of one text that stand in the other, too: places here and there, both rising."""
    return {a1 + n: b1 + n for kind, a1, a2, b1, _ in passages(one, other) if kind == "equal" for n in range(a2 - a1)}


def passages(one: Sequence[str], other: Sequence[str]) -> list[Passage]:
    """What is equal and what is not; what is long and differs all over is one passage, with what is alike around it."""
    return line_match.passages(one, other, lambda a, b: max(a, b) <= MOST_COMPARED)


def _diff(one: Sequence[str], other: Sequence[str], context: int) -> Iterator[DiffLine]:
    found = passages(one, other)
    for place, (kind, a1, a2, b1, b2) in enumerate(found):
        if kind != "equal":
            yield from _changed(one[a1:a2], other[b1:b2])
            continue
        head = 0 if place == 0 else context
        tail = 0 if place == len(found) - 1 else context
        if a2 - a1 <= head + tail + 1:
            yield from (DiffLine("same", _clip(line)) for line in one[a1:a2])
            continue
        yield from (DiffLine("same", _clip(line)) for line in one[a1 : a1 + head])
        yield DiffLine("gap", str(a2 - a1 - head - tail))
        yield from (DiffLine("same", _clip(line)) for line in one[a2 - tail : a2])


def _changed(one: Sequence[str], other: Sequence[str]) -> Iterator[DiffLine]:
    pairs = min(len(one), len(other))
    begins = [max(0, _first_difference(a, b) - 80) for a, b in zip(one, other, strict=False)]
    for kind, lines in (("out", one), ("in", other)):
        for n, line in enumerate(lines):
            yield DiffLine(kind, _clip(line, begins[n] if n < pairs and len(line) > LONG_LINE else 0))


def _first_difference(one: str, other: str) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _clip(line: str, begin: int = 0) -> str:
    if len(line) <= LONG_LINE:
        return line
    shown = line[begin : begin + LONG_LINE]
    return f"{'…' if begin else ''}{shown}{'…' if begin + LONG_LINE < len(line) else ''}"


def _bounded(lines: Iterator[DiffLine]) -> Iterator[DiffLine]:
    for n, line in enumerate(lines):
        if n == MOST_SHOWN:
            yield DiffLine("gap", "")
            return
        yield line
