"""Agents on the official Python and TypeScript SDKs work here, dialling in themselves and behind our connector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from agents.models import Agent
from clawgroups.models import Approval, Task
from clawgroups.services import approvals, tasks
from clawgroups.services.perform import perform_async, read_async
from tests.conformance.counterparts import COMMANDS, ROADS, Heard, joined
from tests.conftest import Team
from tests.gateway.front import Front
from tests.gateway.support import attempt_of, new_key, steps, task_state, texts, until_row

pytestmark = pytest.mark.django_db(transaction=True)
TITLES = {"python": "Scribe in Python", "typescript": "Scribe in TypeScript"}


async def questions(task: Task, number: int = 1) -> list[Approval]:
    """A task's open questions, once there are as many."""

    def look() -> list[Approval]:
        return list(Approval.objects.filter(task=task, state="open").order_by("asked_at"))

    return await until_row(look, lambda found: len(found) == number)


async def answered(team: Team, task: Task, option: str) -> Approval:
    """The task's one open question, answered by bob."""
    (question,) = await questions(task)
    bob = await read_async(team.actor, "bob")
    await perform_async(approvals.decide_approval, question.pk, option_id=option, actor=bob)
    return question


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("kind", COMMANDS)
async def test_an_sdk_agent_works_asks_and_stops(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, road: str
) -> None:
    key, _ = await read_async(new_key, team)
    async with Front() as front:
        monkeypatch.setattr(settings, "BASE_URL", front.url)
        first = await read_async(team.assigned)
        async with joined(kind, road, front.url, key=key, root=tmp_path) as heard:
            await _is_allowed(team, first, heard)
            await _is_refused(team, await read_async(team.assigned))
            await _is_stopped(team, await read_async(lambda: team.assigned(title="Wait for the stop")), heard)
            await _is_allowed(team, await read_async(team.assigned), heard)
            announced = (await read_async(Agent.objects.get, pk=team.agents["scribe"].pk)).announced
            assert (announced["title"], announced["load"], announced["resume"]) == (TITLES[kind], True, True)
        assert len(heard.of("initialize", version=1, fs=False)) == 1
        assert heard.of("session/new") == [{"called": "session/new", "absolute": True}] * 4
        (wire,) = front.wires
        assert wire.frames > 12


async def _is_allowed(team: Team, task: Task, heard: Heard) -> None:
    before = len(heard.of("answered", call="c1", chosen="go"))
    question = await answered(team, task, "go")
    await _is_told_the_branch(team, task)
    assert question.tool_call["title"] == "Write the file"
    assert question.tool_call["raw_input"] == {"path": "a.md"}
    await task_state(task, "in_review")
    attempt: Any = await read_async(attempt_of, task)
    assert attempt.result.startswith("It is done.")
    assert attempt.plan == [{"content": "Write", "priority": "high", "status": "completed"}]
    assert await read_async(steps, task) == [("c1", "completed")]
    assert await read_async(texts, task, "thought") == [("Let me think.", False)]
    assert len(heard.of("answered", call="c1", chosen="go")) == before + 1


async def _is_told_the_branch(team: Team, task: Task) -> None:
    (form,) = await questions(task)
    bob = await read_async(team.actor, "bob")
    answers = {"branch": ["dev"]}
    await perform_async(approvals.decide_approval, form.pk, option_id="accept", answers=answers, actor=bob)


async def _is_refused(team: Team, task: Task) -> None:
    await answered(team, task, "stay")
    await _is_told_the_branch(team, task)
    await task_state(task, "in_review")
    assert (await read_async(attempt_of, task)).result.startswith("I was not allowed to.")
    assert await read_async(steps, task) == [("c1", "failed")]


async def _is_stopped(team: Team, task: Task, heard: Heard) -> None:
    await questions(task, 2)
    ada = await read_async(team.actor, "ada")
    await perform_async(tasks.cancel_task, task.pk, actor=ada)
    await until_row(lambda: attempt_of(task), lambda row: row.stop == "done")
    await heard.until(lambda: len(heard.of("answered", chosen="cancelled")) == 2)
    assert len(heard.of("session/cancel")) == 1
    assert await read_async(lambda: set(Approval.objects.filter(task=task).values_list("state", flat=True))) == {"void"}
    assert await read_async(steps, task) == [("c2", "pending"), ("c3", "pending")]
