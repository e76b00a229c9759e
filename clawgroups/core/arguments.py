"""What an agent asks leave for, read from the arguments of its tool call and never from its title. Pure.

Agents put the same thing in many ways: as a diff beside the call, as strings to replace in `raw_input`, as a patch, as
a command in one string or in words. What is known here is shown as what it is; all else is shown by its name, so that
nothing of a call is out of sight. What the agent says about it is kept apart, as its own words.
"""

from __future__ import annotations

import json
import re
import shlex
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clawgroups.core.tool_content import Block, Place, blocks_of, places_of

MOST = 40  # commands, files or other arguments of one call that are shown
LONGEST = 400  # characters of an argument that has no place of its own

_COMMANDS = ("command", "cmd", "commandline", "shellcommand", "script", "bash", "commands", "argv")
_FOLDERS = ("cwd", "workdir", "workingdirectory", "workingdir")
_PATHS = (
    *("filepath", "path", "absolutepath", "file", "filename", "notebookpath", "targetfile", "relativepath", "paths"),
    *("files", "directory", "dir", "folder"),
)
_OLD, _NEW = ("oldstring", "oldstr", "oldtext"), ("newstring", "newstr", "newtext")
_WHOLE = ("content", "contents", "filetext", "filecontent", "newcontent")
_PATCHES = ("patch", "diff", "unifieddiff", "patchtext", "input")
_ADDRESSES = ("url", "uri", "href", "address")
_SOUGHT = ("pattern", "query", "regex", "q", "glob")
_WORDS = ("description", "explanation", "justification", "reason", "intent", "rationale", "thought")
_IS_PATCH = re.compile(r"^(?:\*\*\* (?:Begin Patch|\w+ File:)|diff --git |--- |@@ )", re.MULTILINE)
# Not by `str.isprintable`: an emoji that is put together by joiners is a sign like any other.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)


@dataclass(frozen=True, slots=True)
class Arguments:
    """A call as a person has to see it before they let it happen.

    `does`: command, change, delete, move, read, search, fetch, mode, think or other, by what the arguments show before
    what the call says of itself; `kind` is that. `changes`: diffs as `Block`, and patches as they are. `whole`: files
    that are written as a whole, with their text. `others`: every argument that has no place of its own. `words`: what
    the agent says about it.
    """

    does: str
    kind: str = ""
    commands: tuple[str, ...] = ()
    folder: str = ""
    changes: tuple[Block, ...] = ()
    patches: tuple[str, ...] = ()
    whole: tuple[tuple[str, str], ...] = ()
    places: tuple[Place, ...] = ()
    address: str = ""
    sought: str = ""
    others: tuple[tuple[str, str], ...] = ()
    words: tuple[str, ...] = ()

    @property
    def is_bare(self) -> bool:
        """Whether it says nothing of what it would do but its own words."""
        shown = (self.commands, self.changes, self.patches, self.whole, self.places, self.address, self.sought)
        return not any(shown) and not self.others

    @property
    def is_long(self) -> bool:
        """Whether a list shows the beginning of it only."""
        texts = (*self.commands, *self.patches, *(text for _, text in self.whole), *self.words)
        changed = [text for block in self.changes for text in (block.text, block.before or "")]
        return any(len(text) > 2 * LONGEST or text.count("\n") > 8 for text in (*texts, *changed))

    @property
    def hides(self) -> bool:
        """Whether anything of it may read otherwise than it is."""
        named = (*self.commands, self.folder, self.address, *(place.path for place in self.places), *self.files)
        texts = (*self.patches, *(text for _, text in self.whole), *(value for _, value in self.others))
        changed = (text for block in self.changes for text in (block.text, block.before or ""))
        return any(map(is_suspicious, named)) or any(map(hides, (*texts, *changed)))

    @property
    def files(self) -> tuple[str, ...]:
        """The files that it changes, each once."""
        named = [*(block.name for block in self.changes), *(path for path, _ in self.whole)]
        return tuple(dict.fromkeys(name for name in named if name))


def hides(text: str) -> bool:
    """Whether a text holds characters that hide or turn others."""
    return bool(_HIDDEN.search(text.replace("\r\n", "\n")))


def shown(text: str) -> str:
    """The text with what hides or turns other characters told by its number: nothing reads otherwise than it is."""
    return _HIDDEN.sub(lambda found: f"⟦U+{ord(found.group()):04X}⟧", text.replace("\r\n", "\n"))


def is_suspicious(text: str) -> bool:
    """Whether a text holds such characters, or letters of another script that look like ours among ours."""
    return hides(text) or any(_mixed(word) for word in re.findall(r"\w+", text))


def _mixed(word: str) -> bool:
    scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in word if letter.isalpha()}
    return "LATIN" in scripts and bool(scripts & {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"})


def read(call: Mapping[str, Any]) -> Arguments:
    """The arguments of a tool call, as a question keeps it (`Approval.tool_call`)."""
    raw = call.get("raw_input")
    found = _Found()
    if isinstance(raw, Mapping):
        found.inside(raw)
    elif raw not in (None, "", [], {}):
        found.others.append(("input", _short(raw)))
    kind = str(call.get("kind") or "")
    blocks = blocks_of(call)
    changes = tuple(block for block in blocks if block.kind == "diff")
    own = tuple(found.replaced) if not changes else ()
    whole = tuple(found.whole) if not changes else ()
    places = _places(places_of(call), found.paths, changes + own)
    words = (str(call.get("title") or ""), *found.words, *(b.text for b in blocks if b.kind in ("text", "link")))
    return Arguments(
        _does(kind, found, bool(changes or own or whole)),
        kind,
        tuple(found.commands[:MOST]),
        found.folder,
        (changes + own)[:MOST],
        tuple(found.patches),
        whole[:MOST],
        places,
        found.address,
        found.sought,
        tuple(found.others[:MOST]),
        tuple(dict.fromkeys(word.strip() for word in words if word.strip())),
    )


def _does(kind: str, found: _Found, changes: bool) -> str:
    """What it would do: a call that says less of itself than its arguments show does what they show."""
    if found.commands:
        return "command"
    if changes or found.patches:
        return "change"
    if kind in ("delete", "move", "read", "search", "fetch", "think"):
        return kind
    if kind == "switch_mode":
        return "mode"
    if kind == "edit":
        return "change"
    if kind == "execute":
        return "command"
    return "fetch" if found.address else "other"


def _places(named: Sequence[Place], paths: Sequence[str], changes: Sequence[Block]) -> tuple[Place, ...]:
    """The paths that it names, without those whose change is shown."""
    known = {block.name for block in changes}
    all_of_them = [*named, *(Place(path) for path in paths if path not in {place.path for place in named})]
    return tuple(dict.fromkeys(place for place in all_of_them if place.path not in known))[:MOST]


class _Found:
    """What was found in the raw arguments."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.folder = ""
        self.paths: list[str] = []
        self.replaced: list[Block] = []
        self.whole: list[tuple[str, str]] = []
        self.patches: list[str] = []
        self.address = ""
        self.sought = ""
        self.others: list[tuple[str, str]] = []
        self.words: list[str] = []

    def inside(self, raw: Mapping[str, Any]) -> None:
        """Take in the arguments, each where it belongs or among the others."""
        left = {str(name): value for name, value in raw.items() if value not in (None, "", [], {})}
        self._commands(left)
        self._texts(left)
        self._changes(left)
        for name, value in left.items():
            self.others.append((name, _short(value)))

    def _commands(self, left: dict[str, Any]) -> None:
        for name in _named(left, _COMMANDS):
            words = _words_of(left[name])
            if words is None:
                continue
            del left[name]
            beside = next((key for key in _named(left, ("args", "arguments")) if _words_of(left[key])), "")
            arguments = _words_of(left.pop(beside)) if beside else ""
            self.commands.append(f"{words} {arguments}" if arguments else words)
        if self.commands:
            for name in _named(left, _FOLDERS):
                if isinstance(left[name], str):
                    self.folder = left.pop(name)

    def _texts(self, left: dict[str, Any]) -> None:
        for name in _named(left, _PATHS):
            paths = left[name] if isinstance(left[name], list) else [left[name]]
            if all(isinstance(path, str) for path in paths):
                self.paths += paths
                del left[name]
        for name in _named(left, _ADDRESSES):
            if isinstance(left[name], str) and not self.address:
                self.address = left.pop(name)
        for name in _named(left, _SOUGHT):
            if isinstance(left[name], str) and not self.sought:
                self.sought = left.pop(name)
        # Beside a command it is said about it; for another tool it may be what the tool writes.
        for name in _named(left, _WORDS) if self.commands else ():
            if isinstance(left[name], str):
                self.words.append(left.pop(name))

    def _changes(self, left: dict[str, Any]) -> None:
        path = self.paths[0] if self.paths else ""
        for name in _named(left, _PATCHES):
            if isinstance(left[name], str) and _IS_PATCH.search(left[name]):
                self.patches.append(left.pop(name))
        self._replaced(path, left)
        edits = left.get("edits")
        if isinstance(edits, list) and all(isinstance(one, Mapping) for one in edits):
            kept = [dict(one) for one in edits[:MOST]]
            for one in kept:
                self._replaced(str(one.pop("path", "") or path), one)
            rest = [one for one in kept if one] + list(edits[MOST:])
            left.pop("edits")
            if rest:
                left["edits"] = rest
        for name in _named(left, _WHOLE) if path else ():
            if isinstance(left[name], str):
                self.whole.append((path, left.pop(name)))

    def _replaced(self, path: str, given: dict[str, Any]) -> None:
        old, new = next(_named(given, _OLD), None), next(_named(given, _NEW), None)
        before = given.get(old, "") if old else ""
        after = given.get(new, "") if new else ""
        if (old or new) and isinstance(before, str) and isinstance(after, str):
            self.replaced.append(Block("diff", len(self.replaced), after, path, before))
            for name in (old, new):
                given.pop(name or "", None)


def _named(given: Mapping[str, Any], names: Sequence[str]) -> Iterator[str]:
    """The arguments whose name is one of these, however it is written."""
    plain = {name: re.sub(r"[^a-z]", "", name.lower()) for name in given}
    return iter([name for wanted in names for name in plain if plain[name] == wanted])


def _words_of(value: Any) -> str | None:
    """A command as a line; None where it is none."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return shlex.join(value)
    return None


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
