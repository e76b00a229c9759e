"""Who is here and who types, as pages are told it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

from django.utils import timezone

from clawgroups import bus
from clawgroups.models import Entry, Message, Seen, Task
from clawgroups.realtime.hub import Hub
from clawgroups.services.perform import read_async
from tests.realtime.conftest import PATIENCE, Client, Connect, Person, Room
from tests.realtime.test_browser_socket import plant_attempt


async def page(room: Room, connect: Connect, person: Person) -> Client:
    client = connect("/ws/", person.cookie)
    assert await client.open()
    await client.send(type="people", workspace=str(room.id))
    return client


async def told(client: Client, *seats: UUID) -> None:
    """Wait until the page is told that exactly these are here."""
    async with asyncio.timeout(PATIENCE):
        while set((await client.until("here"))["members"]) != {str(pk) for pk in seats}:
            pass


async def test_those_who_have_a_page_open_are_here_until_their_lease_runs_out(
    room: Room, connect: Connect, hub: Hub
) -> None:
    hub.pace.gather = 0.01
    ada, bob = [await read_async(room.seat, person) for person in (room.ada, room.bob)]
    entries = await read_async(Entry.objects.count)
    first = await page(room, connect, room.ada)
    await told(first, ada)
    second = await page(room, connect, room.bob)
    await told(second, ada, bob)
    await told(first, ada, bob)
    await second.leave()
    gone = timezone.now() - timedelta(seconds=31)
    await read_async(lambda: Seen.objects.filter(user=room.bob.user).update(seen_at=gone))
    await hub.company.beat()
    await told(first, ada)
    assert await read_async(Entry.objects.count) == entries
    assert set(hub.company.workspaces()) == {room.id}
    await first.leave()
    assert (hub.company.pages, hub.company.workspaces()) == ({}, set())


async def test_whom_another_process_holds_is_here_too(room: Room, connect: Connect, hub: Hub) -> None:
    hub.pace.gather = 0.01
    ada, bob = [await read_async(room.seat, person) for person in (room.ada, room.bob)]
    client = await page(room, connect, room.ada)
    await told(client, ada)
    await read_async(lambda: Seen.objects.create(user=room.bob.user, seen_at=timezone.now()))
    bus.wake(bus.here_topic(room.id))
    await told(client, ada, bob)


async def test_typing_is_told_to_the_others_once_in_a_while_and_kept_nowhere(
    room: Room, connect: Connect, hub: Hub
) -> None:
    task = (await read_async(lambda: Task.objects.get(attempts=plant_attempt(room)))).pk
    ada, again, bob = [await page(room, connect, person) for person in (room.ada, room.ada, room.bob)]
    for client in (ada, again, bob):
        await client.until("here")
    for _ in range(3):
        await ada.send(type="typing", workspace=str(room.id))
    await ada.send(type="typing", workspace=str(room.id), task=str(task))
    said = {"type": "typing", "workspace": str(room.id), "name": "ada"}
    assert [await bob.until("typing") for _ in range(2)] == [{**said, "task": None}, {**said, "task": str(task)}]
    hub.pace.typing = 0
    await ada.send(type="typing", workspace=str(room.id))
    assert await bob.until("typing") == {**said, "task": None}
    await bob.send(type="typing", workspace=str(room.id))
    assert (await again.until("typing"))["name"] == "bob", "one's own pages are not told"
    assert await read_async(Message.objects.count) == 0


async def test_strangers_are_not_told_and_cannot_type(room: Room, connect: Connect) -> None:
    client = connect("/ws/", room.mallory.cookie)
    await client.open()
    for frame in ({"type": "people"}, {"type": "typing"}, {"type": "typing", "task": str(uuid4())}):
        await client.send(workspace=str(room.id), **frame)
        assert (await client.take())["code"] == "not_found"
    guest = await page(room, connect, room.guest)
    await guest.send(type="typing", workspace=str(room.id), task=str(uuid4()))
    assert (await guest.until("error"))["code"] == "not_found"
    await guest.send(type="typing", workspace=str(room.id), task="nothing")
    assert (await guest.until("error"))["code"] == "invalid"
