"""What a person sees of an operation that an agent asks to be allowed."""

from __future__ import annotations

from typing import Any

import pytest
from django.template.loader import render_to_string

from clawgroups.core.errors import Invalid
from clawgroups.models import Approval, Task
from clawgroups.services.approvals import decide_approval
from clawgroups.services.perform import perform_async, read_async
from clawgroups.services.takeover import take_over
from tests.conftest import Team
from tests.gateway.support import Socket, connected, new_key, until_row

pytestmark = pytest.mark.django_db(transaction=True)


def _asked(task: Task) -> Approval | None:
    return Approval.objects.select_related("attempt__member", "task").filter(task=task).first()


async def test_a_question_that_names_only_its_tool_call_is_shown_with_what_was_told_of_that(team: Team) -> None:
    key, _ = await read_async(new_key, team)
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        session = (await agent.asked("session/prompt"))["params"]["sessionId"]
        agent.update(
            session, "tool_call", toolCallId="c1", title="Run", kind="execute", rawInput={"command": "rm -r x"}
        )
        options = [{"optionId": "yes", "name": "Allow", "kind": "allow_once"}]
        asked = {"sessionId": session, "toolCall": {"toolCallId": "c1"}, "options": options}
        agent.say({"id": 0, "method": "session/request_permission", "params": asked})
        row = await until_row(lambda: _asked(task))
        assert row is not None
        assert row.tool_call["title"] == "Run"
        assert row.tool_call["raw_input"] == {"command": "rm -r x"}
        page = await read_async(render_to_string, "approvals/_ask.html", {"ask": row})
        assert "rm -r x" in page


FORM = {
    "type": "object",
    "properties": {"branch": {"type": "string", "title": "Branch", "enum": ["main", "dev"]}},
    "required": ["branch"],
}


async def _with_form(agent: Socket, session: str, request_id: int, **more: Any) -> None:
    asked = {"sessionId": session, "mode": "form", "message": "Which **branch**?", "requestedSchema": FORM, **more}
    agent.say({"id": request_id, "method": "elicitation/create", "params": asked})


async def test_a_form_of_an_agent_is_shown_filled_in_and_answered_in_its_own_terms(team: Team) -> None:
    key, _ = await read_async(new_key, team)
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        session = (await agent.asked("session/prompt"))["params"]["sessionId"]
        await _with_form(agent, session, 0)
        row = await until_row(lambda: _asked(task))
        assert row is not None
        page = await read_async(render_to_string, "approvals/_ask.html", {"ask": row})
        assert 'name="answer-branch"' in page
        assert "<strong>branch</strong>" in page
        bob = team.actor("bob")
        with pytest.raises(Invalid) as refusal:
            await perform_async(decide_approval, row.pk, option_id="accept", answers={"branch": ["other"]}, actor=bob)
        assert refusal.value.fields["field"] == "branch"
        await perform_async(decide_approval, row.pk, option_id="accept", answers={"branch": ["dev"]}, actor=bob)
        answer = await agent.answered(0)
        assert answer["result"] == {"action": "accept", "content": {"branch": "dev"}}


async def test_a_form_is_declined_or_ends_with_its_turn(team: Team) -> None:
    key, _ = await read_async(new_key, team)
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        session = (await agent.asked("session/prompt"))["params"]["sessionId"]
        await _with_form(agent, session, 7)
        row = await until_row(lambda: _asked(task))
        assert row is not None
        await perform_async(decide_approval, row.pk, option_id="decline", actor=team.actor("bob"))
        assert (await agent.answered(7))["result"] == {"action": "decline"}
        await _with_form(agent, session, 8)
        await until_row(lambda: Approval.objects.filter(task=task, state="open").count())
        await perform_async(take_over, task.pk, actor=team.actor("bob"))
        assert (await agent.answered(8))["result"] == {"action": "cancel"}


async def test_a_form_that_nobody_could_answer_is_cancelled_at_once(team: Team) -> None:
    key, _ = await read_async(new_key, team)
    await read_async(team.assigned)
    async with connected(key) as agent:
        session = (await agent.asked("session/prompt"))["params"]["sessionId"]
        odd = {"properties": {"deep": {"type": "object"}}, "required": ["deep"]}
        await _with_form(agent, session, 1, requestedSchema=odd)
        assert (await agent.answered(1))["result"] == {"action": "cancel"}
        await _with_form(agent, session, 2, mode="url", url="https://example.org")
        assert (await agent.answered(2))["error"]["code"] == -32602
        await _with_form(agent, "stranger", 3)
        assert (await agent.answered(3))["error"]["code"] == -32602
