"""An agent's child sessions as part of its own transcript: a child is a step, what it says is thought. Pure.

Only the parent answers for the task, so a child's words are never its result.
"""

from __future__ import annotations

from dataclasses import replace

from agents.protocol.updates import AgentUpdate, MessageChunk, SessionMessage, Subagent, ThoughtChunk, ToolCall

STATUS = {"running": "in_progress", "requires_action": "in_progress", "idle": "completed"}


def as_step(child: Subagent) -> ToolCall:
    """The step that a child session is for those who watch its parent."""
    given: dict[str, object] = {"kind": "think"}
    if child.title is not None or child.description is not None:
        given["title"] = child.title or child.description or ""
    if child.state in STATUS:
        given["status"] = STATUS[child.state]
    return ToolCall(f"subagent:{child.session_id}", given)


def of_child(child_id: str, said: AgentUpdate) -> AgentUpdate | None:
    """What an update of a child session is in its parent's transcript; None for what only its own page would show."""
    match said:
        case MessageChunk() | ThoughtChunk():
            return ThoughtChunk(said.text, said.content, f"{child_id}:{said.message_id or ''}")
        case ToolCall():
            return replace(said, tool_call_id=f"{child_id}:{said.tool_call_id}")
        case SessionMessage() | Subagent():
            return as_own(said)
        case _:
            return None


def as_own(said: AgentUpdate) -> AgentUpdate:
    """A session's own update in the words of its transcript: children are steps, what is said to them is thought."""
    match said:
        case Subagent():
            return as_step(said)
        case SessionMessage():
            return ThoughtChunk(said.text, None, f"message:{said.message_id}")
        case _:
            return said
