"""Every socket and every message type x everybody: who gets in, and what is said to whom."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.test import Client as Browser

from clawgroups import permissions
from clawgroups.access_table import MESSAGES, ROUTES
from clawgroups.realtime.browser import BrowserSocket
from clawgroups.realtime.consumers import JournalSocket
from clawgroups.routing import urlpatterns
from clawgroups.services.perform import read_async
from tests.access.world import CAST, UNKNOWN, Room, World
from tests.realtime.conftest import ORIGIN, Client

pytestmark = pytest.mark.django_db(transaction=True)
NOWHERE = UUID(int=7)
SOCKETS = (BrowserSocket, JournalSocket)


def headers_of(world: World, who: str) -> dict[str, str]:
    """How somebody comes to a socket: a person by the session of a page, an agent by its key."""
    user = world.user(who)
    if user is None:
        return {"Authorization": f"Bearer {world.bearers[who]}"} if who in world.bearers else {"Origin": ORIGIN}
    page = Browser()
    page.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    cookie = page.cookies[settings.SESSION_COOKIE_NAME].value
    return {"Cookie": f"{settings.SESSION_COOKIE_NAME}={cookie}", "Origin": ORIGIN}


async def knock(world: World, who: str, path: str, *, bearer: bool = False) -> Client:
    headers = await read_async(headers_of, world, who)
    if bearer and who in world.bearers:
        headers = {"Authorization": f"Bearer {world.bearers[who]}"}
    client = Client(path, headers)
    await client.open()
    return client


def test_every_socket_and_every_message_type_has_a_row() -> None:
    taken = {name[3:] for socket in SOCKETS for name in vars(socket) if name.startswith("on_")}
    assert set(MESSAGES) == taken
    assert {pattern.name for pattern in urlpatterns} <= ROUTES.keys()
    assert set(MESSAGES.values()) <= permissions.ACTIONS.keys() | permissions.GATES


def may(action: str, who: str, *, foreign: bool = False) -> bool:
    """What the table says of a message or a socket."""
    if who in UNKNOWN:
        return False
    if action == permissions.SIGNED_IN:
        return True
    if action == permissions.AGENT_KEY:
        return who == "agent key"
    role = CAST[who]
    return not foreign and role is not None and role in permissions.ACTIONS[action].roles


@pytest.mark.parametrize("who", CAST)
@pytest.mark.parametrize("bearer", [False, True])
async def test_everybody_gets_into_the_sockets_that_the_table_says(world: World, who: str, bearer: bool) -> None:
    for room, foreign in ((world.ours, False), (world.foreign, True)):
        if foreign and who == "stranger":
            continue
        client = await knock(world, who, f"/ws/workspaces/{room.ids['workspace_id']}/?after=0", bearer=bearer)
        if may(ROUTES["journal-socket"], who, foreign=foreign):
            assert (await client.take())["type"] == "hello"
            await client.leave()
        else:
            assert await client.closed() == (4401 if who in UNKNOWN else 4404)
    client = await knock(world, who, "/ws/", bearer=bearer)
    if may(ROUTES["browser-socket"], who):
        assert await client.quiet()
        await client.leave()
    else:
        assert await client.closed() == 4401


@pytest.mark.parametrize("who", [who for who in CAST if who != "agent key"])
async def test_only_an_agents_key_opens_the_agents_socket(world: World, who: str) -> None:
    for bearer in (False, True):
        client = await knock(world, who, "/acp/connect", bearer=bearer)
        assert await client.closed() == 4401


async def test_an_agents_key_opens_the_agents_socket(world: World) -> None:
    client = await knock(world, "agent key", "/acp/connect")
    assert (await client.take())["method"] == "initialize"
    await client.leave()


def frames(type_: str, room: Room | None) -> dict[str, Any]:
    """A message about the rows of a room; about nothing that there is, without one."""
    return {
        "type": type_,
        "workspace": str(room.ids["workspace_id"] if room else NOWHERE),
        "attempt": str(room.ids["attempt_id"] if room else NOWHERE),
        "generation": 1,
        "after": 0,
        "seq": 1,
    }


async def errors(client: Client, frame: dict[str, Any]) -> list[str]:
    """The errors that a message brings: all that come before the answer to a message that there is not."""
    await client.send(**frame)
    await client.send(type="no-such-message")
    found: list[str] = []
    while True:
        said = await client.until("error")
        if said["code"] == "unknown_type":
            return found
        found.append(said["code"])


@pytest.mark.parametrize("who", [who for who in CAST if who not in UNKNOWN])
async def test_every_message_is_heard_from_those_whom_the_table_says(world: World, who: str) -> None:
    client = await knock(world, who, "/ws/")
    for type_, action in MESSAGES.items():
        for room, foreign in ((world.ours, False), (world.foreign, True), (None, True)):
            if foreign and room is not None and who == "stranger":
                continue
            said = await errors(client, frames(type_, room))
            assert said == ([] if may(action, who, foreign=foreign) else ["not_found"]), (type_, foreign)
    await client.leave()


async def test_a_sessions_key_opens_no_socket(world: World) -> None:
    for path in ("/ws/", f"/ws/workspaces/{world.ours.ids['workspace_id']}/", "/acp/connect"):
        client = Client(path, {"Authorization": f"Bearer {world.session}"})
        await client.open()
        assert await client.closed() == 4401
