"""Finding again what was said and made: by words, and by thread."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from clawgroups.core.excerpts import LONGEST_QUERY, MOST_WORDS
from clawgroups.fragments.messages import messages_of
from clawgroups.permissions import get_workspace
from clawgroups.services.search import KINDS, search_in, threads_of
from clawgroups.web.http import Viewer, actor_of, page, paged
from clawgroups.web.workspaces import follows


@require_safe
def search(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Messages, tasks, files and runs with the words of `q`; with `kind` one of these, page by page."""
    found = get_workspace(actor_of(request), workspace_id, "workspace.view")
    query, kind = request.GET.get("q", ""), request.GET.get("kind", "")
    number = request.GET.get("page", "")
    at = int(number) if number.isascii() and number.isdigit() and len(number) < 5 else 1
    context = {
        "workspace": found,
        "query": query[:LONGEST_QUERY],
        "cut": len(query) > LONGEST_QUERY or len(query.split()) > MOST_WORDS,
        "kind": kind if kind in KINDS else "",
        "found": search_in(workspace_id, query, kind=kind, page=at),
    }
    return page(request, "search/search.html", context)


@require_safe
def threads(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """The tasks that are spoken about or in hand, the newest line first."""
    actor = actor_of(request)
    found = get_workspace(actor, workspace_id, "task.view")
    followed = follows([found])
    shown = paged(request, threads_of(workspace_id), 50)
    newest = {line.pk: line for line in messages_of(task.newest for task in shown if task.newest)}
    context = {
        "follows": followed,
        "workspace": found,
        "page": shown,
        "threads": [(task, newest.get(task.newest)) for task in shown],
        "viewer": Viewer(actor, workspace_id),
    }
    return page(request, "search/threads.html", context)
