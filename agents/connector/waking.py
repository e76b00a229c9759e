"""After sleep a line may be dead without a word, and nobody would notice for minutes: it is tried at once."""

from __future__ import annotations

import asyncio
from time import time

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

TICK = 5.0
ASLEEP = 15.0
"""Seconds that may be missing before it was sleep: a busy machine, or a clock that is put right, is not."""
ANSWER = 10.0
"""Seconds within which a line that lives answers."""


async def slept() -> float:
    """Return once time has passed that this process did not see, with how much: it, or its machine, was stopped.

    By the clock on the wall: the one that the event loop goes by may stand still while a machine sleeps.
    """
    while True:
        before = time()
        await asyncio.sleep(TICK)
        missing = time() - before - TICK
        if missing > ASLEEP:
            return missing


async def cut_when_dead(connection: ClientConnection) -> None:
    """Whenever we wake: cut the connection unless the other end answers. Until cancelled, or it is closed."""
    while True:
        await slept()
        try:
            async with asyncio.timeout(ANSWER):
                await (await connection.ping())
        except TimeoutError:
            connection.transport.abort()
            return
        except ConnectionClosed:
            return
