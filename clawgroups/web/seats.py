"""What is done to a seat beside its role: muting it, and giving the whole workspace to it."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from clawgroups.core.errors import Invalid, NotFound
from clawgroups.permissions import get_member, get_workspace
from clawgroups.services import closing, muting, ownership
from clawgroups.services.perform import perform
from clawgroups.web.http import actor_of, done, operation_of, sent_to
from clawgroups.web.undo import offered


def _check(request: HttpRequest, workspace_id: UUID, member_id: UUID) -> None:
    if get_member(actor_of(request), member_id, "workspace.view").workspace_id != workspace_id:
        raise NotFound("There is no such member in this workspace.")


@require_POST
@offered("mute-member")
def mute_member(request: HttpRequest, workspace_id: UUID, member_id: UUID) -> HttpResponse:
    """A member writes no messages from now on."""
    _check(request, workspace_id, member_id)
    perform(muting.mute_member, member_id, actor=actor_of(request), operation=operation_of(request))
    return done(request, reverse("members", args=[workspace_id]))


@require_POST
@offered("unmute-member")
def unmute_member(request: HttpRequest, workspace_id: UUID, member_id: UUID) -> HttpResponse:
    """A member that was muted may write again."""
    _check(request, workspace_id, member_id)
    perform(muting.unmute_member, member_id, actor=actor_of(request), operation=operation_of(request))
    return done(request, reverse("members", args=[workspace_id]))


@require_POST
@offered("close-workspace")
def close_workspace(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """The workspace is read from now on, and what runs in it is cancelled."""
    perform(closing.close_workspace, workspace_id, actor=actor_of(request), operation=operation_of(request))
    return sent_to(request, reverse("workspace", args=[workspace_id]))


@require_POST
@offered("reopen-workspace")
def reopen_workspace(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """The workspace goes on."""
    perform(closing.reopen_workspace, workspace_id, actor=actor_of(request), operation=operation_of(request))
    return sent_to(request, reverse("workspace", args=[workspace_id]))


@require_POST
def transfer_workspace(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Make another member the owner."""
    actor = actor_of(request)
    get_workspace(actor, workspace_id, "workspace.transfer")
    try:
        heir = UUID(request.POST.get("member", ""))
    except ValueError:
        raise Invalid(_("Choose who is the owner from now on."), field="member") from None
    perform(
        ownership.transfer_workspace,
        workspace_id,
        member_id=heir,
        confirm=request.POST.get("confirm", ""),
        actor=actor,
        operation=operation_of(request),
    )
    messages.success(request, _("The workspace has another owner. You are an admin of it now."))
    return sent_to(request, reverse("members", args=[workspace_id]))
