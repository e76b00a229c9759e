"""What becomes of a seat or a pass counts on open sockets at once. How soon with 300 of them, T28 tells."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from allauth.account.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.http import HttpRequest
from django.utils import timezone

from agents.models import AgentKey
from clawgroups.realtime import hub as hub_module
from clawgroups.realtime.hub import Hub
from clawgroups.services import agents, members, muting, people, sign_ins
from clawgroups.services.perform import perform, read_async
from tests.realtime.conftest import Client, Connect, Frame, Person, Room

# Whatever is drawn first in a process takes long on a machine that has much to do.
DRAWN = 60.0
Verb = Callable[[Room], Any]


def lowered(room: Room) -> None:
    perform(members.set_role, room.seat(room.bob), role="guest", actor=room.ada.actor)


def muted(room: Room) -> None:
    perform(muting.mute_member, room.seat(room.bob), actor=room.ada.actor)


def removed(room: Room) -> None:
    perform(members.remove_member, room.seat(room.bob), actor=room.ada.actor)


async def page(room: Room, connect: Connect, who: Person, after: int | None = None) -> Client:
    """A browser's page that shows the workspace as of `after`, or as it is now."""
    client = connect("/ws/", who.cookie)
    await client.open()
    at = await read_async(room.head) if after is None else after
    await client.send(type="subscribe", workspace=str(room.id), generation=1, after=at)
    await client.until("hello")
    return client


@pytest.fixture
def unpolled(hub: Hub) -> None:
    """Whoever is quicker than the look every two seconds was told."""
    hub.pace.standing = 60


@pytest.mark.parametrize("deed", [lowered, muted])
@pytest.mark.usefixtures("unpolled")
async def test_the_page_of_another_seat_is_loaded_again_at_once_and_others_are_not(
    room: Room, connect: Connect, deed: Verb
) -> None:
    bob, guest = await page(room, connect, room.bob), await page(room, connect, room.guest)
    await read_async(deed, room)
    said = await bob.until("reset")
    assert said["workspace"] == str(room.id)
    assert await guest.until("fragments", DRAWN)
    # Nothing more is sent to a page that is void, until it stands anew.
    head = await read_async(room.say)
    assert await bob.quiet()
    await bob.send(type="subscribe", workspace=str(room.id), generation=1, after=head)
    assert (await bob.until("hello"))["head"] == head
    await read_async(room.say)
    assert (await bob.until("fragments", DRAWN))["seq"] == head + 1


@pytest.mark.parametrize("deed", [lowered, muted])
async def test_a_page_that_was_away_meanwhile_is_loaded_again_when_it_is_back(
    room: Room, connect: Connect, deed: Verb
) -> None:
    before = await read_async(room.head)
    await read_async(deed, room)
    await read_async(room.say)
    bob, guest = await page(room, connect, room.bob, before), await page(room, connect, room.guest, before)
    assert (await bob.until("reset"))["head"] == before + 2
    assert (await guest.until("fragments", DRAWN))["seq"] == before + 2


@pytest.mark.usefixtures("unpolled")
async def test_whoever_is_muted_does_not_even_type(room: Room, connect: Connect, hub: Hub) -> None:
    hub.pace.typing = 0
    bob, ada = await page(room, connect, room.bob), await page(room, connect, room.ada)
    await ada.send(type="people", workspace=str(room.id))
    await ada.until("here")

    async def types() -> Frame:
        await bob.send(type="typing", workspace=str(room.id))
        await bob.send(type="no-such-message")
        return await bob.until("error")

    assert (await types())["code"] == "unknown_type"
    assert (await ada.until("typing"))["name"] == "bob"
    await read_async(muted, room)
    await bob.until("reset")
    assert (await types())["code"] == "muted"
    assert await ada.until("fragments", DRAWN)
    assert await ada.quiet()


@pytest.mark.usefixtures("unpolled")
async def test_a_page_of_two_workspaces_is_closed_by_the_loss_of_one_seat(room: Room, connect: Connect) -> None:
    bob, script = await page(room, connect, room.bob), connect(f"/ws/workspaces/{room.id}/?after=0", room.bob.bearer)
    await script.open()
    await script.until("hello")
    await read_async(removed, room)
    assert [await bob.closed(), await script.closed()] == [4403, 4403]


def revoked(room: Room) -> None:
    people.revoke_token(room.bob.user, room.bob.user.access_tokens.get().pk)


def over_soon(room: Room) -> None:
    """Nobody tells when it is over, so that the hub has to know."""
    room.bob.user.access_tokens.update(expires_at=timezone.now() + timedelta(seconds=0.5))
    people.passes_changed()


def signed_out(room: Room) -> None:
    request = HttpRequest()
    request.session, request.user = room.bob.session, room.bob.user
    get_adapter(request).logout(request)


def given_another_password(room: Room) -> None:
    get_adapter().set_password(room.bob.user, "another-9371")


def signed_out_elsewhere(room: Room) -> None:
    listed = {"ip": "127.0.0.1", "session_key": room.bob.session.session_key}
    row = UserSession.objects.create(user=room.bob.user, **listed)
    sign_ins.end_session(room.bob.user, row.pk, where="test")


@pytest.mark.parametrize("deed", [revoked, over_soon, signed_out, signed_out_elsewhere, given_another_password])
@pytest.mark.usefixtures("unpolled")
async def test_a_pass_that_is_void_closes_what_came_in_by_it_at_once_and_nothing_else(
    room: Room, connect: Connect, deed: Verb
) -> None:
    bob = connect("/ws/", room.bob.bearer if deed in (revoked, over_soon) else room.bob.cookie)
    await bob.open()
    ada = connect(f"/ws/workspaces/{room.id}/?generation=1&after={await read_async(room.head)}", room.ada.bearer)
    await ada.open()
    await ada.until("hello")
    await read_async(deed, room)
    assert await bob.closed() == 4401
    head = await read_async(room.say)
    assert [entry["seq"] for entry in await ada.entries(head)] == [head]


@pytest.mark.usefixtures("unpolled")
async def test_a_script_that_came_in_by_an_agents_key_is_closed_when_it_is_revoked(
    room: Room, connect: Connect
) -> None:
    key = agents.mint_key()

    def registered() -> UUID:
        made = perform(agents.register_agent, name="Scribe", workspace_id=room.id, key=key, actor=room.ada.actor)
        return AgentKey.objects.get(agent=made.answer["id"]).pk

    pk = await read_async(registered)
    script = connect(f"/ws/workspaces/{room.id}/?after=0", {"Authorization": f"Bearer {key.secret}"})
    await script.open()
    await script.until("hello")
    await read_async(lambda: perform(agents.revoke_key, pk, actor=room.ada.actor))
    assert await script.closed() == 4401


async def test_who_comes_while_standing_is_looked_at_is_not_closed_for_a_seat_that_nobody_asked_about(
    room: Room, connect: Connect, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.pace.standing = 60
    began, come = threading.Event(), threading.Event()
    look = hub_module._standing

    def slow(*asked: Any) -> Any:
        began.set()
        assert come.wait(60)
        return look(*asked)

    bob = connect("/ws/", room.bob.cookie)
    await bob.open()
    monkeypatch.setattr(hub_module, "_standing", slow)
    looking = asyncio.create_task(hub.check_standing())
    assert await asyncio.to_thread(began.wait, 60)
    head = await read_async(room.head)
    await bob.send(type="subscribe", workspace=str(room.id), generation=1, after=head)
    while not next(iter(hub.peers)).followers:  # type: ignore[attr-defined]
        await asyncio.sleep(0.01)
    come.set()
    await looking
    await bob.send(type="no-such-message")
    assert (await bob.until("error"))["code"] == "unknown_type"
