"""A session opens and its work begins in one change; the prompt goes out after it, and nothing overtakes that."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from clawgroups.core.changes import Outcome
from clawgroups.core.errors import OutcomeUnknown
from clawgroups.gateway import worker
from clawgroups.gateway.pump import Pump
from clawgroups.models import Command, Entry
from clawgroups.services import sessions, takeover
from clawgroups.services.perform import perform_async, read_async
from tests.conftest import Team
from tests.gateway.support import attempt_of, connected, new_key, task_state, texts

pytestmark = pytest.mark.django_db(transaction=True)


class Held:
    """Keeps the pump from hearing that a change with a prompt is committed, until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waited_for = asyncio.Event()
        self._free = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        prompts, begin = Pump.prompts, Pump._begin

        async def later(pump: Pump, session_id: UUID, command: Command | None) -> None:
            await self._free.wait()
            prompts(pump, session_id, command)

        async def noted(pump: Pump, session_id: UUID) -> None:
            self.waited_for.set()
            await begin(pump, session_id)

        monkeypatch.setattr(Pump, "prompts", lambda *told: self._tasks.append(asyncio.create_task(later(*told))))
        monkeypatch.setattr(Pump, "_begin", noted)

    def let_go(self) -> None:
        self._free.set()


def methods(heard: list[dict[str, Any]]) -> list[str]:
    """What was asked and told in sessions, in order."""
    return [frame["method"] for frame in heard if frame.get("method", "").startswith("session/")]


async def test_a_session_and_its_work_begin_in_one_change(team: Team) -> None:
    key, _ = await read_async(new_key, team)
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        asked = await agent.asked("session/prompt")
        prompt = await read_async(lambda: Command.objects.get(purpose="work"))
        assert (str(prompt.pk), prompt.state, prompt.link) == (asked["id"], "sent", agent.link)
        assert prompt.params == asked["params"]
        attempt = await read_async(attempt_of, task)
        assert (attempt.state, attempt.begun_at) == ("working", prompt.sent_at)
        begun = await read_async(lambda: Entry.objects.filter(type="task.begun").count())
        assert begun == 1


async def test_a_stop_never_overtakes_the_prompt_that_it_is_meant_for(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = await read_async(new_key, team)
    task = await read_async(team.assigned)
    held = Held(monkeypatch)
    async with connected(key) as agent:
        await task_state(task, "working")
        await perform_async(takeover.take_over, task.pk, actor=await read_async(team.actor, "bob"))
        # The stop is at hand, and waits for the prompt.
        async with asyncio.timeout(60):
            await held.waited_for.wait()
        assert methods(agent.heard) == ["session/new"]
        held.let_go()
        await agent.asked("session/cancel")
        assert methods(agent.heard) == ["session/new", "session/prompt", "session/cancel"]
        agent.end_turn(await agent.asked("session/prompt"), "cancelled")
        await task_state(task, "held")


async def test_a_prompt_that_was_not_sent_before_its_process_died_goes_out_on_the_next_socket(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = await read_async(new_key, team)
    task = await read_async(team.assigned)
    link = uuid4()
    with monkeypatch.context() as patched:
        Held(patched)
        async with connected(key, link=link) as first:
            await task_state(task, "working")
            await first.kill()
    async with connected(key, link=link) as agent:
        prompt = await agent.asked("session/prompt")
        agent.chunk(prompt["params"]["sessionId"], "Here it is.")
        agent.end_turn(prompt)
        await task_state(task, "in_review")
        assert await read_async(texts, task) == [("Here it is.", False)]
        assert methods(first.heard) == ["session/new"]
        assert methods(agent.heard) == ["session/prompt"]


async def test_a_prompt_whose_commit_was_not_answered_goes_out_all_the_same(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = await read_async(new_key, team)
    task = await read_async(team.assigned)
    lost: list[Outcome] = []

    async def away(verb: Any, *args: Any, **kwargs: Any) -> Outcome:
        outcome: Outcome = await perform_async(verb, *args, **kwargs)
        if verb is sessions.command_answered and not lost:
            lost.append(outcome)
            raise OutcomeUnknown("The database went away.")
        return outcome

    monkeypatch.setattr(worker, "perform_async", away)
    async with connected(key) as agent:
        agent.end_turn(await agent.asked("session/prompt"))
        await task_state(task, "in_review")
        assert len(lost) == 1
        assert methods(agent.heard) == ["session/new", "session/prompt"]
