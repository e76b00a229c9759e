"""Whatever an agent sends, its socket lives on and nobody else's rows are touched."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from agents.models import Agent, Connection
from clawgroups import ingest
from clawgroups.core.transcript import MAX_ORDINAL
from clawgroups.models import Approval, Attempt, Command, Part, Step
from clawgroups.services.perform import read_async
from tests.conftest import Team
from tests.gateway.support import Socket, attempt_of, connected, new_key, steps, task_state, texts, until_row

pytestmark = pytest.mark.django_db(transaction=True)

UPDATE = "session/update"


def _raw(**frame: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", **frame})


# What is sent ({s} is the agent's own session, {p} its prompt's id), and the error code it is answered with.
HOSTILE: list[tuple[str, int | None]] = [
    ("not json", -32700),
    ("[]", -32600),
    ('[{"jsonrpc":"2.0","method":"session/update","params":{}}]', -32600),
    ("null", -32600),
    ("{}", -32600),
    ('{"jsonrpc":"1.0","method":"x"}', -32600),
    ('{"jsonrpc":"2.0","id":{},"method":"x"}', -32600),
    ('{"jsonrpc":"2.0","id":1,"method":"x","params":[1]}', -32602),
    ("[" * 5000, -32600),
    ('{"a":' * 100 + "1" + "}" * 100, -32600),
    ('{"jsonrpc":"2.0","id":1' + "0" * 5000 + ',"result":1}', -32600),
    (_raw(id=1, method="fs/read_text_file", params={"sessionId": "{s}", "path": "/etc/passwd"}), -32601),
    (_raw(id=2, method="fs/write_text_file", params={"sessionId": "{s}", "path": "/x", "content": ""}), -32601),
    (_raw(id=3, method="terminal/create", params={"sessionId": "{s}", "command": "id"}), -32601),
    (_raw(id=4, method="craft/drainMidTurnQueue"), -32601),
    (_raw(id=5, method="session/request_permission", params={"sessionId": "foreign"}), -32602),
    (_raw(id=6, method="session/request_permission", params={"sessionId": "{s}", "toolCall": {}}), -32602),
    (
        _raw(id=7, method="session/request_permission", params={"sessionId": "x", "toolCall": {"toolCallId": "c"}}),
        -32602,
    ),
    (
        _raw(
            method=UPDATE,
            params={"sessionId": "{s}", "update": {"sessionUpdate": "new in v9", "x": [1, {"y": "\x00"}]}},
        ),
        None,
    ),
    (_raw(method=UPDATE, params={"sessionId": "{s}", "update": "junk"}), None),
    (_raw(method=UPDATE, params={"sessionId": "foreign", "update": {"sessionUpdate": "plan", "entries": []}}), None),
    (_raw(method=UPDATE, params={"sessionId": 7}), None),
    (_raw(method=UPDATE), None),
    (_raw(method="_auth/status_update", params={}), None),
    (_raw(method="_clawgroups/ack", params={"received": 10**9}), None),
    (_raw(method="_clawgroups/resume", params={"received": -1}), None),
    (_raw(method="$/cancel_request", params={"requestId": None}), None),
    (_raw(method="$/cancel_request", params={"requestId": {"a": 1}}), None),
    (_raw(id=None, error={"code": "x"}), None),
    (_raw(id=99, result={}), None),
    (_raw(id=str(uuid4()), result={"stopReason": "end_turn"}), None),
    (_raw(id="initialize-again", result={"protocolVersion": 2}), None),
]


@pytest.fixture
def key(team: Team) -> str:
    return new_key(team)[0]


async def test_no_frame_of_the_table_breaks_the_socket_or_the_turn(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        session = prompt["params"]["sessionId"]
        for text, code in HOSTILE:
            before = len(agent.heard)
            agent.say(text.replace("{s}", session))
            if code is not None:

                def errors(since: int = before) -> list[int]:
                    return [f["error"]["code"] for f in agent.heard[since:] if "error" in f]

                assert await agent.until(errors) == [code], text[:100]
        agent.chunk(session, "Still \x00here \ud800")
        agent.end_turn(prompt)
        await task_state(task, "in_review")
        assert agent.closed is None
        assert (await read_async(attempt_of, task)).result == "Still \ufffdhere \ufffd"
        counted = [text for text in agent.said if "_clawgroups/" not in text]
        await agent.acked(len(counted))
        assert (await read_async(Connection.objects.get, pk=agent.link)).received == len(counted)


async def test_an_agent_that_breaks_the_protocol_three_times_gets_no_work_and_goes_on_with_what_it_has(
    team: Team, key: str
) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        for _ in range(5):
            agent.say("not json")
        opened = await until_row(lambda: Agent.objects.get(handle="scribe"), lambda row: row.breaker == "open")
        assert opened.health["reason"] == (
            "It broke the protocol 3 times within 60 seconds: what it sent is no message of the protocol"
        )
        agent.chunk(prompt["params"]["sessionId"], "Done")
        agent.end_turn(prompt)
        await task_state(task, "in_review")
        assert agent.closed is None
    assert (await read_async(team.journal)).count("agent.breaker_set") == 1


async def test_binary_frames_mean_nothing(team: Team, key: str) -> None:
    async with connected(key) as agent:
        agent._in.put_nowait({"type": "websocket.receive", "bytes": b"\x00\x01"})
        await agent.asked("initialize")
        await agent.acked(1)


async def test_an_answer_given_twice_counts_once(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        opening = await agent.asked("session/new")
        prompt = await agent.asked("session/prompt")
        agent.say({"id": opening["id"], "result": {"sessionId": "another"}})
        agent.chunk(prompt["params"]["sessionId"], "first")
        agent.end_turn(prompt)
        agent.end_turn(prompt, "refusal")
        agent.say({"id": prompt["id"], "error": {"code": 1, "message": "no, wait"}})
        await task_state(task, "in_review")
        await agent.acked(len(agent.said))
        assert (await read_async(attempt_of, task)).state == "submitted"
        assert (await read_async(team.journal)).count("task.submitted") == 1


async def test_an_agent_cannot_speak_in_the_session_of_another(team: Team, key: str) -> None:
    mine = await read_async(team.assigned)
    theirs = await read_async(team.working, "counter")
    counter_session = f"acp-{theirs.pk}"
    foreign = await read_async(lambda: Command.objects.get(attempt__task=theirs, purpose="work"))
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        agent.chunk(counter_session, "I am the counter")
        agent.update(counter_session, "tool_call", toolCallId="c", title="x")
        agent.ask(counter_session, 1)
        assert (await agent.answered(1))["error"]["code"] == -32602
        agent.say({"id": str(foreign.pk), "result": {"stopReason": "end_turn"}})
        agent.end_turn(prompt)
        await agent.acked(len(agent.said))
        assert not await read_async(Part.objects.filter(attempt__task=theirs).exists)
        assert not await read_async(Step.objects.filter(attempt__task=theirs).exists)
        assert not await read_async(Approval.objects.exists)
        assert (await read_async(Command.objects.get, pk=foreign.pk)).state == "sent"
        assert (await read_async(attempt_of, mine)).state == "submitted"


async def test_an_agent_cannot_take_over_the_link_of_another(team: Team, key: str) -> None:
    stolen = Socket(team.links["counter"]).open(key)
    await stolen.gone()
    assert stolen.closed == 4401
    row = await read_async(Connection.objects.get, pk=team.links["counter"])
    assert (row.agent_id, row.epoch) == (team.agents["counter"].pk, 1)


async def test_a_session_that_names_another_of_the_agent_is_refused(team: Team, key: str) -> None:
    first = await read_async(team.assigned)
    async with connected(key, answering=False) as agent:
        hello = await agent.asked("initialize")
        agent.say({"id": hello["id"], "result": {"protocolVersion": 1}})
        opening = await agent.asked("session/new")
        agent.say({"id": opening["id"], "result": {"sessionId": "same"}})
        await agent.asked("session/prompt")
        second = await read_async(team.assigned)
        opening = await agent.asked("session/new", 2)
        agent.say({"id": opening["id"], "result": {"sessionId": "same"}})
        await task_state(second, "ready", "stuck")
        assert (await task_state(first, "working")).state == "working"


async def test_updates_before_the_session_is_known_are_kept_if_it_is_ours(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key, answering=False) as agent:
        hello = await agent.asked("initialize")
        agent.say({"id": hello["id"], "result": {"protocolVersion": 1}})
        opening = await agent.asked("session/new")
        for number in range(500):
            agent.chunk(f"never opened {number}", "x")
        agent.chunk("mine", "early")
        agent.update("mine", "usage_update", used=1, size=2)
        agent.say({"id": opening["id"], "result": {"sessionId": "mine"}})
        prompt = await agent.asked("session/prompt")
        agent.end_turn(prompt)
        await task_state(task, "in_review")
        assert await read_async(texts, task) == [("early", False)]


async def test_a_flood_is_taken_in_bounded_pieces_and_kept_in_order(
    team: Team, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "EDGE_EVERY", 0.01)
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        session = prompt["params"]["sessionId"]
        for number in range(300):
            agent.update(session, "tool_call", toolCallId=f"c{number}", title="Loop", status="completed")
            agent.chunk(session, "y" * 2000)
        agent.end_turn(prompt)
        await task_state(task, "in_review")
        found = await read_async(steps, task)
        assert found == [(f"c{number}", "completed") for number in range(300)]
        assert len(await read_async(texts, task)) == 300


async def test_a_huge_update_is_stored_small(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        session = prompt["params"]["sessionId"]
        agent.update(session, "tool_call", toolCallId="c" * 500, title="t" * 9000, rawInput={"a": "x" * 4_000_000})
        agent.update(session, "plan", entries=[{"content": "p" * 5000}] * 1000)
        agent.chunk(session, "z" * 3_000_000)
        agent.end_turn(prompt)
        await task_state(task, "in_review")
        step = await read_async(Step.objects.get, attempt__task=task)
        assert len(json.dumps(step.detail)) < 70_000
        attempt = await read_async(attempt_of, task)
        assert len(attempt.plan) == 200
        assert len(attempt.result) == 1_000_000


async def test_a_transcript_is_full_at_some_point_and_the_turn_still_ends(
    team: Team, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clawgroups.core.transcript.MAX_ORDINAL", 5)
    assert MAX_ORDINAL > 1000
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        session = prompt["params"]["sessionId"]
        for number in range(20):
            agent.chunk(session, "w", message=f"m{number}")
            agent.update(session, "tool_call", toolCallId=f"c{number}", title="t")
        agent.end_turn(prompt)
        await task_state(task, "in_review")
        attempt = await read_async(Attempt.objects.get, task=task)
        assert await read_async(attempt.parts.count) + await read_async(attempt.steps.count) == 4


async def test_endless_malformed_frames_close_the_socket(team: Team, key: str) -> None:
    async with connected(key) as agent:
        for _ in range(300):
            agent.say("{")
        await agent.gone()
        assert agent.closed == 4429
