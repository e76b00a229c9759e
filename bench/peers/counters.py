"""`python -m bench.peers.counters URL COUNT`: so many browsers that count what reaches them, whatever its order.

Says `ready` once all are in, and at the end of its input how many messages they got in all.
"""

from __future__ import annotations

import asyncio
import sys

from websockets.asyncio.client import connect


async def main(url: str, count: int) -> None:
    heard = 0
    # One after the other: all at once, some would wait for longer than Daphne lets them.
    lines = [await connect(url, compression=None, max_queue=None, proxy=None) for _ in range(count)]

    async def hear(line) -> None:  # type: ignore[no-untyped-def]
        nonlocal heard
        async for _ in line:
            heard += 1

    tasks = [asyncio.create_task(hear(line)) for line in lines]
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()
    print(heard, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
