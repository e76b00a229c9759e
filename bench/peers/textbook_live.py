"""Peer: the textbook's shape: a transaction per step, then Channels' group_send over channels_redis, on Daphne.

100 browsers should have every event; counts what has reached them within a minute of the start.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time

import psycopg
from channels.layers import get_channel_layer
from channels.routing import ProtocolTypeRouter
from django.conf import settings

LAYER = {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [os.environ["BENCH_REDIS"]]}}
settings.configure(CHANNEL_LAYERS={"default": LAYER})

from bench.contestants.broadcast_floor import event  # noqa: E402
from bench.contestants.pg_commit import CONNECTIONS, SCHEMA  # noqa: E402
from bench.peers.everybody import Everybody  # noqa: E402
from bench.site import listening  # noqa: E402
from bench.swarm import arguments, begun, body, drive, graph, tell  # noqa: E402
from tests.run.servers import free_port  # noqa: E402

MINUTE = 60.0
BROWSERS = 100


application = ProtocolTypeRouter({"websocket": Everybody.as_asgi()})


async def record_all(told, pool: asyncio.Queue[psycopg.AsyncConnection]) -> None:  # type: ignore[no-untyped-def]
    layer, sent = get_channel_layer(), 0

    async def record(step: int, worker: int) -> None:
        nonlocal sent
        connection = await pool.get()
        await connection.execute("INSERT INTO event (step, body) VALUES (%s, %s)", (step, body(worker)))
        await connection.commit()
        pool.put_nowait(connection)
        sent += 1
        await layer.group_send("all", {"type": "event", "text": event(sent)})

    await drive(graph(told.steps, told.seed), record)


async def minute(told) -> bool:  # type: ignore[no-untyped-def]
    """Record for a minute; whether all was recorded."""
    pool: asyncio.Queue[psycopg.AsyncConnection] = asyncio.Queue()
    for number in range(CONNECTIONS):
        connection = await psycopg.AsyncConnection.connect(told.database)
        if number == 0:
            await connection.execute(SCHEMA)
            await connection.commit()
        pool.put_nowait(connection)
    recording = asyncio.create_task(record_all(told, pool))
    await asyncio.sleep(MINUTE)
    recorded = recording.done()
    recording.cancel()
    return recorded


def main() -> None:
    told, port = arguments(__doc__), free_port()
    serve = [sys.executable, "-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(port)]
    count = [sys.executable, "-m", "bench.peers.counters", f"ws://127.0.0.1:{port}/", str(BROWSERS)]
    server = subprocess.Popen([*serve, "bench.peers.textbook_live:application"])
    try:
        listening(port, server)
        with subprocess.Popen(count, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as counters:
            assert counters.stdout is not None
            assert counters.stdout.readline().strip() == "ready"
            started = begun()
            recorded = asyncio.run(minute(told))
            heard = int(counters.communicate("")[0])
    finally:
        server.kill()
    seconds = time.perf_counter() - started
    tell(steps=told.steps, seconds=seconds, delivered=float(heard), recorded=float(recorded))


if __name__ == "__main__":
    main()
