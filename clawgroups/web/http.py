"""What every view needs: who asks, what they may, and one way to answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import get_template
from django.utils.functional import cached_property

from clawgroups import permissions
from clawgroups.auth import actor_of_user
from clawgroups.core.actors import Actor, Role
from clawgroups.core.errors import Unauthenticated
from clawgroups.models import Member


class Viewer:
    """The person behind a request, as seen in one workspace: the seat, and what it allows."""

    def __init__(self, actor: Actor, workspace_id: UUID) -> None:
        self.actor = actor
        self.workspace_id = workspace_id

    @cached_property
    def seat(self) -> Member | None:
        """The viewer's seat here."""
        return permissions.seat_of(self.actor, self.workspace_id)

    @cached_property
    def can(self) -> dict[str, bool]:
        """For templates: `viewer.can.task_take_over`. Display only; every verb checks by itself."""
        role = Role(self.seat.role) if self.seat else None
        return {
            name.replace(".", "_"): role in action.roles
            and not (self.seat and (permissions.is_silenced(self.seat, name) or permissions.is_shut(self.seat, name)))
            for name, action in permissions.ACTIONS.items()
        }


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in person. Raises `Unauthenticated`, which leads to the sign-in page."""
    if not request.user.is_authenticated:
        raise Unauthenticated("Sign in first.")
    return actor_of_user(request.user)


def viewer_of(request: HttpRequest, workspace_id: UUID) -> Viewer:
    """The signed-in person in this workspace."""
    return Viewer(actor_of(request), workspace_id)


def is_htmx(request: HttpRequest) -> bool:
    """Whether htmx asks for a fragment (and not for a whole page by its history)."""
    return bool(getattr(request, "htmx", False))


def page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """A whole page. A signed-in page is never kept by shared or disk caches."""
    response = render(request, template, context, status=status)
    response["Cache-Control"] = "private, no-store" if request.user.is_authenticated else "private"
    return response


def done(request: HttpRequest, to: str, pieces: Sequence[str] = (), said: str = "") -> HttpResponse:
    """After a verb: to a script the changed fragments, to everybody else a redirect."""
    if is_htmx(request):
        return HttpResponse("".join(pieces))
    if said:
        messages.success(request, said)
    return see(to)


def see(to: str) -> HttpResponse:
    """303: look there now."""
    response = HttpResponseRedirect(to)
    response.status_code = 303
    return response


def sent_to(request: HttpRequest, to: str) -> HttpResponse:
    """Lead to another page, also from htmx."""
    if is_htmx(request):
        response = HttpResponse(status=204)
        response["HX-Redirect"] = to
        return response
    return see(to)


def paged(request: HttpRequest, rows: Any, size: int = 50) -> Page[Any]:
    """The page of `rows` that the query asks for; a wrong number gives the nearest one."""
    return Paginator(rows, size).get_page(request.GET.get("page"))


def typed(request: HttpRequest, name: str, most: int) -> str:
    """What was typed to look for: without the sign that no text of the database holds, and of a bounded length."""
    return request.GET.get(name, "").replace("\0", "").strip()[:most]


def fresh_operation() -> str:
    """The next id for a form that stays on the page after it was sent."""
    return get_template("messages/_operation.html").render({"oob": True})


def operation_of(request: HttpRequest) -> str:
    """The form's own id, so that sending it twice acts once."""
    return str(request.POST.get("operation", ""))[:100]
