"""Where agents are dialled."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router

from agents import tokens
from agents.models import Dial
from clawgroups.api import schemas, shown
from clawgroups.api.access import actor_of
from clawgroups.api.writing import Answer, write
from clawgroups.permissions import get_agent
from clawgroups.services import dials

router = Router(tags=["agents"])


@router.get("/agents/{uuid:agent_id}/dial")
def get_dial(request: HttpRequest, agent_id: UUID) -> Answer:
    """Where one of your agents is dialled and how that stands; never its key. Without address, it dials in itself."""
    agent = get_agent(actor_of(request), agent_id)
    return shown.dial(Dial.objects.filter(pk=agent.pk).first())


@router.put("/agents/{uuid:agent_id}/dial")
def set_dial(request: HttpRequest, response: HttpResponse, agent_id: UUID, body: schemas.DialIn) -> Answer:
    """Dial an agent at this address. A `secret` of null keeps the key there is, an empty one drops it."""
    # Of the key only a keyed hash is kept with the operation.
    hashed = None if body.secret is None else tokens.digest(body.secret)
    given = {"address": body.address, "secret": hashed}
    return write(request, response, dials.set_dial, agent_id, given=given, address=body.address, secret=body.secret)


@router.delete("/agents/{uuid:agent_id}/dial")
def remove_dial(request: HttpRequest, response: HttpResponse, agent_id: UUID) -> Answer:
    """Dial an agent no more; its address and key are forgotten."""
    return write(request, response, dials.remove_dial, agent_id)


@router.post("/agents/{uuid:agent_id}/dial/retry")
def retry_dial(request: HttpRequest, response: HttpResponse, agent_id: UUID) -> Answer:
    """Try again now, whatever stood in the way."""
    return write(request, response, dials.retry_dial, agent_id)


@router.post("/agents/{uuid:agent_id}/dial/private")
def allow_private(request: HttpRequest, response: HttpResponse, agent_id: UUID, body: schemas.PrivateIn) -> Answer:
    """Administrators: whether its present address may lead into a private network."""
    return write(request, response, dials.allow_private, agent_id, allowed=body.allowed)
