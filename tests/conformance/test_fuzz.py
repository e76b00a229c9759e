"""10,000 mutated frames: nothing crashes, each request with an id is answered once, and nothing of the host is touched.

A failure shows the seed; CLAW_FUZZ_SEED makes the same frames again, CLAW_FUZZ_FRAMES makes more of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import random
import time
from collections import Counter
from math import isinf
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from agents.models import Connection
from agents.protocol import acp
from agents.protocol.peer import Peer, RpcError, RpcId
from clawgroups import ingest
from clawgroups.gateway import link
from clawgroups.services import takeover
from clawgroups.services.perform import perform_async, read_async
from tests.conformance.guard import collected_as_if_new, memory, watched
from tests.conformance.mutants import Mutant, Mutator
from tests.conftest import Team
from tests.gateway.front import Front
from tests.gateway.support import Socket, attempt_of, connected, new_key, task_state, until_row

FRAMES = int(os.environ.get("CLAW_FUZZ_FRAMES", "10000"))
IN_PROCESS, ON_SOCKETS, OVER_TCP = FRAMES - FRAMES // 10, FRAMES // 20, FRAMES // 20
MIB = 1024 * 1024
CODES = {-32700, -32600, -32601, -32602}
HOSTS = ("fs/", "terminal/")
Asked = tuple[type, Any]


@pytest.fixture
def seed() -> int:
    chosen = int(os.environ.get("CLAW_FUZZ_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"CLAW_FUZZ_SEED={chosen}")
    return chosen


@pytest.fixture
def canary(tmp_path: Path) -> str:
    path = tmp_path / "canary"
    path.write_text("sings")
    return str(path)


def untouched(canary: str) -> bool:
    """Nobody wrote there or beside it."""
    path = Path(canary)
    return list(path.parent.iterdir()) == [path] and path.read_text() == "sings"


def asked_in(text: str) -> Asked | None:
    """The id of the request in a frame, as JSON-RPC 2.0 and int64 have it; None where it is none, or has none."""
    try:
        frame = json.loads(text, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    if not isinstance(frame, dict) or ("method" not in frame and _is_an_answer(frame)):
        return None
    value = frame.get("id")
    if (
        isinstance(value, str)
        and len(value) <= 1024
        and not any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in value)
    ):
        return str, value
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return int, value
    return None


def _is_an_answer(frame: dict[str, Any]) -> bool:
    return "result" in frame or frame.get("error") is not None


def _finite(digits: str) -> float:
    if isinf(number := float(digits)):
        raise ValueError("no number of JSON's kind: nothing in such a frame can be relied on")
    return number


def method_in(text: str) -> str:
    return str(json.loads(text).get("method", ""))


class Judge:
    """Our peer and readers on their own: what came of each frame."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.handed_on: list[Any] = []
        self.effects = 0
        self._peer = Peer(self._send, self._told, self._requested, self._answered)

    async def _send(self, text: str) -> None:
        text.encode()
        self.sent.append(json.loads(text))

    def _told(self, method: str, params: dict[str, Any]) -> None:
        self.effects += 1
        if method == "session/update":
            acp.parse_update(params)

    def _requested(self, frame_id: RpcId, _method: str, params: dict[str, Any]) -> None:
        self.effects += 1
        self.handed_on.append(frame_id)
        acp.parse_permission(frame_id, params)

    def _answered(self, _id: RpcId, result: Any, error: RpcError | None) -> None:
        self.effects += 1
        if error is None:
            acp.parse_initialize(result)
            acp.parse_prompt(result)

    def take(self, mutant: Mutant) -> float:
        """Feed one frame and hold its outcome against the rules; the seconds of work it took."""
        self.sent.clear()
        self.handed_on.clear()
        self.effects = 0
        began = time.thread_time()
        # It never waits for anything but `send`, which does not wait.
        with pytest.raises(StopIteration):
            self._peer.feed(mutant.text).send(None)
        took = time.thread_time() - began
        assert self.effects + len(self.sent) == 1, mutant
        self._right(mutant)
        return took

    def _right(self, mutant: Mutant) -> None:
        asked = asked_in(mutant.text)
        if asked is None:
            assert all(frame["error"]["code"] in CODES for frame in self.sent), mutant
        elif self.handed_on:
            assert [(type(one), one) for one in self.handed_on] == [asked], mutant
            assert method_in(mutant.text) in self._peer.requests, mutant
        else:
            (answer,) = self.sent
            assert (type(answer["id"]), answer["id"]) == asked, mutant
            assert answer["error"]["code"] in CODES - {-32700}, mutant


def test_the_peer_and_the_readers_take_whatever_comes(seed: int, canary: str) -> None:
    mutants = Mutator(seed, session="s1", canary=canary)
    judge = Judge()
    for _ in range(200):
        judge.take(mutants.next())
    made, times = 0, []
    with collected_as_if_new():
        before = memory()
        with watched() as touched:
            for _ in range(IN_PROCESS):
                mutant = mutants.next()
                times.append(judge.take(mutant))
                made += len(mutant.text)
        grown = memory() - before
    assert touched == []
    assert sorted(times)[int(len(times) * 0.99)] < 0.05
    assert made > 4 * MIB
    assert grown < 20 * MIB
    assert untouched(canary)


class Sent:
    """What was asked so far. The same question twice is one question, so those ids are asked once."""

    def __init__(self, mutants: Mutator, *, connector: bool) -> None:
        self._mutants = mutants
        self._connector = connector
        self.asked: Counter[Asked] = Counter()
        self.texts: dict[Asked, str] = {}
        self.host_calls: set[Asked] = set()

    def amiss(self, heard: list[dict[str, Any]]) -> dict[Asked, tuple[int, str]]:
        """Which frames were answered too seldom (negative) or too often. Without null: nobody can tell."""
        got = Counter((type(f["id"]), f["id"]) for f in heard if "method" not in f and f["id"] is not None)
        wrong = {key: got[key] - self.asked[key] for key in {*got, *self.asked}}
        return {key: (by, self.texts.get(key, "")[:1000]) for key, by in wrong.items() if by}

    def next(self) -> str:
        while True:
            # What is no Unicode cannot come in a text frame (escaped it can).
            text = self._mutants.next().text.encode("utf-8", "replace").decode()
            asked = asked_in(text)
            if asked is not None and asked in self.asked:
                continue
            # A connector's word about itself ends the link, and rightly so.
            if self._connector and "_clawgroups/" in text:
                continue
            if asked is not None:
                self.asked[asked] += 1
                self.texts[asked] = text
                if method_in(text).startswith(HOSTS):
                    self.host_calls.add(asked)
            return text


@pytest.fixture
def patient_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would close a socket after 200 malformed frames a minute; here they are wanted."""
    monkeypatch.setattr(link, "MAX_VIOLATIONS", 10 * FRAMES)
    monkeypatch.setattr(ingest, "EDGE_EVERY", 0.01)
    monkeypatch.setattr(ingest, "ACK_EVERY", 0.1)


def faults(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR or r.exc_info]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("connector", [True, False], ids=["connector", "plain"])
async def test_a_socket_that_says_anything_lives_on_and_then_works(
    team: Team, seed: int, canary: str, connector: bool, patient_gateway: None, caplog: pytest.LogCaptureFixture
) -> None:
    key, _ = await read_async(new_key, team)
    task = await read_async(team.assigned)
    async with connected(key, is_connector=connector) as agent:
        prompt = await agent.asked("session/prompt")
        await task_state(task, "working")
        mutants = Mutator(seed, session=prompt["params"]["sessionId"], canary=canary)
        sent = Sent(mutants, connector=connector)
        before = memory()
        with watched() as touched:
            for _ in range(ON_SOCKETS // 2):
                agent.say(sent.next())
            await _all_taken(agent, sent)
        assert touched == []
        # A question that crosses the takeover is answered too, but by the sweep.
        await until_row(lambda: _stored(team), lambda frames: frames == len(agent.said))
        bob = await read_async(team.actor, "bob")
        await perform_async(takeover.take_over, task.pk, actor=bob)
        with contextlib.suppress(TimeoutError):
            await agent.until(lambda: not sent.amiss(agent.heard))
        assert sent.amiss(agent.heard) == {}
        codes = {f["id"]: f["error"]["code"] for f in agent.heard if f.get("error") and f["id"] is not None}
        assert {codes[value] for _, value in sent.host_calls} <= CODES
        agent.end_turn(prompt, "cancelled")
        await until_row(lambda: attempt_of(task), lambda row: row.stop == "done")
        await _works(team, agent)
        assert agent.closed is None
        assert memory() - before < 64 * MIB
    assert faults(caplog) == []
    assert untouched(canary)


async def _all_taken(agent: Socket, sent: Sent) -> None:
    sent.asked[str, "the last one"] = 1
    agent.say({"id": "the last one", "method": "session/unheard_of"})
    await agent.answered("the last one")


def _stored(team: Team) -> int:
    return Connection.objects.filter(agent=team.agents["scribe"]).latest("opened_at").received


async def _works(team: Team, agent: Socket) -> None:
    """The next task goes as if nothing had been."""
    await read_async(team.vouch, "scribe")
    task = await read_async(team.assigned)
    prompt = await agent.asked("session/prompt", 2)
    agent.chunk(prompt["params"]["sessionId"], "As ever.")
    agent.end_turn(prompt)
    await task_state(task, "in_review")
    assert (await read_async(attempt_of, task)).result == "As ever."


@pytest.mark.django_db(transaction=True)
async def test_a_real_socket_that_says_anything_is_answered(
    team: Team, seed: int, canary: str, patient_gateway: None, caplog: pytest.LogCaptureFixture
) -> None:
    key, _ = await read_async(new_key, team)
    sent = Sent(Mutator(seed + 1, session="s1", canary=canary), connector=False)
    heard: list[dict[str, Any]] = []
    async with Front() as front:
        address = front.url.replace("http", "ws") + "/acp/connect"
        async with connect(address, additional_headers={"Authorization": f"Bearer {key}"}) as line:
            hello = json.loads(await line.recv())
            await line.send(json.dumps({"jsonrpc": "2.0", "id": hello["id"], "result": {"protocolVersion": 1}}))
            for _ in range(OVER_TCP):
                await line.send(sent.next())
                await line.send(b"\x00\xff")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(60):
                    while sent.amiss(heard):
                        heard.append(json.loads(await line.recv()))
    assert sent.amiss(heard) == {}
    assert faults(caplog) == []
    assert untouched(canary)
