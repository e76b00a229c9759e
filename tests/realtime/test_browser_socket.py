"""The pages' socket: fragments rendered once, streaming text, and a way back after any absence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from clawgroups import bus
from clawgroups.core.actors import SYSTEM
from clawgroups.models import Attempt, Entry, Member, Run, Task
from clawgroups.realtime import feed
from clawgroups.realtime.hub import Hub, the_hub
from clawgroups.realtime.pages import BETWEEN
from clawgroups.realtime.renderer import renderer
from clawgroups.services import messages, runs, takeover
from clawgroups.services.perform import perform, read_async
from tests.realtime.conftest import PATIENCE, Client, Connect, Person, Room


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The entries of each rendering."""
    seen: list[list[int]] = []

    def drawn(entries: Sequence[Entry], wanted: feed.Wanted, kind: str) -> list[str]:
        if kind:
            return []
        seen.append([entry.seq for entry in entries])
        return [f"<p>{entry.seq}</p>" for entry in entries]

    monkeypatch.setattr(feed, "drawn", drawn)
    return seen


async def page(room: Room, connect: Connect, person: Person, after: int, **more: object) -> Client:
    client = connect("/ws/", person.cookie)
    assert await client.open()
    await client.send(type="subscribe", workspace=str(room.id), generation=1, after=after, **more)
    assert (await client.take())["type"] == "hello"
    return client


async def test_fragments_are_rendered_once_however_many_watch(
    room: Room, connect: Connect, rendered: list[list[int]]
) -> None:
    head = await read_async(room.head)
    pages = [await page(room, connect, person, head) for person in (room.ada, room.bob, room.ada, room.bob)]
    await read_async(room.say)
    frames = [await client.until("fragments") for client in pages]
    expected = {"type": "fragments", "workspace": str(room.id), "generation": 1, "seq": head + 1}
    assert frames == [{**expected, "html": f"<p>{head + 1}</p>"}] * 4
    assert rendered == [[head + 1]]


async def test_each_page_is_told_in_its_own_language(room: Room, connect: Connect) -> None:
    head = await read_async(room.head)
    pages = [await page(room, connect, room.bob, head, language=one) for one in ("zh-hans", "en")]
    await read_async(lambda: perform(messages.post_message, room.id, body="No run goes on.", actor=SYSTEM))
    chinese, english = [(await client.until("fragments"))["html"] for client in pages]
    assert "没有正在进行的运行。" in chinese
    assert "No run goes on." in english
    assert "No run goes on." not in chinese
    assert 'aria-label="Reply to Claw Groups"' in english
    assert "Reply to" not in chinese


async def test_what_happens_while_a_page_was_just_drawn_is_drawn_together(
    room: Room, connect: Connect, hub: Hub, rendered: list[list[int]]
) -> None:
    hub.pace.draw = 1.5
    head = await read_async(room.head)
    client = await page(room, connect, room.bob, head)
    await read_async(room.say)
    assert (await client.until("fragments"))["seq"] == head + 1
    await read_async(room.say, 3)
    assert (await client.until("fragments"))["seq"] == head + 4
    assert rendered == [[head + 1], [head + 2, head + 3, head + 4]]


async def test_a_page_that_was_away_is_brought_up_to_date_without_gap_or_double(
    room: Room, connect: Connect, rendered: list[list[int]]
) -> None:
    before = await read_async(room.head)
    head = await read_async(room.say, 30)
    client = await page(room, connect, room.bob, before)
    seq, pieces = before, list[str]()
    while seq < head:
        frame = await client.until("fragments")
        seq, pieces = frame["seq"], [*pieces, *frame["html"].split(BETWEEN)]
    assert pieces == [f"<p>{n}</p>" for n in range(before + 1, head + 1)]


async def test_a_page_that_is_behind_gets_what_changed_in_one_frame_and_no_other_until_it_has_taken_that_in(
    room: Room, connect: Connect, hub: Hub, rendered: list[list[int]]
) -> None:
    hub.pace.window, hub.pace.frame = 4, 2
    before = await read_async(room.head)
    head = await read_async(room.say, 30)
    client = await page(room, connect, room.bob, before)
    # Thirty changes of one row are one piece, so that a page that is late can catch up.
    assert (await client.until("fragments"))["seq"] == head
    await read_async(room.say, 3)
    assert await client.quiet()
    assert await _brought(client, room, head, head + 3) == head + 3
    assert rendered[0] == list(range(before + 1, head + 1))


async def test_no_more_than_the_window_is_on_the_way_to_a_page_that_has_not_taken_in_the_last_frame(
    room: Room, connect: Connect, hub: Hub, rendered: list[list[int]]
) -> None:
    hub.pace.window = 5
    before = await read_async(room.head)
    client = await page(room, connect, room.bob, before)
    await read_async(room.say)
    seq = (await client.until("fragments"))["seq"]
    assert seq == before + 1
    await read_async(room.say, 30)
    # The thirty are commits of their own: how many of them one look finds is the machine's matter.
    while not await client.quiet():
        seq = (await client.until("fragments"))["seq"]
    assert seq <= before + 5
    assert await _brought(client, room, seq, before + 31) == before + 31


async def test_a_page_that_takes_in_too_little_is_as_far_behind_as_before(
    room: Room, connect: Connect, hub: Hub, rendered: list[list[int]]
) -> None:
    hub.pace.window = 5
    client = await page(room, connect, room.bob, await read_async(room.head))
    taken = await read_async(room.say)
    for head in (taken, taken + 1):
        assert (await client.until("fragments"))["seq"] == head
        await read_async(room.say, 1 if head == taken else 30)
    follower = next(iter(hub.peers)).followers[room.id]  # type: ignore[attr-defined]
    async with asyncio.timeout(PATIENCE):
        while (since := follower.stalled_at) is None:
            await asyncio.sleep(0.01)
        before = follower._in_flight
        await client.send(type="ack", workspace=str(room.id), seq=taken)
        while follower._in_flight == before:
            await asyncio.sleep(0.01)
    assert follower.stalled_at == since


async def _brought(client: Client, room: Room, seq: int, head: int) -> int:
    """Where a page that was sent as far as `seq`, and takes all in, is once it is at `head` or beyond."""
    while seq < head:
        await client.send(type="ack", workspace=str(room.id), seq=seq)
        seq = (await client.until("fragments"))["seq"]
    return seq


async def test_a_page_that_comes_late_is_given_in_one_frame_what_was_drawn_for_those_before_it(
    room: Room, connect: Connect, rendered: list[list[int]]
) -> None:
    before = await read_async(room.head)
    early = await page(room, connect, room.bob, before)
    middle = await read_async(room.say)
    assert (await early.until("fragments"))["seq"] == middle
    await early.send(type="ack", workspace=str(room.id), seq=middle)
    head = await read_async(room.say)
    assert (await early.until("fragments"))["seq"] == head
    late = await page(room, connect, room.ada, before)
    frame = await late.until("fragments")
    assert (frame["seq"], frame["html"].split(BETWEEN)) == (head, [f"<p>{middle}</p>", f"<p>{head}</p>"])
    assert rendered == [[middle], [head]]


async def test_pages_that_come_back_together_are_drawn_for_once_whatever_happens_meanwhile(
    room: Room, connect: Connect, rendered: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, asked, go_on = renderer.draw, asyncio.Event(), asyncio.Event()

    async def slowly(*job: Any, late: bool) -> dict[str, str]:
        asked.set()
        await go_on.wait()
        return await drawn(*job, late=late)

    before = await read_async(room.head)
    first = await read_async(room.say, 3)
    monkeypatch.setattr(renderer, "draw", slowly)
    clients = [await page(room, connect, room.bob, before)]
    await asked.wait()
    head = await read_async(room.say)
    clients.append(await page(room, connect, room.ada, before))
    go_on.set()
    for client in clients:
        assert [(await client.until("fragments"))["seq"] for _ in range(2)] == [first, head]
    assert rendered == [[first - 2, first - 1, first], [head]]


async def test_pages_hear_on_after_a_fault_in_what_is_done_for_all_of_them(
    room: Room, connect: Connect, rendered: list[list[int]], monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    head = await read_async(room.head)
    client = await page(room, connect, room.bob, head)
    followed = next(iter(the_hub().rooms.values()))
    for place, name in ((followed, "_render_ahead"), (followed, "_append")):
        done = getattr(place, name)

        def fails(*entries: Any, name: str = name, done: Callable[..., Any] = done, **more: Any) -> Any:
            monkeypatch.setattr(followed, name, done)
            raise RuntimeError(name)

        monkeypatch.setattr(place, name, fails)
        # What was begun before comes to its end without a fault.
        while f"RuntimeError: {name}" not in caplog.text:
            head = await read_async(room.say)
            if name == "_append":
                head = await read_async(room.say)
            while (frame := await client.until("fragments"))["seq"] < head:
                pass
            await client.send(type="ack", workspace=str(room.id), seq=frame["seq"])


async def test_a_page_is_brought_the_kinds_that_it_has_a_place_for_and_is_drawn_none_that_nobody_has(
    room: Room, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    draw = feed.drawn

    def drawn(entries: Sequence[Entry], wanted: feed.Wanted, kind: str) -> list[str]:
        made.append(kind)
        return draw(entries, wanted, kind)

    monkeypatch.setattr(feed, "drawn", drawn)
    task = await read_async(_ready, room)
    before = await read_async(room.head)
    await read_async(partial(perform, takeover.take_over, task, actor=room.ada.actor))
    fleet = await page(room, connect, room.ada, before, kinds=["cells", "steps", "moons", 7, {}])
    html = (await fleet.until("fragments"))["html"]
    assert 'id="run-head-' in html
    assert f'id="task-{task}"' not in html
    assert sorted(set(made)) == ["", "cells", "steps"]
    # It shows cards now, too, and asks for them from where it stood when it asked for its new part.
    await fleet.send(type="subscribe", workspace=str(room.id), generation=1, after=before, kinds=["cards"])
    assert (await fleet.until("hello"))["type"] == "hello"
    html = (await fleet.until("fragments"))["html"]
    assert f'id="task-{task}"' in html
    assert sorted(made) == ["", "cards", "cells", "steps"], "and what was made for others is not made again"


def _ready(room: Room) -> UUID:
    """A task that nobody has yet."""
    plan = [{"key": "count", "title": "Count the branches", "skills": ["counting"]}]
    run = perform(runs.draft_run, room.id, goal="Know the sales", plan=plan, actor=room.ada.actor)
    perform(runs.start_run, UUID(run.answer["id"]), actor=room.ada.actor)
    return Task.objects.get(run=run.answer["id"]).pk


async def test_a_page_of_another_generation_is_told_to_load_again(
    room: Room, connect: Connect, rendered: list[list[int]]
) -> None:
    client = connect("/ws/", room.bob.cookie)
    await client.open()
    await client.send(type="subscribe", workspace=str(room.id), generation=7, after=1)
    head = await read_async(room.head)
    assert await client.until("reset") == {
        "type": "reset",
        "workspace": str(room.id),
        "generation": 1,
        "head": head,
    }
    await read_async(room.say)
    assert await client.quiet()
    await client.send(type="subscribe", workspace=str(room.id), generation=1, after=head)
    assert (await client.until("fragments"))["seq"] == head + 1


async def test_a_foreign_workspace_is_as_good_as_none(room: Room, connect: Connect) -> None:
    client = connect("/ws/", room.mallory.cookie)
    await client.open()
    answers = []
    for pk in (room.id, uuid4()):
        await client.send(type="subscribe", workspace=str(pk), generation=1, after=0)
        answers.append(await client.take())
    assert answers[0] == answers[1]
    assert answers[0]["code"] == "not_found"


def plant_attempt(room: Room) -> UUID:
    now = timezone.now()
    run = Run.objects.create(workspace_id=room.id, goal="g", state="running", created_by=room.ada.user, created_at=now)
    seat = Member.objects.get(workspace_id=room.id, user=room.ada.user)
    task = Task.objects.create(
        workspace_id=room.id, run=run, key="a", position=0, title="t", state="ready", created_at=now
    )
    return Attempt.objects.create(
        workspace_id=room.id, task=task, member=seat, number=1, epoch=1, state="working", offered_at=now
    ).pk


async def test_streaming_text_is_joined_and_at_most_four_frames_a_second(
    room: Room, connect: Connect, hub: Hub
) -> None:
    hub.pace.live = 0.1
    attempt = await read_async(plant_attempt, room)
    client = connect("/ws/", room.bob.cookie)
    await client.open()
    await client.send(type="watch", attempt=str(attempt))
    async with asyncio.timeout(PATIENCE):
        while attempt not in the_hub().streams:
            await asyncio.sleep(0.005)
    for letter in "abcde":
        bus.live(attempt, {"part": "p1", "text": letter, "ordinal": 0, "kind": "text"})
    first = await client.take()
    text = first["text"]
    while text != "abcde":
        text += (await client.take())["text"]
    assert (first["type"], first["attempt"], first["part"]) == ("live", str(attempt), "p1")
    await client.send(type="unwatch")
    await client.send(type="watch", attempt=str(uuid4()))
    assert (await client.take())["code"] == "not_found"
    assert the_hub().streams == {}


async def test_the_hub_is_empty_once_everybody_left(room: Room, connect: Connect, rendered: list[list[int]]) -> None:
    client = await page(room, connect, room.bob, 0)
    assert set(the_hub().rooms) == {room.id}
    await client.leave()
    assert (the_hub().rooms, the_hub().peers) == ({}, set())
