"""Pages of workspaces: the list, the room, goal and rules, messages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.actors import Actor
from clawgroups.core.errors import NotFound
from clawgroups.fragments import pieces, rooms
from clawgroups.fragments.tasks import messages_of
from clawgroups.models import Message, Workspace
from clawgroups.permissions import get_task, get_workspace
from clawgroups.services import messages, workspaces
from clawgroups.services.perform import perform
from clawgroups.web.forms import GoalForm, WorkspaceForm, carry_out
from clawgroups.web.http import Viewer, actor_of, done, fresh_operation, operation_of, page, paged, see

TALK = 80
RUNS = 8


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the chat: a message, or a run's card."""

    at: float
    message: Message | None = None
    view: rooms.RunView | None = None


def follows(found: Iterable[Workspace]) -> str:
    """What the browser follows from where; read before anything else of the page."""
    return " ".join(f"{w.pk}:{w.generation}:{w.head}" for w in found)


def workspaces_of(actor: Actor) -> list[Workspace]:
    """The workspaces where the actor has a seat, newest first."""
    seated = Q(members__user_id=actor.user_id, members__left_at=None)
    return list(Workspace.objects.filter(seated).order_by("-created_at"))


def _list(request: HttpRequest, form: WorkspaceForm, status: int = 200) -> HttpResponse:
    mine = workspaces_of(actor_of(request))
    context = {"follows": "", "rooms": rooms.rooms_of([w.pk for w in mine]), "form": form, "nav": "workspaces"}
    return page(request, "workspaces/list.html", context, status)


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
    newest = list(Message.objects.filter(workspace=found, task=None).order_by("-created_at", "-id")[: TALK + 1])
    recent = newest[:TALK]
    since = recent[-1].created_at if len(newest) > TALK else found.created_at
    views = rooms.runs(Q(workspace=found), RUNS + 1)
    context = {
        "follows": follows([found]),
        "room": rooms.Room(found, rooms.current_run(found.pk)),
        "workspaces": workspaces_of(actor),
        "runs": views[:RUNS],
        "more_runs": len(views) > RUNS,
        "seats": rooms.seats(Q(workspace=found)),
        "talk": _talk(recent, [v for v in views if v.at >= since]),
        "older": len(newest) > TALK,
        "viewer": Viewer(actor, found.pk),
        "run_form": form,
        "goal_first": form.is_bound,
        "typed": typed,
    }
    return page(request, "workspaces/detail.html", context, status)


def _talk(said: list[Message], views: list[rooms.RunView]) -> list[Line]:
    lines = chain(
        (Line(m.created_at.timestamp(), message=m) for m in said),
        # A run's card stands right after the goal that asked for it.
        (Line(v.at.timestamp() + 0.000001, view=v) for v in views),
    )
    return sorted(lines, key=lambda line: line.at)


@require_POST
def set_goal(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Replace the goal."""
    goal = request.POST.get("goal", "")
    perform(workspaces.set_goal, workspace_id, goal=goal, actor=actor_of(request), operation=operation_of(request))
    return _head(request, workspace_id, _("The goal is saved."))


@require_POST
def set_rules(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Replace the standing rules."""
    rules = request.POST.get("rules", "")
    perform(workspaces.set_rules, workspace_id, rules=rules, actor=actor_of(request), operation=operation_of(request))
    return _head(request, workspace_id, _("The rules are saved."))


@require_POST
def rename_workspace(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Give it another name."""
    name = request.POST.get("name", "")
    perform(
        workspaces.rename_workspace, workspace_id, name=name, actor=actor_of(request), operation=operation_of(request)
    )
    return _head(request, workspace_id, _("The name is saved."))


def _head(request: HttpRequest, workspace_id: UUID, said: str) -> HttpResponse:
    return done(request, reverse("workspace", args=[workspace_id]), pieces("room_head", [workspace_id]), said)


@require_POST
def post_message(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Say something in the chat, or in a task's thread."""
    actor = actor_of(request)
    task_id = _thread_of(request, actor, workspace_id)
    outcome = perform(
        messages.post_message,
        workspace_id,
        body=request.POST.get("body", ""),
        task_id=task_id,
        actor=actor,
        operation=operation_of(request),
    )
    to = reverse("task", args=[workspace_id, task_id]) if task_id else reverse("workspace", args=[workspace_id])
    answer = pieces("message", [UUID(outcome.answer["id"])])
    return done(request, to, [*answer, fresh_operation()])


def _thread_of(request: HttpRequest, actor: Actor, workspace_id: UUID) -> UUID | None:
    """The task whose thread a message is for, if it is one of this workspace."""
    if not (named := request.POST.get("task", "")):
        return None
    try:
        found = get_task(actor, UUID(named), "task.view")
    except ValueError:
        raise NotFound("There is no such task in this workspace.") from None
    if found.workspace_id != workspace_id:
        raise NotFound("There is no such task in this workspace.")
    return found.pk


@require_safe
def message_list(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Every message of the chat, newest page first."""
    found = get_workspace(actor_of(request), workspace_id, "workspace.view")
    shown = paged(request, Message.objects.filter(workspace=found, task=None).order_by("-created_at", "-id"), 100)
    shown.object_list = messages_of([m.pk for m in shown.object_list])
    return page(request, "messages/list.html", {"workspace": found, "page": shown})
