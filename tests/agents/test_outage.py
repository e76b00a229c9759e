"""The agent's machine while the server is away, restarts, forgets or comes back older: nothing lost, nothing twice."""

from __future__ import annotations

import io
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agents.connector import link as link_module
from agents.connector import outbox as outbox_module
from agents.protocol import version
from tests.agents.support import FakeServer, Frame, Running, bridged, file_store, send

ANSWER = {"stopReason": "end_turn"}


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as running:
        yield running


def update(number: int, size: int = 0) -> Frame:
    return {"method": "session/update", "params": {"sessionId": "s", "n": number, "x": "y" * size}}


def prompt(name: str = "p1", session: str = "s") -> Frame:
    return {"id": name, "method": "session/prompt", "params": {"sessionId": session, "prompt": []}}


def numbers(frames: list[Frame]) -> list[int]:
    return [frame["params"]["n"] for frame in frames if frame.get("method") == "session/update"]


async def prompted(server: FakeServer, running: Running, *frames: Frame) -> None:
    for frame in frames or (prompt(),):
        await server.send(frame)
    await running.child.until(lambda: len(running.child.asked("session/prompt")) == max(1, len(frames)))


async def away(server: FakeServer) -> None:
    """The server goes without a word, and answers 503 until it is back."""
    server.status = 503
    assert server.connection is not None
    connection, server.connection, before = server.connection, None, len(server.upgrades)
    connection.transport.abort()
    await server.until(lambda: len(server.upgrades) > before)


async def back(server: FakeServer) -> None:
    server.status = None
    await server.until(lambda: server.connection is not None)


async def test_a_result_made_while_the_server_was_away_arrives_once(server: FakeServer, tmp_path: Path) -> None:
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        await prompted(server, running)
        await away(server)
        running.child.say(update(1))
        running.child.say({"id": "p1", "result": ANSWER})
        running.child.say({"id": "p1", "result": ANSWER})
        await back(server)
        await server.until(lambda: server.answers("p1"))
        # A server that does not remember the answer asks again; the agent has done it.
        await server.drop()
        await server.send(prompt())
        running.child.say(update(2))
        await server.until(lambda: numbers(server.frames) == [1, 2])
        assert [frame["result"] for frame in server.answers("p1")] == [ANSWER]
        assert len(running.child.asked("session/prompt")) == 1


async def test_a_restarted_server_asks_again_and_the_agent_is_not_disturbed(server: FakeServer, tmp_path: Path) -> None:
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        prompts = [prompt(f"p{number}", f"s{number}") for number in range(20)]
        await prompted(server, running, *prompts)
        for number in range(20):
            await server.drop()
            for frame in prompts:
                await server.send(frame)
            running.child.say({"id": f"p{number}", "result": ANSWER})
            await server.until(lambda number=number: server.answers(f"p{number}"))  # type: ignore[misc]
        assert [frame["id"] for frame in running.child.asked("session/prompt")] == [f["id"] for f in prompts]
        assert not running.child.asked("session/cancel")
        assert [len(server.answers(f"p{number}")) for number in range(20)] == [1] * 20


async def happens(server: FakeServer, what: str, said: int, rng: random.Random) -> None:
    """One thing that goes wrong, or does not."""
    match what:
        case "drop":
            await server.drop()
        case "away":
            await away(server)
            await back(server)
        case "draining":
            assert server.connection is not None
            await send(server.connection, version.DRAINING, {"retry_after": 8})
            connection = server.connection
            await connection.close(version.CLOSE_DRAINING)
            await server.until(lambda: server.connection is not connection)
        case "ack":
            assert server.connection is not None
            await send(server.connection, version.ACK, {"received": rng.randint(0, len(server.frames))})
        case _:
            await server.until(lambda: len(server.frames) >= said // 2)


@pytest.mark.parametrize("seed", range(6))
async def test_frames_arrive_once_and_in_order_whatever_breaks_when(
    server: FakeServer, tmp_path: Path, seed: int
) -> None:
    rng, said = random.Random(seed), 0
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        for _ in range(12):
            for _ in range(rng.randrange(40)):
                running.child.say(update(said, rng.randrange(2000)))
                said += 1
            server.acks = rng.random() < 0.6
            await happens(server, rng.choice(["drop", "away", "ack", "wait", "draining"]), said, rng)
        server.acks = True
        running.child.say(update(said))
        await server.until(lambda: len(server.frames) > said)
        assert numbers(server.frames) == list(range(said + 1)), f"seed {seed}"
        assert len(server.links) == 1, f"seed {seed}"


async def test_an_outage_longer_than_the_outbox_holds_the_agent_back_and_loses_nothing(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "Outbox", lambda: outbox_module.Outbox(capacity=10_000))
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        await away(server)
        for number in range(100):
            running.child.say(update(number, 1000))
        before = len(server.upgrades)
        await server.until(lambda: len(server.upgrades) > before + 2)
        assert running.child._lines.qsize() > 80
        await back(server)
        await server.until(lambda: len(server.frames) == 100)
        assert numbers(server.frames) == list(range(100))


def test_the_outbox_holds_64_mebibytes() -> None:
    outbox = outbox_module.Outbox(open_file=io.BytesIO)
    piece = b"x" * 1024 * 1024
    for _ in range(64):
        assert not outbox.full
        outbox.add(piece)
    assert outbox.full


@pytest.mark.parametrize("claim", [lambda have: 1, lambda have: have + 1000], ids=["older", "ahead"])
async def test_a_server_that_counts_otherwise_is_met_anew_and_the_agent_stops(
    server: FakeServer, tmp_path: Path, claim: Any
) -> None:
    # It was restored from a backup: what the agent is at belongs to nothing it knows.
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        await prompted(server, running)
        running.child.say({"id": 7, "method": "session/request_permission", "params": {"sessionId": "s"}})
        running.child.say(update(1))
        await server.until(lambda: len(server.frames) == 2)
        await server.send({"id": "x", "method": "session/list", "params": {}})
        await running.child.until(lambda: running.child.asked("session/list"))
        server.claims = claim
        assert server.connection is not None
        server.connection.transport.abort()
        await server.until(lambda: len(server.upgrades) == 2)
        server.claims = lambda received: received
        await running.child.until(lambda: running.child.asked("session/cancel"))
        (refused,) = [frame for frame in running.child.heard if frame.get("id") == 7]
        assert refused["result"] == {"outcome": {"outcome": "cancelled"}}
        assert any("restored from a backup" in line for line in running.said)
        await server.until(lambda: len(server.links) == 2)
        running.child.say({"id": "p1", "result": {"stopReason": "cancelled"}})
        await server.send(prompt("p2", "s2"))
        await running.child.until(lambda: len(running.child.asked("session/prompt")) == 2)
        running.child.say({"id": "p2", "result": ANSWER})
        await server.until(lambda: server.answers("p2"))
        assert len(running.children) == 1


@pytest.mark.parametrize("received", [10**9, -5, "many", None, True, 2.5])
async def test_an_impossible_acknowledgement_loses_nothing(
    server: FakeServer, tmp_path: Path, received: object
) -> None:
    server.acks = False
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        running.child.say(update(0))
        await server.until(lambda: server.frames)
        assert server.connection is not None
        await send(server.connection, version.ACK, {"received": received})
        for number in range(1, 10):
            running.child.say(update(number))
        await server.until(lambda: len(server.frames) == 10)
        assert numbers(server.frames) == list(range(10))


async def test_a_result_that_came_too_late_is_told_in_plain_words_once_and_noted_each_time(
    server: FakeServer, tmp_path: Path
) -> None:
    told = {"session": "s", "request": "p1", "current_epoch": 4, "kept_as": "late_result"}
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        for count in range(1, 3):
            assert server.connection is not None
            await send(server.connection, version.STALE, told)
            await server.until(lambda count=count: len(server.extensions) == count)  # type: ignore[misc]
            assert server.extensions[-1]["method"] == version.NOTED
            assert server.extensions[-1]["params"] == {"request": "p1"}
            await server.drop()
        assert [line for line in running.said if "too late" in line] == [
            "the result of session s came too late: its task had moved on (epoch 4);"
            " it is kept beside the task, where the team may still take it up"
        ]
        assert running.child.heard == []


async def test_files_of_a_turn_that_is_over_are_told_to_be_kept_and_do_not_count_as_failed(
    server: FakeServer, tmp_path: Path
) -> None:
    with file_store() as store:
        store.late = {"late.md": "late_file", "lost.md": None}
        ours = {"session": "0-1", "files": store.url, "key": "session-key"}
        async with bridged(server, tmp_path) as running:
            await server.until(lambda: running.children)
            opening = {"cwd": "/", "mcpServers": [], "_meta": {"clawgroups": ours}}
            await server.send({"id": "n", "method": "session/new", "params": opening})
            await running.child.until(lambda: running.child.asked("session/new"))
            running.child.say({"id": "n", "result": {"sessionId": "s"}})
            await server.until(lambda: server.answers("n"))
            await prompted(server, running)
            for name in ("late.md", "lost.md"):
                (tmp_path / "0-1" / name).write_text("words")
            running.child.say({"id": "p1", "result": ANSWER})
            await server.until(lambda: server.answers("p1"))
            (answer,) = server.answers("p1")
            assert answer["result"]["_meta"]["clawgroups"]["files_failed"] == ["lost.md"]
            assert "came too late, kept beside the task: late.md" in running.said


async def test_an_answer_too_large_for_the_wire_becomes_an_error_and_the_line_goes_on(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        await prompted(server, running)
        monkeypatch.setattr(version, "MAX_FRAME", 1000)
        running.child.say(update(1, 5000))
        running.child.say({"id": "p1", "result": {"stopReason": "end_turn", "x": "y" * 5000}})
        # A question that cannot be carried is answered here: nobody else will.
        running.child.say({"id": 4, "method": "session/request_permission", "params": {"x": "y" * 5000}})
        running.child.say(update(2))
        await server.until(lambda: numbers(server.frames) == [2])
        await running.child.until(lambda: [frame for frame in running.child.heard if frame.get("id") == 4])
        assert running.child.heard[-1]["error"]["code"] == version.TOO_LARGE
        assert server.answers("p1")[0]["error"]["code"] == version.TOO_LARGE
        assert len(server.upgrades) == 1


async def test_an_agent_that_ends_while_the_server_restarts_has_its_last_words_delivered(
    server: FakeServer, tmp_path: Path
) -> None:
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        await prompted(server, running)
        await away(server)
        running.child.say(update(1))
        running.child.say({"id": "p1", "result": ANSWER})
        running.child.end(0)
        before = len(server.upgrades)
        await server.until(lambda: len(server.upgrades) > before)
        await back(server)
        assert await running.code() == 0
        await server.until(lambda: server.extensions)
        assert [frame["result"] for frame in server.answers("p1")] == [ANSWER]
        assert [one["method"] for one in server.extensions] == [version.EXITED]
