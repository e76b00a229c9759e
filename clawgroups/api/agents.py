"""Agents and their keys."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Router

from agents import tokens
from agents.models import Agent, AgentKey
from agents.tokens import MintedKey
from clawgroups.api import schemas, shown
from clawgroups.api.access import actor_of
from clawgroups.api.paging import Paging, page
from clawgroups.api.writing import Answer, operation_of, write
from clawgroups.core.errors import NotFound
from clawgroups.fragments.agents import Work
from clawgroups.fragments.roster import presences
from clawgroups.models import Member
from clawgroups.permissions import get_agent
from clawgroups.services import agent_requests, agents, breakers, cards, enrolling, session_options

router = Router(tags=["agents"])


def new_key(request: HttpRequest) -> MintedKey:
    """The key of this request. A repeated request makes the same one again, so that its answer is the same."""
    name = _name_of(request)
    return tokens.derive(tokens.AGENT, name) if name else agents.mint_key()


def new_code(request: HttpRequest) -> MintedKey:
    """The code of this request, in the same way."""
    name = _name_of(request)
    return tokens.derive_code(name) if name else tokens.mint_code()


def _name_of(request: HttpRequest) -> str:
    """What tells a repeated request from another one; empty where it is not to be repeated."""
    operation = operation_of(request)
    return f"{actor_of(request).user_id}|{request.path}|{operation}" if operation else ""


def with_key(answer: Answer, key: MintedKey) -> Answer:
    """An answer with the secret, shown this once, and the line to copy."""
    command = agents.connect_command(key.secret, settings.BASE_URL)
    return {**answer, "key": key.secret, "connect_command": command}


@router.get("/agents")
def list_agents(request: HttpRequest, paged: Paging) -> Answer:
    """Your agents, newest first."""
    mine = Agent.objects.filter(owner_id=actor_of(request).user_id).prefetch_related("skills")
    listed = page(mine, paged, shown.agent)
    here = presences(UUID(one["id"]) for one in listed["items"])
    for one in listed["items"]:
        one["online"] = here.get(UUID(one["id"])) == "online"
    return listed


@router.post("/agents", response={201: dict[str, Any]})
def register_agent(request: HttpRequest, response: HttpResponse, body: schemas.AgentIn) -> Answer:
    """Register an agent. Its key is in this answer and nowhere else."""
    key = new_key(request)
    given = body.model_dump()
    profile = {**given, "workspace_id": given.pop("workspace")}
    profile.pop("workspace", None)
    card = profile.pop("card")
    if card is not None:
        said = body.model_dump(exclude_unset=True)
        profile |= {name: value for name, value in cards.read(card).profile.items() if name not in said}
    return with_key(write(request, response, agents.register_agent, given=given, key=key, **profile), key)


@router.get("/agents/{uuid:agent_id}")
def get_agent_(request: HttpRequest, agent_id: UUID) -> Answer:
    """One of your agents, with its keys (never their secrets), what it announced, and how it did lately.

    `owner_allows`: the rules of the machine that it runs on, as its connector told them.
    """
    actor = actor_of(request)
    row = get_agent(actor, agent_id)
    keys = [shown.key(key) for key in row.keys.order_by("created_at")]
    online = presences([row.pk]).get(row.pk) == "online"
    listed = agent_requests.latest(row.pk, "list", "answered")
    options = {"offered": row.offered, "preferences": row.preferences, "listed": listed and listed.answer["result"]}
    work = Work(row, Member.objects.filter(user=actor.user_id, left_at=None))
    said = {"online": online, "announced": row.announced, "record": shown.record(work), "keys": keys}
    link = row.connections.order_by("-epoch").first()
    options["owner_allows"] = None if link is None else link.client.get("policy")
    return {**shown.agent(row), **said, **options}


@router.get("/agents/{uuid:agent_id}/card")
def get_agent_card(request: HttpRequest, agent_id: UUID) -> Answer:
    """One of your agents as an A2A agent card."""
    return cards.card_of(get_agent(actor_of(request), agent_id))


@router.put("/agents/{uuid:agent_id}")
def set_profile(request: HttpRequest, response: HttpResponse, agent_id: UUID, body: schemas.ProfileIn) -> Answer:
    """Replace an agent's name and profile."""
    return write(request, response, agents.set_profile, agent_id, **body.model_dump())


@router.delete("/agents/{uuid:agent_id}")
def retire_agent(request: HttpRequest, response: HttpResponse, agent_id: UUID) -> Answer:
    """Withdraw an agent: its keys are void and its sockets close."""
    return write(request, response, agents.retire_agent, agent_id)


@router.post("/agents/{uuid:agent_id}/clear")
def clear_breaker(request: HttpRequest, response: HttpResponse, agent_id: UUID) -> Answer:
    """Give an agent work again that got none because it kept failing."""
    return write(request, response, breakers.clear_breaker, agent_id)


@router.post("/agents/{uuid:agent_id}/record/reset")
def reset_record(request: HttpRequest, response: HttpResponse, agent_id: UUID, body: schemas.ResetIn) -> Answer:
    """Have the matching look only at what the agent does with a skill from now on."""
    return write(request, response, agents.reset_record, agent_id, skill=body.skill)


@router.post("/agents/{uuid:agent_id}/sign-in")
def sign_in_agent(request: HttpRequest, response: HttpResponse, agent_id: UUID, body: schemas.SignInIn) -> Answer:
    """Have an agent sign in by a method that it announced; the rest happens on its own machine."""
    return write(request, response, agent_requests.sign_in, agent_id, method=body.method)


@router.post("/agents/{uuid:agent_id}/sign-out")
def sign_out_agent(request: HttpRequest, response: HttpResponse, agent_id: UUID) -> Answer:
    """Have an agent forget its login."""
    return write(request, response, agent_requests.sign_out, agent_id)


@router.post("/agents/{uuid:agent_id}/sessions")
def list_agent_sessions(request: HttpRequest, response: HttpResponse, agent_id: UUID) -> Answer:
    """Ask an agent which sessions it has stored; the answer stands in `listed` of the agent."""
    return write(request, response, agent_requests.list_sessions, agent_id)


@router.put("/agents/{uuid:agent_id}/preferences")
def set_preferences(
    request: HttpRequest, response: HttpResponse, agent_id: UUID, body: schemas.PreferencesIn
) -> Answer:
    """What is set in each new session of an agent: its model, its mode."""
    return write(request, response, session_options.set_preferences, agent_id, values=body.values)


@router.post("/agents/{uuid:agent_id}/keys", response={201: dict[str, Any]})
def add_key(request: HttpRequest, response: HttpResponse, agent_id: UUID, body: schemas.KeyIn | None = None) -> Answer:
    """Another key, in this answer and nowhere else."""
    key = new_key(request)
    days = None if body is None else body.days
    given = {} if days is None else {"days": days}
    return with_key(write(request, response, agents.add_key, agent_id, given=given, key=key, days=days), key)


@router.post("/agents/{uuid:agent_id}/enrolment", response={201: dict[str, Any]})
def offer_enrolment(
    request: HttpRequest, response: HttpResponse, agent_id: UUID, body: schemas.OfferIn | None = None
) -> Answer:
    """A code by which one machine lets this agent in within the hour, in this answer and nowhere else.

    An older one that nobody has used is void.
    """
    launcher = "" if body is None else body.launcher
    code = new_code(request)
    offered = write(
        request, response, enrolling.offer, agent_id, given={"launcher": launcher}, code=code, launcher=launcher
    )
    lines = {
        "connect_command": enrolling.connect_line(code.secret, settings.BASE_URL),
        "fetch_command": enrolling.fetch_line(code.secret, settings.BASE_URL),
    }
    return {**offered, "code": code.secret, **lines}


@router.delete("/agents/{uuid:agent_id}/keys/{uuid:key_id}")
def revoke_key(request: HttpRequest, response: HttpResponse, agent_id: UUID, key_id: UUID) -> Answer:
    """Make a key void; what came in by it is closed."""
    get_agent(actor_of(request), agent_id)
    if not AgentKey.objects.filter(pk=key_id, agent_id=agent_id).exists():
        raise NotFound("There is no such key, or it is not yours.")
    return write(request, response, agents.revoke_key, key_id)
