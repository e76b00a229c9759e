"""Floor: SQLite in WAL mode, synchronous FULL, one writer that commits whatever waits, then acknowledges."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from bench.swarm import arguments, body, drive_batched, graph, tell

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

    async def write(batch: list[tuple[int, int]]) -> None:
        connection.executemany(
            "UPDATE step SET state = 'done', version = version + 1 WHERE id = ? AND version = 0",
            [(step,) for step, _ in batch],
        )
        connection.executemany(
            "INSERT INTO event (step, body) VALUES (?, ?)", [(step, body(worker)) for step, worker in batch]
        )
        connection.commit()

    seconds = await drive_batched(plan, write)
    assert connection.execute("SELECT count(*), count(DISTINCT step) FROM event").fetchone() == (plan.steps,) * 2
    tell(steps=plan.steps, seconds=seconds)


if __name__ == "__main__":
    asyncio.run(main())
