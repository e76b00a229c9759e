"""The connector's pure parts, as tables."""

from __future__ import annotations

import io
import json
import os
import random
import threading
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.connector.backoff import Backoff, retry_delay
from agents.connector.child import LineSplitter
from agents.connector.console import WAITING, WAITING_BYTES, Console
from agents.connector.ledger import ANSWERED_KEPT, Asked, Handshake, Ledger, Question
from agents.connector.outbox import Outbox, UnknownPosition
from agents.connector.spool import whole
from agents.protocol import version

ASKED = Asked("session/prompt", "s")


def test_an_outbox_keeps_frames_until_they_are_acknowledged() -> None:
    outbox = Outbox(capacity=10)
    assert [outbox.add(frame) for frame in (b"aaaa", b"bbbb")] == [1, 2]
    assert (outbox.after(0), outbox.after(1), outbox.after(2)) == (b"aaaa", b"bbbb", None)
    assert not outbox.full
    outbox.add(b"cccc")
    assert (outbox.full, outbox.size, outbox.last) == (True, 12, 3)
    outbox.acknowledge(2)
    assert (outbox.full, outbox.size, outbox.acknowledged) == (False, 4, 2)
    assert (outbox.after(1), outbox.after(2)) == (None, b"cccc")
    outbox.acknowledge(1)
    assert outbox.acknowledged == 2


@pytest.mark.parametrize(("received", "possible"), [(1, False), (2, True), (3, True), (4, False), (-1, False)])
def test_an_outbox_resumes_only_where_it_can(received: int, possible: bool) -> None:
    outbox = Outbox()
    for frame in (b"a", b"b", b"c"):
        outbox.add(frame)
    outbox.acknowledge(2)
    if possible:
        outbox.resume(received)
        assert outbox.acknowledged == received
    else:
        with pytest.raises(UnknownPosition):
            outbox.resume(received)


def test_an_outbox_under_a_new_name_counts_from_one() -> None:
    outbox = Outbox()
    outbox.add(b"a")
    outbox.add(b"b")
    outbox.acknowledge(1)
    outbox.renumber()
    outbox.resume(0)
    assert (outbox.after(0), outbox.last) == (b"b", 1)


def test_an_outbox_keeps_a_little_in_memory_and_the_rest_in_a_file_that_begins_anew_when_it_is_empty() -> None:
    file = io.BytesIO()
    outbox = Outbox(memory=10, open_file=lambda: file)
    frames = [bytes([65 + number]) * 4 for number in range(8)]
    for frame in frames:
        outbox.add(frame)
    assert (outbox.size, outbox.in_memory, len(file.getvalue())) == (32, 8, 24)
    assert [outbox.after(number) for number in range(9)] == [*frames, None]
    outbox.acknowledge(5)
    assert (outbox.size, outbox.in_memory) == (12, 0)
    assert outbox.after(5) == frames[5]
    outbox.add(b"next")
    assert outbox.after(8) == b"next"
    outbox.acknowledge(9)
    assert (outbox.size, outbox.in_memory, file.getvalue()) == (0, 0, b"")
    outbox.close()


def test_an_outbox_that_cannot_write_its_file_holds_everything_itself() -> None:
    def full() -> IO[bytes]:
        raise OSError(28, "No space left on device")

    outbox = Outbox(memory=10, open_file=full)
    for _ in range(5):
        outbox.add(b"xxxx")
    assert (outbox.in_memory, outbox.after(4)) == (20, b"xxxx")


def test_a_file_that_never_becomes_empty_does_not_grow_for_ever() -> None:
    file = io.BytesIO()
    outbox = Outbox(capacity=100, memory=0, open_file=lambda: file)
    for number in range(1, 101):
        outbox.add(b"%04d" % number)
        outbox.acknowledge(number - 1)
        assert outbox.after(number - 1) == b"%04d" % number
    assert len(file.getvalue()) <= 200


@given(st.lists(st.tuples(st.sampled_from(["add", "ack", "drop"]), st.integers(0, 5)), max_size=60), st.randoms())
def test_whatever_is_lost_every_frame_is_taken_once_and_in_order(
    steps: list[tuple[str, int]], rng: random.Random
) -> None:
    # Some frames in memory, some in the file.
    outbox, sent, added = Outbox(memory=8, open_file=io.BytesIO), 0, 0
    taken: list[bytes] = []
    for kind, count in steps:
        if kind == "add":
            for _ in range(count):
                outbox.add(str(added).encode())
                added += 1
        elif kind == "ack":
            outbox.acknowledge(max(outbox.acknowledged, len(taken) - count))
        else:
            outbox.resume(len(taken))
            sent = outbox.acknowledged
        while (frame := outbox.after(sent)) is not None and rng.random() < 0.7:
            sent += 1
            if sent > len(taken) and rng.random() < 0.9:
                taken.append(frame)
            else:
                break
        if sent != len(taken):
            # The line broke with this frame in flight.
            outbox.resume(len(taken))
            sent = outbox.acknowledged
    assert taken == [str(number).encode() for number in range(len(taken))]


def test_a_request_is_new_once_whatever_its_id_looks_like() -> None:
    ledger = Ledger()
    ids: list[Any] = [0, "0", False, 1, 1.5, True, None, "x"]
    assert [ledger.ask(one, ASKED) for one in ids] == [True] * len(ids)
    assert [ledger.ask(one, ASKED) for one in ids] == [False] * len(ids)
    assert ledger.asked("x") == ASKED
    assert [ledger.answer("x"), ledger.answer("x"), ledger.ask("x", ASKED)] == [True, False, False]
    assert ledger.asked("x") is None
    assert ledger.answer("never asked")


def test_only_long_answered_requests_are_forgotten() -> None:
    ledger = Ledger()
    ledger.ask("open", ASKED)
    for number in range(ANSWERED_KEPT + 1):
        ledger.ask(number, ASKED)
        ledger.answer(number)
    assert not ledger.ask("open", ASKED)
    assert not ledger.ask(ANSWERED_KEPT, ASKED)
    assert ledger.ask(0, ASKED)


def test_an_open_question_of_the_agent_takes_one_answer() -> None:
    ledger = Ledger()
    ledger.child_asks({"id": 0, "method": "session/request_permission"})
    assert ledger.questions() == [(0, "session/request_permission")]
    first = Question(0, "session/request_permission")
    assert [ledger.child_answered(one) for one in ("0", 0, 0)] == [None, first, None]


def test_those_who_initialise_while_the_agent_thinks_are_told_together() -> None:
    handshake = Handshake()
    assert [handshake.ask(one) for one in ("a", "b", "c")] == [True, False, False]
    assert handshake.answers() == []
    handshake.settle("b", {"result": "not the one"})
    assert handshake.answers() == []
    handshake.settle("a", {"id": "a", "error": {"code": 1}})
    assert [answer["error"]["code"] for answer in handshake.answers()] == [-32603, -32603]
    assert handshake.ask("d")
    handshake.settle("d", {"id": "d", "result": 7})
    assert not handshake.ask("e")
    assert handshake.answers() == [{"jsonrpc": "2.0", "id": "e", "result": 7}]
    assert handshake.answers() == []


def test_waiting_times_start_spread_out_and_grow_to_half_a_minute() -> None:
    firsts = [Backoff(rng=random.Random(seed)).next() for seed in range(200)]
    assert 0.5 <= min(firsts) < 1 < 7 < max(firsts) <= 8
    backoff = Backoff(rng=random.Random(1))
    times = [backoff.next() for _ in range(50)]
    assert all(2 <= time <= 5 for time in times[1:3])
    assert 4 <= times[3] <= 8 <= times[4] <= 16
    assert all(15 <= time <= 30 for time in times[5:])
    backoff.reset()
    assert backoff.next() <= 8
    assert Backoff(scale=0.001).next() <= 0.008
    assert [retry_delay(attempt) for attempt in (1, 2, 3, 4, 9)] == [1, 2, 4, 8, 8]


@given(st.lists(st.binary(max_size=30)), st.integers(1, 12))
def test_lines_are_the_same_however_the_stream_is_cut(parts: list[bytes], size: int) -> None:
    stream = b"".join(parts)
    splitter = LineSplitter(limit=1000)
    lines = [line for at in range(0, len(stream), size) for line in splitter.feed(stream[at : at + size])]
    lines += [last] if (last := splitter.end()) else []
    assert lines == [one for line in stream.split(b"\n") if (one := line.strip(b"\r\n \t"))]


def test_a_line_that_is_too_long_costs_only_itself() -> None:
    splitter = LineSplitter(limit=5)
    assert splitter.feed(b"abc\r\n123456") == [b"abc"]
    assert splitter.feed(b"789\nde") == []
    assert splitter.feed(b"f\n12345\n") == [b"def", b"12345"]
    assert (splitter.skipped, splitter.end()) == (1, b"")


LONG = "x" * 5000


@pytest.mark.parametrize(
    ("line", "heard"),
    [
        ('{"jsonrpc": "2.0", "id": 7, "result": {"x": "%s"}}', {"id": 7, "code": version.TOO_LARGE}),
        ('{"id":"a\\"b","error":{"data":["%s"]}}', {"id": 'a"b', "code": version.TOO_LARGE}),
        ('{"id":0,"method":"session/request_permission","params":{"x":"%s"}}', {"id": 0, "params": {}}),
        ('{"method":"session/update","params":{"x":"%s"}}', None),
        ('{"result":{"x":"%s"},"id":3}', None),
        ('"id": 5, %s', None),
        ('{"id":12%s', None),
        ("%s", None),
        ("[" * 4000 + "%s", None),
        ('{"id":' + "[" * 3000 + "%s", None),
    ],
)
def test_whoever_waits_for_an_answer_that_is_too_long_hears_so(line: str, heard: dict[str, Any] | None) -> None:
    splitter = LineSplitter(limit=4999)
    stream = f"{line % LONG}\n".encode()
    lines = [one for at in range(0, len(stream), 700) for one in splitter.feed(stream[at : at + 700])]
    assert splitter.skipped == 1
    if heard is None:
        assert lines == []
        return
    (frame,) = (json.loads(whole(line)) for line in lines)
    assert frame["id"] == heard["id"]
    assert frame.get("error", {}).get("code") == heard.get("code")
    assert frame.get("params") == heard.get("params")


def test_a_console_nobody_reads_holds_nothing_up() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb") as stream:
        console = Console(stream)
        for _ in range(WAITING * 2):
            console.write(b"x" * 1000)
        console.close(patience=0.01)
        # Now somebody reads to the end, and the thread can come to its own: until then nobody can close the stream.
        reader = threading.Thread(target=pipe.read)
        reader.start()
        console.close(patience=20)
        assert not console._thread.is_alive()
    reader.join(20)


def test_what_nobody_reads_takes_little_memory_until_somebody_does() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb") as stream:
        console = Console(stream)
        for _ in range(200):
            console.write(b"x" * 64 * 1024)
        assert sum(len(data or b"") for data in console._waiting.queue) <= WAITING_BYTES
        pipe.read(WAITING_BYTES // 2)
        console.write(b"room again")
        reader = threading.Thread(target=lambda: [*iter(lambda: pipe.read(1024), b"")])
        reader.start()
        console.close(patience=20)
        stream.close()
        reader.join(20)


def test_a_console_shows_what_it_was_told_before_it_closes(tmp_path: Path) -> None:
    with (tmp_path / "shown").open("wb") as stream:
        console = Console(stream)
        console.say("hello \ud800")
        console.noise(b"n" * 5000)
        console.close(patience=20)
    assert (tmp_path / "shown").read_bytes() == b"clawgroups: hello ?\n" + b"n" * 2000 + b"\n"
