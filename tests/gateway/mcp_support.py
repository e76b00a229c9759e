"""A client of `/mcp` without a network: what an agent sends with its session's key, and what it gets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clawgroups.auth import session_key
from clawgroups.gateway.mcp import tools_endpoint
from clawgroups.models import Session, Task

Json = dict[str, Any]
OLD = "2025-11-25"
NEW = "2026-07-28"
PROTOCOL = "io.modelcontextprotocol/protocolVersion"
ABLE = "io.modelcontextprotocol/clientCapabilities"


@dataclass
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Json:
        found: Json = json.loads(self.content)
        return found

    @property
    def result(self) -> Json:
        assert self.status == 200, self.content
        assert "result" in self.json, self.content
        found: Json = self.json["result"]
        return found

    @property
    def error(self) -> Json:
        found: Json = self.json["error"]
        return found


def key_of(task: Task) -> str:
    """The bearer key of the session that works on a task."""
    return session_key(Session.objects.filter(task=task).latest("opened_at").pk).secret


async def http(method: str, headers: Json, pieces: Sequence[bytes] = (b"",)) -> Answer:
    """One HTTP request as an ASGI server hands it on."""
    said = {"host": "127.0.0.1:8000", "content-type": "application/json", "accept": "application/json", **headers}
    scope = {
        "type": "http",
        "method": method,
        "path": "/mcp",
        "headers": [(k.encode(), v.encode()) for k, v in said.items() if v is not None],
    }
    messages = [
        {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
        for number, piece in enumerate(pieces, 1)
    ]
    sent: list[Json] = []

    async def receive() -> Json:
        return messages.pop(0)

    async def send(message: Json) -> None:
        sent.append(message)

    await tools_endpoint(scope, receive, send)
    start, body = sent
    return Answer(start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, body["body"])


@dataclass
class Client:
    """An agent that speaks one revision with one key."""

    key: str
    version: str = OLD

    async def post(self, content: Any, **headers: str | None) -> Answer:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        said = {"authorization": f"Bearer {self.key}", "mcp-protocol-version": self.version}
        return await http("POST", {**said, **{k.replace("_", "-"): v for k, v in headers.items()}}, [raw])

    async def ask(self, method: str, params: Json | None = None, **headers: str | None) -> Answer:
        given = dict(params or {})
        routed: dict[str, str | None] = {}
        if self.version == NEW:
            given["_meta"] = {PROTOCOL: NEW, ABLE: {}}
            routed = {"mcp_method": method, "mcp_name": given.get("name")}
        message = {"jsonrpc": "2.0", "id": 0, "method": method, "params": given}
        return await self.post(message, **{**routed, **headers})

    async def call(self, tool: str, /, **arguments: Any) -> Json:
        """What a tool gives. Fails where the tool fails."""
        result = (await self.ask("tools/call", {"name": tool, "arguments": arguments})).result
        assert not result.get("isError"), result
        found: Json = result["structuredContent"]
        assert json.loads(result["content"][0]["text"]) == found
        return found

    async def failing(self, tool: str, /, **arguments: Any) -> Json:
        """How a tool fails: what its text says."""
        result = (await self.ask("tools/call", {"name": tool, "arguments": arguments})).result
        assert result["isError"] is True, result
        found: Json = json.loads(result["content"][0]["text"])
        return found
