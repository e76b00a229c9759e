"""@mentions: whom a message names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from uuid import UUID

_MENTION = re.compile(r"(?<![\w@/])@([A-Za-z0-9][A-Za-z0-9._-]{0,148}[A-Za-z0-9]|[A-Za-z0-9])")
_CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)


def mentioned(text: str, handles: Mapping[str, UUID]) -> tuple[UUID, ...]:
    """The members named in `text`, in order, once each. Mentions inside code do not count."""
    by_handle = {handle.casefold(): member for handle, member in handles.items()}
    found = (by_handle.get(name.casefold()) for name in _MENTION.findall(_CODE.sub(" ", text)))
    return tuple(dict.fromkeys(member for member in found if member is not None))
