"""The receipt of a task: a page to read and to print, and a file."""

from __future__ import annotations

import json
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from clawgroups.fragments.receipt import receipt_of
from clawgroups.web.http import actor_of, page
from clawgroups.web.task_doors import task_of
from clawgroups.web.workspaces import follows


@require_safe
def receipt(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """What was delivered, by whom, and how it was checked."""
    found = task_of(actor_of(request), workspace_id, task_id, "task.view")
    context = {"task": found, "receipt": receipt_of(found), "follows": follows([found.workspace])}
    return page(request, "tasks/receipt.html", context)


@require_safe
def download_receipt(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """The same as a file, as scripts get it."""
    found = task_of(actor_of(request), workspace_id, task_id, "task.view")
    said = json.dumps(receipt_of(found).as_json(), indent=2, ensure_ascii=False)
    response = HttpResponse(said, content_type="application/json; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="receipt-{str(found.pk)[:8]}.json"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response
