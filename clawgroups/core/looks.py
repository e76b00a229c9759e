"""What a file is, told from its first and last bytes; its name only decides between kinds of text. Pure.

Nothing here trusts the type that somebody declared: a browser is told what the bytes begin with, or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from clawgroups.core.pictures import MOST_PIXELS, picture_type, sized

HEAD = 64 * 1024  # bytes from the beginning that are enough for every kind here
TAIL = 64  # and from the end
SIGNS = 0.005  # control characters for each character, beyond which it is no text

WORDS = {
    "image": "an image", "pdf": "a PDF", "audio": "a sound", "video": "a video", "sheet": "a workbook",
    "zip": "a ZIP archive", "svg": "a drawing (SVG)", "html": "a web page",
}  # fmt: skip
TABLES = frozenset({".csv", ".tsv", ".tab"})
SHEETS = frozenset({".xlsx", ".xlsm"})
# Suffix -> kind, where the bytes are text.
TEXTS = {
    **dict.fromkeys(TABLES, "table"),
    ".md": "markdown", ".markdown": "markdown", ".json": "json", ".html": "html", ".htm": "html", ".svg": "svg",
}  # fmt: skip
# Suffix -> kind that its first bytes must show.
SHOWN = {
    **dict.fromkeys(SHEETS, "sheet"),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".webp"), "image"),
    ".pdf": "pdf", ".zip": "zip",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Look:
    """`kind` decides how it is shown; `media`: the type by its bytes; `fault`: what is wrong with it, in words."""

    kind: str
    media: str = "application/octet-stream"
    fault: str = ""
    width: int = 0
    height: int = 0


def suffix_of(name: str) -> str:
    """A name's suffix in small letters, with its dot."""
    return PurePosixPath(name).suffix.casefold()


def look(name: str, size: int, head: bytes, tail: bytes) -> Look:
    """What a file of this name is. `head` and `tail`: as much of its ends as `HEAD` and `TAIL` say."""
    if not size:
        return Look("empty")
    suffix = suffix_of(name)
    found = _image(size, head, tail) or _media(head) or _packed(suffix, head)
    wanted = SHOWN.get(suffix)
    if found is not None:
        other = wanted not in (None, found.kind) or suffix in TEXTS
        return _with(found, f"By its name it is something else: by its bytes it is {WORDS.get(found.kind)}.", other)
    if wanted is not None:
        return Look("binary", fault=f"It is named like {WORDS[wanted]}, but its bytes are none: damaged, or misnamed.")
    if decoded(head, whole=len(head) == size) is None:
        named = suffix in TEXTS
        return Look("binary", fault="It is named like a text, but its bytes are none." if named else "")
    return Look(TEXTS.get(suffix, "text"), "text/plain")


def _with(found: Look, fault: str, applies: bool) -> Look:
    if not applies or found.fault or found.kind not in WORDS:
        return found
    return Look(found.kind, found.media, fault, found.width, found.height)


def _image(size: int, head: bytes, tail: bytes) -> Look | None:
    media = picture_type(head)
    if media is None:
        return None
    found = sized(head)
    wide, high = (found.width, found.height) if found is not None else (0, 0)
    if wide * high > MOST_PIXELS:
        return Look("binary", media, f"An image of {wide} × {high} pixels is too large to be shown here.")
    fault = "" if _is_whole(media, size, head, tail) else "It ends in the middle: a part of the image is missing."
    return Look("image", media, fault, wide, high)


def _is_whole(media: str, size: int, head: bytes, tail: bytes) -> bool:
    match media:
        case "image/png":
            return tail.endswith(b"IEND\xaeB`\x82")
        case "image/gif":
            return tail.rstrip(b"\x00").endswith(b";")
        case "image/jpeg":
            return b"\xff\xd9" in tail
    return size >= int.from_bytes(head[4:8], "little") + 8


def _media(head: bytes) -> Look | None:
    if head.startswith(b"%PDF-"):
        return Look("pdf", "application/pdf")
    if head.startswith((b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")):
        return Look("audio", "audio/mpeg")
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return Look("audio", "audio/wav")
    if head.startswith(b"fLaC"):
        return Look("audio", "audio/flac")
    if head.startswith(b"OggS"):
        return Look("audio", "audio/ogg")
    if head[4:8] == b"ftyp":
        return Look("audio", "audio/mp4") if head[8:11] == b"M4A" else Look("video", "video/mp4")
    if head.startswith(b"\x1aE\xdf\xa3") and b"webm" in head[:64]:
        return Look("video", "video/webm")
    return None


def _packed(suffix: str, head: bytes) -> Look | None:
    if not head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return None
    return Look("sheet" if suffix in SHEETS else "zip", "application/zip")


def decoded(content: bytes, *, whole: bool) -> tuple[str, str] | None:
    """The text of these bytes, and its encoding; None for what is no text. Not `whole`: it may end in a character."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return _read(content, encoding, whole)
    if b"\x00" in content:
        return None
    return _read(content, "utf-8", whole) or _read(content, "cp1252", whole)


def _read(content: bytes, encoding: str, whole: bool) -> tuple[str, str] | None:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as fault:
        if whole or fault.start < len(content) - 4:
            return None
        text = content[: fault.start].decode(encoding)
    odd = sum(character < " " and character not in "\t\n\r\f\x1b" for character in text)
    return None if odd > SIGNS * len(text) else (text, encoding.removesuffix("-sig"))
