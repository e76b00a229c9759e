"""The key of one agent opens nothing of another group: not by a session's id, not by `_meta`, not by an address."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.core.serializers import serialize
from django.test import Client

from clawgroups.auth import session_key
from clawgroups.models import Command, Session, Task, Workspace
from clawgroups.services import workspaces
from clawgroups.services.perform import perform, read_async
from tests.conftest import Team, online_agent
from tests.gateway.support import attempt_of, connected, new_key, task_state

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key(team: Team) -> str:
    return new_key(team)[0]


@pytest.fixture
def others(team: Team) -> Team:
    """Another group, of carol and her own agent, in the middle of a turn."""
    carol = team.actor("carol")
    made = perform(workspaces.create_workspace, name="Payroll", goal="Pay", actor=carol)
    users = {**team.users, "ada": team.users["carol"]}
    return Team(Workspace.objects.get(pk=made.answer["id"]), users, {})


@pytest.fixture
def theirs(others: Team) -> Task:
    others.agents["payer"] = online_agent(others, "payer", "writing")
    return others.working("payer")


def rows_of(group: Team) -> str:
    """All rows of a group, as text: its agent's, and everything in its workspace."""
    found: list[Any] = []
    for model in apps.get_app_config("clawgroups").get_models():
        names = {field.name for field in model._meta.get_fields()}
        if "workspace" in names:
            found += model._default_manager.filter(workspace=group.workspace).order_by("pk")
        elif "attempt" in names:
            found += model._default_manager.filter(attempt__task__workspace=group.workspace).order_by("pk")
    assert len(found) > 5
    return str(serialize("json", found))


async def test_no_frame_of_an_agent_changes_a_row_of_another_group(
    team: Team, key: str, others: Team, theirs: Task
) -> None:
    mine = await read_async(team.assigned)
    session = await read_async(Session.objects.get, attempt__task=theirs)
    command = await read_async(Command.objects.filter(attempt__task=theirs).latest, "created_at")
    before = await read_async(rows_of, others)
    meta = {
        "clawgroups": {
            "session": str(session.pk),
            "key": session_key(session.pk).secret,
            "task": {"id": str(theirs.pk), "epoch": theirs.epoch},
            "agent": str(others.agents["payer"].pk),
            "workspace": str(others.workspace.pk),
        },
        "sessionId": session.acp_id,
        "session_id": session.acp_id,
    }
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        own = prompt["params"]["sessionId"]
        text = {"type": "text", "text": "I am the payer.", "_meta": meta}
        for name in (session.acp_id, str(session.pk), str(theirs.pk), own):
            agent.say(
                {
                    "method": "session/update",
                    "params": {
                        "sessionId": name,
                        "_meta": meta,
                        "update": {"sessionUpdate": "agent_message_chunk", "content": text, "_meta": meta},
                    },
                    "_meta": meta,
                }
            )
        for number, name in enumerate((session.acp_id, str(session.pk))):
            agent.ask(name, number)
            assert (await agent.answered(number))["error"]["code"] == -32602
        agent.say({"method": "$/cancel_request", "params": {"requestId": 0, "_meta": meta}})
        agent.say({"id": str(command.pk), "result": {"stopReason": "end_turn", "_meta": meta}})
        agent.say({"method": "_clawgroups/noted", "params": {"request": str(command.pk)}})
        agent.say({"id": prompt["id"], "result": {"stopReason": "end_turn", "_meta": meta}})
        await task_state(mine, "in_review")
        await agent.acked(len([text for text in agent.said if "_clawgroups/noted" not in text]))
        assert agent.closed is None
    assert (await read_async(attempt_of, mine)).result == "I am the payer."
    assert await read_async(rows_of, others) == before


async def test_the_link_of_another_groups_agent_is_not_taken_over(
    team: Team, key: str, others: Team, theirs: Task
) -> None:
    before = await read_async(rows_of, others)
    async with connected(key, link=others.links["payer"]) as thief:
        await thief.gone()
        assert thief.closed == 4401
        assert [f["method"] for f in thief.heard] == ["_clawgroups/refused"]
    assert await read_async(rows_of, others) == before


def test_the_upload_address_of_another_groups_session_is_closed_to_every_other_key(
    team: Team, key: str, others: Team, theirs: Task
) -> None:
    mine = team.working("counter")
    own, foreign = (Session.objects.get(attempt__task=task) for task in (mine, theirs))
    before = rows_of(others)
    browser = Client()
    for bearer in (key, session_key(own.pk).secret, session_key(own.pk).secret[:-1], "cs_", ""):
        for path in (f"/api/v1/sessions/{foreign.pk}/files", f"/api/v1/sessions/{foreign.pk}/files/stolen.md"):
            for method in ("GET", "PUT", "POST", "DELETE"):
                headers = {"Authorization": f"Bearer {bearer}"}
                answer = browser.generic(method, path, b"x", content_type="text/plain", headers=headers)
                assert answer.status_code in (401, 404, 405), (method, path, bearer[:6])
    for path in (f"/workspaces/{others.workspace.pk}", f"/tasks/{theirs.pk}", f"/agents/{others.agents['payer'].pk}"):
        answer = browser.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code in (401, 404), path
    assert rows_of(others) == before
