"""An agent that uses the id of a question again is answered what it asks now, and never what it asked before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.agents.support import FakeServer, Frame, Running, bridged


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as running:
        yield running


def asks(running: Running, command: str) -> None:
    call = {"toolCallId": "c", "rawInput": {"command": command}}
    params = {"sessionId": "s", "toolCall": call, "options": []}
    running.child.say({"id": 0, "method": "session/request_permission", "params": params})


async def asked(server: FakeServer, count: int) -> list[Frame]:
    def found() -> list[Frame]:
        return [frame for frame in server.frames if frame.get("method") == "session/request_permission"]

    await server.until(lambda: len(found()) == count)
    return found()


def heard(running: Running) -> list[Any]:
    return [(frame["id"], frame["result"]) for frame in running.child.heard if "result" in frame]


async def test_an_answer_that_is_repeated_after_a_reconnect_is_not_one_to_a_newer_question(
    server: FakeServer, tmp_path: Path
) -> None:
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        asks(running, "ls")
        [first] = await asked(server, 1)
        assert first["id"] == 0
        await server.send({"id": 0, "result": "yes to ls"})
        await running.child.until(lambda: heard(running))
        asks(running, "rm -r x")
        _, second = await asked(server, 2)
        assert second["id"] != 0
        await server.drop()
        await server.send({"id": 0, "result": "yes to ls"})
        await server.send({"id": second["id"], "result": "no to rm"})
        await running.child.until(lambda: len(heard(running)) == 2)
        assert heard(running) == [(0, "yes to ls"), (0, "no to rm")]


async def test_a_question_that_is_taken_back_is_named_as_the_server_knows_it(
    server: FakeServer, tmp_path: Path
) -> None:
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        for command in ("ls", "rm -r x"):
            asks(running, command)
            *_, last = await asked(server, 1 if command == "ls" else 2)
            running.child.say({"method": "$/cancel_request", "params": {"requestId": 0}})
            await server.until(lambda: server.frames[-1].get("method") == "$/cancel_request")
            assert server.frames[-1]["params"] == {"requestId": last["id"]}
            await server.send({"id": last["id"], "result": f"{command}: withdrawn"})
            await running.child.until(lambda command=command: (0, f"{command}: withdrawn") in heard(running))  # type: ignore[misc]
