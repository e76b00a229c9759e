"""What a sub-agent has at hand without the workspace: the files of its work folder, its brief, and the word "done"."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.connector.ignoring import USUAL, Ignore
from agents.connector.inside import BadName, Folder, check_name
from agents.llm.base import Tool

PIECE = 16_000
MOST_TEXT = 1024 * 1024
MOST_LISTED = 200
MOST_POINTS = 40
FINISH = "finish"
POINTS = "set_open_points"


class Wrong(Exception):
    """A call that cannot be carried out; the text says what to do instead."""


def _schema(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}


_NAME = {"type": "string", "maxLength": 500, "description": "File name; folders with “/”."}
_OFFSET = {"type": "integer", "minimum": 0, "description": "The character to begin at."}
_LINES = {"type": "array", "maxItems": MOST_POINTS, "items": {"type": "string", "maxLength": 400}}
_TEXT = {"type": "string"}
_RESULT = {"type": "string", "description": "What the team reads."}
_NAMES = {"type": "array", "maxItems": 100, "items": _NAME}
TOOLS = (
    Tool("list_files", "List the files in your work folder with their sizes.", _schema([])),
    Tool("read_file", "Read a text file there, piece by piece.", _schema(["name"], name=_NAME, offset=_OFFSET)),
    Tool(
        "write_file",
        "Write a text file there, in the place of what has this name. Files are delivered when your turn ends.",
        _schema(["name", "text"], name=_NAME, text=_TEXT),
    ),
    Tool("read_brief", "Read again what you were asked, whole, piece by piece.", _schema([], offset=_OFFSET)),
    Tool(POINTS, "Say what is still open, all of it. The team sees it.", _schema(["points"], points=_LINES)),
    Tool(
        FINISH,
        "Say that the task is done. It is refused while a file that you name is not there or a point is open.",
        _schema(["result", "files"], result=_RESULT, files=_NAMES),
    ),
)


@dataclass
class Desk:
    """One session's. Everything blocks, and is done in a thread."""

    folder: Folder
    brief: str = ""
    points: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    delivered: set[str] = field(default_factory=set)
    result: str = ""

    @classmethod
    def at(cls, folder: Path) -> Desk:
        """A desk on this folder."""
        return cls(Folder(folder))

    def does(self, name: str) -> bool:
        """Whether this is one of its tools."""
        return name in _DOES

    def call(self, name: str, given: Mapping[str, Any]) -> str:
        """What a tool answers. Raises Wrong."""
        try:
            return _DOES[name](self, given)
        except BadName as bad:
            raise Wrong(f"{bad}.") from None
        except OSError as problem:
            raise Wrong(f"That cannot be done: {problem.strerror or type(problem).__name__}.") from None

    def _list(self, _given: Mapping[str, Any]) -> str:
        ignore = Ignore(USUAL)
        listing = self.folder.listing(lambda name, is_folder: ignore.ignores(name, is_folder=is_folder))
        files = sorted(listing.files.items())
        lines = [f"{name} ({status.st_size} bytes)" for name, status in files[:MOST_LISTED]]
        more = f"and {len(files) - MOST_LISTED} more" if len(files) > MOST_LISTED else ""
        return "\n".join(filter(None, [*lines, more])) or "The folder is empty."

    def _read(self, given: Mapping[str, Any]) -> str:
        name = _text(given, "name")
        if self.folder.status(name) is None:
            raise Wrong(f"There is no file {name!r}. Call list_files.")
        with self.folder.open(name) as file:
            content = file.read(64 * MOST_TEXT)
        if b"\0" in content[:4096]:
            raise Wrong(f"{name!r} is no text.")
        return _piece(content.decode("utf-8", "replace"), given)

    def _write(self, given: Mapping[str, Any]) -> str:
        name, text = _text(given, "name"), _text(given, "text")
        content = text.encode("utf-8", "replace")
        if len(content) > MOST_TEXT:
            raise Wrong("A file can hold 1 MiB here. Cut it into several.")
        if any(part.startswith(".") for part in check_name(name).parts):
            raise Wrong("A name must not begin with a point: such files are not delivered.")
        with self.folder.replacing(name, f".{uuid.uuid4().hex[:12]}.part") as out:
            out.write(content)
        if name not in self.made:
            self.made.append(name)
        return f"{name} is written ({len(content)} bytes)."

    def _brief(self, given: Mapping[str, Any]) -> str:
        return _piece(self.brief, given)

    def _points(self, given: Mapping[str, Any]) -> str:
        points = _texts(given, "points")[:MOST_POINTS]
        self.points = [" ".join(point.split())[:400] for point in points if point.strip()]
        return f"{len(self.points)} open." if self.points else "Nothing is open."

    def _finish(self, given: Mapping[str, Any]) -> str:
        """The engine's own word on whether it is done."""
        result, files = _text(given, "result").strip(), _texts(given, "files")
        if not result:
            raise Wrong("Say in `result` what came of it.")
        if not files:
            raise Wrong("Name the file that holds the result. If there is none, write it with write_file first.")
        if missing := [name for name in files if not self._is_there(name)]:
            raise Wrong(f"Not there, or empty: {', '.join(missing[:10])}. Write it, then call finish again.")
        if self.points:
            raise Wrong(f"Still open: {'; '.join(self.points[:10])}. Do it, or take it off with {POINTS} and say why.")
        self.result = result
        return "It is done."

    def _is_there(self, name: str) -> bool:
        status = self.folder.status(name)
        return name in self.delivered or (status is not None and status.st_size > 0)


_DOES: dict[str, Callable[[Desk, Mapping[str, Any]], str]] = {
    "list_files": Desk._list,
    "read_file": Desk._read,
    "write_file": Desk._write,
    "read_brief": Desk._brief,
    POINTS: Desk._points,
    FINISH: Desk._finish,
}


def _text(given: Mapping[str, Any], name: str) -> str:
    if not isinstance(given.get(name), str):
        raise Wrong(f"`{name}` has to be a text.")
    return str(given[name])


def _texts(given: Mapping[str, Any], name: str) -> list[str]:
    found = given.get(name)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise Wrong(f"`{name}` has to be a list of texts.")
    return list(found)


def _piece(text: str, given: Mapping[str, Any]) -> str:
    offset = given.get("offset", 0)
    if not isinstance(offset, int) or isinstance(offset, bool) or offset < 0:
        raise Wrong("`offset` has to be a number from 0 on.")
    piece = text[offset : offset + PIECE]
    left = len(text) - offset - len(piece)
    return f"{piece}\n[{left} characters follow: offset {offset + len(piece)}]" if left > 0 else piece


def arguments_of(text: str) -> dict[str, Any]:
    """The arguments of a call. Raises Wrong."""
    try:
        given = json.loads(text or "{}")
    except (ValueError, RecursionError):
        raise Wrong("The arguments are no JSON.") from None
    if not isinstance(given, dict):
        raise Wrong("The arguments have to be a JSON object.")
    return given
