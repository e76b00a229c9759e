"""T23 at full size: `machine_full()` runs the state machine on SQLite and on a real PostgreSQL, and the pure core.

`variant_full()` runs a variant of it on a real PostgreSQL: T21m is all about who has a task in hand, T22m about what
agents ask and who answers.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.run import servers

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES, STEPS, SEEDS = 2000, 50, 10_000
EXAMPLES_A_WALK = 6


@dataclass(frozen=True)
class Report:
    """What came of it: how much was tried on each database and of the pure core, and what did not hold."""

    examples: int
    walks: int
    steps: int
    pure_seeds: int
    databases: tuple[str, ...]
    violations: int
    types: int
    seed: int
    seconds: float
    faults: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.violations == 0 and "postgresql" in self.databases


def machine_full(
    *,
    examples: int = EXAMPLES,
    walks: int | None = None,
    steps: int = STEPS,
    pure: int = SEEDS,
    seed: int | None = None,
) -> Report:
    """Run all of it, the two databases beside each other. A fault holds the steps and the seed that led to it."""
    seed = random.SystemRandom().randrange(2**31) if seed is None else seed
    walks = examples // EXAMPLES_A_WALK if walks is None else walks
    size = ["--examples", str(examples), "--walks", str(walks), "--steps", str(steps), "--seed", str(seed)]
    with ExitStack() as stack:
        database = stack.enter_context(servers.postgres())
        pool = stack.enter_context(ThreadPoolExecutor(2))
        runs = [
            pool.submit(_run, [*size, "--pure", str(pure)], {}),
            pool.submit(_run, [*size, "--pure", "0"], {"DATABASE_URL": database}),
        ]
        return _report([run.result() for run in runs])


def variant_full(variant: str, *, examples: int = EXAMPLES, steps: int = STEPS, seed: int | None = None) -> Report:
    """Run a variant ("hands", "asking") on PostgreSQL, with as many walks as `machine_full` has."""
    seed = random.SystemRandom().randrange(2**31) if seed is None else seed
    size = ["--examples", str(examples), "--walks", str(examples // EXAMPLES_A_WALK), "--steps", str(steps)]
    with servers.postgres() as database:
        return _report([_run([*size, "--seed", str(seed), f"--{variant}"], {"DATABASE_URL": database})])


def _report(found: list[dict[str, Any]]) -> Report:
    first = found[0]
    return Report(
        examples=first["examples"],
        walks=first["walks"],
        steps=first["steps"],
        pure_seeds=sum(one["pure"] for one in found),
        databases=tuple(one["database"] for one in found),
        violations=sum(one["violations"] for one in found),
        types=len({name for one in found for name in one["types"]}),
        seed=first["seed"],
        seconds=max(one["seconds"] for one in found),
        faults=tuple(one["said"] for one in found if one["violations"]),
    )


def _run(arguments: list[str], more: dict[str, str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="claw-t23-") as folder:
        environment = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL")}
        environment |= {"CLAWGROUPS_DATA": folder, "LOG_LEVEL": "CRITICAL", **more}
        command = [sys.executable, "-m", "tests.machine", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if not lines or not lines[-1].startswith("{"):
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-3000:]}")
    return {**json.loads(lines[-1]), "said": done.stderr[-6000:]}
