"""An agent opens sessions for as long as it lives: few are kept in mind, and it is heard in all of them."""

from __future__ import annotations

import pytest

from clawgroups.gateway import sessions
from clawgroups.gateway.switchboard import switchboard
from clawgroups.models import Session, Task
from clawgroups.services.perform import read_async
from tests.conftest import Team
from tests.gateway.support import Socket, connected, new_key, task_state, texts, until_row

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key(team: Team, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sessions, "IDLE", 1)
    return new_key(team)[0]


async def works(team: Team, agent: Socket, number: int) -> tuple[Task, str]:
    """Its next task, in a session of its own."""
    task = await read_async(team.assigned)
    prompt = await agent.asked("session/prompt", number)
    session = prompt["params"]["sessionId"]
    if number == 2:
        agent.update(session, "subagent_update", sessionId="child", title="Reader", state={"state": "running"})
    agent.chunk(session, f"result {number}")
    agent.end_turn(prompt)
    await task_state(task, "in_review")
    return task, session


def in_mind(agent: Socket) -> list[str]:
    """The sessions that the server's end of this socket remembers."""
    line = next(one for one in switchboard().lines() if one.held.link == agent.link)
    return list(line._worker._sessions._known)  # type: ignore[attr-defined]


async def test_an_agent_is_heard_in_a_session_that_it_left_long_ago(team: Team, key: str) -> None:
    async with connected(key) as agent:
        first, session = await works(team, agent, 1)
        others = [await works(team, agent, number) for number in (2, 3, 4)]
        # The one that was opened last, and the one with a child.
        assert in_mind(agent) == [others[0][1], others[2][1]]
        agent.chunk(session, "and one thing more")
        await until_row(lambda: texts(first), lambda said: "and one thing more" in [text for text, _ in said])
        agent.update("child", "tool_call", toolCallId="c", title="Reads on", kind="read", status="completed")
        await until_row(lambda: texts(others[0][0], "notice"), lambda said: said == [("Reads on: completed\n", True)])
        assert await read_async(texts, first, "notice") == []
        # Nobody's, for as long as it opens no session.
        agent.chunk("stranger", "hello")
        agent.ask("stranger", 7)
        assert "no such session" in (await agent.answered(7))["error"]["message"]


async def test_an_id_that_was_used_for_an_older_session_cannot_be_used_for_another_one(team: Team, key: str) -> None:
    async with connected(key) as agent:
        _, session = await works(team, agent, 1)
        await works(team, agent, 2)
        await works(team, agent, 3)
        assert session not in in_mind(agent)
        agent.answering = False
        task = await read_async(team.assigned)
        opening = await agent.asked("session/new", 4)
        agent.say({"id": opening["id"], "result": {"sessionId": session}})
        rows = Session.objects.filter(task=task).exclude(state="opening").values_list("state", "acp_id")
        assert await until_row(lambda: list(rows.all())) == [("closed", "")]
