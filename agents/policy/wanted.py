"""What a permission request wants to do, read from its structured arguments and never from its title.

Agents put the same thing in many ways: in `locations`, in a diff, in `rawInput` under a name of their own, or in the
tool call that they told of before. Whatever may be a path or a command is taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agents.policy.machine import Machine
from agents.policy.paths import Place, is_within, place_of
from agents.policy.shell import CommandLine, is_shell, line_of

KINDS = ("read", "edit", "delete", "move", "search", "execute", "think", "fetch", "switch_mode", "other")
MOST = 200
"""Values that are looked at; a request with more is not clear."""
DEEPEST = 8
TOO_LARGE = "tooLarge"
_PATH_KEYS = re.compile(
    r"(path|paths|file|files|filename|filenames|dir|directory|directories|folder|folders|cwd|workdir|uri|src|dst|dest|"
    r"source|destination|target|from|to|root|location)$"
)
_COMMAND_KEYS = frozenset({"command", "cmd", "commandline", "shellcommand", "script", "bash", "commands", "argv"})
_AROUND = frozenset({"env", "environment", "environmentvariables", "stdin", "preexec"})
"""What makes of a command another one."""
_CHANGES = frozenset({"newtext", "newstring", "newstr", "oldstring", "oldstr", "filetext", "patch", "diff", "edits",
                      "changes", "unifieddiff"})  # fmt: skip
_PATCHED = re.compile(r"^(?:\*\*\* (?:Add|Update|Delete) File: |\*\*\* Move to: |\+\+\+ |--- )(.+?)\s*$", re.MULTILINE)
_LOOKS_LIKE_PATH = re.compile(r"(?:/|~|\.{1,2}/|[A-Za-z]:[\\/]|file:)|.*/\.\.(?:/|$)")
_WORKS_IN = frozenset({"cwd", "workdir", "workingdirectory", "directory", "dir"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """One request. `places` it names, `doubtful` ones that may be meant by what it says besides."""

    kinds: frozenset[str]
    places: tuple[Place, ...]
    doubtful: tuple[Place, ...]
    unclear: bool
    """Something it names leads nobody knows where."""
    whole: bool
    """All that it says was looked at."""
    command: CommandLine | None
    elsewhere: bool
    """It runs outside the work directory, or where nobody knows."""
    words: tuple[Place, ...]
    """The places that words of its command may mean."""
    base: Place | None
    """The work directory of its session."""
    machine: Machine

    def reached(self, kind: str) -> tuple[Place, ...]:
        """The places it names; a search that names none goes through the work directory."""
        return (self.base,) if kind == "search" and not self.places and self.base is not None else self.places


def read(call: Mapping[str, Any], base: Place | None, machine: Machine) -> Wanted:
    """What a tool call (as ACP writes it) wants, for a session that works in `base` on this machine."""
    found = _Found()
    found.look(call)
    named = {text: place_of(text, base, machine) for text in found.paths}
    maybe = {text: place_of(text, base, machine) for text in found.maybe if text not in named}
    works_in = [place_of(text, base, machine) for text in found.works_in]
    command = line_of(found.commands)
    if command is not None and not found.command_is_whole:
        command = CommandLine.unclear(command.text)
    if command is not None and not machine.posix_shell:
        command = command.of_any_shell
    words = [] if command is None else _words(command)
    if command is not None and len(words) > MOST:
        command = CommandLine.unclear(command.text)
    return Wanted(
        _kinds(call.get("kind"), found, command),
        tuple(dict.fromkeys(place for place in named.values() if place is not None)),
        tuple(dict.fromkeys(place for place in maybe.values() if place is not None)),
        found.too_much or None in named.values() or None in maybe.values(),
        not found.too_much,
        command,
        not all(is_within(one, base) for one in works_in),
        tuple(place for text in words[:MOST] if (place := place_of(text, base, machine)) is not None),
        base,
        machine,
    )


def _words(command: CommandLine) -> list[str]:
    words = {word for piece in command.pieces for word in piece}
    return sorted(words | {word.rpartition("=")[2] for word in words})


def _kinds(told: Any, found: _Found, command: CommandLine | None) -> frozenset[str]:
    """The kind that it says, and what its arguments show besides: one that says less than it does is both."""
    shown = {"execute"} if command is not None or found.terminal else set()
    shown |= {"edit"} if found.changes else set()
    kind = told if isinstance(told, str) and told in KINDS else "other"
    return frozenset(shown if kind == "other" and shown else {kind, *shown})


class _Found:
    """What was found in a tool call."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.maybe: list[str] = []
        self.works_in: list[str] = []
        self.commands: list[Any] = []
        self.command_is_whole = True
        self.changes = False
        self.terminal = False
        self.too_much = False
        self._left = MOST

    def look(self, call: Mapping[str, Any]) -> None:
        """Take in a whole tool call. One that is marked `TOO_LARGE` was never seen whole."""
        self.too_much = TOO_LARGE in call
        for location in _objects(call.get("locations")):
            self._named(location.get("path"))
        for block in _objects(call.get("content")):
            if block.get("type") == "diff":
                self.changes = True
                self._named(block.get("path"))
            self.terminal = self.terminal or block.get("type") == "terminal"
        raw = call.get("rawInput")
        if isinstance(raw, Mapping):
            self._inside(raw, 0)
        elif raw is not None:
            self._value("", raw, 0)

    def _inside(self, raw: Mapping[str, Any], depth: int) -> None:
        for name, value in raw.items():
            key = re.sub(r"[^a-z]", "", str(name).lower())
            if "/" in str(name):
                self._named(str(name))
            if key in _CHANGES and value not in (None, "", [], {}):
                self.changes = True
            if key in _AROUND and value not in (None, "", [], {}):
                self.command_is_whole = False
            if key == "shell" and isinstance(value, str) and not is_shell(value):
                self.command_is_whole = False
            if key in _COMMAND_KEYS and _is_command(value):
                self._command(value, raw)
                continue
            self._value(key, value, depth)

    def _command(self, value: Any, beside: Mapping[str, Any]) -> None:
        arguments = beside.get("args", beside.get("arguments"))
        if isinstance(value, str) and isinstance(arguments, list):
            self.commands.append([value, *arguments])
        else:
            self.commands.append(value)
            self.command_is_whole = self.command_is_whole and not arguments

    def _value(self, key: str, value: Any, depth: int) -> None:
        self._left -= 1
        if self._left < 0 or depth > DEEPEST:
            self.too_much = True
        elif isinstance(value, Mapping):
            self._inside(value, depth + 1)
        elif isinstance(value, list):
            for one in value:
                self._value(key, one, depth + 1)
        elif isinstance(value, str):
            self._text(key, value)

    def _text(self, key: str, text: str) -> None:
        if key in _WORKS_IN:
            self.works_in.append(text)
        if _PATH_KEYS.search(key) and not re.match(r"https?:", text):
            self._named(text)
        elif "\n" in text:
            for patched in _PATCHED.findall(text[:1_000_000]):
                if patched != "/dev/null":
                    self._maybe(re.sub(r"^[ab]/", "", patched))
        elif _LOOKS_LIKE_PATH.match(text):
            self._maybe(text)

    def _named(self, text: Any) -> None:
        self._left -= 1
        if not isinstance(text, str) or self._left < 0:
            self.too_much = True
        elif text not in self.paths:
            self.paths.append(text)

    def _maybe(self, text: str) -> None:
        self._left -= 1
        self.too_much = self.too_much or self._left < 0
        if self._left >= 0 and text not in self.maybe:
            self.maybe.append(text)


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    return (one for one in value if isinstance(one, Mapping)) if isinstance(value, list) else iter(())


def _is_command(value: Any) -> bool:
    return (isinstance(value, str) and value != "") or (isinstance(value, list) and value != [])
