"""Agents that do what no agent should: each costs at most its own turn. (More of them: tests/gateway/test_hostile.)"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest

from agents.models import Agent
from agents.protocol.version import MAX_FRAME
from clawgroups import ingest
from clawgroups.models import Approval, Attempt, Task
from clawgroups.services import approvals, takeover, tasks
from clawgroups.services.perform import perform_async, read_async
from tests.conftest import Team
from tests.gateway.support import Frame, Socket, attempt_of, connected, new_key, task_state, texts, until_row

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key(team: Team) -> str:
    return new_key(team)[0]


@pytest.mark.parametrize("said", ["1", None, 2, 99, 1.0, True, [1], 2**63])
async def test_an_agent_that_does_not_say_version_1_is_sent_away_with_a_reason(
    team: Team, key: str, said: object
) -> None:
    async with connected(key, answering=False) as agent:
        hello = await agent.asked("initialize")
        agent.say({"id": hello["id"], "result": {"protocolVersion": said}})
        await agent.gone()
        assert agent.closed == 4403
        assert "does not speak ACP 1" in agent.reason


async def test_null_for_an_answer_to_initialize_is_no_version(team: Team, key: str) -> None:
    async with connected(key, answering=False) as agent:
        hello = await agent.asked("initialize")
        agent.say({"id": hello["id"], "result": None})
        await agent.gone()
        assert agent.closed == 4403


@pytest.mark.parametrize("result", [None, [], "s1", {"sessionId": None}, {"sessionId": 0}, {"sessionId": "x" * 201}])
async def test_a_session_without_a_usable_name_costs_the_try_and_not_the_socket(
    team: Team, key: str, result: Any
) -> None:
    task = await read_async(team.assigned)
    async with connected(key, answering=False) as agent:
        hello = await agent.asked("initialize")
        agent.say({"id": hello["id"], "result": {"protocolVersion": 1}})
        opening = await agent.asked("session/new")
        agent.say({"id": opening["id"], "result": result})
        await task_state(task, "ready", "stuck")
        await agent.acked(2)
        assert agent.closed is None


@pytest.mark.parametrize("result", [None, [], "end_turn", {}, {"stopReason": None}, {"stopReason": ["end_turn"]}])
async def test_a_turn_that_ends_without_a_reason_is_no_result(team: Team, key: str, result: Any) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        agent.chunk(prompt["params"]["sessionId"], "I am done, am I not?")
        agent.say({"id": prompt["id"], "result": result})
        await task_state(task, "ready", "stuck")
        attempt = await read_async(attempt_of, task)
        assert (attempt.state, attempt.result) == ("refused", "")
        assert agent.closed is None


async def test_words_after_the_answer_of_a_turn_change_no_result_and_get_into_no_later_turn(
    team: Team, key: str
) -> None:
    first = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        agent.chunk(prompt["params"]["sessionId"], "The result.", message="m1")
        agent.end_turn(prompt)
        await task_state(first, "in_review")
        agent.chunk(prompt["params"]["sessionId"], " And one more thing.", message="m1")
        agent.update(prompt["params"]["sessionId"], "tool_call", toolCallId="late", title="Late")
        second = await read_async(team.assigned)
        again = await agent.asked("session/prompt", 2)
        agent.chunk(again["params"]["sessionId"], "The other result.")
        agent.end_turn(again)
        await task_state(second, "in_review")
        await agent.acked(len(agent.said))
        assert (await read_async(attempt_of, first)).result == "The result."
        assert (await read_async(attempt_of, second)).result == "The other result."
        assert await read_async(texts, second) == [("The other result.", False)]


async def test_a_frame_of_twenty_mebibytes_is_refused_and_the_next_one_is_taken(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        agent.chunk(prompt["params"]["sessionId"], "x" * (MAX_FRAME + 4 * 1024 * 1024))
        refused = await agent.until(lambda: [f for f in agent.heard if "error" in f])
        assert (refused[0]["id"], refused[0]["error"]["code"]) == (None, -32600)
        assert str(MAX_FRAME) in refused[0]["error"]["message"]
        agent.chunk(prompt["params"]["sessionId"], "In short: done.")
        agent.end_turn(prompt)
        await task_state(task, "in_review")
        assert (await read_async(attempt_of, task)).result == "In short: done."


async def test_one_word_at_a_time_with_all_the_time_in_the_world_is_one_message(
    team: Team, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "TEXT_EVERY", 0.0)
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        for number in range(1, 16):
            agent.chunk(prompt["params"]["sessionId"], "drip ")
            # Each drop is stored before the next one falls.
            await until_row(lambda: texts(task), lambda found, n=number: found == [("drip " * n, False)])  # type: ignore[misc]
        agent.end_turn(prompt)
        await task_state(task, "in_review")
        assert (await read_async(attempt_of, task)).result == "drip " * 15


async def test_a_question_without_a_usable_answer_is_cancelled_at_once(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        offers: list[Any] = [[], None, "yes", [{}], [{"optionId": "y", "kind": "postpone"}]]
        for number, options in enumerate(offers):
            params = {"sessionId": prompt["params"]["sessionId"], "toolCall": {"toolCallId": "c"}, "options": options}
            agent.say({"id": number, "method": "session/request_permission", "params": params})
            assert (await agent.answered(number))["result"] == {"outcome": {"outcome": "cancelled"}}
        assert not await read_async(Approval.objects.exists)
        assert (await read_async(Task.objects.get, pk=task.pk)).state == "working"


async def _asked(task: Task) -> Approval:
    await until_row(Approval.objects.filter(task=task, state="open").exists)
    return await read_async(Approval.objects.get, task=task)


async def test_of_an_option_offered_twice_the_first_counts(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        options = [
            {"optionId": "same", "name": "No", "kind": "reject_once"},
            {"optionId": "same", "name": "No, really", "kind": "allow_always"},
        ]
        params = {"sessionId": prompt["params"]["sessionId"], "toolCall": {"toolCallId": "c"}, "options": options}
        agent.say({"id": 1, "method": "session/request_permission", "params": params})
        question = await _asked(task)
        assert question.options == [{"optionId": "same", "name": "No", "kind": "reject_once"}]
        bob = await read_async(team.actor, "bob")
        await perform_async(approvals.decide_approval, question.pk, option_id="same", actor=bob)
        assert (await agent.answered(1))["result"]["outcome"]["optionId"] == "same"
        assert (await read_async(Approval.objects.get)).option_kind == "reject_once"


async def test_null_is_an_id_like_any_other(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        agent.ask(prompt["params"]["sessionId"], None)
        question = await _asked(task)
        assert question.request_id is None
        bob = await read_async(team.actor, "bob")
        await perform_async(approvals.decide_approval, question.pk, option_id="yes", actor=bob)
        assert (await agent.answered(None))["result"]["outcome"]["optionId"] == "yes"
        agent.chunk(prompt["params"]["sessionId"], "Thank you.")
        agent.end_turn(prompt)
        await task_state(task, "in_review")
        await agent.acked(len(agent.said))
        assert agent.closed is None


async def test_a_login_in_a_terminal_is_shown_and_never_asked_for(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    method = {"id": "login", "type": "terminal", "name": "Sign in\u202e", "args": ["rm", "-rf"], "env": {"A": "b"}}
    async with connected(key, answering=False) as agent:
        hello = await agent.asked("initialize")
        assert hello["params"]["clientCapabilities"]["auth"] == {"terminal": True}
        agent.say({"id": hello["id"], "result": {"protocolVersion": 1, "authMethods": [method] * 50}})
        opening = await agent.asked("session/new")
        agent.say({"id": opening["id"], "error": {"code": -32000, "message": "Sign in first"}})
        await task_state(task, "ready", "stuck")
        await agent.acked(2)
        row = await until_row(lambda: Agent.objects.get(handle="scribe"), lambda row: "needs_login" in row.announced)
        assert row.announced["needs_login"]["message"] == "Sign in first"
        assert [f["method"] for f in agent.heard if "method" in f and "id" in f] == ["initialize", "session/new"]
        assert agent.closed is None


# Crashes: how far the agent gets, and what it leaves on its link when its program is gone.
Play = Callable[[Socket], Awaitable[None]]


async def _before_it_says_who_it_is(agent: Socket) -> None:
    await agent.asked("initialize")


async def _before_it_opens_a_session(agent: Socket) -> None:
    await _introduced(agent)
    await agent.asked("session/new")


async def _before_its_first_word(agent: Socket) -> None:
    await _prompted(agent)


async def _in_the_middle_of_a_word(agent: Socket) -> None:
    prompt = await _prompted(agent)
    agent.chunk(prompt["params"]["sessionId"], "Half of a wo")
    agent.update(prompt["params"]["sessionId"], "tool_call", toolCallId="c", title="Count", status="in_progress")


async def _while_it_waits_for_an_answer(agent: Socket) -> None:
    prompt = await _prompted(agent)
    agent.ask(prompt["params"]["sessionId"], 0)
    await until_row(Approval.objects.filter(state="open").exists)


async def _introduced(agent: Socket) -> None:
    hello = await agent.asked("initialize")
    agent.say({"id": hello["id"], "result": {"protocolVersion": 1}})


async def _prompted(agent: Socket) -> Frame:
    await _introduced(agent)
    opening = await agent.asked("session/new")
    agent.say({"id": opening["id"], "result": {"sessionId": f"of {agent.link}"}})
    return await agent.asked("session/prompt")


CRASHES: list[Play] = [
    _before_it_says_who_it_is,
    _before_it_opens_a_session,
    _before_its_first_word,
    _in_the_middle_of_a_word,
    _while_it_waits_for_an_answer,
]


@pytest.mark.parametrize("connector", [True, False], ids=["connector", "plain"])
@pytest.mark.parametrize("play", CRASHES, ids=lambda play: play.__name__.strip("_"))
async def test_the_work_of_an_agent_that_crashed_is_done_by_its_next_program(
    team: Team, key: str, play: Play, connector: bool
) -> None:
    task = await read_async(team.assigned)
    broken = Socket(uuid4(), answering=False, is_connector=connector).open(key)
    await play(broken)
    if connector:
        broken.say({"method": "_clawgroups/exited", "params": {"code": 9, "stderr_tail": "out of ideas"}})
    await broken.hang_up()
    async with connected(key, is_connector=connector) as agent:
        await _given_again(team, task)
        prompt = await agent.asked("session/prompt")
        agent.chunk(prompt["params"]["sessionId"], "The whole word.")
        agent.end_turn(prompt)
        await task_state(task, "in_review")
        assert [f for f in agent.heard if f.get("method") == "session/cancel"] == []
    last = await read_async(Attempt.objects.filter(task=task).latest, "number")
    assert (last.state, last.result) == ("submitted", "The whole word.")
    assert not await read_async(Approval.objects.filter(state="open").exists)
    assert (await read_async(team.journal)).count("task.submitted") == 1


async def _given_again(team: Team, task: Task) -> None:
    """What the coordinator would do: the task is given out once more, unless it waits for this very agent."""
    row = await until_row(lambda: Task.objects.get(pk=task.pk))
    if row.state == "ready":
        seat, ada = await read_async(team.seat, "scribe"), await read_async(team.actor, "ada")
        await perform_async(tasks.assign_task, task.pk, member_id=seat.pk, actor=ada)


@pytest.mark.parametrize("connector", [True, False], ids=["connector", "plain"])
async def test_an_agent_that_crashes_while_it_is_being_stopped_has_stopped(
    team: Team, key: str, connector: bool
) -> None:
    task = await read_async(team.assigned)
    async with connected(key, is_connector=connector) as agent:
        await agent.asked("session/prompt")
        await task_state(task, "working")
        bob = await read_async(team.actor, "bob")
        await perform_async(takeover.take_over, task.pk, actor=bob)
        await agent.asked("session/cancel")
        if connector:
            agent.say({"method": "_clawgroups/exited", "params": {"code": 9}})
        await agent.hang_up()
    await until_row(lambda: attempt_of(task), lambda row: row.stop in ("done", "gone", ""))
    assert (await read_async(Task.objects.get, pk=task.pk)).state == "held"
