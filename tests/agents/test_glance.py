"""Long lines are carried without being read through, and nothing passes that is no message."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.connector.glance import LONG, frame_of

TEXT = 'é "quoted" \\ and\n\t\u2028 ' * 60_000


def line(frame: dict[str, Any]) -> bytes:
    return json.dumps(frame, ensure_ascii=False).encode()


def update(text: str) -> dict[str, Any]:
    content = [{"type": "text", "text": text}, {"type": "text", "text": "short"}]
    return {"method": "session/update", "params": {"sessionId": "s", "update": {"content": content}}}


def test_a_long_update_is_known_by_all_but_its_long_texts() -> None:
    assert len(line(update(TEXT))) > LONG
    assert frame_of(line(update(TEXT))) == update("")
    assert frame_of(line(update("brief"))) == update("brief")


@pytest.mark.parametrize(
    "more", [{"id": 7, "result": {"t": TEXT}}, {"id": 7, **update(TEXT)}, {"method": "x", "t": TEXT}]
)
def test_what_is_answered_or_looked_at_is_read_whole(more: dict[str, Any]) -> None:
    assert frame_of(line(more)) == more


@pytest.mark.parametrize("wrong", [b"\x01", b"\\x", b"\xff", b'" "'])
def test_a_long_line_that_is_no_message_is_none(wrong: bytes) -> None:
    whole = line(update("TEXT" * 300_000)).replace(b"TEXTTEXT", b"TEXT" + wrong + b"TEXT", 1)
    with pytest.raises(ValueError):
        frame_of(whole)
