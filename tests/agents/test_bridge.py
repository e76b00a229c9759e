"""The bridge: every message once and in order, however often the line breaks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agents.connector import link as link_module
from agents.connector import outbox as outbox_module
from agents.connector import wire
from agents.connector.bridge import Bridge, Settings
from agents.connector.inprocess import InProcessChild
from tests.agents.support import PATIENCE, SCALE, FakeServer, Frame, bridged


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as running:
        yield running


def update(number: int) -> Frame:
    return {"method": "session/update", "params": {"sessionId": "s", "n": number}}


def numbers(frames: list[Frame]) -> list[int]:
    return [frame["params"]["n"] for frame in frames if frame.get("method") == "session/update"]


async def test_the_server_learns_who_connects_before_the_agent_starts(server: FakeServer, tmp_path: Path) -> None:
    async with bridged(server, tmp_path, name="Ana's laptop") as running:
        await server.until(lambda: running.children)
        told = server.upgrades[0]
        assert server.paths == ["/acp/connect"]
        assert told["Authorization"] == "Bearer cg_test"
        assert told["Claw-Extensions"] == "link,workdir,policy"
        assert told["Claw-Name"] == "Ana%27s%20laptop"
        assert told["Claw-Link"]
        assert told["Claw-Connector"]
        assert told["Claw-Os"]
        assert running.said[0].startswith("connected as Scribe (agent on ")
        assert running.said[1] == f"it works in folders below {tmp_path}"


async def test_every_update_arrives_once_and_in_order_over_three_drops(server: FakeServer, tmp_path: Path) -> None:
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        for drop in range(4):
            server.acks = drop % 2 == 0
            for number in range(drop * 100, drop * 100 + 100):
                running.child.say(update(number))
            await server.until(lambda drop=drop: len(server.frames) > drop * 100 + 30)  # type: ignore[misc]
            if drop < 3:
                await server.drop()
        await server.until(lambda: len(server.frames) >= 400)
        assert numbers(server.frames) == list(range(400))
        assert len(server.links) == 1
        assert len(running.children) == 1


async def test_what_the_agent_says_while_the_line_is_down_arrives_later(server: FakeServer, tmp_path: Path) -> None:
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        server.status = 503
        assert server.connection is not None
        server.connection.transport.abort()
        await server.until(lambda: len(server.upgrades) > 2)
        running.child.say(update(1))
        server.status = None
        await server.until(lambda: numbers(server.frames) == [1])
        assert any("answered 503" in line for line in running.said)


async def test_a_request_repeated_after_a_drop_reaches_the_agent_once(server: FakeServer, tmp_path: Path) -> None:
    prompt = {"id": "p1", "method": "session/prompt", "params": {"sessionId": "s", "prompt": []}}
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        await server.send(prompt)
        await running.child.until(lambda: running.child.heard)
        await server.drop()
        await server.send(prompt)
        await server.send({"method": "session/cancel", "params": {"sessionId": "s"}})
        await running.child.until(lambda: running.child.asked("session/cancel"))
        assert len(running.child.asked("session/prompt")) == 1
        running.child.say({"id": "p1", "result": {"stopReason": "cancelled"}})
        running.child.say({"id": "p1", "result": {"stopReason": "end_turn"}})
        running.child.say(update(1))
        await server.until(lambda: numbers(server.frames) == [1])
        assert [frame["result"] for frame in server.answers("p1")] == [{"stopReason": "cancelled"}]


async def test_only_the_first_answer_to_an_open_question_reaches_the_agent(server: FakeServer, tmp_path: Path) -> None:
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        running.child.say({"id": 0, "method": "session/request_permission", "params": {"sessionId": "s"}})
        await server.until(lambda: server.frames)
        await server.send({"id": "0", "result": "never asked"})
        await server.send({"id": 0, "result": "first"})
        await server.send({"id": 0, "result": "second"})
        await server.send({"method": "session/cancel", "params": {"sessionId": ""}})
        await running.child.until(lambda: running.child.asked("session/cancel"))
        assert [frame["result"] for frame in running.child.heard if "result" in frame] == ["first"]


async def test_a_second_initialize_is_answered_from_the_first(server: FakeServer, tmp_path: Path) -> None:
    hello = {"protocolVersion": 1, "agentInfo": {"name": "a"}}
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        await server.send({"id": "i1", "method": "initialize", "params": {}})
        await running.child.until(lambda: running.child.heard)
        await server.drop()
        # The server restarted before the agent answered, and asks again under another id.
        await server.send({"id": "i2", "method": "initialize", "params": {}})
        running.child.say({"id": "i1", "result": hello})
        await server.until(lambda: server.answers("i2"))
        await server.drop()
        await server.send({"id": "i3", "method": "initialize", "params": {}})
        await server.until(lambda: server.answers("i3"))
        assert [server.answers(one)[0]["result"] for one in ("i1", "i2", "i3")] == [hello] * 3
        assert len(running.child.asked("initialize")) == 1


async def test_a_failed_initialize_may_be_tried_again(server: FakeServer, tmp_path: Path) -> None:
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        await server.send({"id": "i1", "method": "initialize", "params": {}})
        await running.child.until(lambda: len(running.child.heard) == 1)
        running.child.say({"id": "i1", "error": {"code": -32000, "message": "log in"}})
        await server.until(lambda: server.answers("i1"))
        await server.send({"id": "i2", "method": "initialize", "params": {}})
        await running.child.until(lambda: len(running.child.heard) == 2)
        running.child.say({"id": "i2", "result": {}})
        await server.until(lambda: server.answers("i2"))
        assert server.answers("i1")[0]["error"]["code"] == -32000


async def test_a_refused_key_is_told_and_never_tried_again(server: FakeServer, tmp_path: Path) -> None:
    server.refuse = ("This key was revoked", 4401)
    async with bridged(server, tmp_path, restart=True) as running:
        assert await running.code() == 3
        assert running.said == [
            "the server refused the key: This key was revoked. Make a new line or key on the agent's page."
        ]
        assert (len(server.upgrades), running.children) == (1, [])


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refusal_before_the_upgrade_counts_too(server: FakeServer, tmp_path: Path, status: int) -> None:
    server.status = status
    async with bridged(server, tmp_path) as running:
        assert await running.code() == 3
        assert len(server.upgrades) == 1


@pytest.mark.parametrize(("code", "exit_code"), [(4401, 3), (4403, 3), (4409, 4)])
async def test_closes_that_mean_stay_away_end_the_agent(
    server: FakeServer, tmp_path: Path, code: int, exit_code: int
) -> None:
    async with bridged(server, tmp_path, restart=True) as running:
        await server.until(lambda: running.children)
        assert server.connection is not None
        await server.connection.close(code)
        assert await running.code() == exit_code
        assert running.child.closed
        assert len(server.upgrades) == 1


@pytest.mark.parametrize("code", [1000, 1012, 4408, 4429])
async def test_other_closes_are_passing(server: FakeServer, tmp_path: Path, code: int) -> None:
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        assert server.connection is not None
        await server.connection.close(code)
        await server.until(lambda: len(server.upgrades) == 2)
        assert any("trying again in" in said for said in running.said)
        assert not running.child.closed


async def test_a_crash_is_reported_after_everything_the_agent_said(server: FakeServer, tmp_path: Path) -> None:
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        for number in range(500):
            running.child.say(update(number))
        running.child.end(7)
        assert await running.code() == 7
        assert running.said[-1] == "the agent ended with code 7"
        await server.until(lambda: server.closes)
        assert numbers(server.frames) == list(range(500))
        assert [(one["method"], one["params"]) for one in server.extensions] == [
            ("_clawgroups/exited", {"code": 7, "stderr_tail": "last words"})
        ]
        assert server.closes == [1000]


async def test_a_restarted_agent_is_a_new_link(server: FakeServer, tmp_path: Path) -> None:
    async with bridged(server, tmp_path, restart=True) as running:
        await server.until(lambda: running.children)
        running.child.end(1)
        await server.until(lambda: len(running.children) == 2)
        running.child.say(update(5))
        await server.until(lambda: len(server.links) == 2 and numbers(server.frames) == [5])


async def test_an_agent_that_ends_while_the_server_is_away_does_not_wait_for_ever(
    server: FakeServer, tmp_path: Path
) -> None:
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        server.acks = False
        running.child.say(update(1))
        await server.until(lambda: server.frames)
        server.status = 503
        assert server.connection is not None
        server.connection.transport.abort()
        running.child.end(2)
        assert await running.code() == 2


async def test_stop_ends_the_agent_and_says_so(server: FakeServer, tmp_path: Path) -> None:
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        running.bridge.stop()
        assert await running.code() == 0
        assert running.child.closed
        await server.until(lambda: server.extensions)
        assert server.extensions[0]["method"] == "_clawgroups/exited"


async def test_stop_before_any_connection_returns_at_once(server: FakeServer, tmp_path: Path) -> None:
    server.status = 503
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: server.upgrades)
        running.bridge.stop()
        assert await running.code() == 0


async def test_noise_is_shown_to_the_person_and_not_sent(server: FakeServer, tmp_path: Path) -> None:
    noise = [b"Loading model...", b"[1,2]", b'{"level":"info"}', b"\xff\xfe", b"[" * 20_000, b"17"]
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        for line in noise:
            running.child.say(line)
        running.child.say({"method": "_clawgroups/exited", "params": {"code": 0}})
        running.child.say(update(1))
        await server.until(lambda: server.frames)
        assert server.frames == [{"jsonrpc": "2.0", **update(1)}]
        assert server.extensions == []
        assert running.noise == [line[:4096] for line in noise]


async def test_a_line_of_ten_mebibytes_passes_both_ways(server: FakeServer, tmp_path: Path) -> None:
    text = "ü" * (5 * 1024 * 1024)
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        running.child.say(json.dumps({"method": "session/update", "params": {"t": text}}, ensure_ascii=False).encode())
        await server.until(lambda: server.frames)
        assert server.frames[0]["params"]["t"] == text
        await server.send({"id": "p", "method": "session/prompt", "params": {"sessionId": "s", "t": "x" * 10_000_000}})
        await running.child.until(lambda: running.child.heard)
        assert len(running.child.heard[0]["params"]["t"]) == 10_000_000


async def test_an_agent_is_not_read_faster_than_the_server_takes(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "Outbox", lambda: outbox_module.Outbox(capacity=2000))
    server.acks = False
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        for number in range(200):
            running.child.say(update(number))
        await server.until(lambda: len(server.frames) >= 20)
        running.child.say(update(200))
        assert running.child._lines.qsize() > 100
        server.acks = True
        await server.send({"method": "_clawgroups/ack", "params": {"received": len(server.frames)}})
        await server.until(lambda: len(server.frames) == 201)
        assert numbers(server.frames) == list(range(201))


async def test_a_server_that_forgot_the_link_meets_the_agent_anew(server: FakeServer, tmp_path: Path) -> None:
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        running.child.say(update(1))
        await server.until(lambda: server.frames)
        # A second frame and its acknowledgement: the first is let go by now.
        await server.send({"id": "x", "method": "session/list", "params": {}})
        await running.child.until(lambda: running.child.heard)
        server.forget = True
        server.connection.transport.abort()  # type: ignore[union-attr]
        await server.until(lambda: len(server.links) == 2)
        running.child.say(update(2))
        await server.until(lambda: numbers(server.frames) == [2])
        assert len(running.children) == 1


@pytest.mark.parametrize(
    ("allow", "kind", "answer"),
    [("ask", "read", None), ("reads", "read", "once"), ("reads", "execute", None), ("all", "execute", "once")],
)
async def test_the_owner_may_decide_in_advance(
    server: FakeServer, tmp_path: Path, allow: str, kind: str, answer: str | None
) -> None:
    options = [
        {"optionId": "always", "name": "Always", "kind": "allow_always"},
        {"optionId": "once", "name": "Once", "kind": "allow_once"},
    ]
    params = {"sessionId": "s", "toolCall": {"toolCallId": "c", "kind": kind}, "options": options}
    async with bridged(server, tmp_path, allow=allow) as running:
        await server.until(lambda: running.children)
        running.child.say({"id": 1, "method": "session/request_permission", "params": params})
        running.child.say(update(1))
        await server.until(lambda: numbers(server.frames) == [1])
        asked = [frame for frame in server.frames if frame.get("method") == "session/request_permission"]
        if answer is None:
            assert len(asked) == 1
        else:
            await running.child.until(lambda: running.child.heard)
            assert asked == []
            assert running.child.heard[0]["result"] == {"outcome": {"outcome": "selected", "optionId": answer}}


async def test_an_agent_inside_this_process_needs_no_subprocess(server: FakeServer, tmp_path: Path) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            frame = json.loads(line)
            writer.write(json.dumps({"jsonrpc": "2.0", "id": frame["id"], "result": frame["method"]}).encode() + b"\n")
            await writer.drain()

    async def start() -> InProcessChild:
        return await InProcessChild.start(echo, grace=1.0)

    settings = Settings(url=server.url, key="k", root=tmp_path, scale=SCALE)
    bridge = Bridge(settings, start, say=lambda _: None)
    task = asyncio.create_task(bridge.run())
    await server.until(lambda: server.connection)
    await server.send({"id": "1", "method": "initialize", "params": {}})
    await server.until(lambda: server.answers("1"))
    assert server.answers("1")[0]["result"] == "initialize"
    bridge.stop()
    assert await asyncio.wait_for(task, PATIENCE) == 0


async def test_an_agent_inside_this_process_that_crashes_is_reported(server: FakeServer, tmp_path: Path) -> None:
    async def crash(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        raise RuntimeError("out of ideas")

    async def start() -> InProcessChild:
        return await InProcessChild.start(crash, grace=1.0)

    bridge = Bridge(Settings(url=server.url, key="k", root=tmp_path, scale=SCALE), start, say=lambda _: None)
    task = asyncio.create_task(bridge.run())
    await server.until(lambda: server.connection)
    await server.send({"id": "1", "method": "initialize", "params": {}})
    assert await asyncio.wait_for(task, PATIENCE) == 1
    assert "out of ideas" in server.extensions[0]["params"]["stderr_tail"]


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://host", "wss://host/acp/connect"),
        ("host.example", "wss://host.example/acp/connect"),
        ("http://127.0.0.1:8000/", "ws://127.0.0.1:8000/acp/connect"),
        ("https://host/team/", "wss://host/team/acp/connect"),
        ("wss://host/acp/connect", "wss://host/acp/connect"),
        ("http://[::1]:8000", "ws://[::1]:8000/acp/connect"),
    ],
)
def test_addresses_are_understood(url: str, address: str) -> None:
    assert wire.socket_address(url) == address


@pytest.mark.parametrize(
    "url",
    ["", "ftp://host", "https://", "https://cg_key@host", "https://host?key=cg_x", "http://host:99999", "http://[x"],
)
def test_addresses_that_cannot_be_or_carry_a_key_are_refused(url: str) -> None:
    with pytest.raises(wire.BadAddress):
        wire.socket_address(url)


async def test_a_frame_that_makes_no_sense_is_ignored(server: FakeServer, tmp_path: Path) -> None:
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        assert server.connection is not None
        odd: list[Any] = ["{", "[]", "{}", b"binary", '{"method":7}', '{"method":"_clawgroups/new","params":[1]}',
                          '{"method":"_clawgroups/ack","params":{"received":99}}']  # fmt: skip
        for message in odd:
            await server.connection.send(message)
        await server.send({"id": "1", "method": "ok"})
        await running.child.until(lambda: running.child.asked("ok"))
        assert len(server.upgrades) == 1
