"""The views of a run: the same tasks, looked at in different ways and switched without leaving the page.

Each is a module with `load(view, said)` and a template `runs/views/<name>.html` of what is inside the root.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from clawgroups.fragments.rooms import RunView
from clawgroups.fragments.views import board, fleet, graph, listing, timeline
from clawgroups.fragments.views.query import query_of

Load = Callable[[RunView, Mapping[str, str]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to look at a run: its name in addresses, its icon, its word, and how it is loaded."""

    name: str
    icon: str
    word: str | Promise
    load: Load
    # Whether it is loaded anew as a whole when something in the run changes; otherwise it changes piece by piece.
    reloads: bool = True

    @property
    def template(self) -> str:
        return f"runs/views/{self.name}.html"


VIEWS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("board", "board", _("Board"), board.load),
        Kind("graph", "path", _("Graph"), graph.load),
        Kind("timeline", "clock", _("Timeline"), timeline.load),
        Kind("fleet", "people", _("Fleet"), fleet.load, reloads=False),
        Kind("list", "read", _("List"), listing.load),
    )
}
FIRST, OF_MANY = "board", "fleet"


def first_of(view: RunView) -> str:
    """How a run is looked at by who has not chosen."""
    return OF_MANY if view.is_large else FIRST


def shown(view: RunView, name: str, said: Mapping[str, str]) -> dict[str, Any]:
    """What the root of a run's views is drawn with; a name that there is not gives the first.

    The empty name is the plan as a proposal, which stands on the page beside the root. Where there is no task yet,
    no view is loaded: all of them say why.
    """
    kind = VIEWS.get(name or first_of(view), VIEWS[FIRST])
    said = {key: value for key, value in said.items() if value}
    context = {"view": view, "kind": kind, "kinds": VIEWS.values(), "query": query_of(said)}
    if not name and view.state == "proposed":
        return {**context, "kind": None}
    return {**context, **kind.load(view, said)} if view.total else context
