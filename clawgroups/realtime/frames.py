"""Frames in and out: JSON, its limits, and how many a peer may send."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import orjson

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32

Frame = dict[str, Any]


class Malformed(Exception):
    """A frame that cannot be read; `code` goes into the error frame."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def encode(frame: Frame) -> str:
    """A frame as text."""
    try:
        return orjson.dumps(frame).decode()
    except TypeError:  # a number beyond 64 bits, or half a character
        return json.dumps(frame, separators=(",", ":"), ensure_ascii=False)


def error(code: str, message: str, **fields: Any) -> str:
    """An error frame as text."""
    return encode({"type": "error", "code": code, "message": message, **fields})


def decode(text: str) -> Frame:
    """A frame from a peer: an object with a `type`. Raises `Malformed`."""
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        raise Malformed("malformed", "This is not JSON.") from None
    if depth_of(frame, MAX_DEPTH) > MAX_DEPTH:
        raise Malformed("too_deep", f"Nest at most {MAX_DEPTH} levels.")
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise Malformed("malformed", 'Send an object with a "type".')
    return frame


def depth_of(value: Any, enough: int) -> int:
    """How deeply `value` nests; counts no further than just beyond `enough`."""
    depth = 0
    level = [value]
    while level and depth <= enough:
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below and not any(isinstance(item, dict | list) for item in level):
            break
        depth += 1
        level = below
    return depth


class Bucket:
    """A token bucket: `rate` frames a second, `burst` at once."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst, self.clock = rate, burst, clock
        self.tokens, self.at = burst, clock()

    def take(self) -> bool:
        """Whether one more frame is within the rate."""
        now = self.clock()
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True
