"""Watches one connection of an agent: is every frame that we send it ACP?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from agents.protocol import version
from tests.conformance.schema import Frame, stable, unstable

NEWER = frozenset({"plan", "subagents"})
"""Client capabilities that were stabilised on 2026-11-20; the schema here is of 2026-11-02."""
FAULTS: list[str] = []
"""Of all connections in this process; the tests of agents' sockets look at it when they end."""
_ASKED: dict[object, dict[tuple[type, Any], set[str]]] = {}


@pytest.fixture(autouse=True)
def every_frame_is_acp() -> Iterator[None]:
    """A test fails when an agent was sent a frame that the official schema does not know."""
    FAULTS.clear()
    _ASKED.clear()
    yield
    assert not FAULTS, "\n".join(FAULTS)


class Wire:
    """`said` is what the agent sends, `heard` what it is sent. Faults are kept here and in `FAULTS`.

    What was asked on one socket of a `link` may be answered on its next one.
    """

    def __init__(self, link: object = None) -> None:
        self.frames = 0
        """How many of ours were looked at."""
        self.faults: list[str] = []
        self._asked = {} if link is None else _ASKED.setdefault(link, {})

    def said(self, text: str) -> None:
        """Remember what the agent asks, since the shape of an answer depends on it. Anything may come."""
        try:
            frame = json.loads(text)
        except (ValueError, RecursionError):
            return
        if not isinstance(frame, dict) or "id" not in frame or not isinstance(frame.get("method"), str):
            return
        if frame["id"] is None or isinstance(frame["id"], (str, int)):
            self._asked.setdefault((type(frame["id"]), frame["id"]), set()).add(frame["method"])

    def heard(self, text: str) -> Frame:
        """Judge one of our frames; the frame."""
        frame: Frame = json.loads(text)
        found = self._faults(frame)
        self.frames += 1
        self.faults += found
        FAULTS.extend(f"{fault} in {text[:500]}" for fault in found)
        return frame

    def _faults(self, frame: Frame) -> list[str]:
        if frame.get("jsonrpc") != "2.0":
            return ["not JSON-RPC 2.0"]
        if "method" in frame:
            return _envelope(frame, {"jsonrpc", "id", "method", "params"}) + self._call(frame)
        if "error" in frame:
            return _envelope(frame, {"jsonrpc", "id", "error"}) + stable().faults("Error", frame["error"]) + _id(frame)
        return _envelope(frame, {"jsonrpc", "id", "result"}) + self._answer(frame) + _id(frame)

    def _call(self, frame: Frame) -> list[str]:
        method = frame["method"]
        if "params" in frame and frame["params"] is None:
            return [f"{method} has null for its parameters"]
        if method.startswith(version.EXTENSION_PREFIX):
            return [f"{method} is a request"] if "id" in frame else []
        judge = stable()
        name = judge.definition(method)
        if name is None or method not in judge.methods("agent") | judge.methods("protocol"):
            return [f"{method} is nothing that an agent takes"]
        if ("id" in frame) is not name.endswith("Request"):
            return [f"{method} as a {'request' if 'id' in frame else 'notification'}"]
        params = frame.get("params", {})
        if method == version.INITIALIZE:
            return _newer(params) + judge.faults(name, _without_newer(params)) + _id(frame)
        return judge.faults(name, params) + (_id(frame) if "id" in frame else [])

    def _answer(self, frame: Frame) -> list[str]:
        if "result" not in frame:
            return ["neither a request nor an answer"]
        methods = self._asked.get((type(frame.get("id")), frame.get("id")), set())
        if not methods:
            return ["a result for something that was never asked"]
        # An agent that gives the same id (null, say) to several requests gets what fits one of them.
        return min((_result_faults(method, frame["result"]) for method in methods), key=len)


def _result_faults(method: str, result: Any) -> list[str]:
    name = stable().definition(method, answer=True)
    return [f"a result for {method}"] if name is None else stable().faults(name, result)


def _newer(params: Frame) -> list[str]:
    """What is wrong with the capabilities that became stable after the vendored schema was made."""
    offered = params.get("clientCapabilities", {})
    named = {name: value for name, value in offered.items() if name in NEWER}
    return unstable().faults("ClientCapabilities", named)


def _without_newer(params: Frame) -> Frame:
    offered = {key: value for key, value in params.get("clientCapabilities", {}).items() if key not in NEWER}
    return {**params, "clientCapabilities": offered}


def _envelope(frame: Frame, allowed: set[str]) -> list[str]:
    return [f"unknown root field {key}" for key in frame.keys() - allowed]


def _id(frame: Frame) -> list[str]:
    return stable().faults("RequestId", frame.get("id"))
