"""Frames that were right once: a seeded mutator over everything an agent may say, and a few things nobody may."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Frame = dict[str, Any]
SESSION, CANARY = "the session", "the canary"
TEXT = {"type": "text", "text": "words"}
IDS: list[Any] = [
    0, -1, None, "", "0", 1.5, True, 2**63, 2**63 - 1, -(2**63), 10**40, [], {}, [1], "é", "\x00", "\ud800", "x" * 1024,
    "x" * 1025,
]  # fmt: skip
JUNK: list[Any] = [
    None, True, 0, -1, 1.5, 10**40, 1e308, "", "words", "\x00", "\ud800", "\u202egnp.exe", "<script>alert(1)</script>",
    [], {}, [[]], [None], {"": None}, {"_meta": {"sessionId": "victim"}}, ["a"] * 200, {str(n): n for n in range(200)},
    "é" * 5000, "\u0000\ud83d", "../../../../etc/passwd", "file:///etc/passwd", "$(id)", "{{7*7}}", "%n%s",
]  # fmt: skip
METHODS: list[Any] = [
    "session/unheard_of", "initialize", "session/new", "session/prompt", "session/cancel", "authenticate",
    "mcp/message", "_clawgroups/exited", "_clawgroups/resume", "_clawgroups/ack", "_clawgroups/noted",
    "_vendor/thing", "$/cancel_request", "$/unheard_of", "", "m" * 257, "rpc.discover", "session/update\x00",
    "__class__", 7, None, [], {},
]  # fmt: skip
TAGS: list[Any] = ["of the year 2030", "", "_vendor/x", 7, None, [], {"a": 1}, "PLAN", "plan\x00", "state_update"]


def templates(session: str, canary: str) -> list[Frame]:
    """Right frames of an agent, and calls that it must never be granted; `canary` is a path nobody may touch."""
    call = {"toolCallId": "c1", "title": "Look", "kind": "read", "status": "pending", "rawInput": {"path": canary}}
    option = {"optionId": "y", "name": "Yes", "kind": "allow_once"}
    updates = [
        {"sessionUpdate": "agent_message_chunk", "content": TEXT, "messageId": "m1"},
        {"sessionUpdate": "agent_thought_chunk", "content": TEXT},
        {"sessionUpdate": "user_message_chunk", "content": {"type": "resource_link", "name": "x", "uri": canary}},
        {"sessionUpdate": "tool_call", **call, "locations": [{"path": canary, "line": 1}]},
        {"sessionUpdate": "tool_call_update", "toolCallId": "c1", "status": "completed", "rawOutput": {"rows": 3}},
        {"sessionUpdate": "plan", "entries": [{"content": "Read", "priority": "high", "status": "completed"}]},
        {"sessionUpdate": "available_commands_update", "availableCommands": [{"name": "go", "description": "Go"}]},
        {"sessionUpdate": "current_mode_update", "currentModeId": "ask"},
        {"sessionUpdate": "config_option_update", "configOptions": [{"id": "m", "name": "M", "type": "boolean"}]},
        {"sessionUpdate": "session_info_update", "title": "T", "updatedAt": "2026-01-01T00:00:00Z"},
        {"sessionUpdate": "usage_update", "used": 5, "size": 10, "cost": {"amount": 0.5, "currency": "EUR"}},
        {"sessionUpdate": "notice", "severity": "warning", "title": "Hm", "description": "Well"},
        {"sessionUpdate": "compaction_update", "compactionId": "1", "status": "completed"},
    ]
    told = [{"method": "session/update", "params": {"sessionId": session, "update": one}} for one in updates]
    asked = {"sessionId": session, "toolCall": call, "options": [option, {**option, "optionId": "n"}]}
    form = {"type": "object", "properties": {"branch": {"type": "string"}}, "required": ["branch"]}
    requests = [
        ("session/request_permission", asked),
        ("elicitation/create", {"sessionId": session, "mode": "form", "message": "Which?", "requestedSchema": form}),
        ("fs/read_text_file", {"sessionId": session, "path": canary}),
        ("fs/write_text_file", {"sessionId": session, "path": canary + ".new", "content": "pwned"}),
        ("terminal/create", {"sessionId": session, "command": "touch", "args": [canary + ".new"], "cwd": "/"}),
        ("terminal/output", {"sessionId": session, "terminalId": "t"}),
        ("terminal/kill", {"sessionId": session, "terminalId": "t"}),
        ("session/unheard_of", {"sessionId": session}),
        ("craft/drainMidTurnQueue", {}),
    ]
    calls = [{"id": 1, "method": method, "params": params} for method, params in requests]
    answers: list[Frame] = [
        {"id": "nobody asked", "result": {"stopReason": "end_turn"}},
        {"id": "nobody asked", "error": {"code": -32000, "message": "no"}},
        {"method": "$/cancel_request", "params": {"requestId": 1}},
        {"method": "elicitation/complete", "params": {"elicitationId": "e"}},
    ]
    return [*told, *calls, *calls, *answers]


@dataclass(frozen=True)
class Mutant:
    """One frame as it is sent, and what was done to it."""

    text: str
    how: str


class Mutator:
    """Endless frames from a seed. Requests are numbered, so that each answer is told from all others."""

    def __init__(self, seed: int, *, session: str, canary: str) -> None:
        self._random = random.Random(seed)
        # A seed makes the same frames whatever the session and the path are called.
        self._templates = templates(SESSION, CANARY)
        self._real = {SESSION: session, CANARY: canary}
        self._number = 1_000_000
        self._ways: list[Callable[[Frame], Any]] = [
            self._as_it_is, self._swap, self._swap, self._swap, self._drop, self._rename, self._identify,
            self._override, self._retag, self._remethod, self._deepen, self._swell, self._batch, self._reverse,
        ]  # fmt: skip
        self._spoils: list[Callable[[str], str]] = [
            self._cut, self._double_a_key, self._poke, self._many_digits, self._bottomless, self._two_at_once,
        ]  # fmt: skip

    def __iter__(self) -> Iterator[Mutant]:
        while True:
            yield self.next()

    def next(self) -> Mutant:
        frame: Any = copy.deepcopy(self._random.choice(self._templates))
        if "id" in frame and "method" in frame:
            self._number += 1
            frame["id"] = self._number if self._random.random() < 0.7 else f"q{self._number}"
        frame = {"jsonrpc": "2.0", **frame}
        done = []
        for _ in range(self._random.choice((1, 1, 1, 2, 3))):
            way = self._random.choice(self._ways)
            if isinstance(frame, dict):
                frame = way(frame)
                done.append(way.__name__.strip("_"))
        text = json.dumps(frame, ensure_ascii=self._random.random() < 0.8)
        if self._random.random() < 0.12:
            spoil = self._random.choice(self._spoils)
            text = spoil(text)
            done.append(spoil.__name__.strip("_"))
        for placeholder, real in self._real.items():
            text = text.replace(placeholder, real)
        return Mutant(text, " ".join(done))

    # On the object

    def _places(self, value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
        """Every (container, key) below a value."""
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, item in items:
            found.append((value, key))
            self._places(item, found)
        return found

    def _as_it_is(self, frame: Frame) -> Frame:
        return frame

    def _swap(self, frame: Frame) -> Frame:
        """A value of another type somewhere; the id stays what it is."""
        places = [(holder, key) for holder, key in self._places(frame, []) if holder is not frame or key != "id"]
        if places:  # another way may have dropped all but the id
            holder, key = self._random.choice(places)
            holder[key] = copy.deepcopy(self._random.choice(JUNK))
        return frame

    def _drop(self, frame: Frame) -> Frame:
        if places := self._places(frame, []):
            holder, key = self._random.choice(places)
            del holder[key]
        return frame

    def _rename(self, frame: Frame) -> Frame:
        holders = [(holder, key) for holder, key in self._places(frame, []) if isinstance(holder, dict)]
        if holders:
            holder, key = self._random.choice(holders)
            holder[self._random.choice([key.upper(), key + "\x00", "", "__proto__", "_meta", key * 20])] = holder.pop(
                key
            )
        return frame

    def _identify(self, frame: Frame) -> Frame:
        frame["id"] = copy.deepcopy(self._random.choice(IDS))
        return frame

    def _override(self, frame: Frame) -> Frame:
        """`_meta` that says what only we may say, and fields where they do not belong."""
        ours = {"clawgroups": {"session": "victim", "key": "cs_stolen", "files": "/", "task": {"id": "victim"}}}
        meta = {"sessionId": "victim", "session_id": "victim", "id": 1, "method": "initialize", **ours}
        params = frame.get("params")
        places = [frame] if not isinstance(params, dict) else [frame, params, *self._objects(params)]
        self._random.choice(places)["_meta"] = meta
        return frame

    def _objects(self, value: Frame) -> list[Frame]:
        return [item for item in value.values() if isinstance(item, dict)]

    def _retag(self, frame: Frame) -> Frame:
        params = frame.get("params")
        if isinstance(params, dict) and isinstance(params.get("update"), dict):
            params["update"]["sessionUpdate"] = copy.deepcopy(self._random.choice(TAGS))
        return frame

    def _remethod(self, frame: Frame) -> Frame:
        frame["method"] = copy.deepcopy(self._random.choice(METHODS))
        return frame

    def _deepen(self, frame: Frame) -> Frame:
        value: Any = "bottom"
        for _ in range(self._random.choice((5, 25, 31, 33, 100))):
            value = [value] if self._random.random() < 0.5 else {"a": value}
        holder, key = self._random.choice(self._places(frame, []))
        holder[key] = value
        return frame

    def _swell(self, frame: Frame) -> Frame:
        holder, key = self._random.choice(self._places(frame, []))
        holder[key] = self._random.choice(["x", "é", "\x00", "<b>"]) * self._random.choice((200, 2000, 20_000))
        return frame

    def _batch(self, frame: Frame) -> Any:
        return [frame] * self._random.choice((1, 2, 7))

    def _reverse(self, frame: Frame) -> Frame:
        """The other side's words: what a client would send."""
        own = {"sessionId": SESSION, "prompt": [TEXT], "cwd": "/", "mcpServers": []}
        return {**frame, "method": self._random.choice(["initialize", "session/prompt", "session/new"]), "params": own}

    # On the text

    def _cut(self, text: str) -> str:
        return text[: self._random.randrange(len(text))]

    def _double_a_key(self, text: str) -> str:
        return text.replace('"jsonrpc"', '"method": "initialize", "params": [], "jsonrpc"', 1)

    def _poke(self, text: str) -> str:
        at = self._random.randrange(len(text))
        return text[:at] + self._random.choice(['"', "\\", "{", "]", ",", "\x00", "\x1b", "\ufeff"]) + text[at + 1 :]

    def _many_digits(self, text: str) -> str:
        digits = "9" * self._random.choice((20, 400, 5000, 50_000))
        return text.replace(": 1", f": {digits}", 1) if ": 1" in text else f"[{digits}]"

    def _bottomless(self, text: str) -> str:
        depth = self._random.choice((33, 500, 3000, 20_000))
        return text.replace("{", '{"x": ' + "[" * depth + "]" * depth + ", ", 1)

    def _two_at_once(self, text: str) -> str:
        return f"{text}\n{text}"
