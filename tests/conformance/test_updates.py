"""Every kind of update in the official schemas, and kinds nobody knows, are read without loss and break no turn."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from typing import Any

import pytest

from agents.protocol import acp
from agents.protocol.updates import UnknownUpdate
from clawgroups.services.perform import read_async
from tests.conformance.samples import Sampler, marks
from tests.conformance.schema import Judge, stable, unstable, variants
from tests.conftest import Team
from tests.gateway.support import attempt_of, connected, new_key, task_state

INVENTED = [
    {"sessionUpdate": "of the year 2030", "content": {"type": "hologram", "rays": ["mark-1", {"deep": ["mark-2"]}]}},
    {"sessionUpdate": "_vendor/progress", "percent": 1001.5},
    {"sessionUpdate": "tool_call", "toolCallId": 1001, "title": "mark-1"},
    {"sessionUpdate": "plan", "entries": "mark-1"},
    {"content": {"type": "text", "text": "mark-1"}},
]
NO_WORD: set[str] = set()
"""Kept whole, and shown raw. A new schema with new kinds fails here until somebody has decided."""


def sampled(judge: Judge) -> dict[str, dict[str, Any]]:
    # Annotations say how to show a text; it is kept, they are not.
    sampler = Sampler(judge, frozenset({"_meta", "annotations"}))
    return {tag: sampler.value(one) for tag, one in variants(judge, "SessionUpdate")}


KNOWN = {f"{name} {tag}": value for name, judge in (("stable", stable()), ("unstable", unstable()))
         for tag, value in sampled(judge).items()}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_a_sample_is_what_the_schema_allows(name: str) -> None:
    judge = stable() if name.startswith("stable") else unstable()
    assert judge.faults("SessionNotification", {"sessionId": "s", "update": KNOWN[name]}) == []


@pytest.mark.parametrize("update", [*KNOWN.values(), *INVENTED], ids=[*KNOWN, *map(str, range(len(INVENTED)))])
def test_nothing_in_an_update_is_lost(update: dict[str, Any]) -> None:
    session, read = acp.parse_update({"sessionId": "s", "update": update})
    assert session == "s"
    assert is_dataclass(read)
    kept = set(marks(asdict(read)))
    assert set(marks(update)) - kept == set()
    if isinstance(read, UnknownUpdate):
        assert read.raw == update


def test_what_has_no_word_of_ours_is_listed() -> None:
    unknown = {
        tag
        for judge in (stable(), unstable())
        for tag, update in sampled(judge).items()
        if isinstance(acp.parse_update({"sessionId": "s", "update": update})[1], UnknownUpdate)
    }
    assert unknown <= NO_WORD


@pytest.mark.django_db(transaction=True)
async def test_a_turn_with_every_kind_of_update_in_it_ends_well(team: Team) -> None:
    key, _ = await read_async(new_key, team)
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        session = prompt["params"]["sessionId"]
        for update in [*KNOWN.values(), *INVENTED]:
            agent.say({"method": "session/update", "params": {"sessionId": session, "update": update}})
        agent.chunk(session, "All of it.", message="last")
        agent.end_turn(prompt)
        await task_state(task, "in_review")
        assert (await read_async(attempt_of, task)).result == "All of it."
        await agent.acked(len(agent.said))
        assert agent.closed is None
