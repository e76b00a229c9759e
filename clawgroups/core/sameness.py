"""Whether two questions of agents ask for the same thing, and whether a call is still what was asked about. Pure.

What a call does stands in its arguments: its title, its words about itself and its ids are not looked at, but for a
title that is all there is of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from clawgroups.core.novelty import NOISE
from clawgroups.core.shrinking import is_cut
from clawgroups.core.tool_content import MOST_BLOCKS

Call = Mapping[str, Any]
ARGUMENTS = ("raw_input", "content", "locations")
# How agents say beside a command why they run it; for other tools such a word may be what they write.
PROSE = frozenset({"description", "explanation", "justification", "reason", "summary", "thought"})
COMMANDS = ("command", "cmd", "commandLine", "command_line")


def fingerprint(*what: Any) -> str:
    """The SHA-256 of JSON values."""
    return hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()


def sameness(kind: str, call: Call, options: Sequence[Mapping[str, str]] = (), form: Any = None) -> str:
    """The same for all questions of a kind that ask for the same thing; empty where nothing is known to be the same.

    A form, and a question to people, is told by its words and what may be answered.
    """
    if kind != "permission":
        return fingerprint(kind, str(call.get("title", "")), [str(one.get("name", "")) for one in options], form or {})
    wants: dict[str, Any] = {"input": _input(call), "places": _places(call), "diffs": _diffs(call)}
    if not wants["input"] and not wants["diffs"]:
        wants["texts"] = [_plain(block) for block in _blocks(call)]
    whole = "cut" not in call and not is_cut(wants) and not is_cut(_blocks(call)) and len(_blocks(call)) < MOST_BLOCKS
    return fingerprint(kind, str(call.get("kind") or "other"), wants) if whole and any(wants.values()) else ""


def says_else(before: Call, after: Call) -> bool:
    """Whether a call says something else of what it does. Where its input is known, that alone is what it does."""
    if all(before.get(key) == after.get(key) for key in ("title", *ARGUMENTS)):
        return False
    one, two = _plain(before.get("raw_input")), _plain(after.get("raw_input"))
    if one and two:
        return bool(one != two) or contradicts(before, after)
    if one or two:
        return True
    if any(_plain(before.get(key) or []) != _plain(after.get(key) or []) for key in ("content", "locations")):
        return True
    return not any(after.get(key) for key in ARGUMENTS) and before.get("title", "") != after.get("title", "")


def contradicts(before: Call, after: Call) -> bool:
    """Whether a call takes back what it said: an argument has another value, or a file another text."""
    if other_input(before, after):
        return True
    now = _diffs(after)
    return any(not set(texts) <= set(now[path]) for path, texts in _diffs(before).items() if path in now)


def other_input(before: Call, after: Call) -> bool:
    """Whether an argument of a call has another value than it had."""
    one, two = before.get("raw_input"), after.get("raw_input")
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        return any(_plain(one[key]) != _plain(two[key]) for key in one.keys() & two.keys() if key not in NOISE)
    return bool(one) and type(one) is type(two) and one != two


def given_else(stored: Call, given: Call) -> bool:
    """Whether a request that came again under its id gives other arguments than those it is stored with."""
    if any(key in given and _plain(given[key]) != _plain(stored.get(key)) for key in ("kind", *ARGUMENTS)):
        return True
    bare = not any(stored.get(key) for key in ARGUMENTS)
    return bare and "title" in given and given["title"] != stored.get("title")


def _input(call: Call) -> Any:
    raw = call.get("raw_input")
    if not isinstance(raw, Mapping):
        return raw
    prose = PROSE if any(raw.get(name) for name in COMMANDS) else frozenset()
    return _plain({key: value for key, value in raw.items() if key not in prose})


def _places(call: Call) -> list[str]:
    return sorted({str(one.get("path", "")) for one in _objects(call.get("locations"))})


def _diffs(call: Call) -> dict[str, list[str]]:
    """How each file would be changed, as fingerprints. A long text is named by what it is kept as."""
    found: dict[str, list[str]] = {}
    for block in _blocks(call):
        if block.get("type") == "diff":
            texts = [block.get(name) for name in ("oldText", "newText", "kept", "kept_before")]
            found.setdefault(str(block.get("path", "")), []).append(fingerprint(texts))
    return {path: sorted(texts) for path, texts in found.items()}


def _blocks(call: Call) -> list[Mapping[str, Any]]:
    return list(_objects(call.get("content")))


def _objects(value: Any) -> Iterable[Mapping[str, Any]]:
    return (one for one in value if isinstance(one, Mapping)) if isinstance(value, list) else iter(())


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items() if key not in NOISE}
    return [_plain(one) for one in value] if isinstance(value, list) else value
