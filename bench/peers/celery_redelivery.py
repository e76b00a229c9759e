"""Peer: Celery on Redis as it comes, visibility timeout 5 s: a worker with running tasks is killed (-9).

Counts until the last of its tasks runs again, on another worker that is there all the time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from celery import Celery

from bench.swarm import arguments, begun, tell

REDIS = os.environ.get("BENCH_REDIS", "redis://127.0.0.1:6379/0").replace("unix://", "redis+socket://")
DIARY = "BENCH_DIARY"
RUNNING = 150
LONG = 400.0  # seconds: longer than anybody waits here
app = Celery("bench.peers.celery_redelivery", broker=REDIS)
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    task_ignore_result=True,
    broker_transport_options={"visibility_timeout": 5},
    task_default_queue="redelivered",
)


@app.task
def work(number: int) -> None:
    with Path(os.environ[DIARY]).open("a", 1) as diary:
        diary.write(f"{os.getpid()} {number}\n")
    time.sleep(LONG)


def started(diary: Path) -> list[list[str]]:
    return [line.split() for line in diary.read_text().splitlines()] if diary.exists() else []


def worker(name: str, folder: Path, count: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "celery", "-A", "bench.peers.celery_redelivery", "worker", "-n", f"{name}@%h"]
    options = ["--pool", "threads", "--concurrency", str(count), "--loglevel", "ERROR"]
    return subprocess.Popen([*command, *options], env={**os.environ, DIARY: str(folder / "diary")})


def main() -> None:
    told = arguments(__doc__)
    count = min(RUNNING, told.steps)
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as made:
        folder = Path(made)
        first = worker("first", folder, count)
        second = None
        try:
            for number in range(count):
                work.delay(number)
            while len(started(folder / "diary")) < count:
                assert first.poll() is None, "the first worker has ended"
                time.sleep(0.05)
            second = worker("second", folder, count)
            time.sleep(5)  # until it has started
            begun()
            before = time.perf_counter()
            first.send_signal(signal.SIGKILL)
            first.wait()
            again = {str(first.pid)}
            while len({number for pid, number in started(folder / "diary") if pid not in again}) < count:
                assert second.poll() is None, "the second worker has ended"
                time.sleep(0.05)
            seconds = time.perf_counter() - before
        finally:
            first.kill()
            if second is not None:
                second.kill()
    tell(steps=count, seconds=seconds)


if __name__ == "__main__":
    main()
