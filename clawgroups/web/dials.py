"""Where an agent is dialled: the form, how it stands, and what its owner and an administrator can do about it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from agents.models import Agent, Connection, Dial
from clawgroups.core.actors import Actor
from clawgroups.core.addresses import MAX_ADDRESS
from clawgroups.permissions import get_agent
from clawgroups.services import dials
from clawgroups.services.perform import perform
from clawgroups.web.forms import carry_out
from clawgroups.web.http import actor_of, done, operation_of, page


class DialForm(forms.Form):
    """An address and the key that is asked for there."""

    address = forms.CharField(
        max_length=MAX_ADDRESS,
        label=gettext_lazy("Address"),
        help_text=gettext_lazy("Where the agent serves ACP's remote transport over WebSocket."),
        widget=forms.TextInput(
            {
                "placeholder": "wss://agent.example.org/acp",
                "inputmode": "url",
                "autocomplete": "off",
                "spellcheck": "false",
            }
        ),
    )
    secret = forms.CharField(
        max_length=dials.MAX_SECRET,
        required=False,
        label=gettext_lazy("Its key"),
        widget=forms.PasswordInput({"autocomplete": "off"}),
    )
    forget = forms.BooleanField(required=False, label=gettext_lazy("Forget the key: it needs none"))

    def __init__(self, data: Any = None, *, has_key: bool, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        if has_key:
            said = _("One is kept, sealed, and not shown. Leave this empty to keep it.")
        else:
            said = _("Sent as “Authorization: Bearer …”, kept sealed, never shown again.")
            del self.fields["forget"]
        self.fields["secret"].help_text = said

    @property
    def given(self) -> str | None:
        """The key as the verb takes it: None keeps what there is."""
        if self.cleaned_data["secret"]:
            return str(self.cleaned_data["secret"])
        return "" if self.cleaned_data.get("forget") else None


def dial_context(found: Agent, actor: Actor) -> dict[str, Any]:
    """What the part of the agent's page about this shows."""
    dial = Dial.objects.filter(pk=found.pk).first()
    by_itself = Connection.objects.filter(agent=found, closed_at=None, key__isnull=False).exists()
    return {"dial": dial, "by_itself": by_itself, "may_allow": actor.is_staff and not settings.DIAL_PRIVATE}


@require_safe
def dial_state(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """How the dialling stands, asked for every two seconds."""
    actor = actor_of(request)
    found = get_agent(actor, agent_id)
    return render(request, "agents/_dial_state.html", {"agent": found, **dial_context(found, actor)})


@never_cache
@require_safe
def dial(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """The form of the address."""
    found = get_agent(actor_of(request), agent_id)
    known = Dial.objects.filter(pk=found.pk).first()
    initial = {"address": known.address} if known else {}
    return _form(request, found, DialForm(has_key=_has_key(known), initial=initial))


def _form(request: HttpRequest, found: Agent, form: DialForm, status: int = 200) -> HttpResponse:
    return page(request, "agents/dial.html", {"form": form, "agent": found, "nav": "agents"}, status)


@never_cache
@require_POST
def set_dial(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Save the address, and dial it."""
    actor = actor_of(request)
    found = get_agent(actor, agent_id)
    form = DialForm(request.POST, has_key=_has_key(Dial.objects.filter(pk=found.pk).first()))
    outcome = None
    if form.is_valid():
        outcome = carry_out(
            form,
            dials.set_dial,
            agent_id,
            address=form.cleaned_data["address"],
            secret=form.given,
            actor=actor,
            operation=operation_of(request),
        )
    if outcome is None:
        return _form(request, found, form, 422)
    return done(request, reverse("agent", args=[agent_id]), (), _("The address is saved; it is being dialled."))


def _has_key(known: Dial | None) -> bool:
    return known is not None and bool(known.secret)


@require_POST
def remove_dial(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Dial it no more."""
    perform(dials.remove_dial, agent_id, actor=actor_of(request), operation=operation_of(request))
    return _back(request, agent_id, _("It is dialled no more; its address is forgotten."))


@require_POST
def retry_dial(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Try again at once."""
    perform(dials.retry_dial, agent_id, actor=actor_of(request), operation=operation_of(request))
    return _back(request, agent_id, _("It is being dialled again."))


@require_POST
def allow_private(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """An administrator's word about an address in a private network."""
    allowed = request.POST.get("allowed") == "yes"
    actor = actor_of(request)
    perform(dials.allow_private, agent_id, allowed=allowed, actor=actor, operation=operation_of(request))
    said = _("This address may lead into a private network.") if allowed else _("It may not any more.")
    return _back(request, agent_id, said)


def _back(request: HttpRequest, agent_id: UUID, said: str) -> HttpResponse:
    response = done(request, reverse("agent", args=[agent_id]), (), said)
    if response.status_code == 200:
        response["HX-Redirect"] = reverse("agent", args=[agent_id])
    return response
