"""Where the boxes of a graph stand and how its lines run: layers, few crossings, straight chains. Pure.

The layered method (Sugiyama, Tagawa and Toda, 1981). The layers are given. Within a layer boxes are ordered by where
their neighbours stand, in sweeps down and up (Barth, Mutzel and Jünger, 2004, count the crossings); then each is put as
close to its neighbours as the order allows (isotonic regression). A line that spans layers goes between the boxes.

Everything is said in two directions: `along` the layers, and `across` them. A picture turns them into x and y, in
whole pixels.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

MANY_LINES = 2_000  # from here on fewer sweeps: each costs as much as the lines are many
SWEEPS = 6
FOLLOWED = 40  # layers that a line is led around the boxes of


@dataclass(frozen=True, slots=True)
class Box:
    """What is to be drawn: `layer` from 0, `size` across the layers. The order given is kept where nothing speaks."""

    key: str
    layer: int
    size: float = 60.0


@dataclass(frozen=True, slots=True)
class Room:
    """How much of it there is: a layer's depth, the space between layers, between boxes and around everything."""

    depth: float = 224.0
    between: float = 72.0
    beside: float = 16.0
    around: float = 12.0
    # Layers downwards instead of to the right.
    down: bool = False


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a box stands: its corner and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Line:
    """How a line runs, as a path of SVG, and a point on it that lies in no layer."""

    parent: str
    child: str
    path: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Picture:
    """The whole: boxes by key in drawing order, lines in the order of their ends, and how large it is."""

    spots: Mapping[str, Spot] = field(default_factory=dict)
    lines: tuple[Line, ...] = ()
    width: float = 0.0
    height: float = 0.0


def lay_out(boxes: Sequence[Box], edges: Iterable[tuple[str, str]], room: Room = Room()) -> Picture:
    """A picture of boxes with lines from parents to children. Lines that lead to no later layer are left out."""
    if not boxes:
        return Picture()
    layers, at = _layers(boxes)
    place = {box.key: number for number, box in enumerate(boxes)}
    known = {e for e in edges if e[0] in at and e[1] in at and at[e[0]] < at[e[1]]}
    lines = sorted(known, key=lambda e: (at[e[0]], at[e[1]], place[e[0]], place[e[1]]))
    parents: dict[str, list[str]] = {box.key: [] for box in boxes}
    children: dict[str, list[str]] = {box.key: [] for box in boxes}
    for parent, child in lines:
        parents[child].append(parent)
        children[parent].append(child)
    order = _ordered(layers, at, parents, children, lines)
    sizes = {box.key: box.size for box in boxes}
    across = _across(order, sizes, parents, children, room)
    return _picture(order, at, sizes, across, lines, room)


def crossings(order: Sequence[Sequence[str]], edges: Iterable[tuple[str, str]]) -> int:
    """How many pairs of lines between neighbouring layers cross, boxes standing in this order."""
    at = {key: (layer, place) for layer, keys in enumerate(order) for place, key in enumerate(keys)}
    between: dict[int, list[tuple[int, int]]] = {}
    for parent, child in edges:
        if at[child][0] == at[parent][0] + 1:
            between.setdefault(at[parent][0], []).append((at[parent][1], at[child][1]))
    return sum(_inversions([child for _, child in sorted(ends)]) for ends in between.values())


def _layers(boxes: Sequence[Box]) -> tuple[list[list[str]], dict[str, int]]:
    """The keys layer by layer, empty layers left out, and the layer of each."""
    numbers = {layer: number for number, layer in enumerate(sorted({box.layer for box in boxes}))}
    at = {box.key: numbers[box.layer] for box in boxes}
    layers: list[list[str]] = [[] for _ in numbers]
    for key, layer in at.items():
        layers[layer].append(key)
    return layers, at


def _inversions(row: Sequence[int]) -> int:
    """How many pairs of a row stand the wrong way round, by a tree of counts (Fenwick, 1994)."""
    if not row:
        return 0
    size = max(row) + 1
    tree = [0] * (size + 1)
    found = 0
    for seen, value in enumerate(row):
        number, not_larger = value + 1, 0
        while number:
            not_larger += tree[number]
            number &= number - 1
        found += seen - not_larger
        number = value + 1
        while number <= size:
            tree[number] += 1
            number += number & -number
    return found


def _ordered(
    layers: list[list[str]],
    at: Mapping[str, int],
    parents: Mapping[str, list[str]],
    children: Mapping[str, list[str]],
    lines: Sequence[tuple[str, str]],
) -> list[list[str]]:
    """The order within each layer that crossed least of those tried; of equals the earliest, which moved least."""
    best, fewest = [list(keys) for keys in layers], crossings(layers, lines)
    order = [list(keys) for keys in layers]
    for number in range(2 if len(lines) > MANY_LINES else SWEEPS):
        if not fewest:
            break
        back = number % 2 == 1
        _sweep(order, children if back else parents, back=back)
        if (found := crossings(order, lines)) < fewest:
            best, fewest = [list(keys) for keys in order], found
    return best


def _sweep(order: list[list[str]], neighbours: Mapping[str, list[str]], *, back: bool) -> None:
    """Order each layer by the mean place of its boxes' neighbours, each in its own layer from 0 to 1."""
    where: dict[str, float] = {}
    for layer in range(len(order) - 1, -1, -1) if back else range(len(order)):
        keys = order[layer]
        size = len(keys)
        wish = {}
        for place, key in enumerate(keys):
            near = neighbours[key]
            wish[key] = sum([where[one] for one in near]) / len(near) if near else (place + 0.5) / size
        keys.sort(key=wish.__getitem__)
        for place, key in enumerate(keys):
            where[key] = (place + 0.5) / size


def _across(
    order: Sequence[Sequence[str]],
    sizes: Mapping[str, float],
    parents: Mapping[str, list[str]],
    children: Mapping[str, list[str]],
    room: Room,
) -> dict[str, float]:
    """The middle of each box across the layers: near its neighbours, in this order, and not on another."""
    middle: dict[str, float] = {}
    for keys in order:
        length = sum(sizes[key] for key in keys) + room.beside * (len(keys) - 1)
        start = -length / 2
        for key in keys:
            middle[key] = start + sizes[key] / 2
            start += sizes[key] + room.beside
    for down in (True, False, True):
        near = parents if down else children
        for keys in order if down else reversed(order):
            wishes = [_median([middle[one] for one in near[key]], middle[key]) for key in keys]
            middle.update(zip(keys, _packed(wishes, [sizes[key] for key in keys], room.beside), strict=True))
    low = min(middle[key] - sizes[key] / 2 for key in middle)
    return {key: value - low for key, value in middle.items()}


def _median(values: list[float], otherwise: float) -> float:
    if not values:
        return otherwise
    values.sort()
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def _packed(wishes: Sequence[float], sizes: Sequence[float], beside: float) -> list[float]:
    """The places nearest to the wishes, by least squares, that keep the order and the distances."""
    offsets, at = [], 0.0
    for number, size in enumerate(sizes):
        at += (sizes[number - 1] + size) / 2 + beside if number else 0.0
        offsets.append(at)
    # Blocks of boxes that touch: the mean of what their boxes wish for, and how many (pool adjacent violators).
    blocks: list[tuple[float, int]] = []
    for wish, offset in zip(wishes, offsets, strict=True):
        mean, number = wish - offset, 1
        while blocks and blocks[-1][0] > mean:
            before, many = blocks.pop()
            mean, number = (before * many + mean * number) / (many + number), many + number
        blocks.append((mean, number))
    starts = [mean for mean, number in blocks for _ in range(number)]
    return [start + offset for start, offset in zip(starts, offsets, strict=True)]


def _picture(
    order: Sequence[Sequence[str]],
    at: Mapping[str, int],
    sizes: Mapping[str, float],
    across: Mapping[str, float],
    lines: Sequence[tuple[str, str]],
    room: Room,
) -> Picture:
    step = room.depth + room.between
    spots = {}
    for layer, keys in enumerate(order):
        along = round(room.around + layer * step)
        for key in keys:
            corner = round(room.around + across[key] - sizes[key] / 2)
            spots[key] = (
                Spot(corner, along, sizes[key], room.depth)
                if room.down
                else Spot(along, corner, room.depth, sizes[key])
            )
    gaps = [_gaps(keys, sizes, across, room) for keys in order]
    length = math.ceil(2 * room.around + len(order) * step - room.between)
    width = math.ceil(2 * room.around + max(across[key] + sizes[key] / 2 for key in across))
    drawn = tuple(_line(parent, child, at, across, gaps, room) for parent, child in lines)
    return Picture(spots, drawn, *((width, length) if room.down else (length, width)))


@dataclass(frozen=True, slots=True)
class _Gaps:
    """What is free across a layer: where its boxes begin and end, in order, a little larger than they are."""

    starts: list[float]
    ends: list[float]

    def nearest(self, wish: float) -> float:
        """The free place that is nearest to this one."""
        box = bisect_right(self.starts, wish) - 1
        if box < 0 or wish >= self.ends[box]:
            return wish
        before = self.starts[box] if box == 0 else (self.ends[box - 1] + self.starts[box]) / 2
        last = box == len(self.ends) - 1
        after = self.ends[box] if last else (self.ends[box] + self.starts[box + 1]) / 2
        return before if wish - before < after - wish else after


def _gaps(keys: Sequence[str], sizes: Mapping[str, float], across: Mapping[str, float], room: Room) -> _Gaps:
    clear = room.beside / 2
    return _Gaps(
        [across[key] - sizes[key] / 2 - clear for key in keys], [across[key] + sizes[key] / 2 + clear for key in keys]
    )


def _line(
    parent: str, child: str, at: Mapping[str, int], across: Mapping[str, float], gaps: Sequence[_Gaps], room: Room
) -> Line:
    """A line of curves between layers, and straight through the layers that it passes."""
    first, last = at[parent], at[child]
    step, around = room.depth + room.between, room.around
    here, end = across[parent], across[child]
    along = first * step + room.depth + around
    points = [(along, here + around)]
    # A line across very many layers is a hint that there is one; nobody follows it from box to box.
    for layer in range(first + 1, last) if last - first <= FOLLOWED else ():
        here = gaps[layer].nearest(here + (end - here) / (last - layer + 1))
        along = layer * step + around
        points += [(along, here + around), (along + room.depth, here + around)]
    points.append((last * step + around, end + around))
    path, form = "", "C%d,%d %d,%d %d,%d"
    for number in range(0, len(points), 2):
        (a, from_), (b, to) = points[number], points[number + 1]
        half = (a + b) / 2
        if room.down:
            path += ("L%d,%d" if number else "M%d,%d") % (from_, a) + form % (from_, half, to, half, to, b)
        else:
            path += ("L%d,%d" if number else "M%d,%d") % (a, from_) + form % (half, from_, half, to, b, to)
    (a, from_), (b, to) = points[:2]
    middle = round((a + b) / 2), round((from_ + to) / 2)
    return Line(parent, child, path, *(middle[::-1] if room.down else middle))
