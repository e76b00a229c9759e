"""Requests as JSON that a database keeps: what comes back is the same request, and makes the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agents.llm.base import Message, Mode, Request, Tool, ToolCall
from agents.llm.cleaning import clean, clean_json


def request_as_json(request: Request) -> dict[str, Any]:
    """The request as JSON. Text that cannot be stored is cleaned.

    Schemas are kept as text: `jsonb` forgets the order of their fields, in which constrained answers are written and
    on which cached prefixes depend.
    """
    return {
        "messages": [_message(message) for message in request.messages],
        "mode": str(request.mode),
        "schema": None if request.schema is None else _as_text(request.schema),
        "schema_name": clean(request.schema_name),
        "tools": [
            {"name": clean(tool.name), "description": clean(tool.description), "parameters": _as_text(tool.parameters)}
            for tool in request.tools
        ],
        "max_output": request.max_output,
        "rid": clean(request.rid),
        "priority": request.priority,
        "cache_key": clean(request.cache_key),
    }


def request_from_json(kept: Mapping[str, Any]) -> Request:
    """The request that `request_as_json` kept. What is missing has its usual value; raises ValueError for the rest."""
    try:
        return Request(
            messages=tuple(_message_from(message) for message in kept["messages"]),
            mode=Mode(kept.get("mode", Mode.THINKING)),
            schema=None if kept.get("schema") is None else json.loads(kept["schema"]),
            schema_name=kept.get("schema_name", "answer"),
            tools=tuple(
                Tool(tool["name"], tool["description"], json.loads(tool["parameters"]))
                for tool in kept.get("tools", ())
            ),
            max_output=kept.get("max_output", 16_000),
            rid=kept.get("rid", ""),
            priority=kept.get("priority", 0),
            cache_key=kept.get("cache_key", ""),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("This is no request that was kept.") from error


def _as_text(schema: Mapping[str, Any]) -> str:
    return json.dumps(clean_json(schema), ensure_ascii=False, separators=(",", ":"))


def _message(message: Message) -> dict[str, Any]:
    """Only what it has: conversations are long."""
    said: dict[str, Any] = {"role": clean(message.role), "text": clean(message.text)}
    if message.reasoning:
        said["reasoning"] = clean(message.reasoning)
    if message.calls:
        said["calls"] = [[clean(call.id), clean(call.name), clean(call.arguments)] for call in message.calls]
    if message.call_id:
        said["call_id"] = clean(message.call_id)
    if message.images:
        said["images"] = [clean(url) for url in message.images]
    return said


def _message_from(kept: Mapping[str, Any]) -> Message:
    return Message(
        role=kept["role"],
        text=kept["text"],
        reasoning=kept.get("reasoning", ""),
        calls=tuple(ToolCall(*call) for call in kept.get("calls", ())),
        call_id=kept.get("call_id", ""),
        images=tuple(kept.get("images", ())),
    )
