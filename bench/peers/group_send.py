"""Peer of the fan-out: Channels' group_send over channels_redis' pub/sub, encoded once, served by uvicorn."""

from __future__ import annotations

import asyncio
import os
import socket

import uvicorn
from channels.layers import get_channel_layer
from django.conf import settings

LAYER = {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [os.environ["BENCH_REDIS"]]}}
settings.configure(CHANNEL_LAYERS={"default": LAYER})

from bench.contestants.broadcast_floor import event  # noqa: E402
from bench.crowd import Listeners  # noqa: E402
from bench.fanout import expected, fan_out  # noqa: E402
from bench.peers.everybody import Everybody  # noqa: E402
from bench.swarm import arguments, cpu_of, tell  # noqa: E402


async def main() -> None:
    told = arguments(__doc__)
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    options = {"log_level": "error", "ws": "websockets", "ws_per_message_deflate": False, "lifespan": "off"}
    server = uvicorn.Server(uvicorn.Config(Everybody.as_asgi(), **options))
    serving = asyncio.create_task(server.serve([listening]))
    browsers = Listeners("--url", f"http://127.0.0.1:{listening.getsockname()[1]}/", *expected(told, 0))
    await browsers.start()
    layer = get_channel_layer()

    async def emit(number: int) -> str:
        await layer.group_send("all", {"type": "event", "text": event(number)})
        return str(number + 1)

    figures = await fan_out(told, browsers, emit, 0, lambda: cpu_of(os.getpid()))
    tell(steps=told.steps, **figures)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    asyncio.run(main())
