"""Claw Groups: the recording process is killed (-9) after half of the steps, and another one goes on from the rows.

What was acknowledged must be there, nothing may be left out, and only what was on its way may be done again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from uuid import UUID

from bench.crew import Crew, found_again, gathered, installed, recorded
from bench.swarm import WORKERS, arguments, begun, drive, graph, tell

CHILD = "BENCH_KILLED"  # the folder of the diaries, in the environment of the one that records


def main() -> None:
    told = arguments(__doc__)
    folder = os.environ.get(CHILD)
    if folder:
        _record(told.steps, told.seed, told.database, Path(folder))
        return
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as made:
        diaries = Path(made)
        _killed_in_the_middle(told.steps, diaries)
        begun()
        started = time.perf_counter()
        _start(diaries / "second", diaries).wait()
        seconds = time.perf_counter() - started
        first, second = (diaries / "first", diaries / "second")
        executed = {name.name: _numbers(name / "executed") for name in (first, second)}
        rows = _numbers(second / "rows")
        tell(
            steps=told.steps,
            seconds=seconds,
            executed=len(executed["first"]),
            again=len(executed["first"] & executed["second"]),
            lost=len(_numbers(first / "acknowledged") - _numbers(second / "found")),
            never=told.steps - len(executed["first"] | executed["second"]),
            unrecorded=told.steps - len(rows),
        )


def _killed_in_the_middle(steps: int, diaries: Path) -> None:
    child = _start(diaries / "first", diaries)
    while len(_numbers(diaries / "first" / "executed")) < steps // 2:
        assert child.poll() is None, "it ended before it could be killed"
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait()


def _start(folder: Path, diaries: Path) -> subprocess.Popen[bytes]:
    folder.mkdir()
    command = [sys.executable, "-m", "bench.contestants.product_killed", *sys.argv[1:]]
    return subprocess.Popen(command, env={**os.environ, CHILD: str(folder)}, stdout=subprocess.DEVNULL)


def _numbers(path: Path) -> set[int]:
    # The last line of one that was killed may be cut off.
    return {int(line) for line in path.read_text().split("\n")[:-1]} if path.exists() else set()


def _record(steps: int, seed: int, database: str, folder: Path) -> None:
    installed(database)
    from clawgroups import commit  # noqa: PLC0415  (Django is set up first)
    from clawgroups.models import Step  # noqa: PLC0415

    plan = graph(steps, seed)
    before = {int(title.split()[-1]) for title in Step.objects.values_list("title", flat=True)}
    (folder / "found").write_text("".join(f"{number}\n" for number in before))
    crew = _crew(folder, min(WORKERS, len(plan.waves[0])))
    with (folder / "executed").open("a", 1) as executed, (folder / "acknowledged").open("a", 1) as acknowledged:

        async def record(step: int, worker: int) -> None:
            executed.write(f"{step}\n")
            await recorded(crew.workers[worker], step)
            acknowledged.write(f"{step}\n")

        asyncio.run(drive(plan, record, len(crew.workers), frozenset(before)))
    rows = [int(title.split()[-1]) for title in Step.objects.values_list("title", flat=True)]
    (folder / "rows").write_text("".join(f"{number}\n" for number in rows))
    commit.drain()


def _crew(folder: Path, count: int) -> Crew:
    note = folder.parent / "run"
    if note.exists():
        return found_again(UUID(note.read_text()))
    crew = gathered(count)
    note.write_text(str(crew.run_id))
    return crew


if __name__ == "__main__":
    main()
