"""What agents ask on the wire: changed arguments, several at once, lines that drop; and that no agent answers it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client as Browser

from clawgroups.auth import session_key
from clawgroups.core.actors import COORDINATOR, SYSTEM, Actor, ActorKind, coordinator_for
from clawgroups.core.errors import ClawError, Conflict
from clawgroups.gateway.toolbox import offers
from clawgroups.models import Approval, Command, Member, Session, Task
from clawgroups.services import approvals
from clawgroups.services.perform import perform, perform_async, read_async
from tests.conftest import Team
from tests.gateway.support import Frame, Socket, connected, new_key, until_row
from tests.services import ask_support

pytestmark = pytest.mark.django_db(transaction=True)
YES = {"outcome": {"outcome": "selected", "optionId": "yes"}}
NO = {"outcome": {"outcome": "selected", "optionId": "no"}}


@pytest.fixture
async def key(team: Team) -> str:
    made: str = (await read_async(new_key, team))[0]
    return made


def asks(agent: Socket, session: str, request_id: Any, command: str, call: str = "c1") -> None:
    options = [
        {"optionId": "yes", "name": "Allow", "kind": "allow_once"},
        {"optionId": "no", "name": "Reject", "kind": "reject_once"},
    ]
    told = {"toolCallId": call, "kind": "execute", "title": "Run", "rawInput": {"command": command}}
    params = {"sessionId": session, "toolCall": told, "options": options}
    agent.say({"id": request_id, "method": "session/request_permission", "params": params})


async def until_open(task: Task, count: int = 1) -> list[Approval]:
    rows = Approval.objects.filter(task=task, state="open").order_by("asked_at", "pk")
    return await until_row(lambda: list(rows.all()), lambda found: len(found) == count)


async def answers(team: Team, row: Approval, option: str, digest: str = "") -> None:
    bob = await read_async(team.actor, "bob")
    seen = digest or row.digest
    await perform_async(approvals.decide_approval, row.pk, option_id=option, digest=seen, actor=bob)


def frames_for(agents: list[Socket], request_id: Any) -> list[Frame]:
    """Every answer to a request of the agent, on whatever socket it came."""
    said = [frame for agent in agents for frame in agent.heard if "method" not in frame]
    return [frame for frame in said if frame.get("id") == request_id and type(frame["id"]) is type(request_id)]


async def test_a_call_that_is_changed_while_its_question_is_open_is_refused(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        session = (await agent.asked("session/prompt"))["params"]["sessionId"]
        asks(agent, session, 0, "ls")
        [row] = await until_open(task)
        agent.update(session, "tool_call_update", toolCallId="c1", rawInput={"command": "rm -r x"})
        assert (await agent.answered(0))["result"] == NO
        with pytest.raises(Conflict) as refused:
            await answers(team, row, "yes")
        assert refused.value.code == "changed"
        asks(agent, session, 1, "rm -r x")
        [again] = await until_open(task)
        await answers(team, again, "yes")
        assert (await agent.answered(1))["result"] == YES


async def test_a_question_asked_before_its_call_is_told_shows_the_call_as_soon_as_it_is(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        session = (await agent.asked("session/prompt"))["params"]["sessionId"]
        agent.ask(session, 0)
        [bare] = await until_open(task)
        agent.update(session, "tool_call", toolCallId="c1", title="Run", rawInput={"command": "rm -r x"})
        [full] = await until_row(lambda: list(Approval.objects.filter(state="open").exclude(pk=bare.pk)))
        assert full.tool_call["raw_input"] == {"command": "rm -r x"}
        await answers(team, full, "yes")
        assert (await agent.answered(0))["result"] == YES
        assert len(frames_for([agent], 0)) == 1


async def test_the_same_request_id_with_other_arguments_is_refused_once(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        session = (await agent.asked("session/prompt"))["params"]["sessionId"]
        asks(agent, session, 0, "ls", "c1")
        [row] = await until_open(task)
        asks(agent, session, 0, "rm -r x", "c2")
        assert (await agent.answered(0))["result"] == NO
        assert (await read_async(Approval.objects.get)).pk == row.pk
        assert len(frames_for([agent], 0)) == 1


async def test_the_same_request_about_the_same_call_told_otherwise_is_refused_once_and_leaves_nothing_open(
    team: Team, key: str
) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        session = (await agent.asked("session/prompt"))["params"]["sessionId"]
        asks(agent, session, 0, "ls")
        [first] = await until_open(task)
        asks(agent, session, 0, "rm -r x")
        assert (await agent.answered(0))["result"] == NO
        asks(agent, session, 1, "make", "c2")
        [after] = await until_open(task)
        assert after.request_id == 1
        assert set(await read_async(lambda: list(Approval.objects.values_list("pk", flat=True)))) == {
            first.pk,
            after.pk,
        }
        assert len(frames_for([agent], 0)) == 1


async def test_several_open_at_once_are_answered_each_by_itself_in_any_order(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        session = (await agent.asked("session/prompt"))["params"]["sessionId"]
        for number in range(3):
            asks(agent, session, number, f"make {number}", f"c{number}")
        rows = await until_open(task, 3)
        for row in reversed(rows):
            await answers(team, row, "no" if row.request_id == 1 else "yes")
        assert [(await agent.answered(number))["result"] for number in range(3)] == [YES, NO, YES]


async def test_questions_outlive_the_line_and_each_answer_reaches_the_agent_once(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    link, agents = uuid4(), []
    async with connected(key, link=link) as first:
        agents.append(first)
        session = (await first.asked("session/prompt"))["params"]["sessionId"]
        for number in range(3):
            asks(first, session, number, f"make {number}", f"c{number}")
        one, two, three = await until_open(task, 3)
        await answers(team, one, "yes")
        await first.answered(0)
        # The server dies with the line; one question is answered while nobody can be told.
        await first.kill()
    await answers(team, two, "no")
    async with connected(key, link=link) as second:
        agents.append(second)
        assert (await second.answered(1))["result"] == NO
        # What was sent before may be repeated: the connector passes it on once.
        [still] = await until_open(task)
        await answers(team, still, "yes")
        assert (await second.answered(2))["result"] == YES
    assert three.pk == still.pk
    assert [len({str(frame) for frame in frames_for(agents, number)}) for number in range(3)] == [1, 1, 1]
    replies = await read_async(lambda: list(Command.objects.filter(purpose="reply").values_list("params", flat=True)))
    assert sorted(one["id"] for one in replies) == [0, 1, 2]


async def test_a_question_is_taken_back_by_its_id_also_after_it_was_put_anew(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        session = (await agent.asked("session/prompt"))["params"]["sessionId"]
        agent.ask(session, 3)
        [bare] = await until_open(task)
        agent.update(session, "tool_call", toolCallId="c1", rawInput={"command": "ls"})
        [full] = await until_row(lambda: list(Approval.objects.filter(state="open").exclude(pk=bare.pk)))
        agent.say({"method": "$/cancel_request", "params": {"requestId": 3}})
        assert (await agent.answered(3))["error"]["code"] == -32800
        assert (await read_async(Approval.objects.get, pk=full.pk)).why == "withdrawn"
        with pytest.raises(Conflict, match="took its question back"):
            await answers(team, full, "yes")


async def test_an_option_is_sent_back_as_it_came_or_not_offered_at_all(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    odd = 'Ä|{"x": 1} ' + "y" * 180
    options = [
        {"optionId": odd, "name": "Odd", "kind": "allow_once"},
        {"optionId": "z" * 201, "name": "Long", "kind": "allow_once"},
    ]
    async with connected(key) as agent:
        session = (await agent.asked("session/prompt"))["params"]["sessionId"]
        params = {"sessionId": session, "toolCall": {"toolCallId": "c1"}, "options": options}
        agent.say({"id": 0, "method": "session/request_permission", "params": params})
        [row] = await until_open(task)
        assert [one["optionId"] for one in row.options] == [odd]
        await answers(team, row, odd)
        assert (await agent.answered(0))["result"] == {"outcome": {"outcome": "selected", "optionId": odd}}


# No agent answers.


def asked(team: Team) -> Approval:
    return ask_support.asks(team, team.working())


def test_no_actor_but_a_person_with_the_right_decides(team: Team) -> None:
    row = asked(team)
    ada = team.users["ada"].pk
    agents = [Actor(ActorKind.AGENT, name, agent_id=agent.pk) for name, agent in team.agents.items()]
    # Not even on behalf of the person it belongs to, or works for.
    agents += [Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk, on_behalf_of=ada)]
    others = [SYSTEM, COORDINATOR, coordinator_for(ada), team.actor("gus"), team.actor("mallory"), team.actor("sue")]
    for actor in (*agents, *others):
        with pytest.raises(ClawError):
            perform(approvals.decide_approval, row.pk, option_id="y", actor=actor)
    row.refresh_from_db()
    assert (row.state, Command.objects.filter(purpose="reply").exists()) == ("open", False)


def test_not_even_an_agent_that_was_given_a_persons_role(team: Team) -> None:
    row = asked(team)
    Member.objects.filter(pk=team.seat("counter").pk).update(role="admin")
    counter = Actor(ActorKind.AGENT, "Counter", agent_id=team.agents["counter"].pk)
    with pytest.raises(ClawError, match="Only a person"):
        perform(approvals.decide_approval, row.pk, option_id="y", actor=counter)


def test_no_key_of_an_agent_or_of_a_session_opens_the_door(team: Team) -> None:
    row = asked(team)
    path = f"/api/v1/approvals/{row.pk}"
    keys = [new_key(team, name)[0] for name in ("scribe", "counter")]
    keys.append(session_key(Session.objects.get(task=row.task_id).pk).secret)
    for secret in keys:
        client = Browser(headers={"Authorization": f"Bearer {secret}"})
        answer = client.post(path, {"option": "y", "digest": row.digest}, content_type="application/json")
        assert answer.status_code in (401, 403), answer.content
        # A key is no session of a browser either.
        page = client.post(f"/w/{team.workspace.pk}/approvals/{row.pk}/decide/", {"option": "y"})
        assert page.status_code in (302, 303, 401, 403)
    row.refresh_from_db()
    assert row.state == "open"


def test_no_tool_of_an_agent_answers_what_agents_ask() -> None:
    writes = [
        name for name, one in offers().items() if not (one.shown.annotations and one.shown.annotations.read_only_hint)
    ]
    words = ("approv", "decide", "permission", "allow", "rule", "vote", "answer")
    assert "ask_human" in writes
    assert [name for name in writes if any(word in name for word in words)] == []


async def test_what_kimi_code_streams_before_it_asks_is_what_the_question_shows(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        session = (await agent.asked("session/prompt"))["params"]["sessionId"]
        agent.update(session, "tool_call", toolCallId="c1", title="Bash", kind="execute", status="pending")
        for text in ('{"command": "make', '{"command": "make all"}'):
            agent.update(session, "tool_call_update", toolCallId="c1", status="in_progress", content=[words(text)])
        asked = {"toolCallId": "c1", "title": "Bash", "content": [words("Requesting approval to Running: make all")]}
        options = [{"optionId": "yes", "name": "Approve once", "kind": "allow_once"}]
        params = {"sessionId": session, "toolCall": asked, "options": options}
        agent.say({"id": 0, "method": "session/request_permission", "params": params})
        [row] = await until_open(task)
        assert row.tool_call["raw_input"] == {"command": "make all"}
        assert row.tool_call["content"] == asked["content"]


def words(text: str) -> Frame:
    return {"type": "content", "content": {"type": "text", "text": text}}
