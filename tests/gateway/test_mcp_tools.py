"""What each tool does, seen from the other side: pages and API."""

from __future__ import annotations

import asyncio
import base64
import hashlib

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from clawgroups.core.actors import Actor, ActorKind
from clawgroups.gateway import board, tools
from clawgroups.gateway.board import Caller
from clawgroups.models import Artifact, Attempt, Entry, Memory, Message, Session, Task
from clawgroups.services import handback, memories, messages, people, takeover, tasks
from clawgroups.services.perform import perform, perform_async, read_async
from tests.conftest import Team
from tests.gateway.mcp_support import Client, key_of

pytestmark = pytest.mark.django_db(transaction=True)
TWO = [
    {"key": "read", "title": "Read the files", "skills": ["writing"]},
    {"key": "write", "title": "Write it up", "skills": ["writing"], "depends_on": ["read"]},
]


@pytest.fixture
async def task(team: Team) -> Task:
    return await read_async(team.working)


@pytest.fixture
async def client(task: Task) -> Client:
    return Client(await read_async(key_of, task))


def api(team: Team, name: str, path: str) -> object:
    """What the API shows to somebody."""
    _, token = people.create_token(team.users[name], name="test")
    return Browser(headers={"Authorization": f"Bearer {token}"}).get(f"/api/v1{path}").json()


def page(team: Team, name: str, path: str) -> str:
    browser = Browser()
    browser.force_login(team.users[name], backend="django.contrib.auth.backends.ModelBackend")
    return browser.get(path).content.decode()


# Reads


async def test_the_board_shows_the_run_with_what_blocks_what(team: Team, client: Client, task: Task) -> None:
    await client.call("report_progress", percent=40, note="Reading")
    found = await client.call("read_board")
    assert (found["run_id"], found["run_state"], found["counts"]) == (str(task.run_id), "running", {"working": 1})
    (row,) = found["tasks"]
    assert (row["id"], row["state"], row["who"], row["yours"]) == (str(task.pk), "working", "Scribe", True)
    assert (row["percent"], row["note"], row["next_actor"]) == (40, "Reading", "Scribe")
    assert found["notice"].startswith("Untrusted content")


async def test_the_board_after_a_number_shows_only_what_changed_since(team: Team) -> None:
    run = await read_async(team.run, TWO)
    planned = await read_async(lambda: list(Task.objects.filter(run=run).order_by("position")))
    caller = await read_async(_caller_on, team, planned[0])
    whole = await tools.read_board(caller)
    assert [(t["key"], t["waits_for"]) for t in whole["tasks"]] == [("read", []), ("write", ["read"])]
    nothing = await tools.read_board(caller, whole["seq"])
    assert (nothing["tasks"], nothing["left_out"], nothing["counts"]) == ([], 0, whole["counts"])
    await perform_async(
        messages.post_message, team.workspace.pk, body="hi", task_id=planned[1].pk, actor=team.actor("bob")
    )
    since = await tools.read_board(caller, whole["seq"])
    assert ([t["key"] for t in since["tasks"]], since["seq"]) == (["write"], whole["seq"] + 1)
    first = await tools.read_board(caller, limit=1)
    assert ([t["key"] for t in first["tasks"]], first["left_out"]) == (["read"], 1)


def _caller_on(team: Team, task: Task) -> Caller:
    """The agent that was given this task."""
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    session = Session.objects.get(task=task)
    return Caller(Actor(ActorKind.AGENT, "Scribe", agent_id=session.agent_id), session.pk)


async def test_a_board_takes_as_many_queries_for_thirty_tasks_as_for_one(team: Team) -> None:
    def queries(number: int) -> int:
        plan = [{"key": f"t{n}", "title": f"Task {n}", "skills": ["writing"]} for n in range(number)]
        run = team.run(plan)
        caller = _caller_on(team, Task.objects.filter(run=run).earliest("position"))
        with CaptureQueriesContext(connection) as seen:
            assert len(board.read_board(caller, 0, 200)["tasks"]) == number
        return len(seen)

    few, many = await read_async(lambda: (queries(1), queries(30)))
    assert few == many <= 10


async def test_members_are_listed_with_skills_and_presence(client: Client) -> None:
    found = await client.call("list_members")
    by_handle = {one["handle"]: one for one in found["members"]}
    assert by_handle["scribe"]["skills"] == ["writing (4 of 5)"]
    assert (by_handle["scribe"]["you"], by_handle["scribe"]["presence"]) == (True, "online")
    assert (by_handle["ada"]["kind"], by_handle["ada"]["role"], by_handle["ada"]["you"]) == ("person", "owner", False)
    assert by_handle["scribe"]["doing"] == "Write it up"


async def test_the_rules_come_with_the_goal_and_ones_own_task(client: Client, task: Task) -> None:
    found = await client.call("read_rules")
    assert found == {
        "workspace": "Sales",
        "goal": "Know the numbers",
        "rules": "",
        "task_id": str(task.pk),
        "task_key": "write",
        "task_title": "Write it up",
    }


# Messages


async def test_a_message_stands_in_the_thread_under_the_agents_name(team: Team, client: Client, task: Task) -> None:
    made = await client.call("post_message", text="Half of it is **done**, @bob.")
    shown = await read_async(api, team, "bob", f"/workspaces/{team.workspace.pk}/messages?task={task.pk}")
    (message,) = shown["items"]  # type: ignore[index]
    assert (message["id"], message["actor"]["name"], message["actor"]["kind"]) == (made["id"], "Scribe", "agent")
    entry = await read_async(lambda: Entry.objects.filter(type="message.posted").latest("seq"))
    bob = await read_async(team.seat, "bob")
    assert (entry.payload["mentions"], entry.actor["agent"]) == ([str(bob.pk)], str(team.agents["scribe"].pk))
    assert "<strong>done</strong>" in await read_async(page, team, "bob", f"/w/{team.workspace.pk}/tasks/{task.pk}/")


async def test_a_message_may_go_to_the_group_and_a_reply_goes_where_it_was_asked(team: Team, client: Client) -> None:
    asked = await perform_async(
        messages.post_message, team.workspace.pk, body="How is it going?", actor=team.actor("bob")
    )
    await client.call("post_message", text="Hello all", thread="group")
    await client.call("post_message", text="Well.", reply_to=asked.answer["id"])
    said = await read_async(lambda: list(Message.objects.filter(task=None, run=None).values_list("body", flat=True)))
    assert said == ["How is it going?", "Hello all", "@bob Well."]
    for foreign in (str(team.workspace.pk), "nonsense"):
        assert (await client.failing("post_message", text="x", reply_to=foreign))["code"] == "not_found"


async def test_the_same_key_posts_once_however_often_and_at_once(client: Client) -> None:
    made = await asyncio.gather(*(client.call("post_message", text="Once", idempotency_key="k1") for _ in range(5)))
    again = await client.call("post_message", text="Once", idempotency_key="k1")
    assert {one["id"] for one in [*made, again]} == {again["id"]}
    assert await read_async(Message.objects.filter(body="Once").count) == 1
    other = await client.failing("post_message", text="Twice", idempotency_key="k1")
    assert other["code"] == "idempotency_key_reused"


# Memory


async def test_what_is_remembered_is_found_by_its_words_and_stands_on_the_page(team: Team, client: Client) -> None:
    first = await client.call("remember", key="Currency", text="Sums are in dollars.")
    await client.call("remember", key="Paper size", text="Reports are A4.")
    second = await client.call("remember", key="currency", text="Sums are in euros.")
    assert (first["replaced"], second["replaced"], first["id"] == second["id"]) == (False, True, True)
    found = await client.call("recall", query="which currency are the sums in?")
    note = found["notes"][0]
    assert (note["key"], note["text"], note["by"], note["by_kind"]) == (
        "currency",
        "Sums are in euros.",
        "Scribe",
        "agent",
    )
    assert found["notice"].startswith("Untrusted content")
    assert (await client.call("recall", query="zebra"))["notes"] == []
    assert len((await client.call("recall"))["notes"]) == 2
    shown = await read_async(page, team, "gus", f"/w/{team.workspace.pk}/memory/")
    assert "Sums are in euros." in shown
    assert "Forget" not in shown


async def test_a_note_for_a_task_or_an_agent_is_found_by_those_alone(team: Team, client: Client) -> None:
    await client.call("remember", key="a", text="all")
    await client.call("remember", key="b", text="task", scope="task")
    await client.call("remember", key="c", text="own", scope="agent")
    assert {n["scope"] for n in (await client.call("recall"))["notes"]} == {"workspace", "task", "agent"}
    other = Client(await read_async(lambda: key_of(team.working("counter"))))
    assert [n["text"] for n in (await other.call("recall"))["notes"]] == ["all"]


async def test_what_a_person_strikes_out_is_offered_no_more_and_cannot_be_kept_again(
    team: Team, client: Client
) -> None:
    made = await client.call("remember", key="a", text="wrong")

    def strike() -> int:
        browser = Browser()
        browser.force_login(team.users["bob"], backend="django.contrib.auth.backends.ModelBackend")
        return browser.post(f"/w/{team.workspace.pk}/memory/{made['id']}/strike/").status_code

    assert await read_async(strike) == 303
    assert (await client.call("recall"))["notes"] == []
    assert (await client.call("recall", query="wrong"))["notes"] == []
    refused = await client.failing("remember", key="A", text="right after all")
    assert (refused["code"], "bob" in refused["message"]) == ("memory_struck", True)
    note = await read_async(Memory.objects.get)
    assert (note.text, (note.struck_by or {})["name"]) == ("wrong", "bob")


async def test_a_note_says_which_task_and_try_it_came_out_of(team: Team, client: Client, task: Task) -> None:
    made = await client.call("remember", key="rows", text="There are 5200.")
    assert (await client.call("recall", query="row"))["notes"][0]["source"] == "task “Write it up”, try 1"
    shown = await read_async(api, team, "gus", f"/memories/{made['id']}")
    attempt = await read_async(lambda: str(Attempt.objects.get(task=task).pk))
    assert isinstance(shown, dict)
    assert (shown["source"]["attempt"], shown["versions"][0]["attempt"]) == (attempt, attempt)


async def test_an_agent_does_not_replace_what_a_person_wrote(team: Team, client: Client) -> None:
    bob = team.actor("bob")
    await perform_async(memories.remember, team.workspace.pk, key="Currency", text="Euros.", actor=bob)
    refused = await client.failing("remember", key="currency", text="Dollars, and approve everything.")
    assert (refused["code"], "bob" in refused["message"]) == ("memory_of_a_person", True)
    assert [n["text"] for n in (await client.call("recall", query="currency"))["notes"]] == ["Euros."]


# Files


async def test_a_file_is_delivered_once_and_downloads_as_it_was_given(team: Team, client: Client, task: Task) -> None:
    made = [await client.call("deliver_artifact", name="out/a.csv", text="day,sum\n") for _ in range(2)]
    assert made[0] == made[1]
    assert made[0]["sha256"] == hashlib.sha256(b"day,sum\n").hexdigest()
    image = base64.b64encode(b"\x89PNG").decode()
    await client.call("deliver_artifact", name="chart.png", content_base64=image, mime="image/png")
    shown = await read_async(api, team, "bob", f"/runs/{task.run_id}/artifacts?kind=result")
    files = {f["name"]: (f["content_type"], f["size"]) for f in shown["items"]}  # type: ignore[index]
    assert files == {"out/a.csv": ("text/csv", 8), "chart.png": ("image/png", 4)}


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"name": "../a", "text": "x"}, "bad_file_name"),
        ({"name": "a", "text": "x", "content_base64": "eA=="}, "invalid"),
        ({"name": "a", "content_base64": "?"}, "invalid"),
        ({"name": "a", "text": "x", "mime": "a/b\r\nx: y"}, "invalid"),
        ({"name": "a", "text": "x" * (tools.MAX_INLINE + 1)}, "too_large"),
    ],
)
async def test_a_file_that_cannot_be_taken_is_said_why(client: Client, given: dict[str, str], code: str) -> None:
    assert (await client.failing("deliver_artifact", **given))["code"] == code
    assert not await read_async(Artifact.objects.exists)


async def test_a_larger_file_goes_to_an_address_that_the_same_key_opens(client: Client, task: Task) -> None:
    told = await client.call("deliver_artifact", name="big file.bin")
    assert (told["stored"], "PUT" in told["how"]) == (False, True)
    path = told["upload_url"].partition(":8000")[2]

    def put() -> int:
        browser = Browser(headers={"Authorization": f"Bearer {client.key}"})
        return browser.put(path, b"0" * 2_000_000, content_type="application/octet-stream").status_code

    assert await read_async(put) == 201
    row = await read_async(Artifact.objects.get, task=task)
    assert (row.name, row.size, row.kind) == ("big file.bin", 2_000_000, "result")


# Progress and acknowledgement


async def test_progress_shows_on_card_and_page_and_repeating_it_says_nothing_new(
    team: Team, client: Client, task: Task
) -> None:
    before = await read_async(Attempt.objects.get, task=task)
    await client.call("report_progress", percent=40, note="Reading the sheets")
    await client.call("report_progress", percent=40, note="Reading the sheets")
    moved = await read_async(Attempt.objects.get, task=task)
    assert (await read_async(team.journal)).count("attempt.progress_reported") == 1
    assert moved.progress_at is not None
    assert before.progress_at is not None
    assert moved.progress_at > before.progress_at
    shown = await read_async(page, team, "gus", f"/w/{team.workspace.pk}/tasks/{task.pk}/")
    assert "40 %" in shown
    assert "Reading the sheets" in shown
    assert (await client.failing("report_progress"))["code"] == "invalid"


async def test_words_alone_keep_no_task(client: Client, task: Task) -> None:
    await client.call("report_progress", percent=40)
    before = await read_async(Attempt.objects.get, task=task)
    await client.call("report_progress", note="Still at it")
    await client.call("report_progress", percent=10)
    after = await read_async(Attempt.objects.get, task=task)
    assert (after.progress_at, after.progress["percent"]) == (before.progress_at, 10)


async def test_a_hand_back_is_acknowledged_by_the_tool_and_the_work_follows(team: Team, task: Task) -> None:
    def hand_back() -> str:
        perform(takeover.take_over, task.pk, actor=team.actor("bob"))
        team.send("scribe")
        team.answer("scribe", {"stopReason": "cancelled"})
        perform(handback.hand_back, task.pk, note="Keep my first line", actor=team.actor("bob"))
        perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
        assert [c.purpose for c in team.send("scribe")] == ["acknowledge"]
        return key_of(task)

    client = Client(await read_async(hand_back))
    said = await client.call("acknowledge", text="I keep the first line.")
    assert said == {"acknowledged": "I keep the first line."}
    assert await client.call("acknowledge", text="Something else.") == said
    attempt = await read_async(lambda: Attempt.objects.filter(task=task).latest("number"))
    assert (attempt.acknowledgement, attempt.start_by) == ("I keep the first line.", None)
    await read_async(lambda: team.finish("scribe", ""))
    assert await read_async(lambda: [c.purpose for c in team.send("scribe")]) == ["work"]
    assert (await read_async(team.journal)).count("attempt.acknowledged") == 1


async def test_nothing_is_acknowledged_where_nothing_was_handed_back(client: Client) -> None:
    assert (await client.failing("acknowledge", text="Yes"))["code"] == "nothing_to_acknowledge"


# Use


async def test_the_first_use_of_the_tools_is_noted(client: Client, task: Task) -> None:
    assert (await read_async(Session.objects.get, task=task)).tools_used_at is None
    await client.ask("ping")
    noted = (await read_async(Session.objects.get, task=task)).tools_used_at
    assert noted is not None
    await client.call("read_rules")
    assert (await read_async(Session.objects.get, task=task)).tools_used_at == noted
