"""What a tool call shows is kept whole: long texts and pictures go to the store, and their blocks name them.

A row holds little (`core.shrinking`), and a difference or a picture that is cut is none. What an agent says itself
of the store is left out, so that nobody is shown bytes by a hash that an agent happens to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clawgroups.core.errors import NotFound
from clawgroups.core.tool_content import MOST_BLOCKS, Kept, picture_bytes
from clawgroups.services import files

INLINE = 6_000  # characters of a text that stay in the row
HEAD = 4_000  # characters of a longer one that do
IN_ROW = 16_000  # characters of all blocks together that do
MOST_IMAGE = 8 * 1024 * 1024
MOST_TEXT = 16 * 1024 * 1024
# What a session may put there until it is read anew: a flood fills no disk.
MOST_KEPT = 64 * 1024 * 1024
OURS = ("kept", "kept_before")


class Keeper:
    """Puts away what a call shows; `left` is how many bytes more may be kept."""

    def __init__(self, left: int) -> None:
        self.left = left
        self._row = IN_ROW

    def content(self, blocks: Any) -> Any:
        """The content of a call for its row."""
        if not isinstance(blocks, list):
            return []
        self._row = IN_ROW
        return [self._block(one) for one in blocks[:MOST_BLOCKS] if isinstance(one, dict)]

    def _block(self, given: Mapping[str, Any]) -> dict[str, Any]:
        block = {key: value for key, value in given.items() if key not in OURS}
        if block.get("type") == "diff":
            self._text(block, "newText", "kept")
            self._text(block, "oldText", "kept_before")
        elif block.get("type") == "terminal":
            meta = block.pop("_meta", None)
            said = meta.get("terminal_output_delta") if isinstance(meta, dict) else None
            if isinstance(said, str):
                block["output"] = said
            self._text(block, "output", "kept")
        elif isinstance(block.get("content"), dict):
            block["content"] = self._inner(block["content"])
        return block

    def _inner(self, given: Mapping[str, Any]) -> dict[str, Any]:
        block = {key: value for key, value in given.items() if key not in OURS}
        match block.get("type"):
            case "text":
                self._text(block, "text", "kept")
            case "image":
                self._image(block)
            case "resource" if isinstance(block.get("resource"), dict):
                inner = {key: value for key, value in block["resource"].items() if key != "blob"}
                outer = {"text": inner.get("text")}
                self._text(outer, "text", "kept")
                block |= {"resource": {**inner, "text": outer["text"]}, **{k: outer[k] for k in OURS if k in outer}}
            case "audio":
                block.pop("data", None)
        return block

    def _text(self, block: dict[str, Any], key: str, name: str) -> None:
        text = block.get(key)
        if not isinstance(text, str):
            return
        if len(text) <= INLINE and len(text) <= self._row:
            self._row -= len(text)
            return
        kept = self._store(text.encode("utf-8", "replace"), "output.txt", "text/plain; charset=utf-8", MOST_TEXT)
        head = text[: min(HEAD, max(0, self._row))]
        self._row -= len(head)
        block[key] = head if kept is not None else f"{head}…"
        if kept is not None:
            block[name] = {"sha256": kept.sha256, "size": kept.size}

    def _image(self, block: dict[str, Any]) -> None:
        data = block.pop("data", None)
        found = picture_bytes(data)
        if found is None:
            return
        kept = self._store(found, "image", "application/octet-stream", MOST_IMAGE)
        if kept is not None:
            block["kept"] = {"sha256": kept.sha256, "size": kept.size}

    def _store(self, data: bytes, name: str, content_type: str, most: int) -> Kept | None:
        if len(data) > min(most, self.left):
            return None
        self.left -= len(data)
        stored = files.store([data], name=name, content_type=content_type, limit=most)
        return Kept(stored.sha256, stored.size)


def bytes_of(kept: Kept | None, most: int) -> bytes | None:
    """The first bytes of what was kept, at most so many; None where there is nothing, or the store has lost it."""
    if kept is None:
        return None
    try:
        with files.open_file(kept.sha256) as opened:
            return opened.read(most)
    except NotFound:
        return None


def image_of(detail: Mapping[str, Any], number: int) -> bytes | None:
    """A picture that stands in the row itself, as rows from before the store did."""
    content = detail.get("content")
    block = content[number] if isinstance(content, list) and number < len(content) else None
    inner = block.get("content") if isinstance(block, dict) else None
    return picture_bytes(inner.get("data")) if isinstance(inner, dict) else None
