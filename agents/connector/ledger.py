"""Which requests are under way in each direction, so that none is carried twice. Pure."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from agents.protocol import version

ANSWERED_KEPT = 10_000


def id_key(frame_id: Any) -> str:
    """A request id as a key: 1, "1" and true are three different ids."""
    return json.dumps(frame_id, sort_keys=True)


@dataclass(frozen=True)
class Asked:
    """A request of the server that the agent has to answer."""

    method: str
    session_id: str | None = None


class Ledger:
    """The requests of one child's life, both ways.

    The server repeats what is unanswered after each reconnect; the agent must see it once. The agent asks
    too, and the first answer is the one it gets.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, Asked] = {}
        self._answered: OrderedDict[str, None] = OrderedDict()
        self._open: dict[str, str] = {}

    def ask(self, frame_id: Any, asked: Asked) -> bool:
        """The server asks: True when the agent has not seen this request before."""
        key = id_key(frame_id)
        if key in self._waiting or key in self._answered:
            return False
        self._waiting[key] = asked
        return True

    def asked(self, frame_id: Any) -> Asked | None:
        """The server's request that this answer of the agent would be for, if it is still open."""
        return self._waiting.get(id_key(frame_id))

    def answer(self, frame_id: Any) -> bool:
        """The agent answers: False when it has answered this one before (then the answer goes no further)."""
        key = id_key(frame_id)
        if self._waiting.pop(key, None) is None:
            return key not in self._answered
        # Only answered ones may be forgotten, and only long after the server has stored the answer.
        self._answered[key] = None
        if len(self._answered) > ANSWERED_KEPT:
            self._answered.popitem(last=False)
        return True

    def turns(self) -> list[str]:
        """The sessions in which the agent is at a prompt of the server."""
        prompts = [asked for asked in self._waiting.values() if asked.method == version.SESSION_PROMPT]
        return list(dict.fromkeys(asked.session_id for asked in prompts if asked.session_id))

    def child_asks(self, frame_id: Any, method: str) -> None:
        """The agent asks the server something."""
        self._open[id_key(frame_id)] = method

    def questions(self) -> list[tuple[Any, str]]:
        """What the agent has asked and nobody has answered: (id, method)."""
        return [(json.loads(key), method) for key, method in self._open.items()]

    def child_answered(self, frame_id: Any) -> bool:
        """The server answers the agent: True for the first answer to an open question."""
        return self._open.pop(id_key(frame_id), None) is not None


class Handshake:
    """`initialize` reaches the agent once; whoever asks again is told what it said then."""

    def __init__(self) -> None:
        self._result: Any = None
        self._known = False
        self._first: str | None = None
        self._waiting: list[Any] = []

    def ask(self, frame_id: Any) -> bool:
        """The server initialises: True when this request goes to the agent; otherwise it waits in
        `answers`.
        """
        if self._known or self._first is not None:
            self._waiting.append(frame_id)
            return False
        self._first = id_key(frame_id)
        return True

    def settle(self, frame_id: Any, frame: dict[str, Any]) -> None:
        """The agent answered the request that went to it; an error leaves the next one free to try."""
        if id_key(frame_id) != self._first:
            return
        self._first = None
        if "result" in frame and frame.get("error") is None:
            self._result, self._known = frame["result"], True

    def answers(self) -> list[dict[str, Any]]:
        """What those who asked again are told now; each is told once, and nobody before the agent has
        answered.
        """
        if self._first is not None:
            return []
        waiting, self._waiting = self._waiting, []
        if self._known:
            return [{"jsonrpc": "2.0", "id": frame_id, "result": self._result} for frame_id in waiting]
        error = {"code": -32603, "message": "the agent could not be initialised"}
        return [{"jsonrpc": "2.0", "id": frame_id, "error": error} for frame_id in waiting]
