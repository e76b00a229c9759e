"""A page is told when what waits for its person may be another, in all their workspaces, and nothing of what it is."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from clawgroups.models import Member, Run
from clawgroups.realtime.hub import Hub
from clawgroups.services import members, runs, workspaces
from clawgroups.services.perform import perform, read_async
from tests.realtime.conftest import Client, Connect, Person, Room

ASKED = {"type": "needs"}


async def page(connect: Connect, person: Person) -> Client:
    client = connect("/ws/", person.cookie)
    assert await client.open()
    await client.send(type="needs")
    assert await client.take() == ASKED
    return client


def draft(room: Room, workspace: UUID | None = None) -> None:
    plan = [{"key": "a", "title": "Look"}]
    perform(runs.draft_run, workspace or room.id, goal="g", plan=plan, actor=room.ada.actor)


async def test_a_plan_that_waits_is_told_to_those_who_may_start_it_whatever_page_they_look_at(
    room: Room, connect: Connect
) -> None:
    ada, bob, guest, mallory = [await page(connect, who) for who in (room.ada, room.bob, room.guest, room.mallory)]
    await read_async(draft, room)
    assert await ada.until("needs") == ASKED
    assert await bob.until("needs") == ASKED
    assert await guest.quiet()
    assert await mallory.quiet()


async def test_what_people_say_to_each_other_waits_for_nobody(room: Room, connect: Connect) -> None:
    client = await page(connect, room.bob)
    await read_async(room.say, 20)
    assert await client.quiet()


async def test_of_much_that_happens_at_once_a_page_is_told_twice(room: Room, connect: Connect, hub: Hub) -> None:
    hub.pace.needs = 1.5
    client = await page(connect, room.bob)
    await read_async(draft, room)
    assert await client.until("needs") == ASKED
    for _ in range(5):
        await read_async(draft, room)
    assert await client.until("needs") == ASKED
    assert await client.quiet()


async def test_a_seat_that_is_new_or_lost_is_known_at_the_next_question(room: Room, connect: Connect, hub: Hub) -> None:
    hub.pace.standing = 60
    client = await page(connect, room.mallory)
    await read_async(lambda: perform(members.add_person, room.id, username="mallory", actor=room.ada.actor))
    await client.send(type="needs")
    assert await client.take() == ASKED
    await read_async(draft, room)
    assert await client.until("needs") == ASKED
    await read_async(lambda: Member.objects.filter(user=room.mallory.user).update(left_at=timezone.now()))
    await client.send(type="needs")
    assert await client.take() == ASKED
    await read_async(draft, room)
    assert await client.quiet(), "and the page itself stays open"


@pytest.mark.parametrize("deed", [members.remove_member, partial(members.set_role, role="guest")])
async def test_a_page_elsewhere_hears_at_once_that_a_seat_is_lost_and_nothing_of_its_workspace_afterwards(
    room: Room, connect: Connect, hub: Hub, deed: Any
) -> None:
    hub.pace.standing, hub.pace.needs = 60, 0
    client = await page(connect, room.bob)
    await read_async(lambda: perform(deed, room.seat(room.bob), actor=room.ada.actor))
    assert await client.until("needs") == ASKED
    await read_async(draft, room)
    assert await client.quiet(), "and the page itself stays open"


async def test_a_page_that_follows_one_workspace_hears_of_the_others_too(
    room: Room, connect: Connect, hub: Hub
) -> None:
    made = await read_async(lambda: perform(workspaces.create_workspace, name="Other", actor=room.ada.actor))
    other = UUID(str(made.answer["id"]))
    client = await page(connect, room.ada)
    await client.send(type="subscribe", workspace=str(room.id), generation=1, after=await read_async(room.head))
    assert (await client.until("hello"))["workspace"] == str(room.id)
    await read_async(draft, room, other)
    assert await client.until("needs") == ASKED
    assert set(hub.rooms) == {room.id, other}
    await client.leave()
    assert hub.rooms == {}
    assert await read_async(Run.objects.count) == 1
