"""Reads what agents send on their own: updates and permission requests. Lenient: one odd field costs only
itself.
"""

from __future__ import annotations

import json
from typing import Any

from agents.protocol.peer import JsonObject, RpcId
from agents.protocol.updates import (
    AgentUpdate,
    CommandsAvailable,
    Compaction,
    CompactionSummary,
    ConfigChanged,
    FormAsked,
    MessageChunk,
    ModeChanged,
    Notice,
    PermissionAsked,
    PermissionOption,
    PlanEntry,
    PlanReplaced,
    PlanText,
    SessionInfo,
    SessionMessage,
    Subagent,
    ThoughtChunk,
    ToolCall,
    UnknownUpdate,
    Usage,
    UserChunk,
)

TOOL_KINDS = frozenset(
    {"read", "edit", "delete", "move", "search", "execute", "think", "fetch", "switch_mode", "other"}
)
TOOL_STATUSES = frozenset({"pending", "in_progress", "completed", "failed"})
OPTION_KINDS = frozenset({"allow_once", "allow_always", "reject_once", "reject_always"})
_PRIORITIES = frozenset({"high", "medium", "low"})
_ENTRY_STATUSES = frozenset({"pending", "in_progress", "completed"})
_SEVERITIES = frozenset({"info", "warning", "error", "other"})
_SUBAGENT = frozenset({"sessionUpdate", "sessionId", "title", "description", "_meta"})
_INT64 = 2**63


def parse_permission(request_id: RpcId, params: JsonObject) -> PermissionAsked | None:
    """Read a permission request; None when it names no session or no tool call (answer -32602)."""
    session_id, call = params.get("sessionId"), tool_call(as_object(params.get("toolCall")))
    if not isinstance(session_id, str) or call is None:
        return None
    options: dict[str, PermissionOption] = {}
    for raw in as_objects(params.get("options")):
        option_id = raw.get("optionId")
        if isinstance(option_id, str):
            kind = raw.get("kind")
            option = PermissionOption(option_id, as_text(raw.get("name")), _one_of(kind, OPTION_KINDS) or "other")
            options.setdefault(option_id, option)
    return PermissionAsked(request_id, session_id, call, tuple(options.values()), params)


def parse_form(request_id: RpcId, params: JsonObject) -> FormAsked | None:
    """Read an `elicitation/create`; None when it is no form of a session (answer -32602)."""
    session_id, form = params.get("sessionId"), params.get("requestedSchema")
    if params.get("mode", "form") != "form" or not isinstance(session_id, str) or not isinstance(form, dict):
        return None
    return FormAsked(request_id, session_id, as_text(params.get("message")), form, as_text(params.get("toolCallId")))


def parse_update(params: Any) -> tuple[str, AgentUpdate]:
    """Read the parameters of `session/update`: the session it is for, and the update. Never raises."""
    outer = as_object(params)
    raw = outer.get("update")
    update = as_object(raw)
    tag = as_text(update.get("sessionUpdate"))
    reader = _READERS.get(tag)
    read = reader(update) if reader is not None else None
    return as_text(outer.get("sessionId")), UnknownUpdate(tag, raw) if read is None else read


# One reader per tag; None means malformed.


def _chunk(update: JsonObject) -> tuple[str, JsonObject | None, str | None] | None:
    content, message_id = update.get("content"), update.get("messageId")
    if not isinstance(content, dict):
        return None
    name = message_id if isinstance(message_id, str) else None
    if content.get("type") != "text":
        return "", content, name
    text = content.get("text")
    return (text, None, name) if isinstance(text, str) else None


def _message(update: JsonObject) -> AgentUpdate | None:
    chunk = _chunk(update)
    return None if chunk is None else MessageChunk(*chunk)


def _thought(update: JsonObject) -> AgentUpdate | None:
    chunk = _chunk(update)
    return None if chunk is None else ThoughtChunk(*chunk)


def _user(update: JsonObject) -> AgentUpdate | None:
    chunk = _chunk(update)
    return None if chunk is None else UserChunk(*chunk)


def tool_call(update: JsonObject) -> ToolCall | None:
    """Read a tool call as ACP writes it; None when it has no id."""
    call_id = update.get("toolCallId")
    if not isinstance(call_id, str) or not call_id:
        return None
    given: dict[str, Any] = {}
    for key in ("title", "name"):
        if isinstance(update.get(key), str):
            given[key] = update[key]
    if isinstance(update.get("kind"), str):
        given["kind"] = _one_of(update["kind"], TOOL_KINDS) or "other"
    if status := _one_of(update.get("status"), TOOL_STATUSES):
        given["status"] = status
    for key in ("content", "locations"):
        if isinstance(update.get(key), list):
            given[key] = list(as_objects(update[key]))
    for key, wire in (("raw_input", "rawInput"), ("raw_output", "rawOutput")):
        if update.get(wire) is not None:
            given[key] = update[wire]
    return ToolCall(call_id, given, _streamed(given))


def _streamed(given: JsonObject) -> JsonObject:
    """The input of a call that has not run yet, where its only text is a whole JSON object; else empty."""
    blocks = given.get("content") or []
    if given.get("status") not in ("pending", "in_progress") or "raw_input" in given or len(blocks) != 1:
        return {}
    text = as_object(blocks[0].get("content")).get("text")
    if not isinstance(text, str) or not text.endswith("}"):  # as far as it has come
        return {}
    try:
        return as_object(json.loads(text))
    except ValueError:
        return {}


def _plan(update: JsonObject, plan_id: str = "") -> AgentUpdate | None:
    if not isinstance(update.get("entries"), list):
        return None
    entries = (
        PlanEntry(
            as_text(entry.get("content")),
            _one_of(entry.get("priority"), _PRIORITIES) or "medium",
            _one_of(entry.get("status"), _ENTRY_STATUSES) or "pending",
        )
        for entry in as_objects(update["entries"])
    )
    return PlanReplaced(tuple(entries), plan_id)


def _plan_update(update: JsonObject) -> AgentUpdate | None:
    plan = as_object(update.get("plan"))
    plan_id = plan.get("planId")
    if not isinstance(plan_id, str) or not plan_id:
        return None
    if plan.get("type") == "items":
        return _plan(plan, plan_id)
    text = plan.get("content") if plan.get("type") == "markdown" else plan.get("uri")
    return PlanText(plan_id, text) if isinstance(text, str) else None


def _plan_removed(update: JsonObject) -> AgentUpdate | None:
    plan_id = update.get("planId")
    return PlanReplaced((), plan_id) if isinstance(plan_id, str) and plan_id else None


def _commands(update: JsonObject) -> AgentUpdate | None:
    commands = update.get("availableCommands")
    return CommandsAvailable(as_objects(commands)) if isinstance(commands, list) else None


def _mode(update: JsonObject) -> AgentUpdate | None:
    mode = update.get("currentModeId")
    return ModeChanged(mode) if isinstance(mode, str) else None


def _config(update: JsonObject) -> AgentUpdate | None:
    options = update.get("configOptions")
    return ConfigChanged(as_objects(options)) if isinstance(options, list) else None


def _session_info(update: JsonObject) -> AgentUpdate | None:
    title, updated_at = update.get("title"), update.get("updatedAt")
    return SessionInfo(title if isinstance(title, str) else None, updated_at if isinstance(updated_at, str) else None)


def _usage(update: JsonObject) -> AgentUpdate | None:
    used, size = as_integer(update.get("used")), as_integer(update.get("size"))
    if used is None or size is None:
        return None
    cost = as_object(update.get("cost"))
    amount, currency = cost.get("amount"), cost.get("currency")
    if not isinstance(amount, (int, float)) or isinstance(amount, bool) or abs(amount) >= _INT64:
        return Usage(used, size)
    return Usage(used, size, float(amount), currency if isinstance(currency, str) else None)


def _notice(update: JsonObject) -> AgentUpdate | None:
    title = update.get("title")
    if not isinstance(title, str):
        return None
    severity = _one_of(update.get("severity"), _SEVERITIES) or "other"
    return Notice(severity, title, as_text(update.get("description")))


def _compaction(update: JsonObject) -> AgentUpdate | None:
    compaction_id, status = update.get("compactionId"), update.get("status")
    if not isinstance(compaction_id, str) or not isinstance(status, str):
        return None
    said = _texts(update["summary"]) if isinstance(update.get("summary"), list) else None
    return Compaction(compaction_id, status, said, as_text(update.get("error")))


def _compaction_summary(update: JsonObject) -> AgentUpdate | None:
    compaction_id, text = update.get("compactionId"), as_object(update.get("content")).get("text")
    if not isinstance(compaction_id, str) or not isinstance(text, str):
        return None
    return CompactionSummary(compaction_id, text)


def _subagent(update: JsonObject) -> AgentUpdate | None:
    session_id = update.get("sessionId")
    if not isinstance(session_id, str) or not session_id:
        return None
    title, description = update.get("title"), update.get("description")
    state = as_object(update.get("state")).get("state")
    return Subagent(
        session_id,
        title if isinstance(title, str) else None,
        description if isinstance(description, str) else None,
        state if isinstance(state, str) else None,
        {key: value for key, value in update.items() if key not in _SUBAGENT},
    )


def _session_message(update: JsonObject) -> AgentUpdate | None:
    message_id = update.get("messageId")
    if not isinstance(message_id, str) or not message_id:
        return None
    sender, recipient = as_text(update.get("senderSessionId")), as_text(update.get("recipientSessionId"))
    elsewhere = tuple(as_text(update[key]) for key in ("senderMessageId", "recipientMessageId") if update.get(key))
    return SessionMessage(message_id, _texts(update.get("content")), False, sender, recipient, elsewhere)


def _session_message_chunk(update: JsonObject) -> AgentUpdate | None:
    message_id, text = update.get("messageId"), as_object(update.get("content")).get("text")
    if not isinstance(message_id, str) or not message_id or not isinstance(text, str):
        return None
    return SessionMessage(message_id, text, True)


def _texts(blocks: Any) -> str:
    return "".join(as_text(block.get("text")) or f"[{as_text(block.get('type'))}]" for block in as_objects(blocks))


_READERS = {
    "agent_message_chunk": _message,
    "agent_thought_chunk": _thought,
    "user_message_chunk": _user,
    "tool_call": tool_call,
    "tool_call_update": tool_call,
    "plan": _plan,
    "plan_update": _plan_update,
    "plan_removed": _plan_removed,
    "available_commands_update": _commands,
    "current_mode_update": _mode,
    "config_option_update": _config,
    "session_info_update": _session_info,
    "usage_update": _usage,
    "notice": _notice,
    "compaction_update": _compaction,
    "compaction_summary_chunk": _compaction_summary,
    "subagent_update": _subagent,
    "session_message": _session_message,
    "session_message_chunk": _session_message_chunk,
}


def as_object(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}


def as_objects(value: Any) -> tuple[JsonObject, ...]:
    return tuple(item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def as_integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _INT64 else None


def _one_of(value: Any, known: frozenset[str]) -> str | None:
    return value if isinstance(value, str) and value in known else None
