"""The smallest answer that fits a request: an instance of its schema, a call of its first tool, or a short text."""

from __future__ import annotations

import json
from typing import Any

from tests.llm.flavours import Answer

_PLAIN: dict[str, Any] = {"string": "text", "integer": 1, "number": 1.0, "boolean": True, "null": None, "array": []}


def example_of(body: dict[str, Any]) -> Answer:
    reasoning = "It is simple." if _thinks(body) else ""
    schema = ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")
    if schema is not None:
        return Answer(json.dumps(instance(schema)), reasoning)
    tools = body.get("tools")
    if tools and body["messages"][-1]["role"] == "user":
        function = tools[0]["function"]
        before = sum(len(message.get("tool_calls") or ()) for message in body["messages"])
        arguments = json.dumps(instance(function.get("parameters") or {"type": "object"}))
        return Answer("", reasoning, [(f"functions.{function['name']}:{before}", function["name"], arguments)])
    return Answer("All is well.", reasoning)


def _thinks(body: dict[str, Any]) -> bool:
    said = [
        (body.get("chat_template_kwargs") or {}).get("thinking", True),
        (body.get("thinking") or {}).get("type") != "disabled",
        (body.get("reasoning") or {}).get("enabled", True),
    ]
    return all(said)


def instance(schema: dict[str, Any]) -> Any:
    """A small value of this schema, as far as such schemas go here."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for several in ("anyOf", "oneOf"):
        if schema.get(several):
            return instance(schema[several][0])
    kind = schema.get("type")
    if kind == "object":
        properties = schema.get("properties") or {}
        return {name: instance(properties[name]) for name in schema.get("required", properties) if name in properties}
    if kind == "array" and schema.get("minItems"):
        return [instance(schema.get("items") or {}) for _ in range(schema["minItems"])]
    if kind == "string":
        return ("text" * (schema.get("minLength", 1) // 4 + 1))[: schema.get("maxLength", 4) or 0]
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    return _PLAIN.get(kind or "", "text")
