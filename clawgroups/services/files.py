"""The store of bytes: content-addressed by SHA-256, written once, never changed."""

from __future__ import annotations

import hashlib
import mimetypes
import os
import tempfile
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from clawgroups.core.errors import Invalid, NotFound, TooLarge
from clawgroups.services import installation

MAX_NAME = 200
# They turn the order of letters round: a name with them reads otherwise than it is.
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Bytes that are in the store, with the name they came under."""

    name: str
    size: int
    sha256: str
    content_type: str


def clean_name(name: str) -> str:
    """A relative file name. Raises `Invalid` for absolute, parent, NUL, empty names, and such as read otherwise."""
    cleaned = unicodedata.normalize("NFC", name).replace("\\", "/").strip()
    parts = cleaned.split("/")
    bad = not cleaned or cleaned.startswith("/") or any(p in ("", ".", "..") for p in parts)
    if bad or len(cleaned) > MAX_NAME or any(unicodedata.category(c) in ("Cc", "Cs") or c in TURNING for c in cleaned):
        raise Invalid(f"“{name[:80]}” is not a usable file name.", field="name", code="bad_file_name")
    return cleaned


def store(
    chunks: Iterable[bytes],
    *,
    name: str,
    content_type: str = "",
    limit: int | None = None,
    check: Callable[[Path, str], None] | None = None,
) -> StoredFile:
    """Take bytes in, up to `limit` (default: the upload limit). Raises `TooLarge`, `Invalid`, what `check` raises.

    The file appears under its hash only when it is whole, on disk and checked; a failed upload leaves nothing.
    """
    cleaned = clean_name(name)
    limit = installation.upload_bytes() if limit is None else limit
    root = Path(settings.MEDIA_ROOT)
    root.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    handle, temporary = tempfile.mkstemp(dir=root, prefix=".incoming-")
    try:
        with os.fdopen(handle, "wb") as out:
            for chunk in chunks:
                size += len(chunk)
                if size > limit:
                    raise TooLarge(
                        f"“{cleaned}” is larger than {limit // (1024 * 1024)} MB. Split it or raise the limit.",
                        limit=limit,
                    )
                digest.update(chunk)
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
        if check is not None:
            check(Path(temporary), cleaned)
        place = _place(digest.hexdigest())
        place.parent.mkdir(exist_ok=True)
        Path(temporary).replace(place)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    guessed = mimetypes.guess_type(cleaned)[0] or "application/octet-stream"
    return StoredFile(cleaned, size, digest.hexdigest(), content_type or guessed)


def open_file(sha256: str) -> BinaryIO:
    """The bytes under a hash. Raises `NotFound` when the store has lost them."""
    try:
        return _place(sha256).open("rb")
    except FileNotFoundError:
        raise NotFound("The bytes of this file are not in the store.") from None


def path_of(sha256: str) -> Path:
    """Where the bytes lie, for libraries that want a path. Read-only."""
    return _place(sha256)


def _place(sha256: str) -> Path:
    return Path(settings.MEDIA_ROOT) / sha256[:2] / sha256
