"""Sockets without a network: the routing as ASGI, a workspace, and people with tokens and sessions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore

from clawgroups import commit
from clawgroups.auth import actor_of_user
from clawgroups.core.actors import Actor
from clawgroups.models import Workspace
from clawgroups.realtime.hub import Hub, the_hub
from clawgroups.routing import urlpatterns
from clawgroups.services import members, messages, people, workspaces
from clawgroups.services.perform import perform

Frame = dict[str, Any]
router = URLRouter(urlpatterns)
ORIGIN = settings.ORIGINS[0]


@dataclass
class Person:
    """Somebody with a bearer token and a browser session."""

    user: User
    actor: Actor = field(init=False)
    bearer: dict[str, str] = field(init=False)
    cookie: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.actor = actor_of_user(self.user)
        _, secret = people.create_token(self.user, name="test")
        self.bearer = {"Authorization": f"Bearer {secret}"}
        session = SessionStore()
        session[SESSION_KEY] = str(self.user.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = self.user.get_session_auth_hash()
        session.create()
        self.session = session
        self.cookie = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session.session_key}", "Origin": ORIGIN}


@dataclass
class Room:
    """A workspace with its people."""

    id: UUID
    ada: Person
    bob: Person
    guest: Person
    mallory: Person

    def say(self, count: int = 1, text: str = "hello") -> int:
        """Post `count` messages; the journal's head afterwards."""
        for number in range(count):
            perform(messages.post_message, self.id, body=f"{text} {number}", actor=self.ada.actor)
        return self.head()

    def head(self) -> int:
        return Workspace.objects.values_list("head", flat=True).get(pk=self.id)

    def seat(self, person: Person) -> UUID:
        return Workspace.objects.get(pk=self.id).members.get(user=person.user).pk


@pytest.fixture
def room(transactional_db: None) -> Room:
    commit.reopen()
    ada, bob, guest, mallory = (Person(User.objects.create_user(n)) for n in ("ada", "bob", "guest", "mallory"))
    made = perform(workspaces.create_workspace, name="Sales", actor=ada.actor)
    pk = UUID(str(made.answer["id"]))
    perform(members.add_person, pk, username="bob", actor=ada.actor)
    perform(members.add_person, pk, username="guest", role="guest", actor=ada.actor)
    return Room(pk, ada, bob, guest, mallory)


# Seconds for what comes within some milliseconds, on a machine that has other tests to run.
PATIENCE = 60.0


class Client:
    """One socket as a client sees it."""

    def __init__(self, path: str, headers: dict[str, str], subprotocols: list[str] | None = None) -> None:
        said = [(key.lower().encode(), value.encode()) for key, value in headers.items()]
        self.wire = WebsocketCommunicator(router, path, headers=said, subprotocols=subprotocols)
        self.subprotocol: str | None = None

    async def open(self) -> bool:
        accepted, self.subprotocol = await self.wire.connect(timeout=PATIENCE)
        return bool(accepted)

    async def send(self, **frame: Any) -> None:
        await self.wire.send_to(text_data=json.dumps(frame))

    async def take(self, timeout: float = PATIENCE) -> Frame:
        frame: Frame = json.loads(await self.wire.receive_from(timeout))
        return frame

    async def until(self, type_: str, timeout: float = PATIENCE) -> Frame:
        """The next frame of this type; others are passed over."""
        async with asyncio.timeout(timeout):
            while (frame := await self.take(timeout))["type"] != type_:
                pass
        return frame

    async def entries(self, head: int, *, ack: bool = True) -> list[Frame]:
        """Every entry up to `head`, acknowledged frame by frame."""
        found: list[Frame] = []
        while not found or found[-1]["seq"] < head:
            frame = await self.until("entries")
            found += frame["entries"]
            if ack:
                await self.send(type="ack", seq=frame["seq"])
        return found

    async def closed(self, timeout: float = PATIENCE) -> int:
        """The close code, whatever comes before it."""
        async with asyncio.timeout(timeout):
            while (message := await self.wire.receive_output(timeout))["type"] != "websocket.close":
                pass
        return int(message["code"])

    async def quiet(self) -> bool:
        return bool(await self.wire.receive_nothing(0.15))

    async def leave(self) -> None:
        await self.wire.disconnect(timeout=PATIENCE)


Connect = Callable[..., Client]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Make clients; they leave at the end."""
    made: list[Client] = []

    def make(path: str, headers: dict[str, str], subprotocols: list[str] | None = None) -> Client:
        client = Client(path, headers, subprotocols)
        made.append(client)
        return client

    yield make
    for client in made:
        if not client.wire.future.done():
            await client.leave()


@pytest.fixture
async def hub() -> Hub:
    return the_hub()
