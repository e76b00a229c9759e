"""`python -m bench.listeners`: so many browsers as raw sockets on one journal; they check order and note arrivals.

On stdout: `ready`, then `all SEQ` whenever every one of them has everything up to SEQ, and in the end, when all have
`--until` events, a line of JSON with the arrival of each event at the last browser (seconds of CLOCK_MONOTONIC).
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import re
import socket
import struct
import sys
import time
from functools import partial
from urllib.parse import urlsplit

PLACE = re.compile(rb'"after": ?(\d+), ?"seq": ?(\d+)')
ACK_EVERY, ACK_AFTER = 0.1, 250  # seconds, events (half of what may be on the way): whichever is first
Frame = tuple[int, int, float]


class Browser(asyncio.Protocol):
    """One socket: takes text frames, checks that nothing is missing between them, acknowledges now and then."""

    def __init__(self, crowd: Crowd, request: bytes, *, deaf: bool) -> None:
        self.crowd, self.request, self.deaf = crowd, request, deaf
        self.transport: asyncio.Transport | None = None
        self.buffer = bytearray()
        self.open = False
        self.seq = crowd.after
        self.frames: list[Frame] = []
        self.texts: list[bytes] = []
        self.acked, self.acked_seq = 0.0, crowd.after

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.request)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.crowd.over.done():
            self.crowd.over.set_exception(RuntimeError(f"a browser was cut off after {self.seq}: {exc}"))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.open:
            head, found, rest = bytes(self.buffer).partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                raise RuntimeError(head.decode(errors="replace"))
            self.open, self.buffer = True, bytearray(rest)
            if not self.crowd.acknowledges:
                self.crowd.joined(self)
        at = 0
        while (frame := self._frame(at)) is not None:
            kind, start, at = frame
            if kind == 1:
                self._hear(start, at)
            elif kind == 9:
                self.send(10, bytes(self.buffer[start:at]))
        del self.buffer[:at]

    def _frame(self, at: int) -> tuple[int, int, int] | None:
        """Of the frame that begins here, if all of it is there: its kind, where its payload begins, where it ends.

        In its place: a hundred browsers that copied what they hear would be the load that is measured.
        """
        buffer = self.buffer
        there = len(buffer) - at
        if there < 10 and (there < 2 or there < (2, 4, 10)[max(0, (buffer[at + 1] & 127) - 125)]):
            return None
        length, start = buffer[at + 1] & 127, at + 2
        if length == 126:
            (length,), start = struct.unpack_from(">H", buffer, start), start + 2
        elif length == 127:
            (length,), start = struct.unpack_from(">Q", buffer, start), start + 8
        end = start + length
        return (buffer[at] & 15, start, end) if len(buffer) >= end else None

    def _hear(self, start: int, end: int) -> None:
        buffer = self.buffer
        if buffer.startswith(b'{"type":"hello"', start) and self.crowd.acknowledges:
            self.crowd.joined(self)
        if not buffer.startswith(b'{"type":"entries"', start):
            return
        found = PLACE.search(buffer, start, min(start + 200, end))
        assert found is not None
        after, seq = int(found[1]), int(found[2])
        if after != self.seq:
            raise RuntimeError(f"{after} comes after {self.seq}")
        now = time.perf_counter()
        self.frames.append((after, seq, now))
        if self.crowd.reader is self:
            self.texts.append(bytes(buffer[start:end]))
        self.seq = seq
        if self.crowd.acknowledges and (now - self.acked > ACK_EVERY or seq - self.acked_seq >= ACK_AFTER):
            self.acked, self.acked_seq = now, seq
            self.send(1, b'{"type":"ack","seq":%d}' % seq)
        self.crowd.heard(self)

    def send(self, kind: int, payload: bytes) -> None:
        """A frame of less than 126 bytes, under a mask that leaves it as it is."""
        assert self.transport is not None
        self.transport.write(bytes((128 | kind, 128 | len(payload), 0, 0, 0, 0)) + payload)


class Crowd:
    """All browsers of one workspace."""

    def __init__(self, count: int, after: int, until: int, *, acknowledges: bool) -> None:
        self.count, self.after, self.until, self.acknowledges = count, after, until, acknowledges
        self.browsers: list[Browser] = []
        self.reader: Browser | None = None
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._open = 0
        self._told = after
        self._due = False

    def joined(self, browser: Browser) -> None:
        self.reader = self.reader or browser
        self._open += 1
        if self._open == self.count:
            say("ready")

    def heard(self, browser: Browser) -> None:
        # All at once after this turn of the loop, in which many may have heard the same.
        if not self._due and browser.seq > self._told:
            self._due = True
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        self._due = False
        least = min(one.seq for one in self.browsers if not one.deaf)
        if least > self._told:
            self._told = least
            say(f"all {least}")
        if least >= self.until and not self.over.done():
            self.over.set_result(None)

    def arrivals(self) -> dict[str, float]:
        """Event -> when the last browser had it. The event is named by its number and the step that it tells of."""
        last: dict[int, float] = {}
        for browser in self.browsers:
            for after, seq, at in browser.frames:
                for number in range(after + 1, seq + 1):
                    if at > last.get(number, 0.0):
                        last[number] = at
        names: dict[int, str] = {}
        assert self.reader is not None
        for text in self.reader.texts:
            for entry in json.loads(text)["entries"]:
                names[entry["seq"]] = str(entry.get("payload", {}).get("step_id", ""))
        return {f"{number} {names.get(number, '')}": at for number, at in last.items()}


def say(line: str) -> None:
    print(line)
    sys.stdout.flush()


def request_of(url: str, token: str, protocol: str) -> bytes:
    where = urlsplit(url)
    path = where.path + (f"?{where.query}" if where.query else "")
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {where.netloc}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        "Sec-WebSocket-Version: 13",
        *([f"Sec-WebSocket-Protocol: {protocol}"] if protocol else []),
        *([f"Authorization: Bearer {token}"] if token else []),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _itself(browser: Browser) -> Browser:
    return browser


async def listen(told: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    crowd = Crowd(told.count, told.after, told.until, acknowledges=bool(told.protocol))
    where = urlsplit(told.url)
    for number in range(told.count):
        request = request_of(told.url, told.token, told.protocol)
        browser = Browser(crowd, request, deaf=False)
        crowd.browsers.append(browser)
        await loop.create_connection(partial(_itself, browser), where.hostname, where.port)
        if number % 50 == 49:
            await asyncio.sleep(0.05)
    for number in range(told.deaf):
        browser = Browser(crowd, request_of(told.url, told.token, told.protocol), deaf=True)
        transport, _ = await loop.create_connection(partial(_itself, browser), where.hostname, where.port)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        loop.call_later(1 + number / 10, transport.pause_reading)
    await asyncio.wait_for(crowd.over, told.limit)
    say(json.dumps(crowd.arrivals()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--token", default="")
    parser.add_argument("--protocol", default="")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--deaf", type=int, default=0, help="so many more that stop reading after a second")
    parser.add_argument("--after", type=int, default=0)
    parser.add_argument("--until", type=int, required=True)
    parser.add_argument("--limit", type=float, default=300)
    asyncio.run(listen(parser.parse_args()))


if __name__ == "__main__":
    main()
