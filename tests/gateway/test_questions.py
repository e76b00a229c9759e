"""What a person sees of an operation that an agent asks to be allowed."""

from __future__ import annotations

import pytest
from django.template.loader import render_to_string

from clawgroups.models import Approval, Task
from clawgroups.services.perform import read_async
from tests.conftest import Team
from tests.gateway.support import connected, new_key, until_row

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
