"""Agent cards on pages: one to take along, and forms that are filled in from one. Nothing is saved by reading it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from agents.protocol.card import LARGEST
from clawgroups.core.errors import ClawError, Invalid
from clawgroups.permissions import get_agent
from clawgroups.services import cards
from clawgroups.services.cards import ReadCard
from clawgroups.web.agents import edit_page, new_page, profile_of
from clawgroups.web.http import actor_of
from clawgroups.wording import say


@never_cache
@require_safe
def agent_card(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """The card as a file."""
    found = get_agent(actor_of(request), agent_id)
    response = JsonResponse(cards.card_of(found), json_dumps_params={"indent": 2, "ensure_ascii": False})
    response["Content-Disposition"] = f'attachment; filename="{found.handle}.agent-card.json"'
    return response


@require_POST
def read_card(request: HttpRequest) -> HttpResponse:
    """The form of registration, filled in from a card."""
    actor_of(request)
    text = ""
    try:
        text = given(request)
        read = cards.read(text)
    except ClawError as fault:
        return new_page(request, {"card_error": say(fault.message), "card_text": text}, status=422)
    initial = {"workspace": request.POST.get("workspace", ""), "max_sessions": 1, **fields_of(read)}
    return new_page(request, {"read": read}, initial=initial, skills=read.profile.get("skills", []))


@require_POST
def read_card_for(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """The form of an agent's profile, filled in from a card; what the card does not speak of stays."""
    found = get_agent(actor_of(request), agent_id)
    text = ""
    try:
        text = given(request)
        read = cards.read(text, levels=cards.levels_of(found))
    except ClawError as fault:
        return edit_page(request, found, {"card_error": say(fault.message), "card_text": text}, status=422)
    profile = profile_of(found)
    skills = read.profile.get("skills") or profile.pop("skills")
    return edit_page(request, found, {"read": read}, initial={**profile, **fields_of(read)}, skills=skills)


def given(request: HttpRequest) -> str:
    """The card that was sent: the file, else what was pasted. Raises `Invalid`."""
    upload = request.FILES.get("file")
    if isinstance(upload, UploadedFile):
        raw = upload.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise Invalid(f"The file is too large: at most {LARGEST // 1024} KB are read.", field="card")
        try:
            return str(raw, "utf-8-sig")
        except UnicodeDecodeError:
            raise Invalid("The file is no text in UTF-8, so it is no card.", field="card") from None
    text = str(request.POST.get("card", "")).strip()
    if not text:
        raise Invalid("Paste a card or choose its file.", field="card", code="empty")
    return text


def fields_of(read: ReadCard) -> dict[str, Any]:
    """What a card says, as the form's fields take it."""
    fields = {key: value for key, value in read.profile.items() if key != "skills"}
    if "toolkits" in fields:
        fields["toolkits"] = ", ".join(fields["toolkits"])
    return fields
