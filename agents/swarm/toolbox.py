"""The workspace's tools, as the server offers them with a session: over MCP, one POST a call. Blocking."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from agents.connector.exits import Wrong as Unusable
from agents.connector.shim import Endpoint, Unreachable
from agents.llm.base import Tool
from agents.llm.history import TOOL_NAME

VERSION = "2026-07-28"
PATIENCE = 45.0
_AGAIN = 0.5
_NOT_NOW = frozenset({429, 503})
_PERHAPS_DONE = frozenset({500, 502, 504})
_META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}
KEY = "idempotency_key"
STALE = "stale_attempt"

Post = Callable[[bytes, dict[str, str]], tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tool answered, as text for the model; `code` says why it failed, empty where it did not."""

    text: str
    code: str = ""


class Toolbox:
    """Those of one session. `wanted` is asked before each further try."""

    def __init__(self, post: Post, *, patience: float = PATIENCE, sleep: Callable[[float], None] = time.sleep) -> None:
        self._post = post
        self._patience = patience
        self._sleep = sleep
        self.tools: tuple[Tool, ...] = ()

    @classmethod
    def of(cls, servers: Sequence[Any]) -> Toolbox | None:
        """The first server over HTTP among those that a session came with; None where there is none."""
        for one in servers:
            if getattr(one, "type", "") == "http":
                headers = {header.name: header.value for header in one.headers}
                return cls(Endpoint(one.url, headers).post)
        return None

    def load(self) -> tuple[Tool, ...]:
        """Ask which tools there are, once. None where the server does not say: the work can be done without."""
        if not self.tools:
            result = self._ask("tools/list", {}, again=True)
            listed = result.get("tools")
            found = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
            self.tools = _tools(json.dumps(found))
        return self.tools

    def has(self, name: str) -> bool:
        """Whether it is one of them."""
        return any(tool.name == name for tool in self.tools)

    def call(self, name: str, given: Mapping[str, Any], key: str) -> Outcome:
        """What a tool answers. With a key, a call whose answer was lost is made again, and acts once."""
        tool = next(one for one in self.tools if one.name == name)
        arguments, keyed = dict(given), KEY in tool.parameters.get("properties", {})
        if keyed and not arguments.get(KEY):
            arguments[KEY] = key
        result = self._ask("tools/call", {"name": name, "arguments": arguments}, again=keyed)
        if fault := result.get("fault"):
            return Outcome(str(fault), "unavailable")
        listed = result.get("content")
        parts = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
        text = "\n".join(str(one.get("text", "")) for one in parts if one.get("type") == "text")
        return Outcome(text, _code(text) if result.get("isError") else "")

    def _ask(self, method: str, params: dict[str, Any], *, again: bool) -> dict[str, Any]:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": _META}}
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": VERSION,
            "Mcp-Method": method,
            **({"Mcp-Name": params["name"]} if "name" in params else {}),
        }
        try:
            status, body = self._patiently(json.dumps(message).encode(), headers, again=again)
        except (Unreachable, Unusable, ValueError) as problem:
            return {"fault": f"The workspace did not answer: {problem}."}
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict) or not isinstance(answer.get("result"), dict):
            error = answer.get("error") if isinstance(answer, dict) else None
            said = error.get("message") if isinstance(error, dict) else None
            return {"fault": f"The workspace answered {status}: {str(said or 'nothing that can be read')[:300]}"}
        return dict(answer["result"])

    def _patiently(self, body: bytes, headers: dict[str, str], *, again: bool) -> tuple[int, bytes]:
        """Ask until there is an answer; again only what surely was not done, or may be done twice."""
        waited, wait = 0.0, _AGAIN
        while True:
            try:
                status, said = self._post(body, headers)
            except Unreachable as problem:
                if waited + wait > self._patience or (problem.done and not again):
                    raise
            else:
                passing = status in _NOT_NOW or (again and status in _PERHAPS_DONE)
                if not passing or waited + wait > self._patience:
                    return status, said
            self._sleep(wait)
            waited, wait = waited + wait, min(wait * 2, 5.0)


@lru_cache(maxsize=8)
def _tools(listed: str) -> tuple[Tool, ...]:
    """The same for all sessions to which the same ones were listed: there may be hundreds."""
    return tuple(_tool(one) for one in json.loads(listed) if TOOL_NAME.fullmatch(str(one.get("name"))))


def _tool(one: Mapping[str, Any]) -> Tool:
    schema = one.get("inputSchema")
    parameters = schema if isinstance(schema, Mapping) else {"type": "object", "properties": {}}
    return Tool(str(one["name"]), str(one.get("description") or "")[:2000], parameters)


def _code(text: str) -> str:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return "failed"
    return str(said.get("code") or "failed") if isinstance(said, dict) else "failed"
