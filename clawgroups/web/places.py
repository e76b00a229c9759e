"""What the command palette finds: places and verbs, only what the viewer may see, best first.

Every look at the database is bounded: by the viewer's seats, by the newest runs, and by a number of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from agents.models import Agent
from clawgroups.core.actors import Actor
from clawgroups.core.run_templates.library import TEMPLATES
from clawgroups.models import Member, Run, Task, Workspace
from clawgroups.services import installation
from clawgroups.wording import say_plan

SHOWN = 24
ROWS = 60
RUNS = 60
WORDS = 6


@dataclass(frozen=True, slots=True)
class Place:
    """A page to go to, or a verb to carry out (`fields`: what its form sends). `words`: what else it is found by."""

    icon: str
    title: str
    href: str
    about: str = ""
    kind: str = ""
    words: str = ""
    fields: Mapping[str, Any] | None = None
    state: str = ""
    theme: str | None = None
    rank: int = 0
    room: UUID | None = None

    @property
    def is_verb(self) -> bool:
        return self.fields is not None


def search(actor: Actor, query: str, verbs: Iterable[Place], here: UUID | None) -> list[Place]:
    """What fits all words of the query, best first; without words the verbs and pages."""
    words = query.casefold().split()[:WORDS]
    offered = [*verbs, *pages(actor)]
    if not words:
        return [*offered, *_workspaces(_seats(actor), [])][:SHOWN]
    seats = _seats(actor)
    found = [*offered, *_workspaces(seats, words), *_runs(seats, words), *_tasks(seats, words)]
    found += [*_members(seats, words), *_agents(actor, words), *_templates(here if here in seats else None)]
    fits = [(fit, place) for place in found if (fit := score(words, place, here)) is not None]
    return [place for _fit, place in sorted(fits, key=lambda one: one[0])][:SHOWN]


def score(words: list[str], place: Place, here: UUID | None) -> tuple[int, bool, int] | None:
    """How well a place fits, the best first; None where a word is nowhere in it."""
    title, rest = place.title.casefold(), f"{place.about} {place.kind} {place.words}".casefold()
    if not all(word in title or word in rest for word in words):
        return None
    starts = title.split()
    if title.startswith(" ".join(words)):
        fit = 0
    elif all(any(part.startswith(word) for part in starts) for word in words):
        fit = 1
    else:
        fit = 2 if all(word in title for word in words) else 3
    return fit, place.room is not None and place.room != here, place.rank


def pages(actor: Actor) -> Iterator[Place]:
    """The pages of the whole site."""
    page = _("Page")
    yield Place("inbox", _("Needs you"), reverse("needs-you"), kind=page, words="inbox approvals questions")
    yield Place("hand", _("My work"), reverse("my-work"), kind=page, words="tasks mine held")
    yield Place("claw", _("Workspaces"), reverse("workspaces"), kind=page, words="home start list")
    if installation.is_on("templates"):
        yield Place("copy", _("Templates"), reverse("templates"), kind=page, words="start example begin first")
    yield Place("agent", _("Agents"), reverse("agents"), kind=page)
    yield Place("plus", _("New agent"), reverse("new-agent"), kind=page, words="register connect")
    yield Place("key", _("Tokens and settings"), reverse("me"), kind=page, words="me profile password keyboard")
    yield Place("inbox", _("Notices"), reverse("notices"), kind=page, words="mail letters notifications quiet hours")
    if actor.is_staff:
        yield Place("rules", _("Administration"), reverse("admin:index"), kind=page, words="admin staff")
        yield Place("thought", _("Model servers"), reverse("model-servers"), kind=page, words="llm kimi coordinator")
        yield Place("sun", _("Style page"), reverse("style"), kind=page, words="design tokens components")


def _seats(actor: Actor) -> dict[UUID, Workspace]:
    """The workspaces of the viewer, newest first."""
    seated = Q(members__user_id=actor.user_id, members__left_at=None)
    newest = Workspace.objects.filter(seated).only("name", "created_at").order_by("-created_at")
    return {one.pk: one for one in newest[:200]}


def _workspaces(seats: Mapping[UUID, Workspace], words: list[str]) -> Iterator[Place]:
    for pk, one in seats.items():
        if all(word in one.name.casefold() for word in words):
            yield Place("chat", one.name, reverse("workspace", args=[pk]), kind=_("Workspace"), rank=1, room=pk)


def _like(words: list[str], *columns: str) -> Q:
    """Rows that have each word in one of the columns."""
    every = Q()
    for word in words:
        one = Q()
        for column in columns:
            one |= Q(**{f"{column}__icontains": word})
        every &= one
    return every


def _runs(seats: Mapping[UUID, Workspace], words: list[str]) -> Iterator[Place]:
    rows = Run.objects.filter(_like(words, "goal"), kind="goal", workspace__in=list(seats)).order_by("-created_at")
    for run in rows.values("pk", "goal", "state", "paused", "workspace_id")[:ROWS]:
        state = "paused" if run["paused"] and run["state"] == "running" else run["state"]
        href = reverse("run", args=[run["workspace_id"], run["pk"]])
        about = seats[run["workspace_id"]].name
        yield Place(
            "goal",
            say_plan(run["goal"])[:120],
            href,
            about,
            _("Run"),
            run["goal"],
            state=state,
            rank=2,
            room=run["workspace_id"],
        )


def _tasks(seats: Mapping[UUID, Workspace], words: list[str]) -> Iterator[Place]:
    newest = (
        Run.objects.filter(kind="goal", workspace__in=list(seats))
        .order_by("-created_at")
        .values_list("pk", flat=True)[:RUNS]
    )
    rows = Task.objects.filter(_like(words, "title", "key"), run__in=list(newest)).order_by("-pk")
    for task in rows.values("pk", "title", "key", "state", "workspace_id", "run__goal")[:ROWS]:
        href = reverse("task", args=[task["workspace_id"], task["pk"]])
        about = f"{seats[task['workspace_id']].name} · {say_plan(task['run__goal'])[:60]}"
        said: dict[str, Any] = {"state": task["state"], "rank": 3, "room": task["workspace_id"]}
        yield Place("check", say_plan(task["title"]), href, about, _("Task"), f"{task['key']} {task['title']}", **said)


def _members(seats: Mapping[UUID, Workspace], words: list[str]) -> Iterator[Place]:
    rows = Member.objects.filter(_like(words, "name", "handle"), workspace__in=list(seats), left_at=None)
    for one in rows.order_by("name").values("pk", "name", "handle", "workspace_id", "agent_id")[:ROWS]:
        href = f"{reverse('members', args=[one['workspace_id']])}#member-{one['pk']}"
        icon, kind = ("agent", _("Agent here")) if one["agent_id"] else ("user", _("Member"))
        room = seats[one["workspace_id"]]
        yield Place(icon, one["name"], href, room.name, kind, one["handle"], rank=4, room=room.pk)


def _agents(actor: Actor, words: list[str]) -> Iterator[Place]:
    mine = Agent.objects.filter(_like(words, "name", "handle"), retired_at=None)
    rows = mine if actor.is_staff else mine.filter(owner=actor.user_id)
    for one in rows.order_by("name").values("pk", "name", "handle")[:ROWS]:
        yield Place("agent", one["name"], reverse("agent", args=[one["pk"]]), f"@{one['handle']}", _("Agent"), rank=3)


def _templates(here: UUID | None) -> Iterator[Place]:
    """Kinds of runs to start; for the workspace one is in."""
    for one in TEMPLATES:
        href = reverse("template", args=[one.name]) + (f"?w={here}" if here else "")
        yield Place(one.icon, _(one.title), href, _(one.about), _("Template"), f"start run {one.name}", rank=5)


def link(icon: str, title: str, name: str, *args: Any, more: str = "", **said: Any) -> Place:
    """A place by the name of its address."""
    return Place(icon, title, reverse(name, args=args) + more, **said)


def verb(icon: str, title: str, name: str, *args: Any, about: str = "", words: str = "", **fields: Any) -> Place:
    """Something to do, by the name of its address and what its form says."""
    return Place(icon, title, reverse(name, args=args), about, _("Do"), words, fields)
