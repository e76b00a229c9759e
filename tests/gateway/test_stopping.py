"""A stop over the wire: confirmed by an agent that obeys, noted of one that is slow, silent, or gone."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from clawgroups.fragments.stop_progress import progress_of
from clawgroups.fragments.stops import Overrun, overruns_of
from clawgroups.models import Attempt, Command, Task
from clawgroups.services import contact, pausing, stopping, tasks
from clawgroups.services.perform import perform_async, read_async
from clawgroups.services.sweep import sweep
from tests.conftest import Team
from tests.gateway.support import attempt_of, connected, new_key, task_state, texts, until_row

pytestmark = pytest.mark.django_db(transaction=True)
PROMISED = 3.0  # seconds in which an agent that obeys has stopped


@pytest.fixture
def key(team: Team) -> str:
    return new_key(team)[0]


def overrun(task: Task) -> Overrun:
    (found,) = overruns_of(Attempt.objects.filter(task=task)).values()
    return found


async def test_an_agent_that_obeys_has_stopped_within_three_seconds(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        agent.chunk(prompt["params"]["sessionId"], "Half of it")
        await until_row(lambda: texts(task))
        ada = await read_async(team.actor, "ada")
        begun = time.monotonic()
        await perform_async(stopping.stop_task, task.pk, actor=ada)
        await agent.asked("session/cancel")
        agent.end_turn(prompt, "cancelled")
        await until_row(lambda: attempt_of(task), lambda row: row.stop == "done")
        assert time.monotonic() - begun < PROMISED
        told = await read_async(overrun, task)
        assert (told.seconds < PROMISED, told.steps, told.unconfirmed) == (True, 0, False)
        assert (await read_async(team.journal))[-1] == "attempt.stop_confirmed"


async def test_it_goes_on_in_the_session_that_it_had(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        await task_state(task, "working")
        ada = await read_async(team.actor, "ada")
        await perform_async(pausing.pause_task, task.pk, actor=ada)
        await agent.asked("session/cancel")
        agent.end_turn(prompt, "cancelled")
        await until_row(lambda: attempt_of(task), lambda row: row.stop == "done")
        await perform_async(pausing.resume_task, task.pk, actor=ada)
        scribe = await read_async(team.seat, "scribe")
        await perform_async(tasks.assign_task, task.pk, member_id=scribe.pk, actor=ada)
        again = await agent.asked("session/prompt", 2)
        assert again["params"]["sessionId"] == prompt["params"]["sessionId"]
        assert "ada paused it" in again["params"]["prompt"][0]["text"]
        agent.chunk(again["params"]["sessionId"], "All of it.")
        agent.end_turn(again)
        assert (await task_state(task, "in_review")).tries == 1


async def test_what_a_slow_agent_still_does_is_counted_and_applied_to_nothing(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        session = prompt["params"]["sessionId"]
        agent.update(session, "usage_update", used=10, size=100, cost={"amount": 0.10, "currency": "USD"})
        agent.chunk(session, "Half of it")
        await until_row(lambda: texts(task))
        ada = await read_async(team.actor, "ada")
        await perform_async(stopping.stop_task, task.pk, actor=ada)
        await agent.asked("session/cancel")
        for call in ("c1", "c2"):
            agent.update(session, "tool_call", toolCallId=call, title="Look on", status="in_progress")
            agent.update(session, "tool_call_update", toolCallId=call, status="completed")
        agent.update(session, "usage_update", used=20, size=100, cost={"amount": 0.13, "currency": "USD"})
        await until_row(lambda: overrun(task), lambda told: told.steps == 2)
        told = await read_async(overrun, task)
        assert (told.until, told.unconfirmed) == (None, False)
        usage = {"totalTokens": 150, "inputTokens": 100, "outputTokens": 50}
        agent.say({"id": prompt["id"], "result": {"stopReason": "cancelled", "usage": usage}})
        await until_row(lambda: attempt_of(task), lambda row: row.stop == "done")
        told = await read_async(overrun, task)
        assert (told.steps, told.tokens, told.cost_micro) == (2, 150, 30_000)
        assert told.as_json()["stopped_at"] is not None
        assert (await read_async(Task.objects.get, pk=task.pk)).state == "stuck"


async def _ignored(task: Task) -> None:
    """The grace and what follows it are over."""
    later = timezone.now() + timedelta(seconds=16)
    await read_async(lambda: sweep(later, quiet=True))
    row = await read_async(attempt_of, task)
    assert row.stop == "unconfirmed"
    over = timezone.now() - timedelta(seconds=19.8)
    await read_async(lambda: Attempt.objects.filter(pk=row.pk).update(ended_at=over))
    await read_async(lambda: Command.objects.filter(attempt=row.pk, purpose="cancel").update(created_at=over))


async def test_a_silent_agent_is_flagged_closed_off_and_cleared_once_it_answers(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    scribe, ada = team.agents["scribe"].pk, await read_async(team.actor, "ada")
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        await task_state(task, "working")
        await perform_async(stopping.stop_run, task.run_id, actor=ada)
        await agent.asked("session/cancel")
        await _ignored(task)
        assert (await read_async(progress_of, task.run_id)).unconfirmed == 1
        assert scribe in await read_async(contact.unconfirmed, [scribe])
        await agent.gone()
        assert (agent.closed, agent.reason) == (4408, "The agent did not confirm a stop.")
        told = await until_row(lambda: overrun(task), lambda one: one.closed_at)
        assert (told.until, told.unconfirmed) == (None, True)
        link = agent.link
    async with connected(key, link=link) as agent:
        # The same program comes back, and answers at last: what it says counts no more.
        agent.say({"id": prompt["id"], "result": {"stopReason": "end_turn"}})
        await until_row(lambda: attempt_of(task), lambda row: row.stop == "done")
        assert await read_async(contact.unconfirmed, [scribe]) == {}
        assert (await read_async(progress_of, task.run_id)).stopped == 1
        assert "attempt.stop_confirmed" in await read_async(team.journal)
        assert (await read_async(overrun, task)).seconds >= 19


async def test_a_dead_agent_is_cleared_by_the_end_of_its_program(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    scribe, ada = team.agents["scribe"].pk, await read_async(team.actor, "ada")
    async with connected(key) as agent:
        await agent.asked("session/prompt")
        await task_state(task, "working")
        await agent.hang_up()
    await perform_async(stopping.stop_task, task.pk, actor=ada)
    await _ignored(task)
    assert scribe in await read_async(contact.unconfirmed, [scribe])
    async with connected(key):
        # Another program of the same agent: with the first one its turn is over.
        await until_row(lambda: attempt_of(task), lambda row: row.stop == "done")
        assert await read_async(contact.unconfirmed, [scribe]) == {}
