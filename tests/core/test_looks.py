"""What a file is by its bytes, whatever it is called."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.looks import HEAD, TAIL, Look, decoded, look


def png(wide: int = 3, high: int = 2) -> bytes:
    """A whole image of one colour; only its head is true of a large one."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\x00" + b"\xb3\x31\x1a" * wide for _ in range(high)) if wide * high < 1_000_000 else b""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", wide, high, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def at(name: str, content: bytes) -> Look:
    return look(name, len(content), content[:HEAD], content[-TAIL:])


KINDS = [
    ("a.png", png(), "image", "image/png"),
    ("a", b"GIF89a\x05\x00\x04\x00" + b"x" * 20 + b";", "image", "image/gif"),
    ("a.jpg", b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x07\x00\x09" + b"x" * 20 + b"\xff\xd9", "image", "image/jpeg"),
    ("a.webp", b"RIFF\x12\x00\x00\x00WEBPVP8X" + b"\x00" * 18, "image", "image/webp"),
    ("a.pdf", b"%PDF-1.7\n", "pdf", "application/pdf"),
    ("a.mp3", b"ID3\x04" + b"\x00" * 20, "audio", "audio/mpeg"),
    ("a.mp4", b"\x00\x00\x00\x18ftypisom" + b"\x00" * 20, "video", "video/mp4"),
    ("a.xlsx", b"PK\x03\x04" + b"\x00" * 20, "sheet", "application/zip"),
    ("a.zip", b"PK\x03\x04" + b"\x00" * 20, "zip", "application/zip"),
    ("a.csv", b"a,b\n1,2\n", "table", "text/plain"),
    ("a.MD", b"# A", "markdown", "text/plain"),
    ("a.json", b"{}", "json", "text/plain"),
    ("a.html", b"<p>", "html", "text/plain"),
    ("a.svg", b"<svg/>", "svg", "text/plain"),
    ("a.py", b"print()", "text", "text/plain"),
    ("a", "ä".encode("utf-16"), "text", "text/plain"),
    ("a.bin", bytes(range(256)), "binary", "application/octet-stream"),
    ("a.png", b"", "empty", "application/octet-stream"),
]


@pytest.mark.parametrize(("name", "content", "kind", "media"), KINDS)
def test_the_bytes_say_what_it_is(name: str, content: bytes, kind: str, media: str) -> None:
    found = at(name, content)
    assert (found.kind, found.media, found.fault) == (kind, media, "")


FAULTS = [
    ("half.png", png()[:-8], "image", "ends in the middle"),
    ("page.png", b"<script>alert(1)</script>", "binary", "its bytes are none"),
    ("sheet.xlsx", b"not a workbook", "binary", "its bytes are none"),
    ("table.csv", png(), "image", "by its bytes it is an image"),
    ("table.csv", bytes(range(256)), "binary", "named like a text"),
    ("huge.png", png(60_000, 60_000), "binary", "60000 × 60000 pixels"),
    ("photo.pdf", png(), "image", "by its bytes it is an image"),
]


@pytest.mark.parametrize(("name", "content", "kind", "fault"), FAULTS)
def test_what_is_broken_or_misnamed_is_said(name: str, content: bytes, kind: str, fault: str) -> None:
    found = at(name, content)
    assert found.kind == kind
    assert fault in found.fault


def test_an_image_tells_its_size() -> None:
    found = at("a.png", png(640, 480))
    assert (found.width, found.height) == (640, 480)


def test_text_is_read_in_what_it_is_written_in_and_may_be_cut_within_a_character() -> None:
    assert decoded("Grüße".encode(), whole=True) == ("Grüße", "utf-8")
    assert decoded("Grüße".encode("cp1252"), whole=True) == ("Grüße", "cp1252")
    assert decoded("Grü".encode()[:-1], whole=False) == ("Gr", "utf-8")
    assert decoded(b"a\x00b", whole=True) is None
    assert decoded(bytes(range(1, 30)) * 10, whole=True) is None


NAMES = st.sampled_from(("a.png", "a.csv", "a.xlsx", "a.webp", "a.jpg", "a.json", "a"))
STARTS = st.sampled_from(tuple(content[:30] for _, content, _, _ in KINDS))


@given(NAMES, STARTS, st.binary(max_size=60))
def test_no_bytes_bring_it_down(name: str, start: bytes, rest: bytes) -> None:
    for content in (start, start[:12] + rest, rest):
        assert at(name, content).kind
