"""A line that is dead without a word is noticed: in time while we are awake, at once after sleep.

Not by what `websockets` has for it, which waits for ever for its ping to be sent where nothing is read any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from time import time

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

TICK = 5.0
ASLEEP = 15.0
"""Seconds that may be missing before it was sleep: a busy machine, or a clock that is put right, is not."""
ANSWER = 10.0
"""Seconds within which a line that lives answers."""

PING = 30.0
"""Seconds between two looks at a line: the server's own keep it alive."""
PONG = 90.0
"""Seconds that it may take: longer than a server stops reading that was sent too much."""


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
    while await _lives(connection, slept(), ANSWER):
        pass


async def cut_when_silent(connection: ClientConnection) -> None:
    """The same, every now and then."""
    while await _lives(connection, asyncio.sleep(PING), PONG):
        pass


async def _lives(connection: ClientConnection, moment: Awaitable[object], patience: float) -> bool:
    """Whether the other end answers after this moment; if not, the connection is cut."""
    await moment
    try:
        async with asyncio.timeout(patience):
            await (await connection.ping())
    except TimeoutError:
        connection.transport.abort()
        return False
    except ConnectionClosed:
        return False
    return True
