"""A small ASGI application for the server's tests: slow with messages, quick with requests."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

from clawgroups import draining

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
senders: set[Send] = set()
faults: list[str] = []


async def tell(retry_after: float) -> None:
    for send in list(senders):
        await send({"type": "websocket.send", "text": f"draining {retry_after:.0f}"})


draining.on_drain(tell)


def memory() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def application(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await {"/flood": floods, "/chat": chatters, "/never": never}.get(scope["path"], takes)(receive, send)
    else:
        await answers(scope, receive, send)


async def answers(scope: Message, receive: Receive, send: Send) -> None:
    """Say how often sending failed, how large the body was, and this process; `/large` says 100 MB before."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return
        size, more = size + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(1000 if scope["path"] == "/large" else 0):
        await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
    await send({"type": "http.response.body", "body": f"{len(faults)} {size} {memory()}".encode()})


async def never(receive: Receive, send: Send) -> None:
    """Let nobody in, and send nobody away."""
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def takes(receive: Receive, send: Send) -> None:
    """Take twenty messages a second; `stuck` is the last one taken, `close` ends with 1012."""
    await receive()
    await send({"type": "websocket.accept"})
    senders.add(send)
    try:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message["text"]
            if text == "close":
                await send({"type": "websocket.close", "code": 1012})
            elif text == "stuck":
                await asyncio.Event().wait()
            else:
                await asyncio.sleep(0.05)
                await send({"type": "websocket.send", "text": f"{len(text)} {text[:20]}"})
    finally:
        senders.discard(send)


async def floods(receive: Receive, send: Send) -> None:
    """Send 100 MB to a peer that may not read."""
    await receive()
    await send({"type": "websocket.accept"})
    for _ in range(1000):
        await send({"type": "websocket.send", "text": "x" * 100_000})


async def chatters(receive: Receive, send: Send) -> None:
    """Send without a pause until the end is heard of."""
    await receive()
    await send({"type": "websocket.accept"})
    ended = asyncio.ensure_future(receive())
    while not ended.done():
        try:
            await send({"type": "websocket.send", "text": "x" * 1000})
        except Exception as error:  # noqa: BLE001
            faults.append(repr(error))
        await asyncio.sleep(0)
