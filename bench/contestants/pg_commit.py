"""Floor: PostgreSQL, 16 connections, a commit for each step (UPDATE of the step, INSERT of the event)."""

from __future__ import annotations

import asyncio

import psycopg

from bench.swarm import arguments, body, drive, graph, tell

CONNECTIONS = 16
SCHEMA = """
CREATE TABLE step (id int PRIMARY KEY, version int NOT NULL, state text NOT NULL);
CREATE TABLE event (seq bigserial PRIMARY KEY, step int NOT NULL, body jsonb NOT NULL);
"""


async def main() -> None:
    told = arguments(__doc__)
    plan = graph(told.steps, told.seed)
    pool: asyncio.Queue[psycopg.AsyncConnection] = asyncio.Queue()
    for number in range(CONNECTIONS):
        connection = await psycopg.AsyncConnection.connect(told.database)
        if number == 0:
            await connection.execute(SCHEMA)
            async with connection.cursor() as cursor:
                await cursor.executemany("INSERT INTO step VALUES (%s, 0, 'ready')", [(n,) for n in range(plan.steps)])
            await connection.commit()
        pool.put_nowait(connection)

    async def record(step: int, worker: int) -> None:
        connection = await pool.get()
        async with connection.cursor() as cursor:
            await cursor.execute(
                "UPDATE step SET state = 'done', version = version + 1 WHERE id = %s AND version = 0", (step,)
            )
            await cursor.execute("INSERT INTO event (step, body) VALUES (%s, %s)", (step, body(worker)))
        await connection.commit()
        pool.put_nowait(connection)

    seconds = await drive(plan, record)
    connection = await pool.get()
    rows = await (await connection.execute("SELECT count(*), count(DISTINCT step) FROM event")).fetchone()
    assert rows == (plan.steps, plan.steps), rows
    tell(steps=plan.steps, seconds=seconds)


if __name__ == "__main__":
    asyncio.run(main())
