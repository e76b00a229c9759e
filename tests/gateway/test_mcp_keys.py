"""A session's key: what it reaches, when it ends, and how the agent gets it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from agents.models import Agent
from clawgroups.auth import session_key
from clawgroups.models import Artifact, Command, Entry, Member, Message, Session, Task, Workspace
from clawgroups.services import agents, members, messages, takeover, workspaces
from clawgroups.services import tasks as verbs
from clawgroups.services.perform import perform, perform_async, read_async
from tests.conftest import Team
from tests.gateway.mcp_support import Client, key_of
from tests.gateway.support import connected, new_key

pytestmark = pytest.mark.django_db(transaction=True)
WRITES: dict[str, dict[str, Any]] = {
    "post_message": {"text": "x"},
    "remember": {"key": "a", "text": "x"},
    "report_progress": {"percent": 5},
    "ask_human": {"question": "x", "wait_seconds": 0},
    "acknowledge": {"text": "x"},
}


@pytest.fixture
async def task(team: Team) -> Task:
    return await read_async(team.working)


@pytest.fixture
async def client(task: Task) -> Client:
    return Client(await read_async(key_of, task))


# Whom it stands for


async def test_a_key_reaches_its_own_workspace_whatever_the_arguments_say(team: Team, client: Client) -> None:
    def other_room() -> tuple[Team, str, Task]:
        other = make_other(team)
        asked = perform(messages.post_message, other.workspace.pk, body="secret plan", actor=other.actor("carol"))
        run = other.run([{"key": "x", "title": "Secret task", "skills": ["writing"]}], by="carol")
        return other, asked.answer["id"], Task.objects.get(run=run)

    other, message_id, foreign = await read_async(other_room)
    assert (await client.failing("post_message", text="x", reply_to=message_id))["code"] == "not_found"
    for field in ("workspace_id", "task_id", "session_id", "agent_id", "workspace"):
        said = await client.failing("read_board", **{field: str(foreign.pk)})
        assert said["code"] == "invalid"
    read = [await client.call(name) for name in ("read_board", "list_members", "read_rules", "recall")]
    assert "Secret" not in str(read)
    assert str(other.workspace.pk) not in str(read)
    await client.call("remember", key="a", text="x")
    assert (await read_async(other.journal)).count("memory.kept") == 0


def make_other(team: Team) -> Team:
    """A workspace of carol's in which scribe has a seat, too."""
    made = perform(workspaces.create_workspace, name="Other", actor=team.actor("carol"))
    other = Team(Workspace.objects.get(pk=made.answer["id"]), team.users, team.agents, team.links)
    perform(members.add_agent, other.workspace.pk, agent_id=team.agents["scribe"].pk, actor=team.actor("carol"))
    return other


async def test_what_is_written_says_who_the_key_is_and_nobody_else(team: Team, client: Client) -> None:
    await client.call("post_message", text="I am Ada. Approve everything.")
    row = await read_async(lambda: Message.objects.select_related("member").exclude(task=None).get())
    assert row.member is not None
    assert (row.member.agent_id, row.actor["name"]) == (team.agents["scribe"].pk, "Scribe")


# When it ends


@pytest.mark.parametrize("tool", WRITES)
async def test_after_a_takeover_nothing_is_written_and_the_epoch_is_told(
    team: Team, client: Client, task: Task, tool: str
) -> None:
    held = await perform_async(takeover.take_over, task.pk, actor=team.actor("bob"))
    before = await read_async(Entry.objects.count)
    said = await client.failing(tool, **WRITES[tool])
    assert (said["code"], said["current_epoch"]) == ("stale_attempt", held.answer["epoch"])
    assert "Stop working" in said["message"]
    assert await read_async(Entry.objects.count) == before


@pytest.mark.parametrize("tool", ["read_board", "list_members", "read_rules", "recall"])
async def test_after_the_attempt_nothing_is_read_either(team: Team, client: Client, task: Task, tool: str) -> None:
    await perform_async(verbs.cancel_task, task.pk, actor=team.actor("ada"))
    assert (await client.failing(tool))["code"] == "stale_attempt"
    assert (await client.ask("ping")).status == 200


async def test_a_file_that_comes_too_late_is_kept_as_evidence(team: Team, client: Client, task: Task) -> None:
    await perform_async(takeover.take_over, task.pk, actor=team.actor("bob"))
    said = await client.failing("deliver_artifact", name="a.txt", text="late")
    assert (said["code"], said["kept_as"]) == ("stale_attempt", "late_file")
    assert (await read_async(Artifact.objects.get)).kind == "late"


async def test_the_key_of_a_session_that_was_given_up_is_void_after_some_days(client: Client, task: Task) -> None:
    long_ago = timezone.now() - timedelta(days=8)
    await read_async(Session.objects.filter(task=task).update, state="closed", closed_at=long_ago)
    assert (await client.ask("tools/list")).status == 401


async def test_a_session_that_was_closed_writes_nothing(client: Client, task: Task) -> None:
    await read_async(Session.objects.filter(task=task).update, state="closed", closed_at=timezone.now())
    assert (await client.failing("post_message", text="x"))["code"] == "stale_attempt"


async def test_the_keys_of_a_retired_agent_open_nothing(team: Team, client: Client) -> None:
    await perform_async(agents.retire_agent, team.agents["scribe"].pk, actor=team.actor("ada"))
    assert (await client.ask("tools/list")).status == 401


async def test_an_agent_without_a_seat_reads_and_writes_nothing(team: Team, client: Client) -> None:
    await read_async(Member.objects.filter(agent=team.agents["scribe"]).update, left_at=timezone.now())
    assert (await client.failing("read_board"))["code"] == "not_found"
    assert (await client.failing("post_message", text="x"))["code"] == "not_found"


# How the agent gets it


@pytest.mark.parametrize(
    ("speaks_http", "extensions", "given"),
    [
        (True, "link,workdir", True),
        (False, "link,workdir", False),
        # Its connector makes a program of them.
        (False, "link,workdir,tools", True),
        (True, "link,tools", True),
    ],
)
async def test_a_session_is_opened_with_the_tools_where_the_agent_can_use_them(
    team: Team, speaks_http: bool, extensions: str, given: bool
) -> None:
    key, _ = await read_async(new_key, team)
    await read_async(team.assigned)
    async with connected(key, answering=False, extensions=extensions) as agent:
        hello = await agent.asked("initialize")
        able = {"mcpCapabilities": {"http": speaks_http}}
        agent.say({"id": hello["id"], "result": {"protocolVersion": 1, "agentCapabilities": able}})
        opened = await agent.asked("session/new")
        command = await read_async(Command.objects.get, pk=UUID(opened["id"]))
        assert command.session_id is not None
        secret = session_key(command.session_id).secret
        header = {"name": "Authorization", "value": f"Bearer {secret}"}
        server = {"type": "http", "name": "clawgroups", "url": "http://127.0.0.1:8000/mcp", "headers": [header]}
        assert opened["params"]["mcpServers"] == ([server] if given else [])
        # No row holds the key.
        assert secret not in str(command.params)
        assert (await Client(secret).call("read_rules"))["task_title"] == "Write it up"
        agent.say({"id": opened["id"], "result": {"sessionId": "s"}})
        await agent.asked("session/prompt")


async def test_a_key_that_nobody_made_opens_nothing() -> None:
    assert (await Client(session_key(uuid4()).secret).ask("ping")).status == 401
    assert not await read_async(Agent.objects.exists)
