"""An agent that numbers its questions anew asks something new: no answer to an older question is taken for it."""

from __future__ import annotations

from uuid import uuid4

import pytest

from clawgroups.models import Task
from clawgroups.services.perform import read_async
from tests.conftest import Team
from tests.gateway.support import Socket, connected, new_key
from tests.gateway.test_asking import NO, YES, answers, asks, frames_for, until_open

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def key(team: Team) -> str:
    made: str = (await read_async(new_key, team))[0]
    return made


async def asked_and_allowed(team: Team, agent: Socket, task: Task, session: str) -> None:
    """Question 0 was answered, and the agent has heard it."""
    asks(agent, session, 0, "make")
    [row] = await until_open(task)
    await answers(team, row, "yes")
    assert (await agent.answered(0))["result"] == YES


async def test_an_old_answer_is_not_repeated_on_a_new_line_while_its_id_is_asked_again(team: Team, key: str) -> None:
    task, link = await read_async(team.assigned), uuid4()
    async with connected(key, link=link) as first:
        session = (await first.asked("session/prompt"))["params"]["sessionId"]
        await asked_and_allowed(team, first, task, session)
        asks(first, session, 0, "rm -r x", "c2")
        await until_open(task)
        await first.kill()
    async with connected(key, link=link) as second:
        asks(second, session, 1, "ls", "c3")
        open_ones = await until_open(task, 2)
        await answers(team, open_ones[1], "yes")
        # Whatever is repeated came before this one.
        assert (await second.answered(1))["result"] == YES
        assert frames_for([second], 0) == []
        await answers(team, open_ones[0], "no")
        assert (await second.answered(0))["result"] == NO
    async with connected(key, link=link) as third:
        asks(third, session, 2, "ls", "c4")
        [last] = await until_open(task)
        await answers(team, last, "yes")
        await third.answered(2)
        # Of two answers under one id only the newer may be repeated.
        assert [frame["result"] for frame in frames_for([third], 0)] in ([], [NO])
