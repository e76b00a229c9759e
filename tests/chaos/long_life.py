"""T04: a run of 12 hours on an injected clock, in process: 4,000 tasks, 300 agents that come and go, people.

`python -m tests.chaos.long_life_world --size full --seed N` plays it on one database, in a process of its own; its
standard error is the product's log. There is no model, so what is bounded instead of a prompt is what a turn of the
coordinator reads: the queries of one look and of a step, and the situation it then holds, written out as a prompt
would be.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.history import Verdict
from tests.chaos.rows import CI, FULL, Row
from tests.run import servers

ROOT = Path(__file__).resolve().parent.parent.parent
MIB = 1024 * 1024
MOST_BYTES = 64 * MIB
MOST_QUERIES = 26  # of one look: one for each kind of row that may be there, however old or large the run is
MORE = 1.5  # times the queries of a step early in the run
MOST_TOKENS = 64_000  # of a situation that is written out
TOKEN = 4  # characters


@dataclass(frozen=True, slots=True)
class Life:
    """How long it takes, of what, and what happens meanwhile."""

    hours: float
    tasks: int
    levels: int
    agents: int
    questions: int
    takeovers: int


LIVES = {
    FULL: Life(hours=12, tasks=4000, levels=120, agents=300, questions=40, takeovers=10),
    CI: Life(hours=0.6, tasks=40, levels=5, agents=24, questions=5, takeovers=3),
}


@dataclass(frozen=True)
class Report:
    """What came of it on one database. `leaks`: what is still open, held or set, by what it is, and how much."""

    database: str
    state: str
    hours: float
    took: float
    seconds: float
    cpu: float
    tasks: int
    asked: int
    seized: int
    joined: int
    left: int
    attempts: int
    entries: int
    journal: int
    file: int
    queries: int
    rows: int
    tokens: int
    early: float
    late: float
    turn_queries: int
    sessions_lost: int
    lost: int
    doubled: int
    leaks: dict[str, int]
    faults: list[str]
    log: int = 0
    errors: int = 0


def long_life(size: str, seed: int) -> Row:
    """T04: it is done after 12 hours, nothing is left open, and no turn reads more for being late in the run.

    At full size on both databases, one after the other.
    """
    life = LIVES[size]
    both = "both" if size == FULL else "SQLite"
    row = Row("T04", f"{life.hours:g} h on an injected clock, agents come and go", both, seed)
    row.note(f"{life.tasks} tasks, {life.agents} agents, in process")
    _judge(row, life, played(size, seed))
    if size == FULL:
        with servers.postgres() as url:
            _judge(row, life, played(size, seed, DATABASE_URL=url))
    return row


def played(size: str, seed: int, **more: str) -> Report:
    """Play it on the database that `more` names, else on a fresh SQLite file."""
    with tempfile.TemporaryDirectory(prefix="claw-t04-") as folder:
        environment = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL", "LOG_LEVEL")}
        environment |= {"CLAWGROUPS_DATA": folder, **more}
        command = [sys.executable, "-m", "tests.chaos.long_life_world", "--size", size, "--seed", str(seed)]
        log = Path(folder) / "log"
        with log.open("wb") as out:
            done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=out, check=False)
        lines = done.stdout.decode().strip().splitlines()
        if not lines or not lines[-1].startswith("{"):
            end = log.read_text(errors="replace")[-3000:]
            raise AssertionError(f"seed {seed}: the long life ended with {done.returncode}: {end}")
        errors = sum(" ERROR " in line or " CRITICAL " in line for line in log.read_text(errors="replace").splitlines())
        return Report(**{**json.loads(lines[-1]), "log": log.stat().st_size, "errors": errors})


def _judge(row: Row, life: Life, found: Report) -> None:
    """Note one database's figures with their pass lines."""
    name = found.database
    row.note(f"{name}: {found.seconds:.0f} s ({found.cpu:.0f} of a processor), {found.attempts} attempts")
    row.note(f"{name}: {found.joined} agents joined, {found.left} left")
    row.check(f"{name}: the run is {found.state}", found.state == "done")
    row.check(f"{name}: it took {found.took:.1f} of {found.hours:.1f} h", found.hours >= life.hours)
    # Not every one that was to be asked: the agent may have left by then, or its task been taken over.
    row.check(f"{name}: {found.asked} approvals", found.asked > life.questions / 2)
    row.check(f"{name}: {found.seized} takeovers", found.seized >= life.takeovers)
    row.measure(f"{name}: leaked leases, timers and open rows", sum(found.leaks.values()), 0, "of them")
    row.measure(f"{name}: queries of a look, most", found.queries, MOST_QUERIES, "of them")
    row.measure(f"{name}: queries of a step late in the run", found.late, MORE * found.early, "of them")
    row.measure(f"{name}: situation, largest", found.tokens, MOST_TOKENS, "tokens")
    row.note(f"{name}: {found.rows} rows in a look and {found.turn_queries} queries in a turn at most")
    row.measure(f"{name}: journal of {found.entries} entries", found.journal / MIB, MOST_BYTES / MIB, "MiB")
    row.measure(f"{name}: errors in the log", found.errors, 0, "of them")
    row.measure(f"{name}: log", found.log / MIB, MOST_BYTES / MIB, "MiB")
    row.note(f"{name}: database {found.file / MIB:.0f} MiB; {found.sessions_lost} sessions lost at one return at most")
    leaks = [f"{name}: {n} of {what}" for what, n in found.leaks.items() if n]
    row.verdict.add(Verdict(lost=found.lost, doubled=found.doubled, faults=[*leaks, *found.faults]))
