"""How much one agent may send: a burst is taken at once, more is read slowly, and a flood ends."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close

from agents.connector.wire import Lost, _closed
from clawgroups.core.bucket import Bucket
from clawgroups.gateway import rates as module
from clawgroups.gateway.rates import Rates
from clawgroups.services.perform import read_async
from tests.conftest import Team
from tests.gateway.support import Socket, connected, new_key


class Clock:
    """A clock that goes when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_lets_a_burst_through_and_then_its_rate() -> None:
    bucket = Bucket(10.0, 5.0, 0.0)
    assert [bucket.take(1.0, 0.0) for _ in range(5)] == [0.0] * 5
    assert bucket.take(1.0, 0.0) == pytest.approx(0.1)
    assert bucket.take(1.0, 0.2) == 0.0
    assert not bucket.is_full(0.3)
    assert bucket.is_full(1.0)


def test_a_frame_larger_than_what_is_left_is_paid_for_afterwards() -> None:
    bucket = Bucket(10.0, 20.0, 0.0)
    assert bucket.take(50.0, 0.0) == pytest.approx(3.0)
    assert bucket.take(0.0, 3.0) == 0.0


def test_what_was_sent_counts_for_the_agent_and_not_for_its_socket() -> None:
    clock, agent = Clock(), uuid4()
    rates = Rates(clock)
    for _ in range(int(module.FRAMES_AT_ONCE)):
        assert rates.of(agent).take(1) == 0.0
    assert rates.of(agent).take(1) == pytest.approx(1 / module.FRAMES)
    assert rates.of(uuid4()).take(1) == 0.0


def test_bytes_are_counted_as_well() -> None:
    clock = Clock()
    rate = Rates(clock).of(uuid4())
    assert rate.take(int(module.BYTES_AT_ONCE)) == 0.0
    assert rate.take(int(module.BYTES)) == pytest.approx(1.0)


def test_only_who_is_over_the_rate_all_the_time_floods() -> None:
    clock = Clock()
    rate = Rates(clock).of(uuid4())
    rate.take(int(module.BYTES_AT_ONCE))

    def keep_on(seconds: int) -> None:
        for _ in range(seconds):
            rate.take(int(module.BYTES * 1.5))
            clock.now += 1.0

    keep_on(250)
    assert not rate.floods
    clock.now += 1000.0  # a pause
    assert rate.take(1) == 0.0
    keep_on(300)
    assert not rate.floods
    keep_on(30)
    assert rate.floods


def test_an_agent_that_connects_again_and_again_is_told_to_wait() -> None:
    clock = Clock()
    rate = Rates(clock).of(uuid4())
    assert all(rate.knock() for _ in range(int(module.KNOCKS_AT_ONCE)))
    assert not rate.knock()
    assert not rate.knock()
    clock.now += 1.0
    assert rate.knock()
    assert not rate.knock()


def test_agents_that_were_silent_for_long_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    clock, loud = Clock(), uuid4()
    rates = Rates(clock)
    for _ in range(2):
        rates.of(uuid4()).take(1)
    clock.now += 1.0
    rates.of(loud).take(1_000_000_000)
    rates.of(uuid4())
    assert len(rates._known) == 2
    assert rates.of(loud).take(0) > 0.0


@pytest.mark.django_db(transaction=True)
async def test_a_flood_is_closed_with_words_that_the_connector_prints(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLOOD", 0.05)
    monkeypatch.setattr(module.rates, "_known", {})
    key, _ = await read_async(new_key, team)
    async with connected(key) as agent:
        await agent.asked("initialize")
        slowed = module.rates.of(team.agents["scribe"].pk)
        slowed._frames = Bucket(200.0, 5.0, slowed._clock())
        for _ in range(100):
            agent.chunk("nobody's", "x")
        await agent.gone()
    assert (agent.closed, agent.reason) == (4429, module.TOO_MUCH)
    said = _closed(ConnectionClosedError(Close(4429, module.TOO_MUCH), None))
    assert isinstance(said, Lost)
    assert str(said) == f"the agent sent too much at once: {module.TOO_MUCH.rstrip('.')}"


@pytest.mark.django_db(transaction=True)
async def test_what_is_over_the_rate_is_read_slowly_and_none_of_it_is_lost(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.rates, "_known", {})
    waits: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float, result: object = None) -> object:
        waits.append(seconds)
        return await sleep(0 if seconds > 0.001 else seconds, result)

    key, _ = await read_async(new_key, team)
    async with connected(key) as agent:
        await agent.asked("initialize")
        slowed = module.rates.of(team.agents["scribe"].pk)
        slowed._frames = Bucket(50.0, 5.0, slowed._clock())
        monkeypatch.setattr("clawgroups.gateway.link.asyncio.sleep", noted)
        for _ in range(40):
            agent.chunk("nobody's", "x")
        await agent.acked(41)
        monkeypatch.undo()
        assert agent.closed is None
    assert len([wait for wait in waits if 0.0 < wait < 1.0]) >= 30


@pytest.mark.django_db(transaction=True)
async def test_who_connects_too_often_is_let_in_later(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.rates, "_known", {})
    key, _ = await read_async(new_key, team)
    spent = module.rates.of(team.agents["scribe"].pk)
    spent._knocks = Bucket(1.0, 0.0, spent._clock())
    refused = Socket(uuid4()).open(key)
    await refused.gone()
    assert (refused.closed, refused.reason) == (4429, module.TOO_OFTEN)
    assert refused.heard == []
