"""People stop, take over and answer an agent in the middle of its turn; keys and sockets end."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from django.conf import settings

from agents.models import Agent, Connection
from clawgroups import bus
from clawgroups.models import Approval, Draft, Task
from clawgroups.services import agents, approvals, handback, takeover, tasks
from clawgroups.services.perform import perform_async, read_async
from tests.conftest import Team
from tests.gateway.support import Socket, attempt_of, connected, new_key, task_state, texts, until_row

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key(team: Team) -> str:
    return new_key(team)[0]


async def test_a_cancelled_task_stops_the_turn_and_confirms_it(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        await task_state(task, "working")
        ada = await read_async(team.actor, "ada")
        await perform_async(tasks.cancel_task, task.pk, actor=ada)
        cancel = await agent.asked("session/cancel")
        assert cancel["params"] == {"sessionId": prompt["params"]["sessionId"]}
        assert "id" not in cancel
        assert (await read_async(attempt_of, task)).stop == "asked"
        agent.end_turn(prompt, "cancelled")
        await until_row(lambda: attempt_of(task), lambda row: row.stop == "done")
        assert (await read_async(Task.objects.get, pk=task.pk)).state == "cancelled"


async def test_a_takeover_keeps_what_still_comes_as_evidence_and_applies_none_of_it(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        session = prompt["params"]["sessionId"]
        agent.chunk(session, "Half of ")
        agent.update(session, "tool_call", toolCallId="c1", title="Write", status="in_progress")
        agent.chunk(session, "a thought")
        await until_row(lambda: texts(task), lambda found: found == [("Half of ", False), ("a thought", False)])
        bob = await read_async(team.actor, "bob")
        await perform_async(takeover.take_over, task.pk, actor=bob)
        await agent.asked("session/cancel")
        before = await read_async(team.journal)
        agent.chunk(session, " that came late")
        agent.update(session, "tool_call_update", toolCallId="c1", status="completed")
        agent.update(session, "plan", entries=[{"content": "x", "priority": "low", "status": "pending"}])
        agent.end_turn(prompt, "cancelled")
        await until_row(lambda: attempt_of(task), lambda row: row.stop == "done")
        assert await read_async(texts, task) == [
            ("Half of ", False),
            ("a thought", False),
            (" that came late", True),
        ]
        assert await read_async(texts, task, "notice") == [("c1: completed\n", True)]
        old = await read_async(attempt_of, task)
        assert (old.state, old.plan) == ("superseded", [])
        # That the stop was confirmed is told; nothing of what came is.
        assert await read_async(team.journal) == [*before, "attempt.stop_confirmed"]
        held = await read_async(Task.objects.get, pk=task.pk)
        assert (held.state, held.holder_id) == ("held", (await read_async(team.seat, "bob")).pk)


async def test_words_heard_but_not_yet_stored_are_in_the_draft_of_who_takes_over(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        session = (await agent.asked("session/prompt"))["params"]["sessionId"]
        await task_state(task, "working")
        attempt, loop, shown = await read_async(attempt_of, task), asyncio.get_running_loop(), asyncio.Event()

        def seen(_topic: str, _value: object) -> None:
            loop.call_soon_threadsafe(shown.set)

        leave = bus.subscribe(bus.live_topic(attempt.pk), seen)
        agent.chunk(session, "Said a moment ago.")
        await asyncio.wait_for(shown.wait(), 60)
        leave()
        bob = await read_async(team.actor, "bob")
        await read_async(takeover.bring_in, task.pk, actor=bob)
        held = await perform_async(takeover.take_over, task.pk, actor=bob)
        draft = await read_async(Draft.objects.get, attempt=held.answer["attempt"])
        assert draft.text == "Said a moment ago."
        assert await read_async(texts, task) == [("Said a moment ago.", False)]


async def test_a_late_result_is_kept_and_not_applied(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        await task_state(task, "working")
        bob = await read_async(team.actor, "bob")
        await perform_async(takeover.take_over, task.pk, actor=bob)
        agent.chunk(prompt["params"]["sessionId"], "I was done anyway")
        agent.end_turn(prompt)
        old = await until_row(lambda: attempt_of(task), lambda row: row.stop == "done")
        assert (old.result, old.late_result) == ("", "I was done anyway")
        assert (await read_async(Task.objects.get, pk=task.pk)).state == "held"


async def test_the_acknowledgement_of_a_hand_back_and_the_work_after_it_are_two_messages(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        session = prompt["params"]["sessionId"]
        await task_state(task, "working")
        ada = await read_async(team.actor, "ada")
        await perform_async(takeover.take_over, task.pk, actor=ada)
        agent.end_turn(prompt, "cancelled")
        await until_row(lambda: attempt_of(task), lambda row: row.stop == "done")
        await perform_async(handback.hand_back, task.pk, note="Mind the total.", actor=ada)
        scribe = await read_async(team.seat, "scribe")
        await perform_async(tasks.assign_task, task.pk, member_id=scribe.pk, actor=ada)
        # Some agents name no messages, and speak of themselves after a turn has ended.
        acknowledge = await agent.asked("session/prompt", 2)
        agent.chunk(session, "I will mind it.")
        agent.end_turn(acknowledge)
        agent.update(session, "usage_update", used=1, size=2)
        last = await agent.asked("session/prompt", 3)
        assert last["params"]["sessionId"] == session
        agent.chunk(session, "The total is 42.")
        agent.end_turn(last)
        await task_state(task, "in_review")
        again = await read_async(attempt_of, task, 3)
        assert (again.acknowledgement, again.result) == ("I will mind it.", "The total is 42.")
        assert await read_async(texts, task, "text", 3) == [("I will mind it.", False), ("The total is 42.", False)]


async def _approvals(task: Task) -> list[Approval]:
    return await read_async(lambda: list(Approval.objects.filter(task=task).order_by("asked_at")))


async def test_questions_reach_a_person_and_answers_the_agent(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        session = prompt["params"]["sessionId"]
        agent.ask(session, 0, "c0")
        agent.ask(session, "0", "c1")
        agent.ask(session, 0, "c0")
        await until_row(lambda: Approval.objects.filter(task=task).count(), lambda found: found == 2)
        await agent.acked(5)
        first, second = await _approvals(task)
        assert (first.request_id, second.request_id) == (0, "0")
        bob = await read_async(team.actor, "bob")
        await perform_async(approvals.decide_approval, first.pk, option_id="yes", actor=bob)
        got = await agent.answered(0)
        assert got["result"] == {"outcome": {"outcome": "selected", "optionId": "yes"}}
        await perform_async(takeover.take_over, task.pk, actor=bob)
        got = await agent.answered("0")
        assert got["result"] == {"outcome": {"outcome": "cancelled"}}
        agent.ask(session, 7, "c7")
        got = await agent.answered(7)
        epoch = (await read_async(Task.objects.get, pk=task.pk)).epoch
        assert (got["error"]["code"], got["error"]["data"]) == (-32010, {"current_epoch": epoch, "kept_as": None})
        assert [row.state for row in await _approvals(task)] == ["decided", "void", "void"]


async def test_an_agent_may_take_its_question_back(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        agent.ask(prompt["params"]["sessionId"], 3)
        agent.say({"method": "$/cancel_request", "params": {"requestId": 3}})
        assert (await agent.answered(3))["error"]["code"] == -32800
        assert [row.state for row in await _approvals(task)] == ["void"]


@pytest.mark.parametrize("bearer", [None, "cg_wrong", "cg_abcdefghjkmn_" + "0" * 64])
async def test_a_wrong_key_is_told_and_closed_for_good(team: Team, bearer: str | None) -> None:
    agent = Socket(uuid4()).open(bearer)
    await agent.gone()
    assert agent.closed == 4401
    assert agent.heard[0]["method"] == "_clawgroups/refused"
    assert agent.heard[0]["params"]["message"]
    plain = Socket(uuid4(), is_connector=False).open(bearer, extra={"cookie": "claw_session=x"})
    await plain.gone()
    assert (plain.closed, plain.heard) == (4401, [])


async def test_a_revoked_key_closes_its_socket_at_once(team: Team) -> None:
    secret, key_id = await read_async(new_key, team)
    agent = Socket(uuid4()).open(secret)
    await agent.asked("initialize")
    ada = await read_async(team.actor, "ada")
    await perform_async(agents.revoke_key, key_id, actor=ada)
    await agent.gone()
    assert agent.closed == 4401
    assert agent.heard[-1]["method"] == "_clawgroups/refused"
    row = await read_async(Connection.objects.get, pk=agent.link)
    assert row.closed_at is not None


async def test_a_retired_agent_is_told_so_in_a_word_of_its_own(team: Team, key: str) -> None:
    agent = Socket(uuid4()).open(key)
    await agent.asked("initialize")
    ada = await read_async(team.actor, "ada")
    await perform_async(agents.retire_agent, team.agents["scribe"].pk, actor=ada)
    await agent.gone()
    assert agent.closed == 4401
    assert agent.heard[-1]["method"] == "_clawgroups/refused"
    assert agent.heard[-1]["params"] == {"code": "retired", "message": "The agent was retired."}


async def test_the_newest_connector_wins_and_the_work_of_the_older_is_released(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    older = Socket(uuid4()).open(key)
    await older.asked("session/prompt")
    await task_state(task, "working")
    async with connected(key) as newer:
        await older.gone()
        assert older.closed == 4409
        await newer.asked("initialize")
        await until_row(lambda: attempt_of(task), lambda row: row.state == "expired")
        assert not [frame for frame in newer.heard if frame.get("method") == "session/prompt"]
        row = await read_async(Agent.objects.get, pk=team.agents["scribe"].pk)
        assert row.connection_epoch == (await read_async(Connection.objects.get, pk=newer.link)).epoch


async def test_a_plain_socket_that_drops_ends_its_attempt(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key, is_connector=False) as agent:
        prompt = await agent.asked("session/prompt")
        agent.chunk(prompt["params"]["sessionId"], "almost")
        await agent.hang_up()
    await task_state(task, "ready")
    assert (await read_async(attempt_of, task)).reason == "the agent's connection was lost"
    assert await read_async(texts, task) == [("almost", False)]


async def test_an_agent_that_exits_ends_its_attempt_but_not_what_it_said_before(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        agent.chunk(prompt["params"]["sessionId"], "Finished.")
        agent.end_turn(prompt)
        agent.say({"method": "_clawgroups/exited", "params": {"code": 0, "stderr_tail": ""}})
        await task_state(task, "in_review")
        await agent.hang_up()
        row = await read_async(Connection.objects.get, pk=agent.link)
        assert (row.received, row.close_reason) == (4, "The agent ended with code 0.")


async def test_initialize_and_session_new_have_deadlines(team: Team, key: str, settings_scale: None) -> None:
    task = await read_async(team.assigned)
    silent = Socket(uuid4(), answering=False).open(key)
    await silent.gone()
    assert silent.closed == 4408
    async with connected(key, answering=False) as agent:
        hello = await agent.asked("initialize")
        agent.say({"id": hello["id"], "result": {"protocolVersion": 1}})
        await agent.asked("session/new")
        await task_state(task, "ready", "stuck")
        assert "in time" in (await read_async(attempt_of, task)).reason


@pytest.fixture
def settings_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "CLOCK_SCALE", 0.01)


async def test_an_agent_of_another_protocol_version_is_sent_away(team: Team, key: str) -> None:
    agent = Socket(uuid4(), answering=False).open(key)
    hello = await agent.asked("initialize")
    agent.say({"id": hello["id"], "result": {"protocolVersion": 2}})
    await agent.gone()
    assert agent.closed == 4403
    assert "ACP 1" in agent.heard[-1]["params"]["message"]
