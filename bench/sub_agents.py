"""`python -m bench.sub_agents [--sessions 300] [--steps 4000]`: a swarm of sub-agents through the real gateway.

Starts a whole installation, a scripted model server that takes its time, and the swarm; gives it a run of three stages;
then looks whether every step is in the journal once, and tells what it cost and how much faster it was than one agent.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.stacks import KINDS, Stack, running
from tests.llm.fake_server import FakeServer
from tests.llm.flavours import Answer
from tests.stories.script import Follower, Script
from tests.swarm.server import SKILL, Swarm, at_once, scripted

Json = dict[str, Any]
GATHERED = 40  # results that one task of the second stage puts together
_COUNT = re.compile(r"\((\d+) steps\)")
_FEWEST, _MOST = 5, 90
PATIENCE = 1800.0
TRIES = 5


@dataclass(frozen=True)
class Stage:
    """Tasks that may be done at once, and how many steps each takes."""

    keys: tuple[str, ...]
    steps: tuple[int, ...]


def stages_of(sessions: int, steps: int, seed: int) -> list[Stage]:
    """`sessions` tasks at once, some that put their results together, and one at the end; so many steps in all."""
    dice = random.Random(seed)
    joins = max(1, sessions // GATHERED)
    each = max(_FEWEST, round(steps / (sessions + joins + 1)))
    counts = [min(_MOST, max(_FEWEST, each + dice.randint(-each // 4, each // 4))) for _ in range(sessions)]
    # Made even, so that it is as many as was asked for.
    left, at = steps - sum(counts) - each * (joins + 1), 0
    while left and at < 10 * sessions:
        move = 1 if left > 0 else -1
        if _FEWEST <= counts[at % sessions] + move <= _MOST:
            counts[at % sessions] += move
            left -= move
        at += 1
    return [
        Stage(tuple(f"ask{n}" for n in range(sessions)), tuple(counts)),
        Stage(tuple(f"join{n}" for n in range(joins)), (each,) * joins),
        Stage(("answer",), (each,)),
    ]


def plan_of(stages: Sequence[Stage]) -> list[Json]:
    """The plan that is given: each stage needs the one before."""
    plan: list[Json] = []
    before: tuple[str, ...] = ()
    for stage in stages:
        for at, (key, count) in enumerate(zip(stage.keys, stage.steps, strict=True)):
            needs = before[at :: len(stage.keys)] if len(stage.keys) > 1 else before
            title = f"{key} ({count} steps)"
            plan.append({"key": key, "title": title, "skills": [SKILL], "depends_on": sorted(needs)})
        before = stage.keys
    return plan


def thoughtful(latency: float) -> Callable[[Json], Answer]:
    """The scripted model, which takes its time and says what a server with a prefix cache would count."""

    def answer(body: Json) -> Answer:
        found = _COUNT.search(json.dumps(body["messages"][1]["content"]))
        said = scripted(int(found[1]) if found else _FEWEST)(body)
        time.sleep(latency)
        sizes = [len(json.dumps(message)) // 4 for message in body["messages"]]
        prompt, fresh = sum(sizes), sum(sizes[-2:])
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": 60,
            "prompt_tokens_details": {"cached_tokens": max(0, prompt - fresh) if len(sizes) > 2 else sizes[0]},
        }
        return Answer(text="", calls=said.calls, finish=said.finish, usage=usage)

    return answer


def measured(told: argparse.Namespace) -> Json:
    """Everything from the start to the figures."""
    stages = stages_of(told.sessions, told.steps, told.seed)
    with ExitStack() as over:
        stack = over.enter_context(running(told.stack))
        script = Script(stack.url, _token(stack))
        workspace = script.workspace("Swarm")
        agent = {"name": "Swarm", "skills": [{"name": SKILL, "level": 3}], "workspace": workspace}
        key = script.post("/api/v1/agents", {**agent, "max_sessions": told.sessions})["key"]
        model = over.enter_context(FakeServer("sglang", thoughtful(told.latency)))
        journal = over.enter_context(Follower(script, workspace))
        swarm = over.enter_context(Swarm(stack.url, key, model.url, stack.data, sessions=told.sessions))
        began = time.monotonic()
        started = {"goal": "A wide question", "plan": plan_of(stages), "start": True}
        run = str(script.post(f"/api/v1/workspaces/{workspace}/runs", started)["id"])
        state = journal.ended(run, seconds=PATIENCE)
        wall = time.monotonic() - began
        turns, memory = swarm.turns(), swarm.memory()
        faults = judged(script.journal(workspace), turns, stages)
    return {
        **vars(told),
        "state": state,
        "faults": faults,
        **figures(turns, stages, wall, told.latency),
        "memory_mb": memory / 2**20,
    }


def _token(stack: Stack) -> str:
    """The owner's; asked for again where the machine has so much to do that a command takes longer than it may."""
    for _ in range(TRIES):
        with suppress(subprocess.TimeoutExpired):
            return stack.manage("token", "owner").split()[-1]
    raise SystemExit("The machine has too much to do.")


def judged(entries: Sequence[Json], turns: Sequence[Json], stages: Sequence[Stage]) -> list[str]:
    """What is wrong with the journal: every step begins and ends in it once, and there are as many as were taken."""
    told = Counter((e["payload"]["step_id"], e["payload"]["status"]) for e in entries if e["type"] == "step.recorded")
    found = [f"{n} times {status}" for (_, status), n in told.items() if n > 1]
    done = sum(status == "completed" for _, status in told)
    wanted = sum(sum(stage.steps) for stage in stages)
    calls = sum(turn["calls"] for turn in turns)
    if not done == calls == wanted:
        found.append(f"{wanted} steps were to be taken, {calls} were, {done} are in the journal as done")
    return found + [f"a turn ended so: {turn['end']} {turn['why']}" for turn in turns if turn["end"] != "done"][:5]


def figures(turns: Sequence[Json], stages: Sequence[Stage], wall: float, latency: float) -> Json:
    """Cost, critical steps and speed-up. The coordinator takes a step of its own before each stage.

    One agent alone would wait for the model at each step: that much it takes at least, whatever else it does.
    """
    steps = sum(turn["steps"] for turn in turns)
    critical = sum(1 + max(stage.steps) for stage in stages)
    at_work = sum(turn["ended"] - turn["began"] for turn in turns)
    usd = sum(turn["micro_usd"] for turn in turns) / 1e6
    tokens = {name: sum(turn[name] for turn in turns) for name in ("prompt", "cached", "completion")}
    return {
        "tasks": len(turns),
        "at_once": at_once(turns),
        "steps": steps,
        "critical_steps": critical,
        "speed_up_in_steps": (steps + len(stages)) / critical,
        "seconds": wall,
        "seconds_at_work": at_work,
        "speed_up_in_time": steps * latency / wall,
        "steps_per_second": steps / wall,
        **tokens,
        "cached_share": tokens["cached"] / max(1, tokens["prompt"]),
        "usd": usd,
        "usd_per_1000_steps": 1000 * usd / max(1, steps),
    }


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.sub_agents", description=__doc__)
    parser.add_argument("--sessions", type=int, default=300)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--latency", type=float, default=1.0, help="seconds that the model takes for an answer")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stack", choices=sorted(KINDS), default="servers")
    parser.add_argument("--write", type=Path, help="a file for the figures as JSON")
    told = parser.parse_args(given)
    found = measured(told)
    text = json.dumps(found, indent=1, default=str)
    sys.stdout.write(text + "\n")
    if told.write:
        told.write.write_text(text + "\n")
    return 1 if found["faults"] or found["state"] != "done" else 0


if __name__ == "__main__":
    sys.exit(main())
