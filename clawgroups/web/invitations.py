"""Inviting people by a link: the page of a workspace's invitations, for those who may invite."""

from __future__ import annotations

from dataclasses import dataclass
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
from clawgroups.models import Invitation
from clawgroups.permissions import get_workspace
from clawgroups.services import invitations
from clawgroups.services.perform import perform
from clawgroups.web.forms import carry_out
from clawgroups.web.http import actor_of, done, operation_of, page
from clawgroups.web.links import LIVES, Link, fresh_code
from clawgroups.web.undo import offered

PAST = 20
ROLES = (("member", _("Member")), ("guest", _("Guest")), ("admin", _("Admin")))
MEANING = {
    "member": _("gives goals, takes tasks, answers what agents ask"),
    "guest": _("reads along and writes messages"),
    "admin": _("does that too, and looks after settings, people and rules"),
}


class InvitationForm(forms.Form):
    """A new invitation."""

    role = forms.ChoiceField(label=_("They join as"), choices=ROLES, initial="member", widget=forms.RadioSelect)
    most_uses = forms.IntegerField(
        label=_("For how many people"), min_value=1, max_value=invitations.MOST_USES, initial=1
    )
    seconds = forms.TypedChoiceField(label=_("Good for"), choices=LIVES, coerce=int, initial=USUAL)
    note = forms.CharField(
        label=_("For whom"), max_length=80, required=False, help_text=_("So that you know which to revoke.")
    )


@dataclass(frozen=True, slots=True)
class Listed:
    """An invitation in the list: `state` as in `services.invitations.standing`."""

    invitation: Invitation
    state: str

    @property
    def left(self) -> int:
        """How many can still join by it."""
        return self.invitation.most_uses - self.invitation.uses


@never_cache
@require_safe
def invitation_list(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Who is invited, and the form."""
    return _show(request, workspace_id, InvitationForm())


def _show(
    request: HttpRequest, workspace_id: UUID, form: InvitationForm, link: Link | None = None, status: int = 200
) -> HttpResponse:
    found = get_workspace(actor_of(request), workspace_id, "member.invite")
    now = timezone.now()
    rows = Invitation.objects.filter(workspace=found).select_related("made_by__user")
    live = [Listed(row, invitations.standing(row, now)) for row in rows.filter(revoked_at=None, expires_at__gt=now)]
    ended = rows.exclude(pk__in=[one.invitation.pk for one in live])[:PAST]
    context: dict[str, Any] = {
        "workspace": found,
        "form": form,
        "link": link,
        "meaning": MEANING,
        "open": [one for one in live if one.state == "open"],
        "past": [
            *(one for one in live if one.state != "open"),
            *(Listed(row, invitations.standing(row, now)) for row in ended),
        ],
    }
    return page(request, "members/invitations.html", context, status)


@never_cache
@require_POST
def make_invitation(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Make one, and show its link this once."""
    actor = actor_of(request)
    get_workspace(actor, workspace_id, "member.invite")
    form, operation = InvitationForm(request.POST), operation_of(request)
    code = fresh_code("invitation", actor, operation)
    outcome = None
    if form.is_valid():
        outcome = carry_out(
            form,
            invitations.make_invitation,
            workspace_id,
            code=code,
            actor=actor,
            operation=operation,
            **form.cleaned_data,
        )
    if outcome is None:
        return _show(request, workspace_id, form, status=422)
    return _show(request, workspace_id, InvitationForm(), Link("invitation", code.secret))


@require_POST
@offered("revoke-invitation")
def revoke_invitation(request: HttpRequest, workspace_id: UUID, invitation_id: UUID) -> HttpResponse:
    """Nobody joins by it any more."""
    actor = actor_of(request)
    if invitations.get_invitation(actor, invitation_id).workspace_id != workspace_id:
        raise NotFound("There is no such invitation in this workspace.")
    perform(invitations.revoke_invitation, invitation_id, actor=actor, operation=operation_of(request))
    return done(request, reverse("invitations", args=[workspace_id]))
