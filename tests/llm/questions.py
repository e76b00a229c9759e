"""The questions whose bodies are pinned in `bodies/`. `python -m tests.llm.questions` writes those anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agents.llm.base import Endpoint, Message, Mode, Request, Tool, ToolCall
from agents.llm.providers import PRESETS, body

BODIES = Path(__file__).parent / "bodies"
PIXEL = "data:image/png;base64,iVBORw0KGgo="

TALK = (
    Message("system", "You coordinate."),
    Message("user", "Split the report."),
    Message("assistant", "In two parts.", reasoning="Reading comes first."),
    Message("user", "Go on."),
)
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["why", "member"],
    "properties": {"why": {"type": "string", "maxLength": 200}, "member": {"enum": ["ada", "bob"]}},
}


def _tool(name: str) -> Tool:
    return Tool(name, f"Does {name}.", {"type": "object", "properties": {"agent": {"type": "string"}}})


TOOLS = (_tool("create_subagent"), _tool("assign_task"))
# Two rounds: ids of another form, one answer missing, answers out of order, arguments that are cut.
ROUNDS = (
    Message("user", "Begin."),
    Message(
        "assistant",
        "",
        reasoning="Two at once.",
        calls=(
            ToolCall("call_1", "create_subagent", '{"agent": "a"}'),
            ToolCall("call_2", "assign_task", '{"agent": "a"'),
        ),
    ),
    Message("tool", "Given.", call_id="call_2"),
    Message("tool", "Made.", call_id="call_1"),
    Message("assistant", "", calls=(ToolCall("call_1", "assign_task", '{"agent": "b"}'),)),
    Message("user", "And now?"),
)

QUESTIONS: dict[str, Request] = {
    "thinking": Request(TALK, rid="run-1", priority=100, cache_key="run"),
    "preserve-thinking": Request(TALK, mode=Mode.PRESERVE, rid="run-2", priority=100, cache_key="run"),
    "instant": Request(TALK, mode=Mode.INSTANT, rid="run-3", priority=-5, cache_key="run", max_output=500),
    "schema": Request(
        (Message("user", "Who?", images=(PIXEL,)),), mode=Mode.INSTANT, schema=SCHEMA, schema_name="match"
    ),
    "tools": Request(ROUNDS, mode=Mode.PRESERVE, tools=TOOLS, rid="run-4", cache_key="run"),
}
# Other models, asked in each mode at the providers that have them.
OTHERS = ("kimi-k2.5", "kimi-k2.7-code", "kimi-k3", "qwen3-32b")


def endpoint(provider: str, url: str = "http://127.0.0.1:1/v1", model: str = "") -> Endpoint:
    return Endpoint(provider, url, model or PRESETS[provider].default_model or "kimi-k2.6", "a-key")


def bodies(provider: str) -> dict[str, Any]:
    return {name: body(endpoint(provider), request) for name, request in QUESTIONS.items()}


def modes() -> dict[str, Any]:
    """What each mode becomes for models of other families: all that differs from a body without a mode."""
    found: dict[str, Any] = {}
    for provider in ("sglang", "moonshot", "openrouter"):
        for model in OTHERS:
            for mode in Mode:
                said = body(endpoint(provider, model=model), Request(TALK[:1], mode=mode), streaming=False)
                for same in ("model", "messages", "priority", PRESETS[provider].limit):
                    said.pop(same, None)
                found[f"{provider} {model} {mode}"] = said
    return found


def as_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def main() -> None:
    BODIES.mkdir(exist_ok=True)
    for provider in PRESETS:
        (BODIES / f"{provider}.json").write_text(as_text(bodies(provider)), encoding="utf-8")
    (BODIES / "other_models.json").write_text(as_text(modes()), encoding="utf-8")


if __name__ == "__main__":
    main()
