"""Agents that wake up when their attempt is over: everything is kept, nothing applied, and they are told once."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from clawgroups.core.lifecycle import AttemptState
from clawgroups.gateway.link import Link
from clawgroups.gateway.switchboard import switchboard
from clawgroups.models import Attempt, Command, Session, Task
from clawgroups.services import late, sessions, takeover, tasks
from clawgroups.services.perform import perform, perform_async, read_async
from tests.conftest import Team, online_agent
from tests.gateway.support import Frame, Socket, attempt_of, connected, new_key, task_state, texts, until_row

pytestmark = pytest.mark.django_db(transaction=True)

TOLD = "_clawgroups/stale_attempt"


@pytest.fixture
def key(team: Team) -> str:
    return new_key(team)[0]


async def expire(socket: Socket, prompt: Frame) -> None:
    """Contact was lost for longer than the grace; the agent itself knows nothing of it."""
    row = await read_async(Session.objects.get, acp_id=prompt["params"]["sessionId"])
    await perform_async(sessions.session_lost, row.pk, reason="contact to the agent was lost")


async def rejoin(before: Socket, key: str) -> Socket:
    """The same link on a new socket, past `initialize`, with what was not stored sent again."""
    socket = Socket(before.link, answering=False).open(key)
    resume = await socket.asked("_clawgroups/resume")
    for frame in before.said[int(resume["params"]["received"]) :]:
        socket.say(frame)
    hello = await socket.asked("initialize")
    socket.say({"id": hello["id"], "result": {"protocolVersion": 1}})
    return socket


def told(socket: Socket) -> list[dict[str, Any]]:
    return [frame["params"] for frame in socket.heard if frame.get("method") == TOLD]


async def test_a_late_result_is_told_once_noted_and_never_said_again(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    first = Socket(uuid4()).open(key)
    prompt = await first.asked("session/prompt")
    await first.hang_up()
    await expire(first, prompt)
    second = await rejoin(first, key)
    second.chunk(prompt["params"]["sessionId"], "done after all")
    second.end_turn(prompt)
    said = (await second.asked(TOLD))["params"]
    epoch = (await read_async(Task.objects.get, pk=task.pk)).epoch
    session = prompt["params"]["sessionId"]
    assert said == {"session": session, "request": prompt["id"], "current_epoch": epoch, "kept_as": "late_result"}
    # The word was lost with the socket, or not: nobody has said so yet.
    await second.hang_up()
    third = await rejoin(second, key)
    assert (await third.asked(TOLD))["params"] == said
    third.say({"method": "_clawgroups/noted", "params": {"request": prompt["id"]}})
    row = await until_row(lambda: Command.objects.get(purpose="stale"), lambda row: row.state == "answered")
    assert row.pk == late.told_id(UUID(prompt["id"]))
    await third.hang_up()
    fourth = await rejoin(third, key)
    fourth.update(session, "usage_update", used=1, size=2)
    await fourth.acked(len(fourth.said))
    assert told(fourth) == []
    assert await read_async(Command.objects.filter(purpose="stale").count) == 1
    await fourth.hang_up()


async def test_a_process_that_dies_before_the_word_went_out_leaves_it_to_the_next(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    first = Socket(uuid4()).open(key)
    prompt = await first.asked("session/prompt")
    bob = await read_async(team.actor, "bob")
    await perform_async(takeover.take_over, task.pk, actor=bob)
    await first.asked("session/cancel")
    first.chunk(prompt["params"]["sessionId"], "I went on")
    first.end_turn(prompt)
    await until_row(lambda: Command.objects.filter(purpose="stale").first())
    await first.kill()
    second = await rejoin(first, key)
    assert (await second.asked(TOLD))["params"]["kept_as"] == "late_result"
    assert (await read_async(attempt_of, task)).late_result == "I went on"
    assert (await read_async(team.journal)).count("attempt.late_result_kept") == 1
    await second.hang_up()


async def test_a_plain_socket_is_told_nothing_more(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key, is_connector=False) as agent:
        prompt = await agent.asked("session/prompt")
        ada = await read_async(team.actor, "ada")
        await perform_async(takeover.take_over, task.pk, actor=ada)
        agent.chunk(prompt["params"]["sessionId"], "too late")
        agent.end_turn(prompt)
        await until_row(lambda: attempt_of(task), lambda row: row.late_result == "too late")
        assert not await read_async(Command.objects.filter(purpose="stale").exists)
        assert not [f for f in agent.heard if str(f.get("method", "")).startswith("_clawgroups/")]


async def test_a_stop_that_is_obeyed_needs_no_word(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        ada = await read_async(team.actor, "ada")
        await perform_async(tasks.cancel_task, task.pk, actor=ada)
        agent.end_turn(prompt, "cancelled")
        row = await until_row(lambda: attempt_of(task), lambda row: row.stop == "done")
        assert (row.late_at, row.late_result) == (None, "")
        assert not await read_async(Command.objects.filter(purpose="stale").exists)


async def test_a_message_that_the_stop_fell_into_is_kept_whole(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        session = prompt["params"]["sessionId"]
        agent.chunk(session, "Sales rose ")
        await until_row(lambda: texts(task))
        ada = await read_async(team.actor, "ada")
        await perform_async(takeover.take_over, task.pk, actor=ada)
        agent.chunk(session, "by 4.")
        agent.end_turn(prompt)
        row = await until_row(lambda: attempt_of(task), lambda row: row.late_at is not None)
        assert row.late_result == "Sales rose by 4."


@pytest.mark.parametrize(("second", "kept"), [("m1", "Sales rose by 4."), ("m2", "by 4.")])
async def test_a_named_message_is_whole_and_another_is_another(team: Team, key: str, second: str, kept: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        session = prompt["params"]["sessionId"]
        agent.chunk(session, "Sales rose ", message="m1")
        await until_row(lambda: texts(task))
        ada = await read_async(team.actor, "ada")
        await perform_async(takeover.take_over, task.pk, actor=ada)
        agent.chunk(session, "by 4.", message=second)
        agent.end_turn(prompt)
        row = await until_row(lambda: attempt_of(task), lambda row: row.late_at is not None)
        assert row.late_result == kept


async def test_a_completion_that_this_process_never_sent_the_prompt_of_is_taken(team: Team, key: str) -> None:
    """Rows decide: the prompt was marked by a socket that was still there when the new one looked."""
    task = await read_async(team.assigned)
    agent = Socket(uuid4()).open(key)
    prompt = await agent.asked("session/prompt")
    await task_state(task, "working")
    # What this process remembers of it is gone.
    (line,) = [one for one in switchboard().lines() if one.held.link == agent.link]
    assert isinstance(line, Link)
    line._pump.outstanding.clear()
    agent.chunk(prompt["params"]["sessionId"], "all the same")
    agent.end_turn(prompt)
    await task_state(task, "in_review")
    assert (await read_async(attempt_of, task)).result == "all the same"
    await agent.hang_up()


async def test_a_socket_that_was_replaced_marks_nothing_as_sent(team: Team, key: str) -> None:
    agent = Socket(uuid4()).open(key)
    await agent.asked("initialize")
    await agent.acked(1)
    await read_async(team.assigned)
    opening = await agent.asked("session/new")
    command = await read_async(Command.objects.get, pk=opening["id"])
    old = await read_async(lambda: command.agent.connection_epoch)
    await agent.kill()
    again = Socket(agent.link, answering=False).open(key)
    await again.asked("_clawgroups/resume")
    await read_async(lambda: Command.objects.filter(pk=command.pk).update(state="open"))
    outcome = await read_async(
        lambda: sessions.command_sent(command.pk, link=agent.link, epoch=old).result(10)  # the older socket's pump
    )
    assert not outcome.applied
    assert (await read_async(Command.objects.get, pk=command.pk)).state == "open"
    await again.hang_up()


async def _stale(team: Team, names: list[str]) -> dict[str, tuple[Task, Socket, Frame, str]]:
    """Each agent in the middle of a turn, its line cut, its attempt given up."""
    found = {}
    for name in names:
        team.agents[name] = await read_async(online_agent, team, name, "writing")
        key, _ = await read_async(new_key, team, name)
        task = await read_async(team.one_task)
        ada = await read_async(team.actor, "ada")
        seat = await read_async(team.seat, name)
        socket = Socket(uuid4()).open(key)
        await socket.asked("initialize")
        await perform_async(tasks.assign_task, task.pk, member_id=seat.pk, actor=ada)
        prompt = await socket.asked("session/prompt")
        await task_state(task, "working")
        await socket.hang_up()
        await expire(socket, prompt)
        found[name] = (task, socket, prompt, key)
    return found


async def test_stale_agents_that_wake_after_the_reassignment_are_archived_and_told_and_applied_never(
    team: Team,
) -> None:
    """T16 at reduced size: N late results archived, 0 applied, N told."""
    names = [f"sleeper{number}" for number in range(8)]
    stale = await _stale(team, names)
    ada = await read_async(team.actor, "ada")
    for number, name in enumerate(names):
        task = stale[name][0]
        other = await read_async(team.seat, "scribe" if number % 2 else "counter")
        await perform_async(tasks.assign_task, task.pk, member_id=other.pk, actor=ada)
    woken = {name: await rejoin(socket, key) for name, (_, socket, _, key) in stale.items()}
    for name, socket in woken.items():
        prompt = stale[name][2]
        socket.chunk(prompt["params"]["sessionId"], f"late words of {name}")
        socket.end_turn(prompt)
    for name, socket in woken.items():
        assert (await socket.asked(TOLD))["params"]["request"] == stale[name][2]["id"]
    rows = await read_async(lambda: list(Attempt.objects.filter(late_at__isnull=False)))
    assert sorted(row.late_result for row in rows) == sorted(f"late words of {name}" for name in names)
    assert {row.state for row in rows} == {AttemptState.EXPIRED.value}
    journal = await read_async(team.journal)
    assert journal.count("attempt.late_result_kept") == len(names)
    assert journal.count("task.submitted") == journal.count("task.late_result_adopted") == 0
    for task, *_ in stale.values():
        row = await read_async(Task.objects.select_related("attempt").get, pk=task.pk)
        assert (row.state, row.attempt.result if row.attempt else None) == ("assigned", "")
    assert sum(len(told(socket)) for socket in woken.values()) == len(names)
    for socket in woken.values():
        await socket.hang_up()


async def test_the_accepted_result_of_another_makes_an_identical_late_one_a_plain_duplicate(
    team: Team, key: str
) -> None:
    task = await read_async(team.assigned)
    first = Socket(uuid4()).open(key)
    prompt = await first.asked("session/prompt")
    await first.hang_up()
    await expire(first, prompt)
    ada = await read_async(team.actor, "ada")

    def other() -> None:
        perform(tasks.assign_task, task.pk, member_id=team.seat("judge").pk, actor=ada)
        team.send("judge")
        team.answer("judge", {"sessionId": "j"})
        team.send("judge")
        team.finish("judge", "Sales rose by 4.")

    await read_async(other)
    before = await read_async(team.journal)
    second = await rejoin(first, key)
    second.chunk(prompt["params"]["sessionId"], "Sales rose by 4.")
    second.end_turn(prompt)
    row = await until_row(lambda: attempt_of(task), lambda row: row.stop == "done")
    await second.acked(len(first.said) + 3)
    assert (row.late_at, row.late_result) == (None, "")
    assert [one for one in await read_async(team.journal) if one.startswith(("task", "attempt"))] == [
        one for one in before if one.startswith(("task", "attempt"))
    ]
    assert told(second) == []
    await second.hang_up()
