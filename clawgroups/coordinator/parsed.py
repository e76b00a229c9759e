"""JSON of rows that is read as text: what they say is much the same each time, and parsed once."""

from __future__ import annotations

import json
from functools import lru_cache
from types import MappingProxyType
from typing import Any

MOST = 4096
LONGEST = 4000  # characters of a text that is kept


def parsed(text: str) -> Any:
    """What the text says: an object as a mapping and a list as a tuple, which nobody changes for the others."""
    return _kept(text) if len(text) <= LONGEST else _read(text)


def _read(text: str) -> Any:
    value = json.loads(text)
    match value:
        case dict():
            return MappingProxyType(value)
        case list():
            return tuple(value)
    return value


_kept = lru_cache(maxsize=MOST)(_read)
