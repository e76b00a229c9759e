"""Model servers of the installation: for the tokens of its administrators only."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import Field

from agents import tokens
from clawgroups.api import shown_models
from clawgroups.api.access import actor_of
from clawgroups.api.writing import Answer, write
from clawgroups.core.errors import Invalid
from clawgroups.fragments.model_use import ServerView
from clawgroups.fragments.model_use import servers as all_servers
from clawgroups.models import ModelServer
from clawgroups.services import model_servers as verbs
from clawgroups.services import model_tests

router = Router(tags=["model servers"])
COLUMNS = ("name", "provider", "url", "model", "mode", "concurrency", "prices", "timeouts", "extra")


class ServerIn(Schema):
    """A model server. `prices` are US dollars for a million tokens (miss, hit, out), `timeouts` seconds."""

    name: str
    provider: str = "sglang"
    url: str
    model: str = ""
    key: str = ""
    mode: str = ""
    concurrency: int = 4
    prices: dict[str, float | None] = Field(default_factory=dict)
    timeouts: dict[str, float | None] = Field(default_factory=dict)
    extra: dict[str, Any] = Field(default_factory=dict)
    enabled: bool = True


class ServerPatch(Schema):
    """What is to be another. A `key` of "" drops the key; `move` changes places with the one before or after it."""

    name: str | None = None
    provider: str | None = None
    url: str | None = None
    model: str | None = None
    key: str | None = None
    mode: str | None = None
    concurrency: int | None = None
    prices: dict[str, float | None] | None = None
    timeouts: dict[str, float | None] | None = None
    extra: dict[str, Any] | None = None
    enabled: bool | None = None
    move: Literal["earlier", "later"] | None = None


@router.get("/model-servers")
def list_model_servers(request: HttpRequest) -> Answer:
    """All of them, in the order in which they are asked."""
    verbs.require_staff(actor_of(request))
    return {"items": [shown_models.server(view) for view in all_servers()], "next": None}


@router.post("/model-servers", response={201: dict[str, Any]})
def create_model_server(request: HttpRequest, response: HttpResponse, body: ServerIn) -> Answer:
    """Add one behind the others. Without a `model` it is off until one is chosen."""
    said = body.model_dump(exclude={"key"})
    return write(request, response, verbs.create_server, given=[said, _hashed(body.key)], said=said, key=body.key)


@router.get("/model-servers/{uuid:server_id}")
def get_model_server(request: HttpRequest, server_id: UUID) -> Answer:
    """One of them, and how it stands."""
    return shown_models.server(ServerView(verbs.get_server(actor_of(request), server_id)))


@router.patch("/model-servers/{uuid:server_id}")
def change_model_server(request: HttpRequest, response: HttpResponse, server_id: UUID, body: ServerPatch) -> Answer:
    """Change what is said about it, switch it on or off, or move it in the order."""
    row = verbs.get_server(actor_of(request), server_id)
    given = {name: value for name, value in body.model_dump().items() if value is not None}
    if not given:
        raise Invalid("Send what is to be another.", field="body")
    answer: Answer = {}
    if given.keys() & {*COLUMNS, "key"}:
        said = _as_is(row) | {name: given[name] for name in COLUMNS if name in given}
        hashed = {name: given[name] for name in COLUMNS if name in given} | {"key": _hashed(body.key)}
        answer |= write(
            request, response, verbs.set_server, server_id, part="set", given=hashed, said=said, key=body.key
        )
    if body.enabled is not None:
        answer |= write(request, response, verbs.enable_server, server_id, part="enabled", enabled=body.enabled)
    if body.move is not None:
        answer |= write(request, response, verbs.move_server, server_id, part="move", up=body.move == "earlier")
    return answer


def _as_is(row: ModelServer) -> dict[str, Any]:
    return {name: getattr(row, name) for name in COLUMNS}


def _hashed(key: str | None) -> str | None:
    """Of a key only a keyed hash is kept with the operation."""
    return None if key is None else tokens.digest(key)


@router.delete("/model-servers/{uuid:server_id}")
def remove_model_server(request: HttpRequest, response: HttpResponse, server_id: UUID) -> Answer:
    """Forget it and its key; what it was asked stays. A conflict while a call is under way there."""
    return write(request, response, verbs.remove_server, server_id)


@router.post("/model-servers/{uuid:server_id}/test")
def test_model_server(request: HttpRequest, response: HttpResponse, server_id: UUID) -> Answer:
    """Ask it what it has and what works there; takes up to a minute. What is wrong with it stands in `said`."""
    checked = model_tests.test_server(server_id, actor=actor_of(request))
    return write(request, response, verbs.note_check, server_id, given="test", checked=checked)
