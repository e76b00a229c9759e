"""Tasks as cards in the columns of their states. Of a long column a window is read, more of it when somebody asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, F, Q, Value, When, Window
from django.db.models.functions import RowNumber
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from clawgroups.core.board_moves import COLUMN_OF, Column
from clawgroups.core.lifecycle import TASK_TERMINAL
from clawgroups.fragments.rooms import RunView
from clawgroups.fragments.tasks import TaskCard, cards_of
from clawgroups.fragments.views.query import query_of
from clawgroups.models import Task

WINDOW = 30
# Of what is over only the newest are of interest, and the cancelled are folded.
SHORT = {Column.DONE: 12, Column.CANCELLED: 0}
FINISHED = 60  # of a run that is over, done is all there is
MOST = 3_000
WORDS: dict[Column, tuple[str, str | Promise, str | Promise]] = {
    Column.WAITING: ("waiting", _("Waiting"), _("for other tasks, or paused")),
    Column.READY: ("ready", _("Ready"), _("for whoever fits")),
    Column.AGENTS: ("working", _("With agents"), _("offered, or at work")),
    Column.HANDS: ("held", _("In human hands"), _("taken over by a person")),
    Column.REVIEW: ("in_review", _("In review"), _("a result is judged")),
    Column.STUCK: ("stuck", _("Stuck or failed"), _("somebody has to decide")),
    Column.DONE: ("done", _("Done"), _("accepted, newest first")),
    Column.CANCELLED: ("cancelled", _("Cancelled"), _("newest first")),
}


@dataclass(frozen=True, slots=True)
class Lane:
    """One column: how many tasks stand in it, the cards of its first ones, and where more of them are."""

    column: Column
    total: int = 0
    cards: tuple[TaskCard, ...] = ()
    more: str = ""
    fewer: str = ""

    @property
    def state(self) -> str:
        return WORDS[self.column][0]

    @property
    def word(self) -> str | Promise:
        return WORDS[self.column][1]

    @property
    def hint(self) -> str | Promise:
        return WORDS[self.column][2]

    @property
    def left(self) -> int:
        """How many of it are not shown."""
        return self.total - len(self.cards)

    @property
    def step(self) -> int:
        """How many the next look shows beside these."""
        return min(self.left, WINDOW)


def load(view: RunView, said: Mapping[str, str]) -> dict[str, Any]:
    """What the template needs beside `view`. `said`: the query of the page, with how many cards of which column."""
    totals = _totals(view)
    sizes = {column: _size(view, column, said) for column in Column}
    ids = _first(view.run.pk, sizes)
    shown = {card.task.pk: card for card in cards_of([pk for some in ids.values() for pk in some])}
    lanes = []
    for column in Column:
        cards = tuple(shown[pk] for pk in ids.get(column, ()) if pk in shown)
        more = query_of(said, **{column: str(sizes[column] + WINDOW)}) if totals[column] > len(cards) else ""
        fewer = query_of(said, **{column: ""}) if said.get(column) else ""
        lanes.append(Lane(column, max(totals[column], len(cards)), cards, more, fewer))
    return {"lanes": lanes, "showing": _one(lanes, said)}


def _totals(view: RunView) -> Counter[Column]:
    """How many tasks stand where."""
    found: Counter[Column] = Counter()
    for group in view.groups:
        found[COLUMN_OF[group.state]] += group.number
    paused = Task.objects.filter(run=view.run).exclude(paused="").exclude(state__in=TASK_TERMINAL)
    for state, number in paused.order_by().values_list("state").annotate(number=Count("pk")):
        found[COLUMN_OF[state]] -= number
        found[Column.WAITING] += number
    return found


def _size(view: RunView, column: Column, said: Mapping[str, str]) -> int:
    """How many cards of a column are shown: as many as were asked for, or its window."""
    asked = said.get(column, "")
    if asked.isdecimal() and len(asked) < 6:
        return min(int(asked), MOST)
    if column is Column.DONE and not view.is_open:
        return FINISHED
    return SHORT.get(column, WINDOW)


def _first(run_id: UUID, sizes: Mapping[Column, int]) -> dict[Column, list[UUID]]:
    """The first tasks of each column: those that need a person before others, and of what is over the newest."""
    paused = ~Q(paused="") & ~Q(state__in=TASK_TERMINAL)
    whens = [When(paused, then=Value(Column.WAITING.value))]
    whens += [When(state=state, then=Value(column.value)) for state, column in COLUMN_OF.items()]
    needs = Case(When(Q(blocked_on="person") & ~Q(state__in=TASK_TERMINAL), then=Value(0)), default=Value(1))
    order = (needs, F("ended_at").desc(nulls_first=True), F("position").asc())
    place = Window(RowNumber(), partition_by=F("column"), order_by=order)
    rows = Task.objects.filter(run=run_id).annotate(column=Case(*whens)).annotate(place=place)
    found: dict[Column, list[UUID]] = {}
    first = rows.filter(place__lte=max(sizes.values())).order_by("column", "place")
    for name, pk in first.values_list("column", "pk"):
        some = found.setdefault(Column(name), [])
        if len(some) < sizes[Column(name)]:
            some.append(pk)
    return found


def _one(lanes: list[Lane], said: Mapping[str, str]) -> Column:
    """Where there is room for one column only: the one that was chosen, or the first that people should look at."""
    named = said.get("column", "")
    if named in COLUMN_OF.values():
        return Column(named)
    look_first = (Column.HANDS, Column.STUCK, Column.AGENTS, Column.REVIEW, Column.READY, Column.DONE)
    filled = {lane.column for lane in lanes if lane.total}
    return next((column for column in look_first if column in filled), Column.WAITING)
