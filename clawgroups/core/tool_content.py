"""What a tool call shows: its places, and its content block by block, read from what an agent sent. Pure.

All of it is the agent's: text to show and never markup. A long text or a picture lies in the store; its block then
names it as `kept`, which only `services.tool_output` writes.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clawgroups.core.pictures import picture_type

MOST_BLOCKS = 50
MOST_PLACES = 20
# CSI and OSC sequences, other escapes of two characters, and what moves the cursor or rings.
_ANSI = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]|\x9b[0-?]*[ -/]*[@-~]"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# From the beginning of a line only: else each of its letters is tried, and that squares its length.
_OVERWRITTEN = re.compile(r"^[^\n]*\r(?!\n)", re.MULTILINE)
_LINKED = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes of a block that lie in the store."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of content. Kinds: "text", "terminal", "diff", "image", "link", "other".

    `number`: its place in the call's content. `text`: the text, or its beginning where the whole is `kept`; the new
    text of a diff, whose old one is `before` (None: the file is new). `name`: of a file or a link.
    """

    kind: str
    number: int
    text: str = ""
    name: str = ""
    before: str | None = None
    kept: Kept | None = None
    kept_before: Kept | None = None
    href: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which file a call works."""

    path: str
    line: int | None = None

    def __str__(self) -> str:
        return self.path if self.line is None else f"{self.path}:{self.line}"


def plain(text: str) -> str:
    """Output of a terminal without its colours and cursor moves; of a line that was written over, the last form."""
    cleaned = _ANSI.sub("", text).replace("\r\n", "\n")
    return _CONTROL.sub("", _OVERWRITTEN.sub("", cleaned))


def picture_bytes(data: Any) -> bytes | None:
    """The bytes of a picture that came as base64, if it is one."""
    if not isinstance(data, str):
        return None
    try:
        found = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if picture_type(found[:16]) is not None else None


def places_of(detail: Mapping[str, Any]) -> tuple[Place, ...]:
    """The files that a call says it works on."""
    found = []
    for one in _objects(detail.get("locations"))[:MOST_PLACES]:
        path, line = one.get("path"), one.get("line")
        if isinstance(path, str) and path:
            found.append(Place(path, line if isinstance(line, int) and not isinstance(line, bool) else None))
    return tuple(dict.fromkeys(found))


def blocks_of(detail: Mapping[str, Any], kind: str = "") -> tuple[Block, ...]:
    """The content of a call, block by block. `kind` is the call's: what a command printed is shown as a terminal."""
    blocks = (_block(number, one, kind) for number, one in enumerate(_objects(detail.get("content"))[:MOST_BLOCKS]))
    return tuple(block for block in blocks if block is not None)


def _block(number: int, given: Mapping[str, Any], call: str) -> Block | None:
    match given.get("type"):
        case "diff":
            return _diff(number, given)
        case "terminal":
            return _terminal(number, given)
        case "content":
            inner = given.get("content")
            return _content(number, inner, call) if isinstance(inner, dict) else None
        case _:
            return Block("other", number, name=str(given.get("type", ""))[:40])


def _diff(number: int, given: Mapping[str, Any]) -> Block | None:
    new, old = given.get("newText"), given.get("oldText")
    if not isinstance(new, str):
        return None
    before = old if isinstance(old, str) else None
    named = str(given.get("path") or "")
    kept, kept_before = _kept(given.get("kept")), _kept(given.get("kept_before"))
    return Block("diff", number, new, named, before, kept, kept_before)


def _terminal(number: int, given: Mapping[str, Any]) -> Block:
    """A terminal of the agent's own machine: what it printed is beside it, if it is anywhere."""
    output = _object(given.get("_meta")).get("terminal_output_delta", given.get("output"))
    return Block("terminal", number, plain(output) if isinstance(output, str) else "", kept=_kept(given.get("kept")))


def _content(number: int, given: Mapping[str, Any], call: str) -> Block | None:
    match given.get("type"):
        case "text":
            text = given.get("text")
            if not isinstance(text, str):
                return None
            printed = call == "execute" or "\x1b" in text
            said = plain(text) if printed else text
            return Block("terminal" if printed else "text", number, said, kept=_kept(given.get("kept")))
        case "image":
            return _image(number, given)
        case "resource_link":
            return _link(number, given)
        case "resource":
            inner = _object(given.get("resource"))
            text = inner.get("text")
            named = str(inner.get("uri") or "")
            return Block("text", number, text if isinstance(text, str) else "", named, kept=_kept(given.get("kept")))
        case other:
            return Block("other", number, name=str(other or "")[:40])


def _image(number: int, given: Mapping[str, Any]) -> Block:
    kept, shown = _kept(given.get("kept")), given.get("data")
    if kept is not None or picture_bytes(shown) is not None:
        return Block("image", number, kept=kept)
    return Block("other", number, name=str(given.get("mimeType") or "image")[:80])


def _link(number: int, given: Mapping[str, Any]) -> Block:
    """Only addresses of the web lead anywhere; nothing is loaded before somebody follows them."""
    uri = str(given.get("uri") or "")
    named = str(given.get("title") or given.get("name") or uri)
    return Block("link", number, str(given.get("description") or ""), named, href=uri if _LINKED.fullmatch(uri) else "")


def _kept(given: Any) -> Kept | None:
    said = _object(given)
    sha256, size = said.get("sha256"), said.get("size")
    if isinstance(sha256, str) and re.fullmatch(r"[0-9a-f]{64}", sha256) and isinstance(size, int):
        return Kept(sha256, size)
    return None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> Sequence[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
