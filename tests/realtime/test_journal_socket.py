"""The journal socket: what one sees after any absence is the journal, each entry once."""

from __future__ import annotations

import asyncio

import pytest

from clawgroups.core.fold import digest, fold
from clawgroups.journal import entry_as_json, snapshot
from clawgroups.models import Entry, Workspace
from clawgroups.realtime.consumers import SUBPROTOCOL
from clawgroups.realtime.hub import Hub
from clawgroups.services import members, workspaces
from clawgroups.services.perform import perform, read_async
from tests.realtime.conftest import Client, Connect, Room


def path_of(room: Room, query: str = "") -> str:
    return f"/ws/workspaces/{room.id}/?{query}"


def journal_of(room: Room, after: int = 0) -> list[dict[str, object]]:
    return [entry_as_json(e) for e in Entry.objects.filter(workspace_id=room.id, seq__gt=after).order_by("seq")]


@pytest.mark.parametrize("gap", [0, 1, 10, 1000])
async def test_a_client_that_was_away_gets_the_journal_without_gap_or_double(
    room: Room, connect: Connect, gap: int
) -> None:
    before = await read_async(room.head)
    await read_async(room.say, gap)
    client = connect(path_of(room, f"generation=1&after={before}"), room.bob.bearer, [SUBPROTOCOL])
    assert await client.open()
    assert client.subprotocol == SUBPROTOCOL
    hello = await client.take()
    assert hello == {"type": "hello", "generation": 1, "head": before + gap}
    head = await read_async(room.say)
    got = await client.entries(head)
    assert got == await read_async(journal_of, room, before)


async def test_two_clients_see_the_same_while_it_happens(room: Room, connect: Connect) -> None:
    clients = [connect(path_of(room, "generation=1&after=0"), person.bearer) for person in (room.ada, room.bob)]
    assert [await client.open() for client in clients] == [True, True]
    said = asyncio.create_task(read_async(room.say, 40))
    head = await said
    first, second = await asyncio.gather(*(client.entries(head) for client in clients))
    assert first == second == await read_async(journal_of, room)


async def test_a_client_without_a_place_begins_with_a_snapshot_and_folds_on(room: Room, connect: Connect) -> None:
    client = connect(path_of(room), room.bob.bearer)
    await client.open()
    began = await client.until("snapshot")
    assert began["hash"] == digest(began["state"])
    await read_async(perform, workspaces.rename_workspace, room.id, name="Sales 2", actor=room.ada.actor)
    seat = await read_async(room.seat, room.guest)
    await read_async(lambda: perform(members.set_role, seat, role="member", actor=room.ada.actor))
    head = await read_async(room.head)
    state = fold(began["state"], await client.entries(head))
    fresh = await read_async(snapshot, room.id)
    assert (fresh.head.seq, fresh.as_json()["hash"]) == (head, digest(state))


async def test_another_generation_or_a_place_beyond_the_head_gets_a_snapshot(room: Room, connect: Connect) -> None:
    head = await read_async(room.head)
    for query in ("generation=9&after=1", f"generation=1&after={head + 7}"):
        client = connect(path_of(room, query), room.bob.bearer)
        await client.open()
        assert (await client.until("snapshot"))["seq"] == head


async def test_after_a_restore_whoever_comes_first_tells_the_room_which_journal_it_is(
    room: Room, connect: Connect, hub: Hub
) -> None:
    hub.pace.look = 3600  # nobody looks by themselves, and a restore gives no hint
    there = connect(path_of(room, "generation=1&after=0"), room.bob.bearer)
    await there.open()
    await there.entries(await read_async(room.head))
    await read_async(lambda: Workspace.objects.filter(pk=room.id).update(generation=2))
    back = connect(path_of(room, "generation=1&after=0"), room.ada.bearer)
    await back.open()
    for client in (there, back):
        while (told := await client.until("snapshot"))["generation"] != 2:
            pass
        assert told["seq"] == await read_async(room.head)


async def at_the_head(room: Room, connect: Connect) -> Client:
    """Somebody who has all entries that there are."""
    client = connect(path_of(room, f"generation=1&after={await read_async(room.head)}"), room.bob.bearer)
    await client.open()
    await client.take()
    return client


async def test_entries_that_are_many_do_not_wait_for_the_end_of_the_tick(
    room: Room, connect: Connect, hub: Hub
) -> None:
    hub.pace.tick, hub.pace.full = 3600, 5
    client = await at_the_head(room, connect)
    await read_async(room.say, 4)
    assert await client.quiet()
    head = await read_async(room.say)
    assert len(await client.entries(head)) == 5


async def test_entries_that_are_many_wait_while_more_of_them_come(room: Room, connect: Connect, hub: Hub) -> None:
    hub.pace.tick, hub.pace.full, hub.pace.calm = 3600, 5, 3600
    client = await at_the_head(room, connect)
    await read_async(room.say, 5)
    assert await client.quiet()


async def test_a_gap_that_is_too_long_gets_a_snapshot(room: Room, connect: Connect, hub: Hub) -> None:
    hub.pace.gap = 5
    await read_async(room.say, 6)
    client = connect(path_of(room, "generation=1&after=0"), room.bob.bearer)
    await client.open()
    assert (await client.until("snapshot"))["seq"] == await read_async(room.head)


async def test_a_reader_that_acknowledges_nothing_is_windowed_and_then_cut_off(
    room: Room, connect: Connect, hub: Hub
) -> None:
    hub.pace.window, hub.pace.frame, hub.pace.standing, hub.pace.behind = 4, 2, 0.05, 0.2
    await read_async(room.say, 10)
    client = connect(path_of(room, "generation=1&after=0"), room.bob.bearer)
    await client.open()
    await client.take()
    first, second = await client.until("entries"), await client.until("entries")
    assert [e["seq"] for e in first["entries"] + second["entries"]] == [1, 2, 3, 4]
    assert await client.closed() == 4413


async def test_a_reader_that_was_stalled_is_correct_again_by_one_snapshot(
    room: Room, connect: Connect, hub: Hub
) -> None:
    hub.pace.window, hub.pace.stalled = 4, 0.0
    await read_async(room.say, 10)
    client = connect(path_of(room, "generation=1&after=0"), room.bob.bearer)
    await client.open()
    frame = await client.until("entries")
    assert await client.quiet()
    await client.send(type="ack", seq=frame["seq"])
    assert (await client.take())["type"] == "snapshot"
    head = await read_async(room.say)
    assert [e["seq"] for e in await client.entries(head)] == [head]


async def test_a_slow_reader_does_not_hold_up_another(room: Room, connect: Connect, hub: Hub) -> None:
    hub.pace.window = 3
    slow = connect(path_of(room, "generation=1&after=0"), room.bob.bearer)
    quick = connect(path_of(room, "generation=1&after=0"), room.ada.bearer)
    await slow.open()
    await quick.open()
    head = await read_async(room.say, 30)
    assert [e["seq"] for e in await quick.entries(head)] == list(range(1, head + 1))


async def test_a_guest_is_not_sent_what_the_table_hides(room: Room, connect: Connect) -> None:
    def plant() -> int:
        head = room.head()
        entry = Entry.objects.get(workspace_id=room.id, seq=head)
        Entry.objects.filter(pk=entry.pk).update(type="approval.requested")
        return head

    hidden = await read_async(plant)
    head = await read_async(room.say)
    clients = [connect(path_of(room, "generation=1&after=0"), p.bearer) for p in (room.guest, room.bob)]
    for client in clients:
        await client.open()
    guest, member = [[e["seq"] for e in await client.entries(head)] for client in clients]
    assert set(member) - set(guest) == {hidden}


async def test_the_head_is_repeated(room: Room, connect: Connect, hub: Hub) -> None:
    hub.pace.look = hub.pace.head = 0.05
    client = connect(path_of(room), room.bob.bearer)
    await client.open()
    head = await client.until("head")
    assert (head["generation"], head["head"]) == (1, await read_async(room.head))


async def test_a_lost_hint_only_delays(room: Room, connect: Connect, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.pace.look = 0.1
    client = connect(path_of(room, "generation=1&after=0"), room.bob.bearer)
    await client.open()
    await client.entries(await read_async(room.head))
    monkeypatch.setattr("clawgroups.bus._deliver", lambda topic, value: None)
    head = await read_async(room.say)
    assert [e["seq"] for e in await client.entries(head)] == [head]
