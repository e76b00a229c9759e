"""Which pictures are shown in a page: decided by their bytes, never by a name or by what somebody says they are.

PNG, JPEG, GIF and WebP only: they hold pixels and nothing that runs. SVG is a document and never shown.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEAD = 512 * 1024
"""So much of a file is enough: what a camera writes before the size of a JPEG fits."""
SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
MOST_BYTES = 24 * 1024 * 1024
MOST_PIXELS = 64_000_000
LONGEST_SIDE = 16_000


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as its bytes describe it."""

    content_type: str
    width: int
    height: int

    def within(self, width: int, height: int) -> Picture:
        """As large as it is shown in a box: never larger than it is, and with the same proportions."""
        scale = min(1.0, width / self.width, height / self.height)
        return Picture(self.content_type, max(1, round(self.width * scale)), max(1, round(self.height * scale)))


def picture_type(head: bytes) -> str | None:
    """What kind of picture begins with these bytes; None for everything that is not shown, SVG above all."""
    for signature, named in SIGNATURES:
        if head.startswith(signature):
            return named
    return "image/webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None


def sized(head: bytes) -> Picture | None:
    """The picture that begins like this, however large; None where its size is not among these bytes."""
    kind = picture_type(head)
    try:
        return None if kind is None else _SIZES[kind](head)
    except (struct.error, IndexError):
        return None


def picture_in(head: bytes, size: int) -> Picture | None:
    """The picture that a file of `size` bytes begins like; None for anything else, and for what a page cannot bear."""
    found = sized(head)
    if found is None or size > MOST_BYTES:
        return None
    sides = (found.width, found.height)
    fits = min(sides) > 0 and max(sides) <= LONGEST_SIDE and found.width * found.height <= MOST_PIXELS
    return found if fits else None


def _png(head: bytes) -> Picture | None:
    if head[12:16] != b"IHDR":
        return None
    return Picture("image/png", *struct.unpack(">II", head[16:24]))


def _gif(head: bytes) -> Picture | None:
    return Picture("image/gif", *struct.unpack("<HH", head[6:10]))


def _webp(head: bytes) -> Picture | None:
    kind, body = head[12:16], head[20:]
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(body[at : at + 3], "little") for at in (4, 7))
        return Picture("image/webp", width, height)
    if kind == b"VP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return Picture("image/webp", 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", body[6:10])
        return Picture("image/webp", width & 0x3FFF, height & 0x3FFF)
    return None


def _jpeg(head: bytes) -> Picture | None:
    """From segment to segment until the one that holds the size."""
    at = 2
    while head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xFF:
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return Picture("image/jpeg", width, height)
        elif marker in (0xD9, 0xDA):
            return None
        else:
            at += 2 + int(struct.unpack(">H", head[at + 2 : at + 4])[0])
    return None


_SIZES = {"image/png": _png, "image/gif": _gif, "image/webp": _webp, "image/jpeg": _jpeg}
