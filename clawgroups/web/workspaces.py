"""Pages of workspaces: the list, the room, goal and rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from agents.models import Agent
from clawgroups.core.actors import Actor
from clawgroups.core.run_templates.library import TEMPLATES
from clawgroups.fragments import pieces, rooms, roster
from clawgroups.fragments.messages import whole
from clawgroups.models import Member, Message, Run, Workspace
from clawgroups.permissions import get_workspace
from clawgroups.services import reading, workspaces
from clawgroups.services.perform import perform
from clawgroups.web.forms import GoalForm, WorkspaceForm, carry_out
from clawgroups.web.http import Viewer, actor_of, done, operation_of, page, see
from clawgroups.web.undo import offered

TALK = 80
RUNS = 8
SHOWN = 30  # workspaces in the side pane
SEATS = 30


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the chat: a message, a run's card, or where what is new to the viewer begins."""

    at: float
    message: Message | None = None
    view: rooms.RunView | None = None
    new: datetime | None = None


def follows(found: Iterable[Workspace]) -> str:
    """What the browser follows from where; read before anything else of the page."""
    return " ".join(f"{w.pk}:{w.generation}:{w.head}" for w in found)


def id_of(said: str) -> UUID | None:
    """An id that a page sent, if it is one."""
    try:
        return UUID(said)
    except ValueError:
        return None


def workspaces_of(actor: Actor) -> list[Workspace]:
    """The workspaces where the actor has a seat, newest first."""
    seated = Q(members__user_id=actor.user_id, members__left_at=None)
    return list(Workspace.objects.filter(seated).order_by("-created_at"))


@dataclass(frozen=True, slots=True)
class Standing:
    """A workspace of the viewer's, and what is new to them there."""

    workspace: Workspace
    unread: int
    mentions: int


def unread_of(actor: Actor, at: UUID | None = None) -> dict[str, Any]:
    """For the side pane: the viewer's workspaces, the newest and the one they look at, and what is new to them."""
    assert actor.user_id is not None
    news = reading.news_of(actor.user_id)
    here = [w for w in workspaces_of(actor) if w.closed_at is None or w.pk == at]
    mine = [w for n, w in enumerate(here) if n < SHOWN or w.pk == at]
    standing = [Standing(w, news.number(w.pk), news.mentions(w.pk)) for w in mine]
    return {"standing": standing, "unread_threads": news.threads[: reading.THREADS], "at": at}


def _list(request: HttpRequest, form: WorkspaceForm, status: int = 200) -> HttpResponse:
    mine = workspaces_of(actor_of(request))
    news = reading.news_of(request.user.pk) if request.user.pk and mine else reading.News({}, ())
    context = {
        "follows": "",
        "rooms": rooms.rooms_of([w.pk for w in mine if w.closed_at is None]),
        "shut": [w for w in mine if w.closed_at is not None],
        "unread": {w.pk: Standing(w, news.number(w.pk), news.mentions(w.pk)) for w in mine},
        "form": form,
        "nav": "workspaces",
        **(_beginning(actor_of(request)) if not Run.objects.filter(kind="goal", workspace__in=mine).exists() else {}),
    }
    return page(request, "workspaces/list.html", context, status)


def _beginning(actor: Actor) -> dict[str, Any]:
    """Who has never had anything done is shown the ways to begin; and how their own agent stands, if they have one."""
    own = Agent.objects.filter(owner=actor.user_id, is_builtin=False, retired_at=None).order_by("-created_at").first()
    present = roster.presences([own.pk])[own.pk] if own is not None else ""
    return {"begins": True, "own_agent": own, "presence": present, "templates": TEMPLATES}


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """All workspaces of the viewer; at first use, a page that leads."""
    return _list(request, WorkspaceForm())


@require_POST
def create_workspace(request: HttpRequest) -> HttpResponse:
    """Open a workspace."""
    form = WorkspaceForm(request.POST)
    actor = actor_of(request)
    outcome = None
    if form.is_valid():
        said = form.cleaned_data
        outcome = carry_out(
            form,
            workspaces.create_workspace,
            name=said["name"],
            goal=said["goal"],
            rules=said["rules"],
            actor=actor,
            operation=operation_of(request),
        )
    if outcome is None:
        return _list(request, form, status=422)
    return see(reverse("workspace", args=[outcome.answer["id"]]))


@require_safe
def workspace(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """The room: chat, current run, team."""
    return show_room(request, workspace_id, GoalForm())


def show_room(
    request: HttpRequest, workspace_id: UUID, form: GoalForm, *, typed: str = "", status: int = 200
) -> HttpResponse:
    """The room's page; with a form that has errors, that form is in front."""
    actor = actor_of(request)
    found = get_workspace(actor, workspace_id, "workspace.view")
    said = whole(Message.objects.filter(workspace=found, task=None))
    newest = list(said.order_by("-created_at", "-id")[: TALK + 1])
    recent = newest[:TALK]
    since = recent[-1].created_at if len(newest) > TALK else found.created_at
    views = rooms.runs(Q(workspace=found, kind="goal"), RUNS + 1)
    viewer = Viewer(actor, found.pk)
    new = new_line(recent, viewer)
    seats = roster.seats(Q(workspace=found), SEATS + 1)
    context = {
        "follows": follows([found]),
        "room": rooms.Room(found, rooms.current_run(found.pk)),
        "unseen": rooms.unseen(found),
        **unread_of(actor, found.pk),
        "runs": views[:RUNS],
        "more_runs": len(views) > RUNS,
        "seats": seats[:SEATS],
        "all_seats": Member.objects.filter(workspace=found, left_at=None).count() if len(seats) > SEATS else 0,
        "talk": _talk(recent, [v for v in views if v.at >= since], new),
        "is_news": new is not None,
        "older": len(newest) > TALK,
        "viewer": viewer,
        "run_form": form,
        "goal_first": form.is_bound,
        "typed": typed,
        "reply": answered(request, found.pk),
    }
    return page(request, "workspaces/detail.html", context, status)


def answered(request: HttpRequest, workspace_id: UUID, task_id: UUID | None = None) -> Message | None:
    """The message of this thread that the query says one answers (`?reply=`), for the composer."""
    try:
        pk = UUID(request.GET.get("reply", ""))
    except ValueError:
        return None
    return Message.objects.filter(pk=pk, workspace=workspace_id, task=task_id, removed_at=None).first()


def new_line(said: Iterable[Message], viewer: Viewer, task_id: UUID | None = None) -> datetime | None:
    """When the first of these messages was said that is new to the viewer, if one is."""
    seat = viewer.seat
    if seat is None:
        return None
    read = reading.read_until(seat, task_id)
    new = (m.created_at for m in said if m.created_at > read and m.member_id != seat.pk and m.removed_at is None)
    return min(new, default=None)


def _talk(said: list[Message], views: list[rooms.RunView], new: datetime | None) -> list[Line]:
    lines = chain(
        [Line(new.timestamp() - 0.000002, new=new)] if new else [],
        (Line(m.created_at.timestamp(), message=m) for m in said),
        # A run's card stands right after the goal that asked for it.
        (Line(v.at.timestamp() + 0.000001, view=v) for v in views),
    )
    return sorted(lines, key=lambda line: line.at)


@require_POST
@offered("set-goal")
def set_goal(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Replace the goal."""
    goal = request.POST.get("goal", "")
    perform(workspaces.set_goal, workspace_id, goal=goal, actor=actor_of(request), operation=operation_of(request))
    return _head(request, workspace_id)


@require_POST
@offered("set-rules")
def set_rules(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Replace the standing rules."""
    rules = request.POST.get("rules", "")
    perform(workspaces.set_rules, workspace_id, rules=rules, actor=actor_of(request), operation=operation_of(request))
    return _head(request, workspace_id)


@require_POST
@offered("rename-workspace")
def rename_workspace(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Give it another name."""
    name = request.POST.get("name", "")
    perform(
        workspaces.rename_workspace, workspace_id, name=name, actor=actor_of(request), operation=operation_of(request)
    )
    return _head(request, workspace_id)


def _head(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    return done(request, reverse("workspace", args=[workspace_id]), pieces("room_head", [workspace_id]))
