"""The workspace's tools reach the agent in the way that it takes them, and no key is seen by anybody else."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agents.connector.tools import Tools
from tests.agents.support import FakeServer, Frame, Running, bridged
from tests.conformance.schema import stable

KEY = "session-key-that-nobody-sees"
HTTP = {
    "type": "http",
    "name": "clawgroups",
    "url": "https://host/mcp",
    "headers": [{"name": "Authorization", "value": f"Bearer {KEY}"}],
}


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as running:
        yield running


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "clawgroups" / "tools"


def opening(method: str = "session/new", servers: Any = (HTTP,)) -> Frame:
    more = {} if method == "session/new" else {"sessionId": "s"}
    params = {"cwd": "/", "mcpServers": [*servers] if isinstance(servers, tuple) else servers, **more}
    return {"id": f"{method} {len(str(servers))}", "method": method, "params": params}


def able(**capabilities: Any) -> Frame:
    return {"protocolVersion": 1, "agentCapabilities": {"mcpCapabilities": capabilities}}


async def introduced(server: FakeServer, running: Running, said: Any) -> None:
    await server.until(lambda: running.children)
    await server.send({"id": "i", "method": "initialize", "params": {}})
    await running.child.until(lambda: running.child.asked("initialize"))
    running.child.say({"id": "i", "result": said})
    await server.until(lambda: server.answers("i"))


async def servers_of(server: FakeServer, running: Running, frame: Frame) -> list[Frame]:
    """What the agent is given when the server asks this."""
    await server.send(frame)
    await running.child.until(lambda: [one for one in running.child.heard if one.get("id") == frame["id"]])
    (heard,) = [one for one in running.child.heard if one.get("id") == frame["id"]]
    judge = stable()
    assert judge.faults(str(judge.definition(heard["method"])), heard["params"]) == []
    found: list[Frame] = heard["params"]["mcpServers"]
    return found


def kept_privately(path: Path) -> Frame:
    """What a file says that only its owner can read."""
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
    told: Frame = json.loads(path.read_bytes())
    return told


@pytest.mark.parametrize("method", ["session/new", "session/load", "session/resume"])
async def test_an_agent_without_http_is_given_a_program_and_the_key_lies_in_a_private_file(
    server: FakeServer, tmp_path: Path, home: Path, method: str
) -> None:
    async with bridged(server, tmp_path, mcp="auto") as running:
        await introduced(server, running, able(sse=True))
        assert "tools" in server.upgrades[0]["Claw-Extensions"].split(",")
        (given,) = await servers_of(server, running, opening(method))
        assert (given["name"], given["command"], "type" in given) == ("clawgroups", sys.executable, False)
        assert KEY not in json.dumps(given)
        assert "https://host" not in json.dumps(given)
        path = Path(given["args"][-1])
        assert path.is_relative_to(home)
        told = kept_privately(path)
        assert (told["url"], told["headers"]) == ("https://host/mcp", {"Authorization": f"Bearer {KEY}"})
    assert await asyncio.to_thread(lambda: [*home.iterdir()]) == []


@pytest.mark.parametrize(
    ("choice", "said", "by_program"),
    [
        ("auto", able(http=True), False),
        ("auto", able(http=False), True),
        ("auto", {"protocolVersion": 1}, True),
        ("auto", {"agentCapabilities": {"mcpCapabilities": ["http"]}}, True),
        ("stdio", able(http=True), True),
        ("http", able(), False),
    ],
)
async def test_the_owners_choice_and_what_the_agent_announces_decide(
    server: FakeServer, tmp_path: Path, choice: str, said: Frame, by_program: bool
) -> None:
    async with bridged(server, tmp_path, mcp=choice) as running:
        await introduced(server, running, said)
        (given,) = await servers_of(server, running, opening())
        assert ("command" in given) is by_program
        assert given == HTTP or by_program
        assert ("tools" in server.upgrades[0]["Claw-Extensions"].split(",")) is (choice != "http")


async def test_what_is_no_server_over_http_is_left_as_it_is(server: FakeServer, tmp_path: Path) -> None:
    local = {"name": "own", "command": "/bin/true", "args": [], "env": []}
    async with bridged(server, tmp_path, mcp="stdio") as running:
        await introduced(server, running, able())
        own, ours = await servers_of(server, running, opening(servers=(local, HTTP)))
        assert (own, ours["command"]) == (local, sys.executable)
        assert await servers_of(server, running, opening(servers=())) == []


async def test_the_same_session_opened_again_is_given_the_same_program(server: FakeServer, tmp_path: Path) -> None:
    async with bridged(server, tmp_path, mcp="stdio") as running:
        await introduced(server, running, able())
        first = await servers_of(server, running, opening("session/new"))
        assert await servers_of(server, running, opening("session/load")) == first
        other = {**HTTP, "headers": [{"name": "Authorization", "value": "Bearer another"}]}
        (again,) = await servers_of(server, running, opening("session/resume", servers=(other,)))
        assert again["args"] != first[0]["args"]


def test_a_file_that_cannot_be_written_costs_the_tools_and_not_the_session(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "taken").write_text("a file where the folder would be")
    tools = Tools("stdio", said.append, tmp_path / "taken" / "1")
    frame = opening()
    assert tools.adapt(frame)
    assert frame["params"]["mcpServers"] == []
    assert "no workspace tools" in said[0]
    tools.close()


def test_what_a_killed_connector_left_behind_goes_with_the_next_one(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    here = platform.node()
    others = {f"{here}-{os.getpid()}", f"elsewhere-{dead.pid}", "notes"}
    for name in (f"{here}-{dead.pid}", *others):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.json").write_text("{}")
    tools = Tools("stdio", folder=tmp_path / "new")
    assert tools.adapt(opening())
    assert {path.name for path in tmp_path.iterdir()} == {"new", *others}
    tools.close()
