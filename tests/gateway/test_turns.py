"""A task goes out to an agent and its result comes back, over one socket."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from agents.models import Agent
from clawgroups import bus
from clawgroups.models import Attempt, Task
from clawgroups.services import contact
from clawgroups.services.perform import read_async
from tests.conftest import Team
from tests.gateway.support import attempt_of, connected, new_key, steps, task_state, texts, until_row

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key(team: Team) -> str:
    return new_key(team)[0]


async def test_a_turn_with_words_tools_and_a_plan_ends_in_review(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        opening = await agent.asked("session/new")
        ours = opening["params"]["_meta"]["clawgroups"]
        assert ours["files"].endswith(f"/api/v1/sessions/{ours['session']}/files")
        assert ours["key"].startswith("cs_")
        assert ours["task"] == task.key
        prompt = await agent.asked("session/prompt")
        session = prompt["params"]["sessionId"]
        await task_state(task, "working")
        agent.chunk(session, "Let me ", kind="agent_thought_chunk")
        agent.chunk(session, "see", kind="agent_thought_chunk")
        agent.update(session, "plan", entries=[{"content": "Read", "priority": "high", "status": "completed"}])
        agent.chunk(session, "I read first.")
        agent.update(session, "tool_call", toolCallId="c1", title="Read it", kind="read", status="pending")
        agent.update(session, "tool_call_update", toolCallId="c1", status="completed", rawOutput={"rows": 3})
        agent.update(session, "tool_call_update", toolCallId="c2", title="Left open")
        for word in ("The ", "answer ", "is 42."):
            agent.chunk(session, word)
        agent.end_turn(prompt)
        await task_state(task, "in_review")
        attempt = await read_async(attempt_of, task)
        assert attempt.result == "The answer is 42."
        assert attempt.plan == [{"content": "Read", "priority": "high", "status": "completed"}]
        assert await read_async(texts, task) == [("I read first.", False), ("The answer is 42.", False)]
        assert await read_async(texts, task, "thought") == [("Let me see", False)]
        assert await read_async(steps, task) == [("c1", "completed"), ("c2", "unknown")]
        journal = await read_async(team.journal)
        assert journal.count("step.recorded") == 4
        assert journal.count("attempt.plan_ticked") == 1
        assert journal.index("task.begun") < journal.index("step.recorded") < journal.index("task.submitted")
        await agent.acked(len(agent.said))


async def test_files_that_did_not_arrive_are_named_in_the_transcript_and_the_result_stays(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        agent.chunk(prompt["params"]["sessionId"], "Done.")
        lost = {"clawgroups": {"files_failed": ["big.bin", "a.md"]}}
        agent.say({"id": prompt["id"], "result": {"stopReason": "end_turn", "_meta": lost}})
        await task_state(task, "in_review")
        assert (await read_async(attempt_of, task)).result == "Done."
        said = await read_async(texts, task, "notice")
        assert said == [("warning: Files that did not reach the workspace (big.bin, a.md)\n", False)]


async def test_a_plain_agent_is_sent_nothing_but_acp(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key, is_connector=False) as agent:
        opening = await agent.asked("session/new")
        assert opening["params"] == {"cwd": "/", "mcpServers": []}
        prompt = await agent.asked("session/prompt")
        agent.chunk(prompt["params"]["sessionId"], "Done.")
        agent.end_turn(prompt)
        await task_state(task, "in_review")
        assert not [f for f in agent.heard if f.get("method", "").startswith("_clawgroups/")]


async def test_named_messages_stay_whole_and_the_last_one_is_the_result(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        session = prompt["params"]["sessionId"]
        agent.chunk(session, "One", message="m1")
        agent.update(session, "tool_call", toolCallId="c1", title="Look", status="completed")
        agent.chunk(session, " more", message="m1")
        agent.chunk(session, "Two", message="m2")
        agent.end_turn(prompt)
        await task_state(task, "in_review")
        assert await read_async(texts, task) == [("One more", False), ("Two", False)]
        assert (await read_async(attempt_of, task)).result == "Two"


@pytest.mark.parametrize("reason", ["refusal", "max_tokens", "cancelled", "tired"])
async def test_a_turn_that_ends_otherwise_is_no_result(team: Team, key: str, reason: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        agent.chunk(prompt["params"]["sessionId"], "I would rather not.")
        agent.end_turn(prompt, reason)
        await task_state(task, "ready", "stuck")
        attempt = await read_async(attempt_of, task)
        assert attempt.state == "refused"
        assert attempt.result == ""


@pytest.mark.parametrize("code", [-32000, 401])
async def test_an_agent_that_needs_a_login_is_shown_so_until_it_works(team: Team, key: str, code: int) -> None:
    task = await read_async(team.assigned)
    async with connected(key, answering=False) as agent:
        hello = await agent.asked("initialize")
        agent.say({"id": hello["id"], "result": {"protocolVersion": 1, "authMethods": [{"id": "login"}]}})
        opening = await agent.asked("session/new")
        agent.say({"id": opening["id"], "error": {"code": code, "message": "Authentication required"}})
        await task_state(task, "ready", "stuck")
        await agent.acked(2)
        row = await until_row(
            lambda: Agent.objects.get(pk=team.agents["scribe"].pk), lambda row: "needs_login" in row.announced
        )
        needs = row.announced["needs_login"]
        assert (needs["message"], needs["methods"]) == ("Authentication required", [{"id": "login"}])
        assert contact.login_is_needed(row.announced, timezone.now())
        # It may have been signed in meanwhile: it gets this task again, later.
        assert not contact.login_is_needed(row.announced, timezone.now() + timedelta(minutes=6))
        assert "refused" not in (await read_async(Task.objects.get, pk=task.pk)).brief


async def test_streaming_text_is_shown_in_pieces_that_fit_together(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    attempt: Attempt = await read_async(attempt_of, task)
    shown: list[dict[str, object]] = []
    leave = bus.subscribe(bus.live_topic(attempt.pk), lambda _topic, value: shown.append(value))
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        for number in range(200):
            agent.chunk(prompt["params"]["sessionId"], f"{number} ")
        agent.end_turn(prompt)
        await task_state(task, "in_review")
        await agent.acked(len(agent.said))
    leave()
    assert len(shown) <= 8
    whole = "".join(str(one["text"]) for one in shown)
    assert whole == "".join(f"{number} " for number in range(200))
    assert shown[0]["at"] == 0
    assert len({one["part"] for one in shown}) == 1
