"""Which requests are under way in each direction, so that none is carried twice. Pure."""

from __future__ import annotations

import json
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from agents.protocol import version

ANSWERED_KEPT = 10_000


def id_key(frame_id: Any) -> str:
    """A request id as a key: 1, "1" and true are three different ids."""
    return json.dumps(frame_id, sort_keys=True)


@dataclass(frozen=True)
class Question:
    """What the agent has asked, under its own id for it."""

    id: Any
    method: str


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
        self._open: dict[str, Question] = {}
        """What the agent waits for, by the ids that the server knows."""
        self._told_as: dict[str, Any] = {}
        """Those ids, by the agent's own."""
        self._used: OrderedDict[str, None] = OrderedDict()

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

    def child_asks(self, frame: dict[str, Any]) -> dict[str, Any]:
        """The agent asks the server something, or takes that back: the frame as the server is told.

        An id that the agent uses again is another one there: what the server repeats after a reconnect, an answer to
        the older question, would otherwise be taken for one to this.
        """
        params = frame.get("params")
        if frame["method"] == version.CANCEL_REQUEST and isinstance(params, dict):
            mine = params.get("requestId")
            told = self._told_as.get(id_key(mine), mine)
            return frame if told == mine else {**frame, "params": {**params, "requestId": told}}
        if "id" not in frame:
            return frame
        mine = frame["id"]
        told = self._told_as.get(key := id_key(mine), str(uuid.uuid4()) if key in self._used else mine)
        self._used[key] = None
        if len(self._used) > ANSWERED_KEPT:
            self._used.popitem(last=False)
        self._told_as[key] = told
        self._open[id_key(told)] = Question(mine, str(frame["method"]))
        return frame if told == mine else {**frame, "id": told}

    def questions(self) -> list[tuple[Any, str]]:
        """What the agent has asked and nobody has answered: the id that the server knows, and the method."""
        return [(json.loads(key), question.method) for key, question in self._open.items()]

    def child_answered(self, frame_id: Any) -> Question | None:
        """The server answers the agent: the question, where this is the first answer to it."""
        question = self._open.pop(id_key(frame_id), None)
        if question is not None:
            self._told_as.pop(id_key(question.id), None)
        return question


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
