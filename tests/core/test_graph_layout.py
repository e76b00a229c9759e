"""Boxes stand in their layers and on nothing else, lines go around them, and the same plan gives the same picture."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawgroups.core.graph_layout import Box, Line, Picture, Room, Spot, crossings, lay_out

ROOM = Room(depth=200, between=80, beside=16, around=10)
DIAMOND = ([Box("a", 0), Box("b", 1), Box("c", 1), Box("d", 2)], [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")])
Graph = tuple[list[Box], list[tuple[str, str]]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    layers = draw(st.lists(st.integers(1, 5), min_size=1, max_size=5))
    boxes = [
        Box(f"{layer}.{number}", layer, draw(st.sampled_from((40.0, 60.0, 76.0))))
        for layer, size in enumerate(layers)
        for number in range(size)
    ]
    pairs = [(one.key, other.key) for one in boxes for other in boxes if one.layer < other.layer]
    edges = draw(st.lists(st.sampled_from(pairs), max_size=25, unique=True)) if pairs else []
    return boxes, edges


def overlap(one: Spot, other: Spot) -> bool:
    across = one.x < other.x + other.width and other.x < one.x + one.width
    return across and one.y < other.y + other.height and other.y < one.y + one.height


def straight_parts(line: Line) -> list[tuple[float, float, float]]:
    """From where to where a line runs straight through a layer, and how far down."""
    found = re.findall(r"([MLC])([^MLC]+)", line.path)
    ends = [[float(n) for n in re.findall(r"-?\d+", numbers)][-2:] for _, numbers in found]
    return [(ends[n - 1][0], ends[n][0], ends[n][1]) for n in range(1, len(found)) if found[n][0] == "L"]


@settings(max_examples=40)
@given(graphs())
def test_no_box_stands_on_another_and_all_are_in_the_picture(graph: Graph) -> None:
    picture = lay_out(*graph, ROOM)
    spots = list(picture.spots.values())
    assert sorted(picture.spots) == sorted(box.key for box in graph[0])
    assert not any(overlap(one, other) for n, one in enumerate(spots) for other in spots[n + 1 :])
    for spot in spots:
        assert spot.x >= 0
        assert spot.y >= 0
        assert spot.x + spot.width <= picture.width
        assert spot.y + spot.height <= picture.height


@settings(max_examples=40)
@given(graphs())
def test_a_line_that_passes_a_layer_passes_between_its_boxes(graph: Graph) -> None:
    picture = lay_out(*graph, ROOM)
    for line in picture.lines:
        for left, right, y in straight_parts(line):
            crossed = [s for s in picture.spots.values() if left < s.x + s.width and s.x < right]
            assert not any(spot.y + 1 < y < spot.y + spot.height - 1 for spot in crossed)


@settings(max_examples=40)
@given(graphs(), st.randoms(use_true_random=False))
def test_the_picture_does_not_depend_on_the_order_of_the_lines(graph: Graph, chance: random.Random) -> None:
    boxes, edges = graph
    other = list(edges)
    chance.shuffle(other)
    assert lay_out(boxes, edges, ROOM) == lay_out(boxes, other, ROOM)


@settings(max_examples=40)
@given(graphs())
def test_downwards_is_the_same_picture_turned(graph: Graph) -> None:
    across = lay_out(*graph, ROOM)
    down = lay_out(*graph, Room(**{**{n: getattr(ROOM, n) for n in ROOM.__slots__}, "down": True}))
    assert {k: Spot(s.y, s.x, s.height, s.width) for k, s in across.spots.items()} == dict(down.spots)
    assert (across.width, across.height) == (down.height, down.width)


@settings(max_examples=40)
@given(graphs())
def test_lines_never_cross_more_often_than_in_the_order_of_the_plan(graph: Graph) -> None:
    boxes, edges = graph
    picture = lay_out(boxes, edges, ROOM)
    order: dict[float, list[str]] = {}
    for key, spot in picture.spots.items():
        order.setdefault(spot.x, []).append(key)
    plain: dict[int, list[str]] = {}
    for box in boxes:
        plain.setdefault(box.layer, []).append(box.key)
    found = [sorted(keys, key=lambda key: picture.spots[key].y) for _, keys in sorted(order.items())]
    assert crossings(found, edges) <= crossings([plain[layer] for layer in sorted(plain)], edges)


@pytest.mark.parametrize(
    ("order", "edges", "expected"),
    [
        ([["a", "b"], ["c", "d"]], [("a", "c"), ("b", "d")], 0),
        ([["a", "b"], ["c", "d"]], [("a", "d"), ("b", "c")], 1),
        ([["a", "b"], ["c", "d"]], [("a", "c"), ("a", "d"), ("b", "c"), ("b", "d")], 1),
        ([["a"], ["b"], ["c"]], [("a", "c")], 0),
        ([], [], 0),
    ],
)
def test_crossings_are_counted(order: list[list[str]], edges: list[tuple[str, str]], expected: int) -> None:
    assert crossings(order, edges) == expected


def test_crossed_lines_are_untangled() -> None:
    boxes = [Box(key, layer) for layer, keys in enumerate(("abc", "def")) for key in keys]
    picture = lay_out(boxes, [("a", "f"), ("b", "e"), ("c", "d")], ROOM)
    assert [picture.spots[a].y < picture.spots[b].y for a, b in ("ab", "bc", "fe", "ed")] == [True] * 4
    assert all(picture.spots[a].y == picture.spots[b].y for a, b in ("af", "be", "cd"))


def test_a_chain_runs_straight_and_a_diamond_stands_in_the_middle() -> None:
    chain = lay_out([Box(key, n) for n, key in enumerate("abc")], [("a", "b"), ("b", "c")], ROOM)
    assert {spot.y for spot in chain.spots.values()} == {10.0}
    diamond = lay_out(*DIAMOND, ROOM).spots
    assert diamond["a"].y == diamond["d"].y == (diamond["b"].y + diamond["c"].y) / 2


def test_a_task_added_at_the_end_leaves_the_others_where_they_were() -> None:
    boxes, edges = DIAMOND
    before = lay_out(boxes, edges, ROOM).spots
    after = lay_out([*boxes, Box("e", 3)], [*edges, ("d", "e")], ROOM).spots
    assert {key: after[key] for key in before} == before


def test_a_line_back_or_to_what_is_not_there_is_left_out_and_empty_layers_take_no_room() -> None:
    picture = lay_out([Box("a", 0), Box("b", 7)], [("b", "a"), ("a", "x"), ("a", "a"), ("a", "b")], ROOM)
    assert [(line.parent, line.child) for line in picture.lines] == [("a", "b")]
    assert picture.spots["b"].x == 10 + 280
    assert lay_out([], [("a", "b")]) == Picture()
