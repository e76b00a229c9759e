"""The plan as a graph: what comes after what, and the longest path. Drawn here, as SVG; a browser only shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clawgroups.core.graph_groups import Group, Item, grouped, longest_path
from clawgroups.core.graph_layout import Box, Picture, Room, lay_out
from clawgroups.core.lifecycle import TASK_TERMINAL
from clawgroups.fragments.rooms import RunView
from clawgroups.fragments.views.graph_nodes import (
    DENSE,
    GROUP,
    ROOMY,
    Layer,
    Link,
    Node,
    Sizes,
    draw,
    label_of,
    list_rows,
)
from clawgroups.fragments.views.graph_rows import Rows, rows_of

WINDOW = 40  # layers of a page
TALL = 12  # boxes side by side from which on they are low
OPEN = 12  # groups that are open at once
HEAD = 26  # above the boxes, for the names of the layers
LEGEND = ("done", "in_review", "working", "held", "stuck", "ready", "waiting", "failed")


def load(view: RunView, said: Mapping[str, str]) -> dict[str, Any]:
    """The drawn plan. `said`: `open` groups, `way` (across, down), `zoom` (fit), `from` which layer of a deep plan."""
    rows = rows_of(view.run.pk)
    items = [row.item for row in rows.tasks.values()]
    opened = frozenset(filter(None, said.get("open", "").split(",")))
    depth = max((item.level for item in items), default=-1) + 1
    window = _window(said.get("from", ""), items, depth)
    drawn = [one for one in grouped(items, opened) if one.level in window]
    down = _is_down(said.get("way", ""), drawn)
    sizes = DENSE if _breadth(drawn) > TALL and not down else ROOMY
    left = {item.key for item in items if item.state not in TASK_TERMINAL}
    path = _path(view, rows, left)
    head = 0 if down else HEAD
    picture, layers, nodes, links = _drawn(rows, drawn, path, sizes, down)
    return {
        "picture": picture,
        "layers": layers,
        "head": head,
        "height": picture.height + head,
        "group_height": sizes.height if down else GROUP,
        "nodes": nodes,
        "links": links,
        "label": label_of(links, picture),
        "listed": list_rows(nodes, links),
        "path_left": sum(1 for key in path if key in left),
        "path_all": len(path),
        "start": _start(nodes),
        "down": down,
        "sizes": sizes,
        "is_fit": said.get("zoom") == "fit",
        "is_grouped": any(node.group for node in nodes),
        "window": window,
        "depth": depth,
        **_ways_on(said, opened, nodes, window, depth),
        "turned": _links(said, "way", ("across", _("Across")), ("down", _("Down")), now="down" if down else "across"),
        "shapes": _shapes(nodes),
        "arrows": ("done", "left", "path"),
        "legend": [state for state in LEGEND if state in _shapes(nodes)],
        "summary": _summary(view, path, left),
    }


def _path(view: RunView, rows: Rows, left: set[str]) -> tuple[str, ...]:
    places = {key: (row.item.level, row.bottom_level) for key, row in rows.tasks.items()}
    return longest_path(places, view.run.path_length, rows.edges, left)


def _ways_on(
    said: Mapping[str, str], opened: frozenset[str], nodes: Sequence[Node], window: range, depth: int
) -> dict[str, Any]:
    """Where one can go from here: addresses of groups to open and shut, and of other parts of a deep plan."""
    return {
        "zoomed": _links(said, "zoom", ("", _("100 %")), ("fit", _("Fit"))),
        "opened": [(key, key.partition(".")[2], _address(said, open=_join(opened - {key}))) for key in sorted(opened)],
        "openings": {node.key: _address(said, open=_join(opened | {node.key})) for node in nodes if node.group},
        "earlier": _address(said, **{"from": str(max(window.start - WINDOW // 2, 0))}) if window.start else "",
        "later": _address(said, **{"from": str(window.start + WINDOW // 2)}) if window.stop < depth else "",
    }


def _drawn(
    rows: Rows, drawn: Sequence[Item | Group], path: Sequence[str], sizes: Sizes, down: bool
) -> tuple[Picture, list[Layer], list[Node], list[Link]]:
    """The picture: where everything is, by box; a task in a group is where its group is."""
    inside = {item.key: one.key for one in drawn if isinstance(one, Group) for item in one.items}
    inside |= {one.key: one.key for one in drawn if isinstance(one, Item)}
    edges: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for parent, child in rows.edges:
        if parent in inside and child in inside:
            edges.setdefault((inside[parent], inside[child]), []).append((parent, child))
    room = Room(sizes.height if down else sizes.width, 44 if down else 92, sizes.beside, 16, down)
    boxes = [Box(one.key, one.level, sizes.width if down else _height(one, sizes)) for one in drawn]
    picture = lay_out(boxes, edges, room)
    return picture, *draw(rows, drawn, picture, edges, path, sizes)


def _height(one: Item | Group, sizes: Sizes) -> float:
    return GROUP if isinstance(one, Group) else sizes.height


def _window(said: str, items: Sequence[Item], depth: int) -> range:
    """The layers of a page."""
    first = _first_layer(said, items, depth)
    return range(first, min(first + WINDOW, depth))


def _first_layer(said: str, items: Sequence[Item], depth: int) -> int:
    """Where the window of a deep plan begins: where it was asked to, or a little before what is not over."""
    if depth <= WINDOW:
        return 0
    if said.isdecimal() and len(said) < 6:
        return min(int(said), depth - 1)
    open_ = min((item.level for item in items if item.state not in TASK_TERMINAL), default=0)
    return max(min(open_ - 3, depth - WINDOW), 0)


def _breadth(drawn: Sequence[Item | Group]) -> int:
    counts: dict[int, int] = {}
    for one in drawn:
        counts[one.level] = counts.get(one.level, 0) + 1
    return max(counts.values(), default=0)


def _is_down(said: str, drawn: Sequence[Item | Group]) -> bool:
    """Whether the layers go downwards: as asked for; else where a plan is long and narrow."""
    if said in ("across", "down"):
        return said == "down"
    return _breadth(drawn) <= 3 and len({one.level for one in drawn}) > 5


def _start(nodes: Sequence[Node]) -> Node | None:
    """The box that one looks for first: what needs a person, else what is at work, else what comes next."""
    for states in ((), ("working", "assigned", "in_review"), ("ready", "waiting")):
        for node in nodes:
            if node.needs_person if not states else node.states & set(states):
                return node
    return None


def _shapes(nodes: Sequence[Node]) -> list[str]:
    """The states that are drawn, each once."""
    return sorted(set().union(*(node.states for node in nodes)))


def _address(said: Mapping[str, str], **changed: str) -> str:
    """The query of this page with something changed; "?" where nothing is left."""
    kept = {key: value for key, value in {**said, **changed}.items() if value}
    return f"?{urlencode(kept, safe=',~')}"


def _join(keys: frozenset[str]) -> str:
    return ",".join(sorted(keys)[:OPEN])


def _links(said: Mapping[str, str], name: str, *choices: tuple[str, str], now: str = "") -> list[tuple[str, str, bool]]:
    """Links that choose one of several: address, word, whether it is the one that is shown."""
    here = now or said.get(name, "")
    return [(_address(said, **{name: value}), word, value == here) for value, word in choices]


def _summary(view: RunView, path: Sequence[str], left: set[str]) -> str:
    """The picture in a sentence, for those who do not see it."""
    tasks = ngettext("%d task", "%d tasks", view.total) % view.total
    done = ngettext("%d is over", "%d are over", view.closed) % view.closed
    longest = _("the longest path has %(all)d tasks, %(left)d of them left") % {
        "all": len(path),
        "left": sum(1 for key in path if key in left),
    }
    return f"{tasks}, {done}; {longest}." if path else f"{tasks}, {done}."
