"""A picture is what its bytes are, and only as large as a page bears."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.pictures import MOST_BYTES, Picture, picture_in


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int) -> bytes:
    """A PNG that a browser shows, for small sizes; for large ones its head only."""
    head = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    if width * height > 10_000:
        return head
    rows = b"".join(b"\0" + b"\xb3\x31\x1a" * width for _ in range(height))
    return head + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


PNG = png(3, 2)
EXIF = b"\xff\xe1" + struct.pack(">H", 60_000) + bytes(59_998)
JPEG = b"\xff\xd8" + EXIF + b"\xff\xff\xc2\x00\x11\x08" + struct.pack(">HH", 600, 800) + b"\x03" + bytes(9)
GIF = b"GIF89a" + struct.pack("<HH", 16, 9) + bytes(4)
RIFF = b"RIFF\x00\x00\x00\x00WEBP"
WEBP = RIFF + b"VP8X\x0a\x00\x00\x00\x00\x00\x00\x00" + (799).to_bytes(3, "little") + (599).to_bytes(3, "little")
LOSSLESS = RIFF + b"VP8L\x0a\x00\x00\x00\x2f" + (799 | 599 << 14).to_bytes(4, "little")
LOSSY = RIFF + b"VP8 \x0a\x00\x00\x00\x00\x00\x00\x9d\x01\x2a" + struct.pack("<HH", 800, 600)


@pytest.mark.parametrize(
    ("content", "picture"),
    [
        (PNG, Picture("image/png", 3, 2)),
        (JPEG, Picture("image/jpeg", 800, 600)),
        (GIF, Picture("image/gif", 16, 9)),
        (WEBP, Picture("image/webp", 800, 600)),
        (LOSSLESS, Picture("image/webp", 800, 600)),
        (LOSSY, Picture("image/webp", 800, 600)),
    ],
)
def test_a_picture_is_known_by_its_bytes(content: bytes, picture: Picture) -> None:
    assert picture_in(content, len(content)) == picture


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<html><img src=x onerror=alert(1)>",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a;<script>"[:7],
        b"\xff\xd8\xff\xe0",
        b"\xff\xd8\xff\xda\x00\x02",
        b"%PDF-1.7",
        b"BM" + bytes(60),
        b"\x00\x00\x00\x20ftypavif",
        png(0, 5),
        png(100_000, 2),
        png(15_000, 15_000),
    ],
)
def test_anything_else_is_no_picture_of_a_page(content: bytes) -> None:
    assert picture_in(content, len(content)) is None


def test_a_picture_of_fifty_megabytes_is_a_file_to_download() -> None:
    assert picture_in(PNG, MOST_BYTES + 1) is None


@given(st.sampled_from([PNG[:30], JPEG, GIF, WEBP, LOSSLESS, LOSSY]), st.integers(0, 70_000), st.binary(max_size=20))
def test_broken_pictures_are_looked_at_without_harm(content: bytes, cut: int, rest: bytes) -> None:
    found = picture_in(content[:cut] + rest, 100)
    assert found is None or (0 < found.width <= 16_000 and 0 < found.height <= 16_000)


def test_a_picture_is_shown_in_its_proportions_and_never_larger() -> None:
    assert Picture("image/png", 1600, 400).within(384, 288) == Picture("image/png", 384, 96)
    assert Picture("image/png", 20, 10).within(384, 288) == Picture("image/png", 20, 10)
    assert Picture("image/png", 16_000, 1).within(384, 288).height == 1
