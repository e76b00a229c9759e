"""The boxes and lines of a drawn plan, with everything that a template needs to write them down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from clawgroups.core.graph_groups import Group, Item
from clawgroups.core.graph_layout import Picture, Spot
from clawgroups.core.text_width import clipped, shortened, width_of, wrapped
from clawgroups.fragments.views.graph_rows import Rows, TaskRow

# The sizes of letters, and how wide they run: titles are bold.
TITLE, SMALL = 13.0 * 1.19, 11.5 * 1.1
GROUP = 62  # how high a group is
LOUD = ("stuck", "stopped", "failed", "held")
# Letters for the states of a group, and what is longer in words than by its name.
NAMED, LONG = 38, {"held": "in human hands"}
LISTED = 8  # tasks that a line names after which another one comes


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a box is, and how many lines its title has."""

    name: str
    width: float
    height: float
    beside: float
    lines: int

    @property
    def foot(self) -> float:
        """How far down the last line of a box stands."""
        return self.height - (9 if self.lines == 1 else 16)

    @property
    def marks(self) -> dict[str, float]:
        """Where the small things of a box stand."""
        low = self.lines == 1
        return {
            "end": self.width - 10,
            "asks": self.width - 55,
            "ask_y": self.foot - 11,
            "square": self.foot - 9,
            "round": self.foot - 4.5,
            "shape": 6 if low else 12,
            "tick": self.height - 5,
        }


ROOMY = Sizes("roomy", 236, 76, 16, 2)
DENSE = Sizes("dense", 236, 40, 8, 1)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar: how far from its start, how long, of which state and how many."""

    x: float
    width: float
    state: str
    number: int


@dataclass(frozen=True)
class Node:
    """A drawn box: a task, or a group of them."""

    key: str
    spot: Spot
    sizes: Sizes
    level: int
    full_title: str
    state: str = ""
    task: TaskRow | None = None
    group: Group | None = None
    on_path: bool = False
    needs_person: bool = False
    states: frozenset[str] = frozenset()

    @cached_property
    def lines(self) -> list[tuple[float, str]]:
        """The lines of its title, each with how far down it stands."""
        room = self.sizes.width - 48
        if self.group:
            count = width_of(f"{len(self.group.items)} × ", TITLE)
            return [(22.0, clipped(self.full_title, room + 20 - count, TITLE))]
        if self.sizes.lines == 1:
            return [(17.0, shortened(self.full_title, room, TITLE))]
        lines = wrapped(self.full_title, room, TITLE, 2)
        return list(zip((22.0, 38.0) if len(lines) > 1 else (27.0,), lines, strict=False))

    @property
    def who(self) -> str:
        """Who has it, as far as there is room."""
        return clipped(self.task.who, self.sizes.width - 128, SMALL) if self.task else ""

    @property
    def is_open(self) -> bool:
        return self.task is not None and self.task.item.state not in ("done", "failed", "cancelled")

    @cached_property
    def ticks(self) -> list[tuple[float, float, bool]]:
        """How far it is, as marks along its lower edge: where, how wide, whether done."""
        if self.task is None or not self.is_open:
            return []
        done, number = self.task.ticks
        room = self.sizes.width - 16
        if not number and self.task.percent is not None:
            share = room * self.task.percent / 100
            return [(8.0, round(share, 1), True), (8.0 + share, round(room - share, 1), False)]
        if not number:
            return []
        shown = min(number, 20)
        step = room / shown
        reached = round(done * shown / number)
        return [(round(8 + step * n, 1), round(step - 2, 1), n < reached) for n in range(shown)]

    @cached_property
    def bar(self) -> list[Part]:
        """Of a group: its states as a bar."""
        if self.group is None:
            return []
        room, x, parts = self.sizes.width - 28, 0.0, []
        for state, number in self.group.counts:
            width = room * number / len(self.group.items)
            parts.append(Part(round(14 + x, 1), round(max(width - 1.5, 1), 1), state, number))
            x += width
        return parts

    @property
    def counts(self) -> list[tuple[str, int]]:
        """Of a group: the states that there is room to name; first the largest, then what somebody should look at."""
        counts = self.group.counts if self.group else []
        room, named, most = NAMED, [], max((number for _, number in counts), default=0)
        for one in sorted(counts, key=lambda one: (one[1] < most, one[0] not in LOUD, -one[1])):
            room -= len(f"{one[1]} {LONG.get(one[0], one[0])} · ")
            named += [one] if room >= 0 else []
        return [one for one in counts if one in named]


@dataclass(frozen=True, slots=True)
class Link:
    """A drawn line. `number`: how many dependencies it stands for; `is_done`: nothing waits for them any more."""

    parent: str
    child: str
    path: str
    x: float
    y: float
    number: int = 1
    on_path: bool = False
    is_done: bool = False

    @property
    def width(self) -> float:
        """How thick it is: a line that stands for many is a little thicker."""
        return min(1.5 + 0.35 * (self.number.bit_length() - 1), 4.0)


@dataclass(frozen=True, slots=True)
class Layer:
    """What can be done side by side: where it stands, and how many tasks it has."""

    x: float
    number: int
    is_first: bool
    is_last: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A box as a line of a list: what it comes after, and how much more."""

    node: Node
    after: tuple[Node, ...] = field(default=())
    more: int = 0


def draw(
    rows: Rows,
    drawn: Sequence[Item | Group],
    picture: Picture,
    edges: Mapping[tuple[str, str], Sequence[tuple[str, str]]],
    path: Sequence[str],
    sizes: Sizes,
) -> tuple[list[Layer], list[Node], list[Link]]:
    """Layers, boxes and lines. `edges`: which dependencies a line stands for."""
    on_path = set(path)
    by_key = {one.key: _node(rows, one, picture.spots[one.key], on_path, sizes) for one in drawn}
    nodes = [by_key[key] for key in picture.spots]
    steps = set(pairwise(path))
    links = []
    for line in picture.lines:
        meant = edges[line.parent, line.child]
        on = any(edge in steps for edge in meant)
        done = all(rows.tasks[parent].item.state == "done" for parent, _ in meant)
        links.append(Link(line.parent, line.child, line.path, line.x, line.y, len(meant), on, done))
    # Those of the longest path lie on top, those of what is done below.
    return _layers(nodes), nodes, sorted(links, key=lambda link: (link.on_path, not link.is_done))


def label_of(links: Sequence[Link], picture: Picture) -> Link | None:
    """Where the longest path is named: at its first line that is left and runs straight, for there is room."""

    def bent(link: Link) -> bool:
        one, other = picture.spots[link.parent], picture.spots[link.child]
        return abs(one.y + one.height / 2 - other.y - other.height / 2) > TITLE

    on_path = sorted((link for link in links if link.on_path), key=lambda link: picture.spots[link.parent].x)
    return min(on_path, key=lambda link: (link.is_done, bent(link)), default=None)


def _node(rows: Rows, one: Item | Group, spot: Spot, on_path: set[str], sizes: Sizes) -> Node:
    if isinstance(one, Item):
        states = frozenset({one.state})
        row = rows.tasks[one.key]
        on = one.key in on_path
        return Node(one.key, spot, sizes, one.level, one.title, one.state, row, None, on, one.needs_person, states)
    title = one.title or ", ".join(one.items[0].skills)
    on = any(item.key in on_path for item in one.items)
    states = frozenset(item.state for item in one.items)
    needs = any(item.needs_person for item in one.items)
    return Node(one.key, spot, sizes, one.level, title, "", None, one, on, needs, states)


def _layers(nodes: Sequence[Node]) -> list[Layer]:
    found: dict[int, tuple[float, int]] = {}
    for node in nodes:
        number = len(node.group.items) if node.group else 1
        found[node.level] = (node.spot.x, found.get(node.level, (0.0, 0))[1] + number)
    levels = sorted(found)
    return [Layer(*found[level], level == 0, level == levels[-1]) for level in levels]


def list_rows(nodes: Sequence[Node], links: Sequence[Link]) -> list[list[Listed]]:
    """The same as lists, layer by layer."""
    by_key = {node.key: node for node in nodes}
    after: dict[str, list[Node]] = {}
    for link in links:
        after.setdefault(link.child, []).append(by_key[link.parent])
    layers: dict[int, list[Listed]] = {}
    for node in nodes:
        before = after.get(node.key, [])
        row = Listed(node, tuple(before[:LISTED]), max(len(before) - LISTED, 0))
        layers.setdefault(node.level, []).append(row)
    return [layers[level] for level in sorted(layers)]
