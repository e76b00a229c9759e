"""Pictures of the store: what is one is told by its bytes, and remembered, for bytes under a hash never change."""

from __future__ import annotations

from functools import lru_cache

from clawgroups.core.errors import NotFound
from clawgroups.core.pictures import HEAD, Picture, picture_in
from clawgroups.services.files import open_file


def picture_of(sha256: str, size: int) -> Picture | None:
    """The picture under this hash, if a page may show it."""
    try:
        return _looked_at(sha256, size)
    except NotFound:
        return None


@lru_cache(maxsize=4096)
def _looked_at(sha256: str, size: int) -> Picture | None:
    with open_file(sha256) as opened:
        return picture_in(opened.read(HEAD), size)
