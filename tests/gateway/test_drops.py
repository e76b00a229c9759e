"""Lines drop and processes die in the middle of a turn: nothing is lost and nothing happens twice."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from agents.models import Connection
from clawgroups import ingest
from clawgroups.gateway.switchboard import switchboard
from clawgroups.gateway.worker import Worker
from clawgroups.models import Command, Session, Step
from clawgroups.services import approvals, sessions
from clawgroups.services.perform import perform_async, read_async
from tests.conftest import Team
from tests.gateway.support import Socket, attempt_of, new_key, steps, task_state, texts, until_row

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key(team: Team) -> str:
    return new_key(team)[0]


def _received(socket: Socket) -> int:
    return Connection.objects.get(pk=socket.link).received


def _rejoin(before: Socket, key: str) -> Socket:
    """The same link on a new socket; the agent behind it goes on where it is."""
    return Socket(before.link, answering=False).open(key)


async def _resumed(socket: Socket, said: list[str]) -> int:
    """What a connector does with `_clawgroups/resume`: send the frames after it again, in order."""
    resume = await socket.asked("_clawgroups/resume")
    received = int(resume["params"]["received"])
    for frame in said[received:]:
        socket.say(frame)
    return received


async def test_a_dropped_line_goes_on_where_it_was_stored(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    first = Socket(uuid4()).open(key)
    prompt = await first.asked("session/prompt")
    session = prompt["params"]["sessionId"]
    first.chunk(session, "one ")
    first.chunk(session, "two ")
    await first.hang_up()
    assert await read_async(_received, first) == len(first.said) == 4
    second = _rejoin(first, key)
    assert await _resumed(second, first.said) == 4
    hello = await second.asked("initialize")
    second.say({"id": hello["id"], "result": {"protocolVersion": 1}})
    again = await second.asked("session/prompt")
    assert again["id"] == prompt["id"], "the same request, which the connector drops"
    second.chunk(session, "three")
    second.end_turn(prompt)
    await task_state(task, "in_review")
    assert (await read_async(attempt_of, task)).result == "one two three"
    assert await read_async(texts, task) == [("one two three", False)]
    assert not [f for f in second.heard if f.get("method") == "session/new"]
    await second.hang_up()


@pytest.mark.parametrize("stored", [False, True])
async def test_a_process_that_dies_loses_no_word_and_repeats_none(team: Team, key: str, stored: bool) -> None:
    task = await read_async(team.assigned)
    first = Socket(uuid4()).open(key)
    prompt = await first.asked("session/prompt")
    session = prompt["params"]["sessionId"]
    first.chunk(session, "a")
    first.update(session, "tool_call", toolCallId="c1", title="Look", status="pending")
    if stored:
        await until_row(lambda: steps(task), bool)
    first.chunk(session, "b")
    first.chunk(session, "c")
    first.update(session, "tool_call_update", toolCallId="c1", status="completed")
    first.chunk(session, "d")
    first.end_turn(prompt)
    await first.kill()
    second = _rejoin(first, key)
    await _resumed(second, first.said)
    await task_state(task, "in_review")
    await second.acked(len(first.said))
    assert await read_async(texts, task) == [("a", False), ("bcd", False)]
    assert await read_async(steps, task) == [("c1", "completed")]
    assert (await read_async(attempt_of, task)).result == "bcd"
    assert (await read_async(team.journal)).count("task.submitted") == 1
    await second.hang_up()


async def test_every_kill_point_of_a_turn_ends_in_the_same_rows(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    first = Socket(uuid4()).open(key)
    prompt = await first.asked("session/prompt")
    session = prompt["params"]["sessionId"]
    socket, said = first, first.said
    for number in range(8):
        socket.chunk(session, f"{number}")
        socket.update(session, "tool_call", toolCallId=f"c{number}", title="Look", status="completed")
        said = said if socket is first else [*said, *socket.said[-2:]]
        # Killed at another moment each time: before, in the middle of, or after a record.
        for _ in range(number * 40):
            await read_async(int)
            if number % 2:
                break
        await socket.kill()
        socket = _rejoin(first, key)
        await _resumed(socket, said)
    socket.end_turn(prompt)
    await task_state(task, "in_review")
    assert await read_async(texts, task) == [(f"{number}", False) for number in range(8)]
    assert await read_async(steps, task) == [(f"c{number}", "completed") for number in range(8)]
    await socket.hang_up()


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch, at: int) -> asyncio.Event:
    """The process stops for good between its `at`th commit of frames and their acknowledgement."""
    stored, reached = 0, asyncio.Event()
    acknowledge = Worker._acknowledge

    async def dies(worker: Worker) -> None:
        nonlocal stored
        stored += worker._intake.stored > worker._acknowledged
        if stored == at and not reached.is_set():
            reached.set()
            await asyncio.Event().wait()
        await acknowledge(worker)

    monkeypatch.setattr(Worker, "_acknowledge", dies)
    monkeypatch.setattr(ingest, "EDGE_EVERY", 0.01)
    return reached


@pytest.mark.parametrize("at", range(1, 5))
async def test_a_process_that_dies_between_a_commit_and_its_acknowledgement_doubles_nothing(
    team: Team, key: str, at: int, dying: asyncio.Event
) -> None:
    task = await read_async(team.assigned)
    first = Socket(uuid4()).open(key)
    if at > 2:
        await _whole_turn(first, pause=at > 3)
    await asyncio.wait_for(dying.wait(), 15)
    await first.kill()
    second = Socket(first.link).open(key)
    received = await _resumed(second, first.said)
    assert received == await read_async(_received, second) > 0
    if at <= 2:
        await _whole_turn(second)
    await task_state(task, "in_review")
    assert await read_async(texts, task) == [("one ", False), ("two three", False)]
    assert await read_async(steps, task) == [("c1", "completed")]
    assert (await read_async(team.journal)).count("task.submitted") == 1
    assert len({f["id"] for f in first.heard + second.heard if f.get("method") == "session/prompt"}) == 1
    await second.hang_up()


async def _whole_turn(socket: Socket, *, pause: bool = False) -> None:
    prompt = await socket.asked("session/prompt")
    session = prompt["params"]["sessionId"]
    socket.chunk(session, "one ")
    socket.update(session, "tool_call", toolCallId="c1", title="Look", status="pending")
    if pause:
        await until_row(Step.objects.exists)
    socket.chunk(session, "two ")
    socket.update(session, "tool_call_update", toolCallId="c1", status="completed")
    socket.chunk(session, "three")
    socket.end_turn(prompt)


async def test_an_old_socket_of_the_link_can_store_nothing_any_more(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    first = Socket(uuid4()).open(key)
    prompt = await first.asked("session/prompt")
    await first.acked(2)
    second = _rejoin(first, key)
    await second.asked("_clawgroups/resume")
    first.chunk(prompt["params"]["sessionId"], "from beyond")
    first.end_turn(prompt)
    await first.gone()
    assert first.closed == 1000
    second.chunk(prompt["params"]["sessionId"], "still here")
    second.end_turn(prompt)
    await task_state(task, "in_review")
    assert await read_async(texts, task) == [("still here", False)]
    await second.hang_up()


async def test_a_reply_that_was_lost_with_the_line_is_sent_again(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    first = Socket(uuid4()).open(key)
    prompt = await first.asked("session/prompt")
    first.ask(prompt["params"]["sessionId"], 0)
    approval = await until_row(task.approvals.first, lambda row: row is not None)
    assert approval is not None
    bob = await read_async(team.actor, "bob")
    await perform_async(approvals.decide_approval, approval.pk, option_id="no", actor=bob)
    await first.answered(0)
    await first.hang_up()
    second = _rejoin(first, key)
    await _resumed(second, first.said)
    hello = await second.asked("initialize")
    second.say({"id": hello["id"], "result": {"protocolVersion": 1}})
    again = await second.answered(0)
    assert again["result"]["outcome"]["optionId"] == "no"
    await second.hang_up()


async def test_a_question_stays_open_over_a_drop(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    first = Socket(uuid4()).open(key)
    prompt = await first.asked("session/prompt")
    first.ask(prompt["params"]["sessionId"], 0)
    approval = await until_row(task.approvals.first, lambda row: row is not None)
    assert approval is not None
    await first.kill()
    second = _rejoin(first, key)
    await _resumed(second, first.said)
    hello = await second.asked("initialize")
    second.say({"id": hello["id"], "result": {"protocolVersion": 1}})
    bob = await read_async(team.actor, "bob")
    await perform_async(approvals.decide_approval, approval.pk, option_id="yes", actor=bob)
    assert (await second.answered(0))["result"]["outcome"]["optionId"] == "yes"
    assert await read_async(task.approvals.count) == 1
    await second.hang_up()


async def test_a_request_that_was_marked_but_never_sent_goes_out_on_the_next_socket(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    first = Socket(uuid4(), answering=False).open(key)
    hello = await first.asked("initialize")
    first.say({"id": hello["id"], "result": {"protocolVersion": 1}})
    opening = await first.asked("session/new")
    await first.kill()
    second = Socket(first.link).open(key)
    again = await second.asked("session/new")
    assert again["id"] == opening["id"]
    await task_state(task, "working")
    await second.hang_up()


async def test_a_request_asked_on_a_dead_link_is_not_sent_to_another(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    first = Socket(uuid4(), answering=False).open(key)
    hello = await first.asked("initialize")
    first.say({"id": hello["id"], "result": {"protocolVersion": 1}})
    await first.asked("session/new")
    await first.kill()
    other = Socket(uuid4()).open(key)
    await task_state(task, "ready", "stuck")
    commands = await read_async(lambda: list(Command.objects.filter(attempt__task=task).values_list("state")))
    assert commands == [("interrupted",)]
    await other.hang_up()


async def test_who_comes_back_after_the_grace_is_stopped_and_its_words_are_evidence(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    first = Socket(uuid4()).open(key)
    prompt = await first.asked("session/prompt")
    session = prompt["params"]["sessionId"]
    first.chunk(session, "in time")
    await first.hang_up()
    row = await read_async(Session.objects.get, acp_id=session)
    await perform_async(sessions.session_lost, row.pk, reason="contact was lost")
    await task_state(task, "ready")
    second = _rejoin(first, key)
    hello = await second.asked("initialize")
    second.say({"id": hello["id"], "result": {"protocolVersion": 1}})
    assert (await second.asked("session/cancel"))["params"] == {"sessionId": session}
    second.chunk(session, " or too late")
    second.end_turn(prompt)
    attempt = await until_row(lambda: attempt_of(task), lambda row: row.late_result)
    assert (attempt.state, attempt.result, attempt.late_result) == ("expired", "", "in time or too late")
    assert await read_async(texts, task) == [("in time", False), (" or too late", True)]
    assert (await read_async(team.journal))[-1] == "attempt.late_result_kept"
    await task_state(task, "ready")
    assert not [f for f in second.heard if f.get("method") == "session/prompt"]
    await second.hang_up()


async def test_a_leaving_process_says_so_and_stores_what_it_has(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    agent = Socket(uuid4()).open(key)
    prompt = await agent.asked("session/prompt")
    agent.chunk(prompt["params"]["sessionId"], "so far")
    await task_state(task, "working")
    await switchboard().leave(3)
    assert (await agent.asked("_clawgroups/draining"))["params"] == {"retry_after": 3}
    await agent.hang_up()
    # Either stored, or left in the connector's outbox to be sent again.
    received = await read_async(_received, agent)
    assert await read_async(texts, task) == ([("so far", False)] if received == 3 else [])
