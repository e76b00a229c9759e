"""Text and JSON that can be sent, stored and read again: no halves of characters, no NUL, nothing bottomless.

Models and servers send all of these; JSON on the wire and `jsonb` refuse some of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

# Deeper than this nothing of ours nests, and every reader of it may recurse.
DEEPEST = 100
_LARGEST = 2**63 - 1
_BAD = re.compile("[\x00\ud800-\udfff]")


def clean(text: str) -> str:
    """The text with U+FFFD for each NUL and each half of a surrogate pair."""
    return _BAD.sub("\ufffd", text)


def clean_json(value: Any, depth: int = 0) -> Any:
    """The value with cleaned strings; what is too deep, not finite or no JSON becomes null, a huge integer a float."""
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _LARGEST else _as_float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth >= DEEPEST:
        return None
    if isinstance(value, Mapping):
        return {clean(str(name)): clean_json(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(item, depth + 1) for item in value]
    return None


def too_deep(value: Any) -> bool:
    """Whether a value nests deeper than `DEEPEST`."""
    level: list[Any] = [value]
    for _ in range(DEEPEST + 1):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += item.values()
            elif isinstance(item, list):
                below += item
        if not below:
            return False
        level = below
    return True


def _as_float(value: int) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None
