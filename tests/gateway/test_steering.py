"""A person steers an agent's live session over its socket: one turn at a time, and each word in the right attempt."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Change
from clawgroups.gateway import steers
from clawgroups.models import Approval, Command, Draft, Entry, Session, Step, Task
from clawgroups.services import approvals, handback, steering, takeover, tasks
from clawgroups.services.attempts import ask_to_stop
from clawgroups.services.perform import perform_async, read_async
from tests.conftest import Team
from tests.gateway.support import Frame, Socket, attempt_of, connected, new_key, task_state, texts, until_row

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key(team: Team) -> str:
    return new_key(team)[0]


async def taken(team: Team, agent: Socket, task: Task) -> Frame:
    """Bob takes the task over in the middle of the agent's turn; the prompt, which is not answered yet."""
    prompt = await agent.asked("session/prompt")
    await task_state(task, "working")
    agent.chunk(session_of(prompt), "Half of it")
    await until_row(lambda: texts(task))
    bob = await read_async(team.actor, "bob")
    await perform_async(takeover.take_over, task.pk, actor=bob)
    await agent.asked("session/cancel")
    return prompt


async def held(team: Team, agent: Socket, task: Task) -> str:
    """The same, and the agent has stopped; its session."""
    prompt = await taken(team, agent, task)
    agent.end_turn(prompt, "cancelled")
    await until_row(lambda: attempt_of(task), lambda row: row.stop == "done")
    return session_of(prompt)


def session_of(prompt: Frame) -> str:
    return str(prompt["params"]["sessionId"])


async def ask(team: Team, task: Task, text: str, when: str = "now") -> Any:
    bob = await read_async(team.actor, "bob")
    return (await perform_async(steering.steer, task.pk, text=text, when=when, actor=bob)).answer["id"]


async def over(command_id: Any) -> Command:
    """The steer, once its turn is answered."""
    return await until_row(lambda: Command.objects.get(pk=command_id), lambda row: row.state in ("answered", "failed"))


def prompts(agent: Socket) -> list[str]:
    found = [f for f in agent.heard if f.get("method") == "session/prompt"]
    return [str(f["params"]["_meta"]["clawgroups"].get("said", "")) for f in found]


async def test_a_steered_turn_waits_for_the_old_one_and_each_word_stays_in_its_own_attempt(
    team: Team, key: str
) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await taken(team, agent, task)
        session = session_of(prompt)
        steered = await ask(team, task, "Say it in one line.")
        agent.chunk(session, " that trails")
        agent.update(session, "tool_call", toolCallId="c1", title="Write", status="completed")
        await until_row(lambda: texts(task), lambda found: found[-1] == (" that trails", True))
        assert prompts(agent) == [""]
        agent.end_turn(prompt, "cancelled")
        again = await agent.asked("session/prompt", 2)
        assert session_of(again) == session
        agent.chunk(session, "It rains.")
        agent.update(session, "tool_call", toolCallId="c2", title="Count", status="completed")
        agent.chunk(session, "One line: it rains.")
        agent.end_turn(again)
        await over(steered)
    assert await read_async(texts, task) == [("Half of it", False), (" that trails", True)]
    assert await read_async(texts, task, "notice") == [("Write: completed\n", True)]
    assert await read_async(texts, task, "prompt", 2) == [("Say it in one line.", False)]
    assert await read_async(texts, task, "text", 2) == [("It rains.", False), ("One line: it rains.", False)]
    rows = await read_async(lambda: list(Step.objects.values_list("tool_call_id", "attempt__number")))
    assert rows == [("c2", 2)]
    offer = await read_async(Draft.objects.get, kind="offered")
    assert offer.text == "One line: it rains."
    assert (await read_async(Task.objects.get, pk=task.pk)).state == "held"
    recorded = await read_async(lambda: Entry.objects.filter(type="step.recorded").latest("seq"))
    assert recorded.actor["on_behalf_of"] == team.users["bob"].pk


async def test_words_that_come_while_the_session_moves_on_stay_with_the_attempt_before(
    team: Team, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The very window: after all was stored, before the prompt is on the wire."""
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        session = await held(team, agent, task)
        marked = steers.Steers._marked

        async def slowly(self: Any, command: Command) -> Command | None:
            row = await marked(self, command)
            before = len(agent.said)
            agent.chunk(session, "after the last word")
            agent.update(session, "tool_call", toolCallId="late", title="Late", status="completed")
            agent.ask(session, 99, "late")
            # The socket's reader gets its turn before the frame goes out.
            for _ in range(20):
                await asyncio.sleep(0)
            assert len(agent.said) == before + 3
            return row

        monkeypatch.setattr(steers.Steers, "_marked", slowly)
        steered = await ask(team, task, "Go on.")
        again = await agent.asked("session/prompt", 2)
        assert (await agent.answered(99))["result"] == {"outcome": {"outcome": "cancelled"}}
        agent.chunk(session, "The new turn.")
        agent.end_turn(again)
        await over(steered)
    assert await read_async(texts, task, "text", 1) == [("Half of it", False), ("after the last word", True)]
    assert await read_async(texts, task, "notice", 1) == [("Send it: completed\n", True)]
    assert await read_async(texts, task, "text", 2) == [("The new turn.", False)]
    assert await read_async(Step.objects.filter(attempt__number=2).count) == 0
    assert await read_async(Approval.objects.count) == 0


async def test_now_stops_what_runs_and_goes_before_what_waits(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        session = await held(team, agent, task)
        first = await ask(team, task, "One")
        one = await agent.asked("session/prompt", 2)
        agent.update(session, "tool_call", toolCallId="c1", title="Look", status="in_progress")
        await until_row(Step.objects.count)
        await ask(team, task, "Two", "after_step")
        third = await ask(team, task, "Three", "now")
        await agent.asked("session/cancel", 2)
        assert prompts(agent)[1:] == ["One"]
        agent.end_turn(one, "cancelled")
        three = await agent.asked("session/prompt", 3)
        agent.chunk(session, "Third.")
        agent.end_turn(three)
        await agent.asked("session/prompt", 4)
        assert prompts(agent)[1:] == ["One", "Three", "Two"]
        assert [(await over(one)).answer["outcome"] for one in (first, third)] == ["cancelled", "end_turn"]
        assert len([f for f in agent.heard if f.get("method") == "session/cancel"]) == 2
        status = await read_async(lambda: Step.objects.get(tool_call_id="c1").status)
        assert status == "cancelled"


async def test_after_a_step_the_turn_gives_way_as_soon_as_its_tool_call_is_over(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        session = await held(team, agent, task)
        await ask(team, task, "One")
        one = await agent.asked("session/prompt", 2)
        agent.update(session, "tool_call", toolCallId="c1", title="Look", status="in_progress")
        await until_row(Step.objects.count)
        await ask(team, task, "Two", "after_step")
        agent.chunk(session, "still at it")
        await until_row(lambda: texts(task, "text", 2))
        assert len([f for f in agent.heard if f.get("method") == "session/cancel"]) == 1
        agent.update(session, "tool_call_update", toolCallId="c1", status="completed")
        await agent.asked("session/cancel", 2)
        agent.end_turn(one, "cancelled")
        await agent.asked("session/prompt", 3)
        assert prompts(agent)[1:] == ["One", "Two"]
        assert await read_async(lambda: Step.objects.get().status) == "completed"


async def test_after_a_step_means_at_once_where_none_is_under_way(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        session = await held(team, agent, task)
        await ask(team, task, "One")
        await agent.asked("session/prompt", 2)
        agent.chunk(session, "thinking aloud")
        await ask(team, task, "Two", "after_step")
        await agent.asked("session/cancel", 2)


async def test_a_stop_that_comes_too_late_never_meets_the_next_turn(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        await held(team, agent, task)
        first = await ask(team, task, "One")
        one = await agent.asked("session/prompt", 2)
        await ask(team, task, "Two", "after_step")
        await agent.asked("session/cancel", 2)
        agent.end_turn(one)
        two = await agent.asked("session/prompt", 3)
        # A stop for the first one, decided before it was known to be over.
        await read_async(_stop_of, first)
        agent.chunk(session_of(two), "Second.")
        agent.end_turn(two)
        await until_row(Draft.objects.filter(kind="offered", text="Second.").count)
        await until_row(lambda: Command.objects.filter(purpose="cancel", state="open").count(), lambda n: n == 0)
        assert len([f for f in agent.heard if f.get("method") == "session/cancel"]) == 2


def _stop_of(command_id: Any) -> None:
    turn = Command.objects.select_related("session", "attempt").get(pk=command_id)
    assert turn.session is not None
    assert turn.attempt is not None
    decision = ask_to_stop(turn.session, turn.attempt, timezone.now(), turn=turn)
    commit.submit(
        Change(SYSTEM, turn.session.workspace_id, writes=tuple(decision.writes), wakes=tuple(decision.wakes))
    ).result()


async def test_a_steered_turn_asks_its_holder_and_the_holders_task_waits_on(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        session = await held(team, agent, task)
        steered = await ask(team, task, "Send it.")
        prompt = await agent.asked("session/prompt", 2)
        agent.ask(session, 5, "c5")
        asked = await until_row(lambda: Approval.objects.filter(state="open").first())
        row = await read_async(Task.objects.get, pk=task.pk)
        assert asked is not None
        assert (asked.attempt_id, asked.epoch) == (row.attempt_id, row.epoch)
        assert (row.state, row.next_actor, row.blocked_on) == ("held", "bob", "person")
        assert "reminded" in row.deadline_effect
        bob = await read_async(team.actor, "bob")
        await perform_async(approvals.decide_approval, asked.pk, option_id="yes", actor=bob)
        assert (await agent.answered(5))["result"]["outcome"]["optionId"] == "yes"
        agent.ask(session, 6, "c6")
        await until_row(lambda: Approval.objects.filter(state="open").first())
        agent.end_turn(prompt)
        await over(steered)
        assert await read_async(lambda: Approval.objects.filter(state="void").count()) == 1


async def test_a_hand_back_stops_the_turn_and_its_late_words_are_evidence(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        session = await held(team, agent, task)
        await ask(team, task, "One")
        prompt = await agent.asked("session/prompt", 2)
        agent.chunk(session, "So far")
        await until_row(lambda: texts(task, "text", 2))
        await ask(team, task, "Two", "after_step")
        bob = await read_async(team.actor, "bob")
        await perform_async(handback.hand_back, task.pk, note="n", actor=bob)
        agent.chunk(session, " and more")
        agent.end_turn(prompt)
        mine = await until_row(lambda: attempt_of(task, 2), lambda row: row.stop == "done")
        assert (mine.state, mine.result, mine.late_result) == ("superseded", "", "")
        assert await read_async(texts, task, "text", 2) == [("So far", False), (" and more", True)]
        assert prompts(agent) == ["", "One"]
        assert await read_async(lambda: Draft.objects.filter(kind="offered").count()) == 0
        # The session that lives on serves the next attempt.
        scribe = await read_async(team.seat, "scribe")
        ada = await read_async(team.actor, "ada")
        await perform_async(tasks.assign_task, task.pk, member_id=scribe.pk, actor=ada)
        acknowledge = await agent.asked("session/prompt", 3)
        assert session_of(acknowledge) == session


async def test_whoever_takes_it_by_force_steers_the_same_session_in_their_own_attempt(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        session = await held(team, agent, task)
        await ask(team, task, "One")
        prompt = await agent.asked("session/prompt", 2)
        carol = await read_async(team.actor, "carol")
        await perform_async(takeover.take_over, task.pk, force=True, actor=carol)
        await agent.asked("session/cancel", 2)
        steered = await perform_async(steering.steer, task.pk, text="Mine now", when="now", actor=carol)
        agent.chunk(session, "for bob")
        agent.end_turn(prompt, "cancelled")
        mine = await agent.asked("session/prompt", 3)
        agent.chunk(session, "For Carol.")
        agent.end_turn(mine)
        await over(steered.answer["id"])
        assert await read_async(texts, task, "text", 2) == [("for bob", True)]
        assert await read_async(texts, task, "text", 3) == [("For Carol.", False)]
        offer = await read_async(Draft.objects.get, kind="offered")
        assert offer.actor["on_behalf_of"] == team.users["carol"].pk


async def test_a_program_that_ends_cuts_the_steer_off_and_the_hold_stays(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key, is_connector=False) as agent:
        await held(team, agent, task)
        steered = await ask(team, task, "One")
        await agent.asked("session/prompt", 2)
        await agent.hang_up()
    row = await until_row(lambda: Command.objects.get(pk=steered), lambda one: one.state == "interrupted")
    assert row.answer == {"outcome": "cut_off"}
    now = await read_async(Task.objects.get, pk=task.pk)
    assert (now.state, now.epoch) == ("held", 2)


async def test_a_server_that_restarts_in_the_middle_loses_nothing(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    agent = Socket(uuid4()).open(key)
    session = await held(team, agent, task)
    steered = await ask(team, task, "One")
    prompt = await agent.asked("session/prompt", 2)
    agent.chunk(session, "Said before", message="m1")
    await until_row(lambda: texts(task, "text", 2))
    waiting = await ask(team, task, "Two", "after_step")
    await agent.kill()
    async with connected(key, link=agent.link) as back:
        resent = await back.asked("session/prompt")
        assert resent["id"] == prompt["id"]
        back.chunk(session, " and after", message="m1")
        back.end_turn(prompt)
        assert (await over(steered)).answer["outcome"] == "end_turn"
        two = await back.asked("session/prompt", 2)
        assert two["id"] == waiting
    assert await read_async(texts, task, "text", 2) == [("Said before and after", False)]
    assert (await read_async(Draft.objects.get, kind="offered")).text == "Said before and after"
    assert await read_async(lambda: Session.objects.get().attempt_id) == (await read_async(attempt_of, task, 2)).pk


async def test_what_was_taken_back_is_never_sent(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await taken(team, agent, task)
        first = await ask(team, task, "One")
        second = await ask(team, task, "Two", "after_step")
        bob = await read_async(team.actor, "bob")
        await perform_async(steering.withdraw_steer, task.pk, first, actor=bob)
        agent.end_turn(prompt, "cancelled")
        sent = await agent.asked("session/prompt", 2)
        assert sent["id"] == second
        assert prompts(agent) == ["", "Two"]
