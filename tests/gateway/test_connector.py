"""Our own connector with an agent on the ACP SDK, over a real socket that comes and goes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import acp
import pytest
from acp import schema
from django.conf import settings

from agents.connector.bridge import Bridge, Settings
from agents.connector.child import Child
from agents.connector.inprocess import InProcessChild
from agents.models import Connection
from clawgroups.models import Command
from clawgroups.services import takeover
from clawgroups.services.perform import perform_async, read_async
from tests.conftest import Team
from tests.gateway.front import Front
from tests.gateway.support import attempt_of, new_key, steps, task_state, texts, until_row

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 60.0


class Scribe:
    """An agent that goes on one step each time the test lets it."""

    def __init__(self) -> None:
        self.go = asyncio.Semaphore(0)
        self.prompts = 0
        self.cancelled = asyncio.Event()
        self.outcome: Any = None
        self.client: Any = None

    def on_connect(self, conn: Any) -> None:
        self.client = conn

    async def initialize(self, protocol_version: int, **_: Any) -> schema.InitializeResponse:
        return acp.InitializeResponse(protocol_version=protocol_version)

    async def new_session(self, cwd: str, **_: Any) -> schema.NewSessionResponse:
        assert await asyncio.to_thread(Path(cwd).is_dir)
        return acp.NewSessionResponse(session_id="sdk-1")

    async def prompt(self, session_id: str, **_: Any) -> schema.PromptResponse:
        self.prompts += 1
        client = self.client
        await client.session_update(session_id, acp.start_tool_call("c1", "Count", kind="execute"))
        for word in ("one ", "two ", "three"):
            await self.go.acquire()
            await client.session_update(session_id, acp.update_agent_message_text(word))
        await client.session_update(session_id, acp.update_tool_call("c1", status="completed"))
        return acp.PromptResponse(stop_reason="end_turn")

    async def cancel(self, session_id: str, **_: Any) -> None:
        self.cancelled.set()


@contextlib.asynccontextmanager
async def carried(
    url: str, key: str, root: Path, agent: Scribe, said: list[str] | None = None
) -> AsyncIterator[asyncio.Task[int]]:
    """The agent behind a connector, which is stopped at the end; `said` gets what the person is told."""

    async def start() -> Child:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await acp.run_agent(cast(acp.Agent, agent), writer, reader)

        return await InProcessChild.start(run, grace=1.0)

    told: list[str] = [] if said is None else said
    bridge = Bridge(Settings(url=url, key=key, root=root, scale=0.01), start, say=told.append)
    task = asyncio.create_task(bridge.run())
    try:
        yield task
    finally:
        bridge.stop()
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait({task})


async def test_a_turn_survives_its_line_being_cut_at_every_word(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = await read_async(new_key, team)
    task = await read_async(team.assigned)
    agent = Scribe()
    async with Front() as front:
        monkeypatch.setattr(settings, "BASE_URL", front.url)
        async with carried(front.url, key, tmp_path, agent):
            await task_state(task, "working")
            for _ in range(3):
                agent.go.release()
                front.cut()
            await task_state(task, "in_review")
        assert (await read_async(attempt_of, task)).result == "one two three"
        assert await read_async(texts, task) == [("one two three", False)]
        assert await read_async(steps, task) == [("c1", "completed")]
        assert agent.prompts == 1


async def test_an_agent_that_goes_on_after_a_takeover_is_told_once_that_it_came_too_late(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = await read_async(new_key, team)
    task = await read_async(team.assigned)
    agent = Scribe()
    said: list[str] = []
    async with Front() as front:
        monkeypatch.setattr(settings, "BASE_URL", front.url)
        async with carried(front.url, key, tmp_path, agent, said):
            await task_state(task, "working")
            bob = await read_async(team.actor, "bob")
            await perform_async(takeover.take_over, task.pk, actor=bob)
            await asyncio.wait_for(agent.cancelled.wait(), PATIENCE)
            front.cut()
            for _ in range(3):
                agent.go.release()
            await until_row(lambda: Command.objects.filter(purpose="stale", state="answered").first())
            front.cut()
            await until_row(lambda: Connection.objects.filter(epoch__gt=3).first())
        attempt = await read_async(attempt_of, task)
        assert (attempt.state, attempt.late_result) == ("superseded", "one two three")
        assert len([line for line in said if "came too late" in line]) == 1


async def test_a_wrong_key_ends_the_connector_with_its_reason(team: Team, tmp_path: Path) -> None:
    async with Front() as front, carried(front.url, "cg_wrong", tmp_path, Scribe()) as running:
        async with asyncio.timeout(PATIENCE):
            assert await running == 3


async def test_a_second_connector_of_the_same_key_ends_the_first(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = await read_async(new_key, team)
    task = await read_async(team.assigned)
    async with Front() as front:
        monkeypatch.setattr(settings, "BASE_URL", front.url)
        async with carried(front.url, key, tmp_path / "a", Scribe()) as older:
            await task_state(task, "working")
            async with carried(front.url, key, tmp_path / "b", Scribe()), asyncio.timeout(PATIENCE):
                assert await older == 4
            await until_row(lambda: attempt_of(task), lambda row: row.state == "expired")
