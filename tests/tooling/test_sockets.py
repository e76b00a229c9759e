"""Pings and the minute's patience, on a protocol without a network and with a clock of our own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from clawgroups.server import sockets
from clawgroups.server.inbox import Inbox
from clawgroups.server.limits import Limits


class Quiet(sockets.BoundedSocket):
    """A socket that notes what it would send."""

    def __init__(self) -> None:
        self.limits = Limits()
        self.state = self.STATE_OPEN
        self.sent: list[Any] = []
        self.last_heard = self._read_by = 0.0
        self._since_ping = 0
        self.rested_at = None
        self.autoPingTimeoutCall = None
        self.autoPingPending = None
        self.data = b""
        self.transport = SimpleNamespace(
            pauseProducing=lambda: self.sent.append("pause"),
            resumeProducing=lambda: self.sent.append("resume"),
            write=lambda data: None,
        )
        self.send_queue: list[Any] = []

    def _sendAutoPing(self) -> None:
        self.autoPingTimeoutCall = SimpleNamespace(cancel=lambda: self.sent.append("ping forgotten"))
        self.sent.append("ping")
        self.waits = self.autoPingTimeout

    def sendCloseFrame(self, code: int, reasonUtf8: bytes, isReply: bool) -> None:
        self.sent.append(code)
        self.state = self.STATE_CLOSING

    def consumeData(self) -> None:
        return

    def sendFrame(self, opcode: int, payload: bytes, fin: bool) -> None:
        self.sent.append((opcode, payload, fin))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(sockets, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def test_a_silent_peer_is_pinged_once_and_then_given_up(clock: SimpleNamespace) -> None:
    quiet = Quiet()
    for clock.now in (2, 8, 10, 12, 30):
        quiet.check_timeouts()
    assert quiet.sent == ["ping"]
    quiet.onAutoPingTimeout()
    assert quiet.sent == ["ping", 4408]


@pytest.mark.parametrize(("letters", "waits"), [(0, 30), (2000, 30), (40_000, 60), (58_000, 78), (1_000_000, 80)])
def test_a_ping_behind_much_that_was_sent_may_come_as_late_as_a_thin_line_needs_for_it(
    clock: SimpleNamespace, letters: int, waits: float
) -> None:
    quiet = Quiet()
    quiet.wrote({"type": "websocket.send", "text": "x" * letters})
    clock.now = 10
    quiet.check_timeouts()
    assert quiet.waits == waits


def test_what_was_sent_before_a_ping_that_was_answered_holds_up_no_other(clock: SimpleNamespace) -> None:
    quiet = Quiet()
    quiet.wrote({"type": "websocket.send", "text": "x" * 50_000})
    clock.now = 10
    quiet.check_timeouts()
    # This stands behind the ping.
    quiet.wrote({"type": "websocket.send", "text": "x" * 15_000})
    clock.now = 12
    quiet.autoPingTimeoutCall = None  # as autobahn does at a pong
    quiet.onPong(b"")
    clock.now = 22
    quiet.check_timeouts()
    assert quiet.waits == 35


def test_while_reading_rests_no_ping_times_out_and_after_a_minute_the_peer_is_closed(clock: SimpleNamespace) -> None:
    quiet = Quiet()
    clock.now = 10
    quiet.check_timeouts()
    quiet.rest()
    for clock.now in (30, 60, 70):
        quiet.check_timeouts()
    assert quiet.sent == ["ping", "pause", "ping forgotten"]
    clock.now = 71
    quiet.check_timeouts()
    assert quiet.sent[3:] == [4429, "resume"]


@pytest.mark.parametrize("letters", [sockets.SHARED + 1, 2 * sockets.PIECE, 5 * sockets.PIECE - 1])
def test_a_long_message_is_written_bit_by_bit(letters: int) -> None:
    quiet, text = Quiet(), "é" * letters
    assert quiet.wrote({"type": "websocket.send", "text": text})
    assert b"".join(payload for _, payload, _ in quiet.sent).decode() == text
    assert all(0 < len(payload) <= sockets.PIECE for _, payload, _ in quiet.sent)
    assert [opcode for opcode, _, _ in quiet.sent] == [1, *[0] * (len(quiet.sent) - 1)]
    assert [fin for _, _, fin in quiet.sent] == [*[False] * (len(quiet.sent) - 1), True]


async def test_an_inbox_is_full_at_its_count_or_size_and_relieved_at_half() -> None:
    said: list[str] = []
    inbox = Inbox(frames=4, size=100, on_full=lambda: said.append("full"), on_relief=lambda: said.append("relief"))
    for _ in range(4):
        inbox.put_nowait({"type": "websocket.receive", "text": "x"})
    assert said == ["full"]
    await inbox.get()
    assert said == ["full"]
    await inbox.get()
    assert said == ["full", "relief"]
    inbox.put_nowait({"type": "websocket.receive", "bytes": b"y" * 200})
    assert said == ["full", "relief", "full"]
    inbox.put_nowait({"type": "websocket.disconnect", "code": 1006})
    for _ in range(3):
        await inbox.get()
    assert said == ["full", "relief", "full", "relief"]
    assert (await inbox.get())["type"] == "websocket.disconnect"
