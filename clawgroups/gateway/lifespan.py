"""ASGI's lifespan: what this process does for agents as long as it serves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from clawgroups.gateway.dialler import dialler
from clawgroups.gateway.switchboard import switchboard


async def lifespan(
    _scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Callable[[dict[str, Any]], Any]
) -> None:
    """As long as a process serves, agents can reach us through it and are dialled by it, and it says so."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            switchboard().serve()
            dialler().serve()
            await send({"type": "lifespan.startup.complete"})
        else:
            await dialler().rest()
            switchboard().rest()
            await send({"type": "lifespan.shutdown.complete"})
            return
