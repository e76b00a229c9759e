"""Floor: SQLite in WAL mode, synchronous FULL, one writer that commits whatever waits, then acknowledges."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

from bench.swarm import arguments, body, drive, graph, tell

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE step (id integer PRIMARY KEY, version int NOT NULL, state text NOT NULL);
CREATE TABLE event (seq integer PRIMARY KEY, step int NOT NULL, body text NOT NULL);
"""


async def main() -> None:
    told = arguments(__doc__)
    plan = graph(told.steps, told.seed)
    connection = sqlite3.connect(Path(told.database) / "floor.sqlite3")
    connection.executescript(SCHEMA)
    connection.executemany("INSERT INTO step VALUES (?, 0, 'ready')", [(n,) for n in range(plan.steps)])
    connection.commit()
    waiting: asyncio.Queue[tuple[int, int, asyncio.Future[Any]]] = asyncio.Queue()

    async def writer() -> None:
        while True:
            batch = [await waiting.get()]
            while not waiting.empty() and len(batch) < 500:
                batch.append(waiting.get_nowait())
            connection.executemany(
                "UPDATE step SET state = 'done', version = version + 1 WHERE id = ? AND version = 0",
                [(step,) for step, _, _ in batch],
            )
            connection.executemany(
                "INSERT INTO event (step, body) VALUES (?, ?)",
                [(step, body(worker)) for step, worker, _ in batch],
            )
            connection.commit()
            for _, _, future in batch:
                future.set_result(None)

    async def record(step: int, worker: int) -> None:
        future = asyncio.get_running_loop().create_future()
        waiting.put_nowait((step, worker, future))
        await future

    task = asyncio.create_task(writer())
    seconds = await drive(plan, record)
    task.cancel()
    assert connection.execute("SELECT count(*), count(DISTINCT step) FROM event").fetchone() == (plan.steps,) * 2
    tell(steps=plan.steps, seconds=seconds)


if __name__ == "__main__":
    asyncio.run(main())
