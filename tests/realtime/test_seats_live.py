"""What becomes of a seat counts on open sockets at once. How soon with 300 of them, `bench.seats` tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clawgroups.realtime.hub import Hub
from clawgroups.services import members, muting
from clawgroups.services.perform import perform, read_async
from tests.realtime.conftest import Client, Connect, Frame, Person, Room

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
    assert await guest.until("fragments")
    # Nothing more is sent to a page that is void, until it stands anew.
    head = await read_async(room.say)
    assert await bob.quiet()
    await bob.send(type="subscribe", workspace=str(room.id), generation=1, after=head)
    assert (await bob.until("hello"))["head"] == head
    await read_async(room.say)
    assert (await bob.until("fragments"))["seq"] == head + 1


@pytest.mark.parametrize("deed", [lowered, muted])
async def test_a_page_that_was_away_meanwhile_is_loaded_again_when_it_is_back(
    room: Room, connect: Connect, deed: Verb
) -> None:
    before = await read_async(room.head)
    await read_async(deed, room)
    await read_async(room.say)
    bob, guest = await page(room, connect, room.bob, before), await page(room, connect, room.guest, before)
    assert (await bob.until("reset"))["head"] == before + 2
    assert (await guest.until("fragments"))["seq"] == before + 2


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
    assert await ada.until("fragments")
    assert await ada.quiet()


@pytest.mark.usefixtures("unpolled")
async def test_a_page_of_two_workspaces_is_closed_by_the_loss_of_one_seat(room: Room, connect: Connect) -> None:
    bob, script = await page(room, connect, room.bob), connect(f"/ws/workspaces/{room.id}/?after=0", room.bob.bearer)
    await script.open()
    await script.until("hello")
    await read_async(removed, room)
    assert [await bob.closed(), await script.closed()] == [4403, 4403]
