"""Showing a run to people without an account: the page of its read-only links, for those who may make them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.errors import NotFound
from clawgroups.core.lifetimes import USUAL
from clawgroups.services import shares
from clawgroups.services.perform import perform
from clawgroups.web.forms import carry_out
from clawgroups.web.http import actor_of, done, operation_of, page
from clawgroups.web.links import LIVES, Link, fresh_code
from clawgroups.web.plans import run_of
from clawgroups.web.undo import offered


class ShareForm(forms.Form):
    """A new link."""

    seconds = forms.TypedChoiceField(label=_("Good for"), choices=LIVES, coerce=int, initial=USUAL)


@never_cache
@require_safe
def share_list(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """By which links a run is seen, and the form."""
    return _show(request, workspace_id, run_id, ShareForm())


def _show(
    request: HttpRequest,
    workspace_id: UUID,
    run_id: UUID,
    form: ShareForm,
    link: Link | None = None,
    status: int = 200,
) -> HttpResponse:
    found = run_of(actor_of(request), workspace_id, run_id, "run.share")
    rows = [(row, shares.is_void(row)) for row in shares.open_ones(found.pk, timezone.now())]
    context: dict[str, Any] = {"run": found, "workspace": found.workspace, "form": form, "link": link, "shared": rows}
    return page(request, "runs/shares.html", context, status)


@never_cache
@require_POST
def share_run(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """Make a link, and show it this once."""
    actor = actor_of(request)
    run_of(actor, workspace_id, run_id, "run.share")
    form, operation = ShareForm(request.POST), operation_of(request)
    code = fresh_code("share", actor, operation)
    outcome = None
    if form.is_valid():
        seconds = form.cleaned_data["seconds"]
        outcome = carry_out(
            form, shares.share_run, run_id, code=code, seconds=seconds, actor=actor, operation=operation
        )
    if outcome is None:
        return _show(request, workspace_id, run_id, form, status=422)
    return _show(request, workspace_id, run_id, ShareForm(), Link("shared-run", code.secret))


@require_POST
@offered("unshare-run")
def unshare_run(request: HttpRequest, workspace_id: UUID, share_id: UUID) -> HttpResponse:
    """The link shows nothing any more."""
    actor = actor_of(request)
    row = shares.get_share(actor, share_id)
    if row.workspace_id != workspace_id:
        raise NotFound("There is no such link in this workspace.")
    perform(shares.unshare_run, share_id, actor=actor, operation=operation_of(request))
    return done(request, reverse("shares", args=[workspace_id, row.run_id]))
