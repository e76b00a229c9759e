"""T21: a person takes over in eight phases of an agent's work, and hands back; the other side decides at that moment.

`python -m tests.chaos.takeover_run [--each N] [--seed S] [--phases NAME ...]`, on the PostgreSQL that DATABASE_URL
names, which has to keep the times of its commits. The agents' sockets, the people and the coordinator are processes
of their own, each with its writer. In every round both sides have decided before either change reaches a writer; each
phase is played in both orders of the two commits.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field

from tests.chaos.history import Verdict
from tests.chaos.processes import ROOT
from tests.chaos.rows import FULL, Row
from tests.run import servers

EACH = {FULL: 25}
FEW = 1


@dataclass(frozen=True)
class Report:
    """What came of it. `again`: takeovers decided a second time since the other side was quicker; `refused`: changes of
    the other side that came second and were not applied; `same`: hand-backs that went on in the same session."""

    rounds: int
    wanted: int
    again: int
    refused: int
    same: int
    acknowledged: int
    seqs: int
    seed: int
    seconds: float
    in_all: float
    faults: tuple[str, ...] = ()
    kinds: dict[str, int] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return self.rounds == self.wanted == self.acknowledged and not self.faults


def takeovers(*, each: int, seed: int) -> Report:
    """Play each phase so many times in both orders, on a PostgreSQL and a Valkey of its own."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="claw-t21-"))
        database = stack.enter_context(servers.postgres("track_commit_timestamp=on", "max_connections=100"))
        redis = stack.enter_context(servers.redis())
        environment = os.environ | {
            "CLAWGROUPS_DATA": folder, "DATABASE_URL": database, "REDIS_URL": redis, "LOG_LEVEL": "CRITICAL"
        }  # fmt: skip
        command = [sys.executable, "-m", "tests.chaos.takeover_run", "--each", str(each), "--seed", str(seed)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if not lines or not lines[-1].startswith("{"):
        raise AssertionError(f"seed {seed}: the takeovers ended with {done.returncode}: {done.stderr[-3000:]}")
    said = json.loads(lines[-1])
    return Report(**{**said, "faults": tuple(said["faults"])})


def taken_over(size: str, seed: int) -> Row:
    """T21: never two controllers, nothing written after the commit point, nothing that was said is lost."""
    found = takeovers(each=EACH.get(size, FEW), seed=seed)
    row = Row("T21", f"takeover in 8 phases, {found.wanted} rounds, and hand-back", "PostgreSQL", seed)
    row.note(f"{found.rounds} rounds, {found.seqs} entries, {found.seconds:.0f} s, {found.in_all:.0f} s in all")
    row.note(f"{found.again} takeovers decided again, {found.refused} times the other side came too late")
    row.measure("not acknowledged", found.wanted - found.acknowledged, 0, "of them")
    row.note(f"{found.same} went on in the same session")
    row.verdict = Verdict(faults=list(found.faults))
    return row
