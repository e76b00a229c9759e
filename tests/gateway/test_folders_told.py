"""Where a session works, and that it asks: what its connector has told counts, and nothing that its agent says."""

from __future__ import annotations

from typing import Any

import pytest

from agents.models import Agent
from clawgroups.models import Session, Task
from clawgroups.services.perform import read_async
from tests.conftest import Team
from tests.gateway.support import Frame, connected, new_key, until_row

pytestmark = pytest.mark.django_db(transaction=True)

MODES: Frame = {
    "currentModeId": "yolo",
    "availableModes": [{"id": "default", "name": "Ask"}, {"id": "yolo", "name": "Do it"}],
}


@pytest.fixture
def key(team: Team) -> str:
    return new_key(team)[0]


def told(task: Task) -> dict[str, Any]:
    return dict(Session.objects.filter(task=task, state="open").latest("opened_at").told)


async def folder_after(team: Team, key: str, said: Any, **how: Any) -> str:
    """The folder that is kept of a session whose opening was answered with this."""
    task = await read_async(team.assigned)
    opening: Frame = {"_meta": {"clawgroups": {"cwd": said}}} if said is not None else {}
    async with connected(key, opening=opening, **how) as agent:
        await agent.asked("session/prompt")
    found: dict[str, Any] = await read_async(told, task)
    return str(found.get("folder", ""))


async def test_the_folder_that_a_connector_tells_is_kept(team: Team, key: str) -> None:
    assert await folder_after(team, key, "/home/ann/w", extensions="link,workdir") == "/home/ann/w"


@pytest.mark.parametrize("said", [None, 7, "/" + "x" * 2000])
async def test_what_is_no_folder_is_none(team: Team, key: str, said: Any) -> None:
    await read_async(Agent.objects.filter(handle="scribe").update, cwd="/home/ann/own")
    assert await folder_after(team, key, said, extensions="link,workdir") == ""


async def test_an_agent_without_folders_of_a_connector_works_where_its_profile_says(team: Team, key: str) -> None:
    assert await folder_after(team, key, "/", extensions="link") == ""
    await read_async(Agent.objects.filter(handle="scribe").update, cwd="/home/ann/own")
    assert await folder_after(team, key, "/", extensions="link") == "/home/ann/own"


async def test_where_something_is_critical_a_session_asks_whatever_its_owner_prefers(team: Team, key: str) -> None:
    await read_async(Agent.objects.filter(handle="scribe").update, preferences={"mode": "yolo"})
    await read_async(team.assigned)
    answers: dict[str, Frame] = {"session/set_mode": {"result": {}}}
    async with connected(key, opening={"modes": MODES}, answers=answers) as agent:
        assert (await agent.asked("session/set_mode"))["params"]["modeId"] == "default"
        await agent.asked("session/prompt")


async def test_where_nothing_is_critical_the_owner_chooses(team: Team, key: str) -> None:
    await read_async(team.workspace.answer_rules.all().delete)
    await read_async(Agent.objects.filter(handle="scribe").update, preferences={"mode": "yolo"})
    task = await read_async(team.assigned)
    answers: dict[str, Frame] = {"session/set_mode": {"result": {}}}
    async with connected(key, opening={"modes": MODES}, answers=answers) as agent:
        assert (await agent.asked("session/set_mode"))["params"]["modeId"] == "yolo"
        await until_row(lambda: told(task)["options"][0]["value"], lambda value: value == "yolo")
