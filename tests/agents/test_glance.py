"""Long lines are carried without being read through, and nothing passes that is no message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agents.connector.glance import frame_of
from agents.connector.spool import LONG, Gathering, Line, Spooled, whole

TEXT = 'é "quoted" \\ and\n\t\u2028 ' * 60_000
BRIEF = ("session/update", "session/prompt")


def line(frame: dict[str, Any], *, ascii: bool = False) -> bytes:
    return json.dumps(frame, ensure_ascii=ascii).encode()


def spooled(data: bytes, piece: int = 100_003) -> Line:
    """The same as it comes from an agent, cut wherever that is."""
    gathering = Gathering()
    for at in range(0, len(data), piece):
        gathering.add(data[at : at + piece])
    return gathering.take()


def update(text: str, method: str = "session/update") -> dict[str, Any]:
    content = [{"type": "text", "text": text}, {"type": "text", "text": "short"}]
    return {"method": method, "params": {"sessionId": "s", "update": {"content": content}}}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.mark.parametrize("method", BRIEF)
@pytest.mark.parametrize("ascii", [True, False])
def test_a_long_message_is_known_by_all_but_its_long_texts(method: str, ascii: bool) -> None:
    data = line(update(TEXT, method), ascii=ascii)
    assert len(data) > LONG
    for one in (data, spooled(data), spooled(data, 65_536)):
        assert frame_of(one, BRIEF) == update("", method)
    assert frame_of(line(update("brief")), BRIEF) == update("brief")


def test_so_is_a_long_answer() -> None:
    answer = {"id": 7, "result": {"sessionId": "s", "text": TEXT}}
    assert frame_of(spooled(line(answer)), BRIEF) == {"id": 7, "result": {"sessionId": "s", "text": ""}}


@pytest.mark.parametrize("more", [{"id": 7, **update(TEXT, "session/request_permission")}, {"method": "x", "t": TEXT}])
def test_what_is_looked_at_is_read_whole(more: dict[str, Any]) -> None:
    assert frame_of(line(more), BRIEF) == frame_of(spooled(line(more)), BRIEF) == more


@pytest.mark.parametrize("wrong", [b"\x01", b"\\x", b"\\u12", b"\xff", b'" "'])
def test_a_long_line_that_is_no_message_is_none(wrong: bytes) -> None:
    data = line(update("TEXT" * 300_000)).replace(b"TEXTTEXT", b"TEXT" + wrong + b"TEXT", 1)
    for one in (data, spooled(data), data + b"\xc3", line(update("TEXT" * 300_000))[:-2]):
        with pytest.raises(ValueError):
            frame_of(one, BRIEF)


def test_a_long_line_lies_in_a_file_without_the_blanks_at_its_end() -> None:
    data = line(update(TEXT))
    found = spooled(data + b" \t\r")
    assert isinstance(found, Spooled)
    assert len(found) == len(data)
    assert whole(found) == b"".join(found.pieces(1000)) == data


def test_where_no_file_takes_it_a_long_line_stays_in_memory() -> None:
    def none() -> Any:
        raise OSError("read-only file system")

    def full() -> Any:
        return Path("/dev/full").open("r+b", buffering=0)

    for open_file in (none, full):
        gathering = Gathering(10, open_file)
        for part in (b"12345", b"6789", b"0ab", b"cd"):
            gathering.add(part)
        assert (gathering.take(), gathering.take()) == (b"1234567890abcd", b"")
