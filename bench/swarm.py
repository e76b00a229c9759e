"""swarm-4000: 300 workers, 4,000 no-op steps in 13 waves (a small one: three), each after three of the wave before.

A step counts when its recorder has acknowledged it; only then do its dependants start.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import sys
import time
from argparse import ArgumentParser, Namespace
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

WORKERS = 300
STEPS = 4000
WAVE = 308
PARENTS = 3
BATCH = 500


@dataclass(frozen=True)
class Graph:
    """Steps by number. `children[n]`: who waits for n; `parents[n]`: for how many n waits."""

    steps: int
    waves: tuple[tuple[int, ...], ...]
    parents: tuple[tuple[int, ...], ...]
    children: tuple[tuple[int, ...], ...]


def graph(steps: int, seed: int) -> Graph:
    """The same graph for the same seed."""
    dice = random.Random(seed)
    count = max(-(-steps // WAVE), 3)
    waves: list[tuple[int, ...]] = []
    begun = 0
    for number in range(count):
        size = steps // count + (number < steps % count)
        waves.append(tuple(range(begun, begun + size)))
        begun += size
    parents: list[tuple[int, ...]] = [()] * len(waves[0])
    for before, wave in pairwise(waves):
        parents += [tuple(sorted(dice.sample(before, min(PARENTS, len(before))))) for _ in wave]
    children: list[list[int]] = [[] for _ in range(steps)]
    for step, of in enumerate(parents):
        for parent in of:
            children[parent].append(step)
    return Graph(steps, tuple(waves), tuple(parents), tuple(map(tuple, children)))


async def drive(
    plan: Graph,
    record: Callable[[int, int], Awaitable[None]],
    workers: int = WORKERS,
    before: frozenset[int] = frozenset(),
) -> float:
    """Do all steps but those of `before`, at most one per worker at a time; the seconds it took.

    `record(step, worker)` acknowledges.
    """
    missing = [len(set(of) - before) for of in plan.parents]
    ready = deque(step for step, n in enumerate(missing) if n == 0 and step not in before)
    idle = deque(range(workers))
    done, over = len(before), asyncio.get_running_loop().create_future()
    tasks: set[asyncio.Task[None]] = set()

    async def work(step: int, worker: int) -> None:
        nonlocal done
        await record(step, worker)
        done += 1
        idle.append(worker)
        for child in plan.children[step]:
            missing[child] -= 1
            if missing[child] == 0 and child not in before:
                ready.append(child)
        begin()
        if done == plan.steps:
            over.set_result(None)

    def ended(task: asyncio.Task[None]) -> None:
        tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None and not over.done():
            over.set_exception(fault)

    def begin() -> None:
        while ready and idle:
            task = asyncio.ensure_future(work(ready.popleft(), idle.popleft()))
            tasks.add(task)
            task.add_done_callback(ended)

    started = begun()
    begin()
    await over
    return time.perf_counter() - started


async def drive_batched(plan: Graph, write: Callable[[list[tuple[int, int]]], Awaitable[None]]) -> float:
    """`drive` with one writer: whatever (step, worker) waits is written at once, and acknowledged after that."""
    waiting: asyncio.Queue[tuple[int, int, asyncio.Future[None]]] = asyncio.Queue()

    async def writer() -> None:
        while True:
            batch = [await waiting.get()]
            while not waiting.empty() and len(batch) < BATCH:
                batch.append(waiting.get_nowait())
            await write([(step, worker) for step, worker, _ in batch])
            for _, _, future in batch:
                future.set_result(None)

    async def record(step: int, worker: int) -> None:
        future = asyncio.get_running_loop().create_future()
        waiting.put_nowait((step, worker, future))
        await future

    task = asyncio.create_task(writer())
    try:
        return await drive(plan, record)
    finally:
        task.cancel()


def body(worker: int) -> str:
    """What a floor writes of a step."""
    return json.dumps({"worker": worker})


def arguments(doc: str | None) -> Namespace:
    """What every contestant is told."""
    parser = ArgumentParser(description=doc)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--browsers", type=int, default=100)
    parser.add_argument("--mode", choices=("window", "flood"), default="window")
    parser.add_argument("--each", action="store_true", help="a frame for each event, whatever waits")
    parser.add_argument("--uvicorn", action="store_true", help="serve the product with uvicorn instead of our Daphne")
    parser.add_argument("--deaf", type=int, default=0, help="so many browsers more that stop reading")
    parser.add_argument("--database", default="", help="a fresh, empty database of its own, or a folder")
    return parser.parse_args()


BEGUN = "begun"
_spent: list[float] = [0.0]


def begun() -> float:
    """Say that the preparations are over: from here on CPU counts. The time by `perf_counter`."""
    print(BEGUN)
    sys.stdout.flush()
    _spent[0] = _cpu()
    return time.perf_counter()


def tell(**figures: float | str) -> None:
    """The line that the runner reads."""
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"process_cpu": _cpu() - _spent[0], "rss_mb": rss, **figures}))
    sys.stdout.flush()


def _cpu() -> float:
    """Seconds of CPU of this process and its children, those that run, too."""
    own = sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    return own + sum(cpu_of(pid) for pid in descendants(os.getpid()))


def descendants(pid: int) -> list[int]:
    """The running children of a process, and theirs."""
    try:
        found = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [*found, *(below for one in found for below in descendants(one))]


def cpu_of(pid: int) -> float:
    """Seconds of CPU of a process, with those of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
