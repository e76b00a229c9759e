"""The order of what an agent says is kept however slow the database is; a stop is answered, ends once, and is over."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from clawgroups import ingest
from clawgroups.core.changes import Outcome
from clawgroups.core.errors import Conflict
from clawgroups.gateway.backlog import MAX_ITEMS, Backlog, Item
from clawgroups.models import Approval, Attempt, Entry, Part, Step, Task
from clawgroups.services import approvals, takeover, tasks
from clawgroups.services.perform import perform_async, read_async
from tests.conftest import Team
from tests.gateway.support import Socket, attempt_of, connected, new_key, task_state, until_row

pytestmark = pytest.mark.django_db(transaction=True)
UPDATES = 5000


@pytest.fixture
def key(team: Team) -> str:
    return new_key(team)[0]


@pytest.fixture
def slow_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each record takes a while longer, in which the socket could run ahead."""
    submit = ingest.Intake._submit

    async def slowly(intake: ingest.Intake, *arguments: Any) -> Outcome:
        outcome = await submit(intake, *arguments)
        await asyncio.sleep(0.02)
        return outcome

    monkeypatch.setattr(ingest.Intake, "_submit", slowly)
    monkeypatch.setattr(ingest, "EDGE_EVERY", 0.01)


async def test_five_thousand_updates_keep_their_order_and_the_turn_ends_after_the_last(
    team: Team, key: str, slow_database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[int] = []
    put = Backlog.put

    def counting(backlog: Backlog, item: Item, size: int = 0) -> None:
        put(backlog, item, size)
        waiting.append(len(backlog._waiting))

    monkeypatch.setattr(Backlog, "put", counting)
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        session = prompt["params"]["sessionId"]
        for number in range(0, UPDATES, 2):
            agent.update(session, "tool_call", toolCallId=f"c{number}", title=str(number), status="completed")
            agent.chunk(session, str(number + 1))
        agent.end_turn(prompt)
        await task_state(task, "in_review")
    said = await read_async(_in_order, task)
    assert said == [str(number) for number in range(UPDATES)]
    assert max(waiting) <= MAX_ITEMS + 1
    kinds = await read_async(team.journal)
    last_step = len(kinds) - 1 - kinds[::-1].index("step.recorded")
    assert last_step < kinds.index("task.submitted")
    assert kinds.count("step.recorded") == UPDATES // 2
    assert (await read_async(attempt_of, task)).result == str(UPDATES - 1)


def _in_order(task: Task) -> list[str]:
    steps = Step.objects.filter(attempt__task=task).values_list("ordinal", "title")
    parts = Part.objects.filter(attempt__task=task).values_list("ordinal", "text")
    return [text for _, text in sorted([*steps, *parts])]


async def _with_two_questions(agent: Socket, task: Task) -> dict[str, Any]:
    prompt = await agent.asked("session/prompt")
    for request_id, call in ((0, "c0"), ("0", "c1")):
        agent.ask(prompt["params"]["sessionId"], request_id, call)
    await until_row(lambda: Approval.objects.filter(task=task, state="open").count(), lambda found: found == 2)
    return prompt


async def test_a_stop_answers_every_question_ends_once_and_the_next_turn_goes_as_ever(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await _with_two_questions(agent, task)
        ada = await read_async(team.actor, "ada")
        await perform_async(tasks.cancel_task, task.pk, actor=ada)
        for request_id in (0, "0"):
            assert (await agent.answered(request_id))["result"] == {"outcome": {"outcome": "cancelled"}}
        await agent.asked("session/cancel")
        agent.update(prompt["params"]["sessionId"], "tool_call_update", toolCallId="c0", status="failed")
        agent.end_turn(prompt, "cancelled")
        # What it says of the end after the end is not an end.
        agent.end_turn(prompt, "end_turn")
        agent.say({"id": prompt["id"], "error": {"code": -32603, "message": "aborted"}})
        await until_row(lambda: attempt_of(task), lambda row: row.stop == "done")
        following = await read_async(team.assigned)
        again = await agent.asked("session/prompt", 2)
        agent.chunk(again["params"]["sessionId"], "The next one.")
        agent.end_turn(again)
        await task_state(following, "in_review")
        await agent.acked(len(agent.said))
        assert len([f for f in agent.heard if f.get("method") == "session/cancel"]) == 1
    journal = await read_async(team.journal)
    assert [kind for kind in journal if kind == "task.cancelled"] == ["task.cancelled"]
    assert journal.count("task.submitted") == 1
    assert (await read_async(Task.objects.get, pk=task.pk)).state == "cancelled"
    assert await read_async(Attempt.objects.filter(task=task).count) == 1


async def test_a_stop_before_the_session_is_open_leaves_nothing_to_prompt(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key, answering=False) as agent:
        hello = await agent.asked("initialize")
        agent.say({"id": hello["id"], "result": {"protocolVersion": 1}})
        opening = await agent.asked("session/new")
        ada = await read_async(team.actor, "ada")
        await perform_async(tasks.cancel_task, task.pk, actor=ada)
        agent.say({"id": opening["id"], "result": {"sessionId": "too late"}})
        await agent.acked(2)
        following = await read_async(team.assigned)
        opening = await agent.asked("session/new", 2)
        agent.say({"id": opening["id"], "result": {"sessionId": "in time"}})
        prompt = await agent.asked("session/prompt")
        assert prompt["params"]["sessionId"] == "in time"
        agent.chunk("in time", "Done.")
        agent.end_turn(prompt)
        await task_state(following, "in_review")


@pytest.mark.parametrize("how", ["the agent is restarted", "the task is taken over", "the agent takes it back"])
async def test_a_click_on_a_question_that_is_over_is_refused_and_reaches_nobody(team: Team, key: str, how: str) -> None:
    task = await read_async(team.assigned)
    bob = await read_async(team.actor, "bob")
    async with contextlib.AsyncExitStack() as lines:
        agent = await lines.enter_async_context(connected(key))
        await _with_two_questions(agent, task)
        question = await read_async(lambda: Approval.objects.filter(task=task).earliest("asked_at"))
        heard = [agent.heard]
        if how == "the task is taken over":
            await perform_async(takeover.take_over, task.pk, actor=bob)
        elif how == "the agent takes it back":
            agent.say({"method": "$/cancel_request", "params": {"requestId": 0}})
        else:
            await agent.hang_up()
            restarted = await lines.enter_async_context(connected(key))
            heard.append(restarted.heard)
        await until_row(lambda: Approval.objects.get(pk=question.pk), lambda row: row.state == "void")
        with pytest.raises(Conflict):
            await perform_async(approvals.decide_approval, question.pk, option_id="yes", actor=bob)
    outcomes = [f["result"]["outcome"]["outcome"] for line in heard for f in line if "outcome" in f.get("result", {})]
    assert "selected" not in outcomes
    assert not await read_async(Entry.objects.filter(type="approval.decided").exists)
