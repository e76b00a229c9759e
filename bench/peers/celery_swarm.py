"""Peer: Celery on Redis: a chord for each wave, a prefork worker of two processes, late acknowledgement."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from celery import Celery, chord

from bench.swarm import arguments, graph, tell

# Celery's word for a Unix socket is another one than redis-py's.
REDIS = os.environ.get("BENCH_REDIS", "redis://127.0.0.1:6379/0").replace("unix://", "redis+socket://")
app = Celery("bench.peers.celery_swarm", broker=REDIS, backend=REDIS)
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=1, result_expires=600)


@app.task
def step(number: int) -> int:
    return number


@app.task
def joined(numbers: list[int]) -> int:
    return len(numbers)


def main() -> None:
    told = arguments(__doc__)
    command = [sys.executable, "-m", "celery", "-A", "bench.peers.celery_swarm", "worker"]
    options = ["--pool", "prefork", "--concurrency", "2", "--loglevel", "ERROR", "--without-mingle", "--without-gossip"]
    worker = subprocess.Popen([*command, *options])
    try:
        step.delay(0).get(timeout=60)
        done, started = 0, time.perf_counter()
        for wave in graph(told.steps, told.seed).waves:
            done += chord(step.s(number) for number in wave)(joined.s()).get(timeout=300)
        seconds = time.perf_counter() - started
    finally:
        worker.terminate()
        worker.wait()
    assert done == told.steps, done
    tell(steps=told.steps, seconds=seconds)


if __name__ == "__main__":
    main()
