"""Reads of asynchronous doors: lanes do not hold each other up, but for the one that gives way to another."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connections

from agents.models import Agent
from clawgroups import commit
from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Change
from clawgroups.services import perform
from clawgroups.services.perform import Lane


@asynccontextmanager
async def under_way(lane: Lane) -> AsyncIterator[asyncio.Future[None]]:
    """Within it something is being read there that does not end."""
    begun, gate = threading.Event(), threading.Event()

    def read() -> None:
        begun.set()
        gate.wait(60)

    reading = asyncio.ensure_future(lane.read(read))
    await asyncio.to_thread(begun.wait, 60)
    try:
        yield reading
    finally:
        gate.set()
        await reading


def giving_way(monkeypatch: pytest.MonkeyPatch, *, at_once: float) -> tuple[Lane, Lane]:
    """A lane, and one that gives way to it for a minute once it was busy for so many seconds."""
    monkeypatch.setattr(perform, "GIVE_WAY", 60.0)
    monkeypatch.setattr(perform, "AT_ONCE", at_once)
    first = Lane("first", 1)
    return first, Lane("second", 1, gives_way_to=first)


async def test_a_full_lane_does_not_hold_up_another() -> None:
    full, other = Lane("full", 1), Lane("other", 1)
    gate = threading.Event()
    stuck = asyncio.ensure_future(full.read(gate.wait))
    behind = asyncio.ensure_future(full.read(lambda: "behind"))
    try:
        assert await other.read(lambda: "past") == "past"
        assert not behind.done()
    finally:
        gate.set()
    assert await stuck
    assert await behind == "behind"


async def test_a_lane_waits_for_what_is_under_way_in_the_one_it_gives_way_to(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = giving_way(monkeypatch, at_once=0.0)
    begun, asked, gate, order = threading.Event(), threading.Event(), threading.Event(), []
    rest = first.rest

    def asking(seconds: float, *, from_its_beginning: bool) -> bool:
        asked.set()
        return rest(seconds, from_its_beginning=from_its_beginning)

    monkeypatch.setattr(first, "rest", asking)

    def draw() -> None:
        begun.set()
        gate.wait(60)
        order.append("first")

    drawing = asyncio.ensure_future(first.read(draw))
    await asyncio.to_thread(begun.wait, 60)
    reading = asyncio.ensure_future(second.read(order.append, "second"))
    assert await asyncio.to_thread(asked.wait, 60)
    assert order == []
    gate.set()
    await asyncio.gather(drawing, reading)
    assert order == ["first", "second"]


async def test_a_lane_does_not_wait_for_what_has_only_just_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = giving_way(monkeypatch, at_once=60.0)
    async with under_way(first) as drawing:
        assert await second.read(lambda: "done") == "done"
        assert not drawing.done()


async def test_a_lane_waits_as_well_for_what_another_process_does_for_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = giving_way(monkeypatch, at_once=0.0)
    with first.under_way():
        reading = asyncio.ensure_future(second.read(lambda: "done"))
        done, _ = await asyncio.wait([reading], timeout=0.05)
        assert not done
    assert await reading == "done"


async def test_a_lane_gives_way_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perform, "EACH", 0.01)
    first = Lane("first", 1)
    second = Lane("second", 1, gives_way_to=first, each=True)
    async with under_way(first) as drawing:
        assert await second.read(lambda: "done") == "done"
        assert not drawing.done()


async def test_what_gave_way_once_does_not_wait_again_for_what_is_still_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []
    first = Lane("first", 1)
    second = Lane("second", 1, gives_way_to=first)
    wait_for = first._changed.wait_for

    def waiting(rests: Callable[[], bool], timeout: float) -> bool:
        waits.append(timeout)
        return wait_for(rests, 0)

    monkeypatch.setattr(first._changed, "wait_for", waiting)
    async with under_way(first):
        first._busy_since -= perform.GIVE_WAY / 2
        await second.read(lambda: None)
        first._busy_since -= perform.GIVE_WAY / 2
        await second.read(lambda: None)
        await second.read(lambda: None)
    assert 0 < waits[0] <= perform.GIVE_WAY / 2
    assert waits[1:] == [0, 0]


async def test_what_needs_no_row_is_done_where_it_is_asked_for_and_the_rest_in_a_thread() -> None:
    def done(refused: int) -> tuple[int, int]:
        tries.append(threading.get_ident())
        if len(tries) <= refused:
            raise SynchronousOnlyOperation
        return refused, threading.get_ident()

    tries: list[int] = []
    here = threading.get_ident()
    assert await perform.seldom_reading(done, 0) == (0, here)
    tries.clear()
    refused, there = await perform.seldom_reading(done, 1)
    assert refused == 1
    assert tries == [here, there]
    assert there != here


async def test_what_is_decided_on_a_loop_makes_no_connection_for_each_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 300 agents there were 500 more after seven minutes."""
    made: list[int] = []
    create = connections.create_connection

    def counted(alias: str) -> Any:
        made.append(threading.get_ident())
        return create(alias)

    def decided() -> None:
        commit.submit(Change(SYSTEM))
        with contextlib.suppress(SynchronousOnlyOperation):
            Agent.objects.exists()

    monkeypatch.setattr(connections, "create_connection", counted)
    monkeypatch.setattr(commit._writer, "submit", lambda _: Future())
    for _ in range(10):
        # Each in a context of its own, as whatever comes on a socket is.
        await asyncio.create_task(perform.seldom_reading(decided))
    assert made.count(threading.get_ident()) <= 1
