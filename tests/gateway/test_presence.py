"""What the process that holds agents' sockets says of itself, and what it does about an agent that ignores a stop."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings
from django.utils import timezone

from clawgroups.gateway.lifespan import lifespan
from clawgroups.gateway.switchboard import switchboard
from clawgroups.models import Attempt, Lease
from clawgroups.services import contact, takeover
from clawgroups.services.perform import perform_async, read_async
from tests.conftest import Team
from tests.gateway.support import Frame, attempt_of, connected, new_key, task_state, until_row

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key(team: Team) -> str:
    return new_key(team)[0]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are looked at ten times as often."""
    monkeypatch.setattr(settings, "CLOCK_SCALE", 0.1)


async def test_a_process_without_any_socket_says_that_it_is_there(team: Team, quick: None) -> None:
    told: asyncio.Queue[Frame] = asyncio.Queue()
    said: list[str] = []

    async def hear(message: Frame) -> None:
        said.append(message["type"])

    living = asyncio.create_task(lifespan({"type": "lifespan"}, told.get, hear))
    told.put_nowait({"type": "lifespan.startup"})
    first = await until_row(lambda: Lease.objects.filter(name=contact.GATEWAY).first())
    assert first is not None
    again = await until_row(lambda: Lease.objects.get(name=contact.GATEWAY), lambda row: row.done_at != first.done_at)
    assert again.done_at is not None
    assert first.done_at is not None
    assert again.done_at > first.done_at
    told.put_nowait({"type": "lifespan.shutdown"})
    async with asyncio.timeout(60):
        await living
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert switchboard()._tasks == []


async def test_an_agent_that_ignores_a_stop_loses_this_socket_and_may_come_back(
    team: Team, key: str, quick: None
) -> None:
    task = await read_async(team.assigned)
    agent_id = team.agents["scribe"].pk
    link = uuid4()
    async with connected(key, link=link) as agent:
        prompt = await agent.asked("session/prompt")
        await task_state(task, "working")
        bob = await read_async(team.actor, "bob")
        await perform_async(takeover.take_over, task.pk, actor=bob)
        await agent.asked("session/cancel")
        # The sweep found it unconfirmed; its grace and the time after are over a moment from now.
        over = timezone.now() - timedelta(seconds=0.1 * 20 - 0.5)
        await read_async(
            lambda: Attempt.objects.filter(pk=attempt_of(task).pk).update(stop="unconfirmed", ended_at=over)
        )
        await agent.gone()
        assert (agent.closed, agent.reason) == (4408, "The agent did not confirm a stop.")
    assert agent_id in await read_async(contact.unconfirmed, [agent_id])
    async with connected(key, link=link) as agent:
        again = await agent.asked("session/prompt")
        assert again["id"] == prompt["id"]
        await agent.asked("session/cancel")
        agent.end_turn(again, "cancelled")
        await until_row(lambda: attempt_of(task), lambda row: row.stop == "done")
        assert agent.closed is None
    assert await read_async(contact.unconfirmed, [agent_id]) == {}


async def test_a_new_program_of_the_agent_has_nothing_left_to_confirm(team: Team, key: str, quick: None) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        await agent.asked("session/prompt")
        bob = await read_async(team.actor, "bob")
        await perform_async(takeover.take_over, task.pk, actor=bob)
        await agent.asked("session/cancel")
        await read_async(lambda: Attempt.objects.filter(pk=attempt_of(task).pk).update(stop="unconfirmed"))
    async with connected(key):
        await until_row(lambda: attempt_of(task), lambda row: row.stop == "done")
