"""Tasks as rows, sorted and filtered, a page of them at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Case, Count, F, OrderBy, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, Lower
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from clawgroups.core.failures import Failure
from clawgroups.core.lifecycle import TASK_TERMINAL, TaskState
from clawgroups.fragments.rooms import BAR, RunView
from clawgroups.fragments.tasks import cards_of
from clawgroups.fragments.views.query import query_of
from clawgroups.models import Member, Task

PAGE = 100
LONGEST_TEXT = 120
LIFE = Case(*(When(state=state, then=Value(place)) for place, state in enumerate(TaskState)))
WHO = Lower(Coalesce("holder__name", "assignee__name"))
SORTS: dict[str, tuple[str | Promise, Any]] = {
    "plan": ("#", F("position")),
    "title": (_("Task"), Lower("title")),
    "state": (_("State"), LIFE),
    "who": (_("Who"), WHO),
    "until": (_("Next"), F("deadline_at")),
    "tries": (_("Tries"), F("tries")),
}
PLAIN = "plan"
# What a filter of states offers: a name, what it is called, and which tasks it leaves.
_PAUSED = ~Q(paused="") & ~Q(state__in=TASK_TERMINAL)
STATES: dict[str, tuple[str | Promise, Q]] = {
    "open": (_("Not over yet"), ~Q(state__in=TASK_TERMINAL)),
    "waiting": (_("Waiting"), Q(state="waiting", paused="")),
    "ready": (_("Ready"), Q(state="ready", paused="")),
    "agents": (_("With agents"), Q(state__in=("assigned", "working"))),
    "held": (_("In human hands"), Q(state="held")),
    "in_review": (_("In review"), Q(state="in_review")),
    "stuck": (_("Stuck"), Q(state="stuck")),
    "stopped": (_("Stopped"), Q(state="stuck", failure=Failure.HALTED)),
    "paused": (_("Paused"), _PAUSED),
    "done": (_("Done"), Q(state="done")),
    "failed": (_("Failed"), Q(state="failed")),
    "cancelled": (_("Cancelled"), Q(state="cancelled")),
}


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column: its word, where it leads, and how the rows are sorted by it (`aria-sort`)."""

    name: str
    word: str | Promise
    query: str
    sorted: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a filter."""

    value: str
    word: str | Promise
    chosen: bool = False


def load(view: RunView, said: Mapping[str, str]) -> dict[str, Any]:
    """What the template needs beside `view`. `said`: the query of the page, with filters, sort and page."""
    tasks = Task.objects.filter(run=view.run)
    skills, members = _skills(tasks), _members(tasks)
    found = tasks.filter(_wanted(said, skills))
    page = Paginator(found.order_by(*_order(said)).values_list("pk", flat=True), PAGE).get_page(said.get("page"))
    shown = {card.task.pk: card for card in cards_of(page.object_list)}
    names = sorted({skill for some in skills for skill in some}, key=str.lower)
    filtered = any(said.get(name) for name in ("state", "member", "skill", "text", "person"))
    return {
        "page": page,
        "cards": [shown[pk] for pk in page.object_list if pk in shown],
        "heads": _heads(said),
        "states": [Choice(name, word, said.get("state") == name) for name, (word, _q) in STATES.items()],
        "members": [Choice(str(pk), name, said.get("member") == str(pk)) for pk, name in members],
        "skills": [Choice(name, name, said.get("skill") == name) for name in names],
        "text": said.get("text", "")[:LONGEST_TEXT],
        "person": bool(said.get("person")),
        "sort": said.get("sort", ""),
        "filtered": filtered,
        "before": query_of(said, page=str(page.previous_page_number())) if page.has_previous() else "",
        "next": query_of(said, page=str(page.next_page_number())) if page.has_next() else "",
        "by_state": _by_state(found) if filtered else [(one.state, one.number) for one in view.bar],
    }


def _by_state(found: QuerySet[Task]) -> list[tuple[str, int]]:
    counted = found.order_by().values_list("state").annotate(number=Count("pk"))
    return sorted(counted, key=lambda one: BAR.index(one[0]))


def _skills(tasks: QuerySet[Task]) -> list[list[str]]:
    """The lists of skills that tasks of the run need, each once."""
    lists = {json.dumps(some): some for some in tasks.order_by().values_list("skills", flat=True).distinct()}
    return [some for some in lists.values() if isinstance(some, list)]


def _members(tasks: QuerySet[Task]) -> list[tuple[UUID, str]]:
    """Who has or had something of the run in hand."""
    at = tasks.order_by().values_list("assignee", "holder").distinct()
    seats = {pk for pair in at for pk in pair if pk is not None}
    return list(Member.objects.filter(pk__in=seats).order_by(Lower("name")).values_list("pk", "name"))


def _wanted(said: Mapping[str, str], skills: list[list[str]]) -> Q:
    """The tasks that the filters leave."""
    wanted = Q()
    if said.get("state") in STATES:
        wanted &= STATES[said["state"]][1]
    if member := _uuid(said.get("member", "")):
        wanted &= Q(assignee=member) | Q(holder=member)
    if skill := said.get("skill"):
        # Lists are compared as a whole: what JSON can be asked about differs between databases.
        with_it = [Q(skills=some) for some in skills if skill in some]
        wanted &= reduce(or_, with_it) if with_it else Q(pk__in=())
    if text := said.get("text", "").replace("\0", "").strip()[:LONGEST_TEXT]:
        wanted &= Q(title__icontains=text) | Q(reason__icontains=text)
    if said.get("person"):
        wanted &= Q(blocked_on="person") & ~Q(state__in=TASK_TERMINAL)
    return wanted


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _sort(said: Mapping[str, str]) -> tuple[str, bool]:
    """By what the rows are sorted, and whether the other way round."""
    name = said.get("sort", "").removeprefix("-")
    return (name, said["sort"].startswith("-")) if name in SORTS else (PLAIN, False)


def _order(said: Mapping[str, str]) -> list[OrderBy]:
    name, back = _sort(said)
    by = OrderBy(SORTS[name][1], descending=back, nulls_last=True)
    return [by, OrderBy(F("position"))]


def _heads(said: Mapping[str, str]) -> list[Head]:
    now, back = _sort(said)
    heads = []
    for name, (word, _by) in SORTS.items():
        turned = name == now and not back
        to = f"-{name}" if turned else "" if name == PLAIN else name
        how = ("descending" if back else "ascending") if name == now else ""
        heads.append(Head(name, word, query_of(said, sort=to, page=""), how))
    return heads
