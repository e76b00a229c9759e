"""What an agent tells us in the course of its work, in our words.

Every update is an upsert: chunks append, everything else replaces what has the same id. All text in here is
the agent's: data to show, never markup and never authority. No value holds NUL or lone surrogates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.protocol.peer import JsonObject, RpcId


@dataclass(frozen=True)
class MessageChunk:
    """A piece of what the agent says. A changed `message_id` starts a new message; some agents give none.

    `text` is empty when the piece is not text; then `content` is its ACP content block.
    """

    text: str
    content: JsonObject | None = None
    message_id: str | None = None


@dataclass(frozen=True)
class ThoughtChunk:
    """A piece of what the agent thinks; fields as in `MessageChunk`."""

    text: str
    content: JsonObject | None = None
    message_id: str | None = None


@dataclass(frozen=True)
class UserChunk:
    """A piece of the prompt, echoed by some agents and by all in a replay; fields as in `MessageChunk`."""

    text: str
    content: JsonObject | None = None
    message_id: str | None = None


@dataclass(frozen=True)
class ToolCall:
    """A tool call is new or has changed: `given` holds only the fields that were sent, lists replace.

    Keys of `given`: title, name, kind, status, content, locations, raw_input, raw_output. `kind` and
    `status` are among the values ACP 1 knows. An update may come for a call that was never announced; then
    it announces it.
    """

    tool_call_id: str
    given: Mapping[str, Any] = field(default_factory=dict)
    streamed: Mapping[str, Any] = field(default_factory=dict)
    """The input of a call that has not run yet, sent whole as its text; empty where there is none. Kimi Code streams it
    so, and then asks about the call with a sentence in its place."""

    @property
    def title(self) -> str | None:
        """The title, if it was given."""
        return self.given.get("title")

    @property
    def kind(self) -> str | None:
        """read, edit, delete, move, search, execute, think, fetch, switch_mode or other, if given."""
        return self.given.get("kind")

    @property
    def status(self) -> str | None:
        """pending, in_progress, completed or failed, if given."""
        return self.given.get("status")


@dataclass(frozen=True)
class PlanEntry:
    """One line of an agent's plan: priority high, medium or low; status pending, in_progress or completed."""

    content: str
    priority: str
    status: str


@dataclass(frozen=True)
class PlanReplaced:
    """The agent's plan is now exactly this. An agent with several plans names each by a `plan_id`; "" is the one
    that is not named. A plan without entries is withdrawn.
    """

    entries: tuple[PlanEntry, ...]
    plan_id: str = ""


@dataclass(frozen=True)
class PlanText:
    """A plan that is a text or a file (`text` is then its address), replaced as a whole."""

    plan_id: str
    text: str


@dataclass(frozen=True)
class CommandsAvailable:
    """The slash commands the agent offers are now exactly these: objects with name, description, input."""

    commands: tuple[JsonObject, ...]


@dataclass(frozen=True)
class ModeChanged:
    """The session is now in this mode."""

    mode_id: str


@dataclass(frozen=True)
class ConfigChanged:
    """The session's options are now exactly these, in the agent's order of importance."""

    options: tuple[JsonObject, ...]


@dataclass(frozen=True)
class SessionInfo:
    """The agent named the session; None means that it did not say."""

    title: str | None = None
    updated_at: str | None = None


@dataclass(frozen=True)
class Usage:
    """How full the session's context is (tokens of `size`). Not a bill; `cost` is what the agent says it
    spent.
    """

    used: int
    size: int
    cost: float | None = None
    currency: str | None = None


@dataclass(frozen=True)
class Notice:
    """A passing remark for people: severity info, warning, error or other. Never replayed."""

    severity: str
    title: str
    description: str = ""


@dataclass(frozen=True)
class Compaction:
    """The agent makes room in its context: status in_progress, completed, failed, cancelled or a newer word."""

    compaction_id: str
    status: str
    summary: str | None = None
    error: str = ""


@dataclass(frozen=True)
class CompactionSummary:
    """A piece of the summary that stands for what was compacted."""

    compaction_id: str
    text: str


@dataclass(frozen=True)
class Subagent:
    """The session has a child session, or something of it has changed; None means that it was not said.

    `state`: running, idle, requires_action, unknown or a newer word. Updates of the child come under `session_id`.
    """

    session_id: str
    title: str | None = None
    description: str | None = None
    state: str | None = None
    more: JsonObject = field(default_factory=dict)
    """What else was said of it (its folder, why it stopped), as it came."""


@dataclass(frozen=True)
class SessionMessage:
    """A message between a session and its child. `append`: a piece of it; else all of it so far."""

    message_id: str
    text: str
    append: bool
    sender: str = ""
    recipient: str = ""
    elsewhere: tuple[str, ...] = ()
    """What the same message is called in the other sessions' transcripts."""


@dataclass(frozen=True)
class UnknownUpdate:
    """An update we have no word for, or one that is malformed: kept as it came, so that nothing is lost."""

    tag: str
    raw: Any


AgentUpdate = (
    MessageChunk
    | ThoughtChunk
    | UserChunk
    | ToolCall
    | PlanReplaced
    | PlanText
    | CommandsAvailable
    | ModeChanged
    | ConfigChanged
    | SessionInfo
    | Usage
    | Notice
    | Compaction
    | CompactionSummary
    | Subagent
    | SessionMessage
    | UnknownUpdate
)


@dataclass(frozen=True)
class PermissionOption:
    """One answer an agent accepts: kind allow_once, allow_always, reject_once, reject_always, or other."""

    option_id: str
    name: str
    kind: str


@dataclass(frozen=True)
class PermissionAsked:
    """The agent waits for a yes or no. Only the `option_id`s given here may be sent back; there may be
    none.
    """

    request_id: RpcId
    session_id: str
    tool_call: ToolCall
    options: tuple[PermissionOption, ...]
    raw: JsonObject = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class FormAsked:
    """The agent asks people to fill in a form; `form` is its JSON schema, as it came."""

    request_id: RpcId
    session_id: str
    message: str
    form: JsonObject
    tool_call_id: str = ""
