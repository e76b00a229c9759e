"""Events to all browsers: as fast as they take them with 16 on the way, or 500 a second whether they keep up or not."""

from __future__ import annotations

import asyncio
import time
from argparse import Namespace
from collections.abc import Awaitable, Callable

from bench.crowd import Listeners, percentiles
from bench.swarm import begun

WINDOW = 16
FLOOD = 500  # events a second

Emit = Callable[[int], Awaitable[str]]
"""Sends event n (from 0) on its way to everybody; what it is called in the arrivals."""


async def fan_out(
    told: Namespace, browsers: Listeners, emit: Emit, after: int, cpu: Callable[[], float]
) -> dict[str, float]:
    """Send all events; the figures. `cpu`: seconds that the serving process has spent so far."""
    sent: dict[str, float] = {}

    async def one(number: int) -> None:
        at = time.perf_counter()
        try:
            sent[await emit(number)] = at
        except Exception:
            browsers.give_up()
            raise

    before, started = cpu(), begun()
    tasks: list[asyncio.Task[None]] = []
    for number in range(told.steps):
        if told.mode == "window":
            await browsers.reach(after + number - WINDOW + 1)
        else:
            await asyncio.sleep(max(0.0, started + number / FLOOD - time.perf_counter()))
        tasks.append(asyncio.create_task(one(number)))
    await asyncio.gather(*tasks)
    await browsers.reach(after + told.steps)
    seconds, spent = time.perf_counter() - started, cpu() - before
    arrivals = await browsers.end()
    named = {name.split()[-1]: at for name, at in arrivals.items()}
    late = [named[name] - at for name, at in sent.items()]
    delivered = told.steps * told.browsers
    return {
        "seconds": seconds,
        "delivered": float(delivered),
        "server_us": spent / delivered * 1e6,
        **percentiles(late),
    }


def expected(told: Namespace, after: int) -> list[str]:
    """What the listeners are told beside where to go."""
    return ["--count", str(told.browsers), "--deaf", str(told.deaf), "--until", str(after + told.steps)]
