"""Floor of the fan-out: websockets' broadcast() of a text that is encoded once, in one process, nothing recorded."""

from __future__ import annotations

import asyncio
import os

from websockets.asyncio.server import broadcast, serve

from bench.crowd import Listeners
from bench.fanout import expected, fan_out
from bench.swarm import arguments, cpu_of, tell

SIZE = 309  # bytes of an event


def event(number: int) -> str:
    """An event in the frame that the listeners know."""
    head = (
        f'{{"type":"entries","generation":1,"after":{number},"seq":{number + 1},"entries":[{{"seq":{number + 1},"x":"'
    )
    return head + "x" * (SIZE - len(head) - 5) + '"}]}'


async def main() -> None:
    told = arguments(__doc__)
    connections = set()

    async def hold(connection) -> None:  # type: ignore[no-untyped-def]
        connections.add(connection)
        await connection.wait_closed()

    async with serve(hold, "127.0.0.1", 0, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        browsers = Listeners("--url", f"http://127.0.0.1:{port}/", *expected(told, 0))
        await browsers.start()

        async def emit(number: int) -> str:
            broadcast(connections, event(number))
            return str(number + 1)

        figures = await fan_out(told, browsers, emit, 0, lambda: cpu_of(os.getpid()))
    tell(steps=told.steps, **figures)


if __name__ == "__main__":
    asyncio.run(main())
