"""An agent asks people in the middle of its turn: the question waits where people look, the answer for the agent."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.utils import timezone

from clawgroups import draining
from clawgroups.core.errors import ClawError
from clawgroups.models import Approval, Command, Task
from clawgroups.services import approvals, people, sweep
from clawgroups.services.perform import perform, perform_async, read_async
from tests.conftest import Team
from tests.gateway.mcp_support import Client, key_of
from tests.gateway.support import until_row

pytestmark = pytest.mark.django_db(transaction=True)
ASKED = {"question": "Are sums in <b>euros</b>?", "choices": ["Yes", "No"], "wait_seconds": 0}


@pytest.fixture
async def task(team: Team) -> Task:
    return await read_async(team.working)


@pytest.fixture
async def client(task: Task) -> Client:
    return Client(await read_async(key_of, task))


def browser(team: Team, name: str) -> Browser:
    made = Browser()
    made.force_login(team.users[name], backend="django.contrib.auth.backends.ModelBackend")
    return made


def needs(team: Team, name: str) -> str:
    return browser(team, name).get("/needs-you/").content.decode()


async def test_a_question_stands_where_people_look_and_the_task_waits_for_them(
    team: Team, client: Client, task: Task
) -> None:
    asked = await client.call("ask_human", **ASKED)
    assert (asked["state"], "read_answer" in asked["how"]) == ("open", True)
    waiting = await read_async(Task.objects.get, pk=task.pk)
    assert (waiting.blocked_on, waiting.resting_since is not None) == ("person", True)
    assert waiting.deadline_effect == "it goes on without an answer"
    shown = await read_async(needs, team, "ada")
    assert "Scribe asks" in shown
    assert 'value="choice-2"' in shown
    assert "<b>euros</b>" not in shown
    assert "ask-" not in await read_async(needs, team, "gus")


async def test_a_call_that_waits_gets_the_answer_at_once(team: Team, client: Client) -> None:
    waiting = asyncio.create_task(client.call("ask_human", **{**ASKED, "wait_seconds": 30}))
    row = await until_row(lambda: Approval.objects.filter(state="open").first())
    assert row is not None

    def answer() -> int:
        path = f"/w/{team.workspace.pk}/approvals/{row.pk}/decide/"
        return browser(team, "bob").post(path, {"option": "choice-1"}).status_code

    assert await read_async(answer) == 303
    async with asyncio.timeout(60):
        said = await waiting
    assert (said["state"], said["answer"], said["by"]) == ("decided", "Yes", "bob")


async def test_an_answer_in_other_words_is_read_later(team: Team, client: Client, task: Task) -> None:
    asked = await client.call("ask_human", **ASKED)
    assert (await client.call("read_answer", question_id=asked["question_id"]))["state"] == "open"

    def answer() -> dict[str, object]:
        _, token = people.create_token(team.users["carol"], name="test")
        api = Browser(headers={"Authorization": f"Bearer {token}"})
        path = f"/api/v1/approvals/{asked['question_id']}"
        found: dict[str, object] = api.get(path).json()
        assert api.post(path, {"text": "Only since 2024."}, content_type="application/json").status_code == 200
        return found

    shown = await read_async(answer)
    assert (shown["kind"], shown["tool_call"]) == ("question", {"title": ASKED["question"]})
    said = await client.call("read_answer", question_id=asked["question_id"])
    assert (said["state"], said["answer"], said["by"]) == ("decided", "Only since 2024.", "carol")
    # Nothing was sent to the agent for it: no request of its waits for an answer.
    assert not await read_async(Command.objects.filter(purpose="reply").exists)
    assert (await read_async(Task.objects.get, pk=task.pk)).blocked_on == "agent"


async def test_only_choices_and_words_are_answers(team: Team, client: Client) -> None:
    asked = await client.call("ask_human", **ASKED)
    wrong: tuple[dict[str, Any], ...] = (
        {"option_id": "choice-9"},
        {"option_id": "choice-9", "text": "x"},
        {"text": " "},
        {},
    )
    for given in wrong:
        with pytest.raises(ClawError):
            await perform_async(approvals.decide_approval, asked["question_id"], actor=team.actor("bob"), **given)
    both: dict[str, Any] = {"option_id": "choice-2", "text": "dollars"}
    await perform_async(approvals.decide_approval, asked["question_id"], actor=team.actor("bob"), **both)
    assert (await client.call("read_answer", question_id=asked["question_id"]))["answer"] == "No: dollars"


async def test_the_same_key_asks_once_and_so_do_the_same_words_while_they_are_open(client: Client) -> None:
    made = await asyncio.gather(*(client.call("ask_human", **ASKED, idempotency_key="k") for _ in range(4)))
    assert len({one["question_id"] for one in made}) == 1
    plain = [await client.call("ask_human", **ASKED) for _ in range(2)]
    assert len({one["question_id"] for one in plain}) == 1
    assert await read_async(Approval.objects.count) == 2
    other = await client.failing("ask_human", **{**ASKED, "question": "Else?"}, idempotency_key="k")
    assert other["code"] == "idempotency_key_reused"


async def test_a_question_that_nobody_answers_expires_and_the_agent_goes_on(client: Client, task: Task) -> None:
    asked = await client.call("ask_human", **ASKED)

    def time_passes() -> None:
        Approval.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        sweep.sweep(timezone.now(), quiet=True)

    await read_async(time_passes)
    said = await client.call("read_answer", question_id=asked["question_id"])
    assert (said["state"], "assumed" in said["how"]) == ("expired", True)
    assert not await read_async(Command.objects.filter(purpose="reply").exists)
    again = await client.call("ask_human", **ASKED)
    assert (again["state"], again["question_id"] != asked["question_id"]) == ("open", True)
    assert (await read_async(Task.objects.get, pk=task.pk)).blocked_on == "person"


async def test_too_many_open_questions_are_refused(client: Client) -> None:
    for number in range(5):
        await client.call("ask_human", question=f"Question {number}?", wait_seconds=0)
    assert (await client.failing("ask_human", question="One more?"))["code"] == "too_many_questions"


async def test_the_end_of_a_turn_closes_its_questions_and_a_wait_ends_with_a_clear_error(
    team: Team, client: Client
) -> None:
    waiting = asyncio.create_task(client.call("ask_human", **{**ASKED, "wait_seconds": 30}))
    await until_row(lambda: Approval.objects.filter(state="open").exists())
    await read_async(lambda: team.finish("scribe", "Done without it."))
    async with asyncio.timeout(60):
        assert (await waiting)["state"] == "void"
    assert not await read_async(Command.objects.filter(purpose="reply").exists)


async def test_a_restart_ends_the_waiting_and_not_the_question(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = asyncio.create_task(client.call("ask_human", **{**ASKED, "wait_seconds": 30}))
    row = await until_row(lambda: Approval.objects.filter(state="open").first())
    assert row is not None
    monkeypatch.setattr(draining.process, "_begun", True)
    async with asyncio.timeout(60):
        said = await waiting
    assert (said["state"], said["question_id"]) == ("open", str(row.pk))


async def test_a_question_of_somebody_else_is_not_found(team: Team, client: Client) -> None:
    other = Client(await read_async(lambda: key_of(team.working("counter"))))
    asked = await other.call("ask_human", **ASKED)
    assert (await client.failing("read_answer", question_id=asked["question_id"]))["code"] == "not_found"
    assert (await client.failing("read_answer", question_id="../../etc"))["code"] == "not_found"


def test_a_guest_and_a_stranger_answer_nothing(team: Team) -> None:
    task = team.working()
    asked = asyncio.run(Client(key_of(task)).call("ask_human", **ASKED))
    for name in ("gus", "mallory"):
        with pytest.raises(ClawError):
            perform(approvals.decide_approval, asked["question_id"], text="x", actor=team.actor(name))
