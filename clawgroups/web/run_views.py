"""The page of a run, and the views of it: board, graph, timeline, fleet, list."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from clawgroups.core.errors import NotFound
from clawgroups.fragments.rooms import Room
from clawgroups.fragments.views import VIEWS, shown
from clawgroups.models import Run
from clawgroups.web import board_moves
from clawgroups.web.http import actor_of, is_htmx, page
from clawgroups.web.plans import run_of, slot, viewed
from clawgroups.web.workspaces import follows

VIEW_COOKIE = "claw_view"
YEAR = 31_536_000
# Said by a page where a person chose the view; what loads itself anew says nothing.
CHOSEN = "View-Chosen"


@require_safe
def run(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """One run: its plan to check, or how it goes, in the view that was chosen last."""
    found = run_of(actor_of(request), workspace_id, run_id, "run.view")
    chosen = request.COOKIES.get(VIEW_COOKIE, "")
    return _answer(request, found, chosen if chosen in VIEWS and found.state != "proposed" else "")


@require_safe
def run_view(request: HttpRequest, workspace_id: UUID, run_id: UUID, kind: str) -> HttpResponse:
    """A run looked at in one of several ways; what is chosen is remembered."""
    found = run_of(actor_of(request), workspace_id, run_id, "run.view")
    if kind not in VIEWS:
        raise NotFound("There is no such view of a run.")
    response = _answer(request, found, kind)
    if not is_htmx(request) or request.headers.get(CHOSEN):
        secure = request.is_secure()
        response.set_cookie(VIEW_COOKIE, kind, max_age=YEAR, samesite="Lax", secure=secure, httponly=True)
    return response


def _answer(request: HttpRequest, found: Run, kind: str) -> HttpResponse:
    """The whole page, or for a page that is there the root of the views alone."""
    actor = actor_of(request)
    followed = follows([found.workspace])
    if is_htmx(request):
        context: dict[str, Any] = viewed(actor, found)
        return render(request, "runs/views/_view.html", {**context, **_drawn(request, context, kind)})
    context = {
        "follows": followed,
        "aim": Room(found.workspace),
        **slot(actor, found, request.GET.get("page", "1")),
    }
    if found.state == "proposed" and kind:
        # Its editor stands on the page of the run alone.
        context["plan"] = None
    return page(request, "runs/detail.html", {**context, **_drawn(request, context, kind)})


def _drawn(request: HttpRequest, context: dict[str, Any], kind: str) -> dict[str, Any]:
    said = shown(context["view"], kind, request.GET.dict())
    if "lanes" in said:
        cards = [card for lane in said["lanes"] for card in lane.cards]
        said |= board_moves.shown(context["viewer"], context["view"].run.workspace, cards)
    return said
