"""Peer: DBOS on PostgreSQL: one workflow, a durable step for each step, a wave at a time."""

from __future__ import annotations

import asyncio
import time

from dbos import DBOS

from bench.swarm import WORKERS, arguments, begun, graph, tell


@DBOS.step()
async def one(number: int) -> int:
    return number


@DBOS.workflow()
async def swarm(steps: int, seed: int) -> int:
    done = 0
    for wave in graph(steps, seed).waves:
        for start in range(0, len(wave), WORKERS):
            done += len(await asyncio.gather(*(one(number) for number in wave[start : start + WORKERS])))
    return done


async def main() -> None:
    told = arguments(__doc__)
    DBOS(config={"name": "bench", "system_database_url": told.database, "log_level": "ERROR"})
    DBOS.launch()
    started = begun()
    handle = await DBOS.start_workflow_async(swarm, told.steps, told.seed)
    done = await handle.get_result()
    seconds = time.perf_counter() - started
    assert done == told.steps, done
    tell(steps=told.steps, seconds=seconds)
    DBOS.destroy()


if __name__ == "__main__":
    asyncio.run(main())
