"""Ten sub-agents on a model that means nothing: they hold sessions and call tools, and the engine's rules end each."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agents.llm.base import Endpoint
from agents.swarm.engine import Engine
from agents.swarm.limits import Limits
from agents.swarm.tally import Tally, Used
from tests.swarm.test_agent import connected, one_task

MANY = 10
LIMITS = Limits(steps=12, tokens=400_000, seconds=600.0, window=65_536, output=400, full=5_000, keep=800)
STOPS = {"end_turn", "refusal", "max_turn_requests", "max_tokens"}


async def test_ten_sub_agents_on_nonsense_are_all_ended_by_the_rules(endpoint: Endpoint, tmp_path: Path) -> None:
    used: list[Used] = []
    engine = Engine(endpoint, LIMITS, sessions=MANY, tally=Tally(also=used.append))
    async with connected(engine) as client:
        await client.ask("initialize", {"protocolVersion": 1, "clientCapabilities": {}})
        answers = await asyncio.gather(*(one_task(client, tmp_path, number) for number in range(MANY)))
    for one in used:
        print(f"{one.end}: {one.steps} steps, {one.calls} calls, {one.asked} asked, {one.rooms} rooms, {one.why}")
    assert {answer["result"]["stopReason"] for answer in answers} <= STOPS
    assert len(used) == MANY
    assert all(1 <= one.steps <= LIMITS.steps for one in used)
    assert sum(one.calls for one in used) > 0, "no tool was ever called"
    assert all(one.usage.prompt > 0 for one in used)
