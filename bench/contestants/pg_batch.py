"""Floor: PostgreSQL, one writer that commits whatever waits (COPY of events, UPDATE from arrays), then acknowledges."""

from __future__ import annotations

import asyncio

import psycopg

from bench.contestants.pg_commit import SCHEMA
from bench.swarm import arguments, body, drive_batched, graph, tell


async def main() -> None:
    told = arguments(__doc__)
    plan = graph(told.steps, told.seed)
    connection = await psycopg.AsyncConnection.connect(told.database)
    await connection.execute(SCHEMA)
    async with connection.cursor() as cursor:
        await cursor.executemany("INSERT INTO step VALUES (%s, 0, 'ready')", [(n,) for n in range(plan.steps)])
    await connection.commit()

    async def write(batch: list[tuple[int, int]]) -> None:
        async with connection.cursor() as cursor:
            await cursor.execute(
                "UPDATE step SET state = 'done', version = version + 1 FROM unnest(%s::int[]) AS d(id) "
                "WHERE step.id = d.id AND version = 0",
                ([step for step, _ in batch],),
            )
            async with cursor.copy("COPY event (step, body) FROM STDIN") as copy:
                for step, worker in batch:
                    await copy.write_row((step, body(worker)))
        await connection.commit()

    seconds = await drive_batched(plan, write)
    rows = await (await connection.execute("SELECT count(*), count(DISTINCT step) FROM event")).fetchone()
    assert rows == (plan.steps, plan.steps), rows
    tell(steps=plan.steps, seconds=seconds)


if __name__ == "__main__":
    asyncio.run(main())
