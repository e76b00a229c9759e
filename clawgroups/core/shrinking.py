"""Bounds what strangers send, before it is stored: long texts, long lists, deep objects."""

from __future__ import annotations

import json
from typing import Any

TEXT = 20_000
ITEMS = 200
TOTAL = 64 * 1024
_CUT = "…"


def shrunk_text(value: Any, limit: int = TEXT) -> str:
    """The value as a text of at most `limit` characters."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return text if len(text) <= limit else text[: limit - 1] + _CUT


def shrink(value: dict[str, Any], total: int = TOTAL) -> dict[str, Any]:
    """A JSON object of about the same meaning that takes at most `total` characters."""
    small = {shrunk_text(key, 200): _shrunk(item, TEXT) for key, item in list(value.items())[:ITEMS]}
    if len(json.dumps(small)) <= total:
        return small
    tight = {key: _shrunk(item, 1000) for key, item in small.items()}
    if len(json.dumps(tight)) <= total:
        return tight
    return {"cut": shrunk_text(json.dumps(small, ensure_ascii=False), total // 8)}


def is_cut(value: Any) -> bool:
    """Whether something of a value may have been left out here: a text, a list or an object is as long as it may be."""
    if isinstance(value, str):
        return value.endswith(_CUT)
    if isinstance(value, dict):
        return len(value) >= ITEMS or any(is_cut(key) or is_cut(item) for key, item in value.items())
    return isinstance(value, list) and (len(value) >= ITEMS or any(is_cut(item) for item in value))


def _shrunk(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        return shrunk_text(value, limit)
    if isinstance(value, dict):
        return {shrunk_text(key, 200): _shrunk(item, limit) for key, item in list(value.items())[:ITEMS]}
    if isinstance(value, list):
        return [_shrunk(item, limit) for item in value[:ITEMS]]
    return value
