"""Floor: PostgreSQL, one writer that commits whatever waits (COPY of events, UPDATE from arrays), then acknowledges."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg

from bench.contestants.pg_commit import SCHEMA
from bench.swarm import arguments, body, drive, graph, tell


async def main() -> None:
    told = arguments(__doc__)
    plan = graph(told.steps, told.seed)
    connection = await psycopg.AsyncConnection.connect(told.database)
    await connection.execute(SCHEMA)
    async with connection.cursor() as cursor:
        await cursor.executemany("INSERT INTO step VALUES (%s, 0, 'ready')", [(n,) for n in range(plan.steps)])
    await connection.commit()
    waiting: asyncio.Queue[tuple[int, int, asyncio.Future[Any]]] = asyncio.Queue()

    async def writer() -> None:
        while True:
            batch = [await waiting.get()]
            while not waiting.empty() and len(batch) < 500:
                batch.append(waiting.get_nowait())
            async with connection.cursor() as cursor:
                steps = [step for step, _, _ in batch]
                await cursor.execute(
                    "UPDATE step SET state = 'done', version = version + 1 FROM unnest(%s::int[]) AS d(id) "
                    "WHERE step.id = d.id AND version = 0",
                    (steps,),
                )
                async with cursor.copy("COPY event (step, body) FROM STDIN") as copy:
                    for step, worker, _ in batch:
                        await copy.write_row((step, body(worker)))
            await connection.commit()
            for _, _, future in batch:
                future.set_result(None)

    async def record(step: int, worker: int) -> None:
        future = asyncio.get_running_loop().create_future()
        waiting.put_nowait((step, worker, future))
        await future

    task = asyncio.create_task(writer())
    seconds = await drive(plan, record)
    task.cancel()
    rows = await (await connection.execute("SELECT count(*), count(DISTINCT step) FROM event")).fetchone()
    assert rows == (plan.steps, plan.steps), rows
    tell(steps=plan.steps, seconds=seconds)


if __name__ == "__main__":
    asyncio.run(main())
