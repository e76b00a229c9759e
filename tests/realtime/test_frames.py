"""Frames as text: whatever JSON can say arrives, also what the quick encoder refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgroups.realtime.frames import encode


@pytest.mark.parametrize("value", ["é\u2028\x1e", 2**70, "\ud800", [None, True, 1.5, {"a": {}}]])
def test_a_frame_comes_back_as_it_was(value: Any) -> None:
    frame = {"type": "entries", "value": value}
    text = encode(frame)
    assert json.loads(text) == frame
    assert ": " not in text
