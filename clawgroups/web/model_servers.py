"""Model servers of the installation: which there are, how they stand, and what staff can do about them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from agents.llm.providers import PRESETS
from clawgroups.core.changes import Outcome
from clawgroups.fragments.model_use import ServerView
from clawgroups.fragments.model_use import servers as all_servers
from clawgroups.models import ModelCall, ModelServer
from clawgroups.services import model_servers, model_tests
from clawgroups.services.perform import perform
from clawgroups.web.forms import carry_out
from clawgroups.web.http import actor_of, operation_of, page, sent_to
from clawgroups.web.model_server_form import ServerForm, typed_preset, typed_server
from clawgroups.web.undo import offered

# Shown where there is none yet (docs/model-server.md).
START = "python3 claw serve-model --host 0.0.0.0"


@require_safe
def server_list(request: HttpRequest) -> HttpResponse:
    """All model servers in the order in which they are asked."""
    model_servers.require_staff(actor_of(request))
    return page(request, "models/list.html", {"views": all_servers(), "start": START, "providers": PRESETS})


@never_cache
@require_safe
def new_server(request: HttpRequest) -> HttpResponse:
    """The form of another server, filled in with what is usual for a provider."""
    model_servers.require_staff(actor_of(request))
    asked = request.GET.get("provider", "")
    provider = asked if asked in PRESETS else "sglang"
    return _new(request, ServerForm(needs_key=PRESETS[provider].needs_key, initial=typed_preset(provider)), provider)


def _new(request: HttpRequest, form: ServerForm, provider: str, status: int = 200) -> HttpResponse:
    context = {"form": form, "provider": provider, "providers": PRESETS, "preset": PRESETS.get(provider)}
    return page(request, "models/new.html", context, status)


@never_cache
@require_POST
def create_server(request: HttpRequest) -> HttpResponse:
    """Add a server; its page offers to test it."""
    actor = actor_of(request)
    model_servers.require_staff(actor)
    preset = PRESETS.get(request.POST.get("provider", ""))
    form = ServerForm(request.POST, needs_key=preset is not None and preset.needs_key)
    outcome = None
    if form.is_valid():
        outcome = carry_out(
            form,
            model_servers.create_server,
            said=form.said,
            key=form.given_key or "",
            actor=actor,
            operation=operation_of(request),
        )
    if outcome is None:
        return _new(request, form, request.POST.get("provider", ""), 422)
    return _led(request, UUID(str(outcome.answer["id"])))


@never_cache
@require_safe
def server(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """One server: how it stands, what its last test found, and its form."""
    found = model_servers.get_server(actor_of(request), server_id)
    return _one(request, found, ServerForm(has_key=bool(found.secret), initial=typed_server(found)))


def _one(request: HttpRequest, found: ModelServer, form: ServerForm, status: int = 200) -> HttpResponse:
    busy = ModelCall.objects.filter(server=found, state="calling").count()
    context = {"view": ServerView(found, busy), "form": form, "preset": PRESETS.get(found.provider)}
    return page(request, "models/detail.html", context, status)


@never_cache
@require_POST
def set_server(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """Save what is said about it."""
    actor = actor_of(request)
    found = model_servers.get_server(actor, server_id)
    form = ServerForm(request.POST, has_key=bool(found.secret))
    outcome = None
    if form.is_valid():
        outcome = carry_out(
            form,
            model_servers.set_server,
            server_id,
            said=form.said,
            key=form.given_key,
            actor=actor,
            operation=operation_of(request),
        )
    return _one(request, found, form, 422) if outcome is None else _led(request, server_id)


def _led(request: HttpRequest, server_id: UUID) -> HttpResponse:
    return sent_to(request, reverse("model-server", args=[server_id]))


def _verb(request: HttpRequest, server_id: UUID, verb: Callable[..., Future[Outcome]], **said: Any) -> HttpResponse:
    """Carry out what a button says, and lead back to where it stood."""
    perform(verb, server_id, actor=actor_of(request), operation=operation_of(request), **said)
    if request.POST.get("back") == "list":
        return sent_to(request, reverse("model-servers"))
    return _led(request, server_id)


@require_POST
@offered("move-model-server")
def move_server(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """Ask it earlier or later than the one beside it."""
    return _verb(request, server_id, model_servers.move_server, up=request.POST.get("to") == "earlier")


@require_POST
@offered("enable-model-server")
def enable_server(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """Ask it, or do not."""
    return _verb(request, server_id, model_servers.enable_server, enabled=request.POST.get("enabled") == "yes")


@require_POST
def choose_model(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """Ask for one of the models that the last test found."""
    return _verb(request, server_id, model_servers.choose_model, model=request.POST.get("model", ""))


@require_POST
def clear_server(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """Ask a resting server again."""
    return _verb(request, server_id, model_servers.clear_server)


@require_POST
def test_server(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """Test it, and show what was found."""
    checked = model_tests.test_server(server_id, actor=actor_of(request))
    return _verb(request, server_id, model_servers.note_check, checked=checked)


@require_POST
def remove_server(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """Forget it, and its key."""
    perform(model_servers.remove_server, server_id, actor=actor_of(request), operation=operation_of(request))
    return sent_to(request, reverse("model-servers"))
