"""Streams never cross: sessions of one agent that all talk at once, and each task holds only what was said in its own.

A few sessions in the ordinary run; `CLAW_STREAMS=50 pytest tests/gateway/test_parallel_streams.py` for as many as that.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import pytest

from agents.models import Agent
from clawgroups import bus
from clawgroups.models import Attempt, Entry, Message, Part, Step, Task
from clawgroups.services import tasks
from clawgroups.services.perform import perform, read_async
from tests.conftest import Team
from tests.gateway.mcp_support import Client, key_of
from tests.gateway.support import Frame, Socket, connected, new_key, until_row

pytestmark = pytest.mark.django_db(transaction=True)

STREAMS = int(os.environ.get("CLAW_STREAMS", "8"))
ROUNDS = 6
MARK = re.compile(r"<(t\d+) (\w+) \d+>")


def given_out(team: Team) -> dict[str, Task]:
    """As many tasks as there are streams, all in the hands of one agent, by key."""
    Agent.objects.filter(pk=team.agents["scribe"].pk).update(max_sessions=STREAMS)
    plan = [{"key": f"t{n}", "title": f"Task t{n}.", "skills": ["writing"]} for n in range(STREAMS)]
    found = {task.key: task for task in Task.objects.filter(run=team.run(plan))}
    for task in found.values():
        perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    return found


async def prompts_of(agent: Socket) -> dict[str, Frame]:
    """The prompt of each task, by its key."""
    await agent.asked("session/prompt", STREAMS)
    frames = [frame for frame in agent.heard if frame.get("method") == "session/prompt"]
    return {frame["params"]["_meta"]["clawgroups"]["task"]["key"]: frame for frame in frames}


def mark(key: str, kind: str, number: int) -> str:
    return f"<{key} {kind} {number}>"


def talk(agent: Socket, prompts: dict[str, Frame], order: random.Random) -> None:
    """Everybody says a word, thinks and does something in turn, always in another order."""
    for number in range(ROUNDS):
        lines = [(key, kind) for key in prompts for kind in ("text", "thought", "step")]
        order.shuffle(lines)
        for key, kind in lines:
            session = prompts[key]["params"]["sessionId"]
            if kind == "step":
                # The same id in each session: it names a call only together with its session.
                title = mark(key, kind, number)
                agent.update(session, "tool_call", toolCallId=f"call-{number}", title=title, status="completed")
            else:
                tag = "agent_message_chunk" if kind == "text" else "agent_thought_chunk"
                agent.chunk(session, mark(key, kind, number), kind=tag)


def owners(texts: Iterable[str]) -> set[tuple[str, str]]:
    """Whose marks stand in these texts, and of which kind."""
    return {(key, kind) for text in texts for key, kind in MARK.findall(text)}


def held_by(task: Task) -> dict[str, list[str]]:
    """All that is kept of a task, by where it is kept."""
    parts = Part.objects.filter(attempt__task=task).order_by("ordinal")
    return {
        "text": [part.text for part in parts if part.kind == "text"],
        "thought": [part.text for part in parts if part.kind == "thought"],
        "step": list(Step.objects.filter(attempt__task=task).order_by("ordinal").values_list("title", flat=True)),
        "thread": list(Message.objects.filter(task=task).values_list("body", flat=True)),
    }


async def test_each_task_holds_only_what_was_said_in_its_own_session(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[str, str]] = []

    def watch(attempt_id: UUID, payload: dict[str, Any]) -> None:
        shown.append((str(attempt_id), repr(payload)))

    monkeypatch.setattr(bus, "live", watch)
    key, found = await read_async(lambda: (new_key(team)[0], given_out(team)))
    order = random.Random(7)
    async with connected(key) as agent:
        prompts = await prompts_of(agent)
        assert prompts.keys() == found.keys()
        talk(agent, prompts, order)
        clients = {name: Client(await read_async(key_of, task)) for name, task in found.items()}
        await asyncio.gather(
            *(client.call("post_message", text=mark(name, "thread", 0)) for name, client in clients.items())
        )
        for name in order.sample(sorted(prompts), STREAMS):
            agent.end_turn(prompts[name])
        done = Task.objects.filter(run=next(iter(found.values())).run_id, state="in_review")
        await until_row(done.count, lambda number: number == STREAMS)
    await read_async(_check, found, shown)


def _check(found: dict[str, Task], shown: list[tuple[str, str]]) -> None:
    for key, task in found.items():
        held = held_by(task)
        for kind, texts in held.items():
            assert owners(texts) == {(key, kind)}, f"{key} holds {owners(texts)} as {kind}"
        for kind in ("text", "thought"):
            assert MARK.findall("".join(held[kind])) == [(key, kind)] * ROUNDS
            numbers = re.findall(r" (\d+)>", "".join(held[kind]))
            assert numbers == [str(number) for number in range(ROUNDS)]
        assert held["step"] == [mark(key, "step", number) for number in range(ROUNDS)]
        attempt = Attempt.objects.get(task=task)
        assert owners([attempt.result]) == {(key, "text")}
        assert {mine for at, said in shown if at == str(attempt.pk) for mine, _ in MARK.findall(said)} <= {key}
    chat = Message.objects.filter(task=None).values_list("body", flat=True)
    assert owners(chat) == set()
    told = Entry.objects.filter(type="step.recorded").values_list("payload", flat=True)
    pairs = {(payload["task_id"], payload["attempt_id"]) for payload in told}
    assert pairs == {(str(task.pk), str(Attempt.objects.get(task=task).pk)) for task in found.values()}
