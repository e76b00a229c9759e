"""Where an agent's words go: one transcript of parts and steps per attempt, numbered as they came. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from hashlib import sha1
from operator import attrgetter
from typing import Any
from uuid import UUID, uuid5

from agents.protocol.updates import (
    AgentUpdate,
    Compaction,
    CompactionSummary,
    MessageChunk,
    Notice,
    PlanText,
    ThoughtChunk,
    ToolCall,
    UnknownUpdate,
)
from clawgroups.core.novelty import Memory
from clawgroups.core.shrinking import shrunk_text

MAX_ORDINAL = 20_000
RECENT_PARTS = 50
RECENT_STEPS = 500
MOST_OPEN = 50
MOST_KEPT = 200  # characters of a name that is remembered
MOST_NAMES = 16  # that are remembered of a session
COMPACTION = {
    "in_progress": "It makes room in its context.",
    "completed": "It has made room in its context.",
    "failed": "It could not make room in its context.",
    "cancelled": "It stopped making room in its context.",
}


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The prompt was answered: tool calls still open will not be heard of again."""

    stop_reason: str
    # Tokens of the session so far, as the agent says it (ACP `usage` of the prompt's answer).
    usage: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class DecidedThere:
    """What the agent asked was answered on its own machine, as its connector says. It gives nobody any right here."""

    text: str
    # The tool call that it was about, and what was said to it: allowed, rejected or (its owner is) asked.
    call_id: str = ""
    answer: str = ""


Said = AgentUpdate | TurnEnded | DecidedThere


@dataclass(frozen=True, slots=True)
class Words:
    """What an update adds to the transcript; without a name it goes on where the last words were."""

    kind: str
    text: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where words go: the part, its number in the transcript, and how long it is before them."""

    part_id: UUID
    ordinal: int
    length: int
    exists: bool


class Names:
    """The row ids of what a session names in one attempt: version 5 of RFC 9562 under the attempt's own id."""

    __slots__ = ("_begun", "_known")

    def __init__(self, attempt_id: UUID, session_id: UUID) -> None:
        self._begun = sha1(attempt_id.bytes + f"{session_id}:".encode(), usedforsecurity=False)
        # A call or a message is told of several times.
        self._known: dict[str, UUID] = {}

    def __call__(self, key: str) -> UUID:
        known = self._known
        found = known.get(key)
        if found is None:
            hashed = self._begun.copy()
            hashed.update(key.encode())
            found = UUID(bytes=hashed.digest()[:16], version=5)
            # Nobody's names fill our memory, however long they are.
            if len(key) <= MOST_KEPT:
                if len(known) >= MOST_NAMES:
                    known.clear()  # in one step: it is used in threads
                known[key] = found
        return found


@dataclass(slots=True)
class Standing:
    """Where a session's transcript stands. `live` is False once its attempt is over.

    It is advanced twice, by the same rules: at once for those who watch, and when the words are
    recorded; so both name the same parts.
    """

    session_id: UUID
    workspace_id: UUID
    task_id: UUID
    attempt_id: UUID
    epoch: int
    live: bool
    # The session has gone on in another attempt: what was said before that, and is placed only now.
    left: bool = False
    holder_id: int | None = None
    # What is used counts for these.
    run_id: UUID | None = None
    agent_id: UUID | None = None
    ordinal: int = 1
    tail: tuple[str, UUID] | None = None
    # The agent's plan, line by line; lines of a plan that has a name carry it as "plan".
    plan: Sequence[Any] = ()
    # What the session has told of itself (core.session_state).
    told: Mapping[str, Any] = field(default_factory=dict)
    parts: dict[UUID, tuple[int, int]] = field(default_factory=dict)
    steps: dict[UUID, None] = field(default_factory=dict)
    # Whether these are all there are, so that what is not among them is new.
    all_parts: bool = False
    all_steps: bool = False
    # The columns of the steps that have not ended, so that what is told of them next needs no row; None: not known.
    open_steps: dict[UUID, dict[str, Any]] | None = None
    # When the row last got to know that there is something new.
    noted_at: datetime | None = None
    # Bytes of long outputs and pictures that were put away since this was read from rows.
    kept: int = 0
    # Only what is recorded is remembered here; those who watch need no memory.
    memory: Memory = field(default_factory=Memory)
    names: Names | None = field(default=None, repr=False, compare=False)

    def copy(self) -> Standing:
        """Another one that may go its own way."""
        known = None if self.open_steps is None else dict(self.open_steps)
        made = Standing(*_all_of(self))
        made.parts, made.steps, made.open_steps = dict(self.parts), dict(self.steps), known
        made.memory = self.memory.copy()
        return made

    def words(self, said: Said) -> Words | None:
        """The words an update adds. After the end of an attempt its tool calls are told in words."""
        match said:
            case MessageChunk() | ThoughtChunk():
                kind = "text" if isinstance(said, MessageChunk) else "thought"
                if said.content is None:
                    return Words(kind, said.text, said.message_id) if said.text else None
                return Words(kind, f"[{shrunk_text(said.content.get('type'), 40)}]", said.message_id)
            case ToolCall():
                if self.live:
                    return None
                title = shrunk_text(said.title or said.tool_call_id, 300)
                return Words("notice", f"{title}: {said.status or 'going on'}\n")
            case _:
                return _remark(said)

    def part_id(self, words: Words) -> UUID:
        """The part these words go to."""
        if words.name is None and self.tail is not None and self.tail[0] == words.kind:
            return self.tail[1]
        name = f"#{self.ordinal}" if words.name is None else f"={words.name}"
        return self.name(f"{words.kind}:{name}") if self.live else after_stop(self.name(f"{words.kind}:{name}"))

    def name(self, key: str) -> UUID:
        """The row id for something of this session in this attempt."""
        if self.names is None:
            self.names = Names(self.attempt_id, self.session_id)
        return self.names(key)

    def step_id(self, call_id: str) -> UUID:
        """The row id of a tool call."""
        return self.name(f"step:{call_id}")

    def place(self, words: Words) -> Place | None:
        """Take room for these words; None when the transcript is full."""
        part_id = self.part_id(words)
        known = self.parts.pop(part_id, None)
        if known is None and self.ordinal >= MAX_ORDINAL:
            return None
        ordinal, before = known if known is not None else (self._number(), 0)
        self.parts[part_id] = (ordinal, before + len(words.text))
        if len(self.parts) > RECENT_PARTS:
            self.all_parts = False
            del self.parts[next(iter(self.parts))]
        self.tail = (words.kind, part_id)
        return Place(part_id, ordinal, before, known is not None)

    def begin(self, step_id: UUID) -> int | None:
        """The number of a tool call not heard of before; it ends the message before it."""
        if step_id in self.steps or self.ordinal >= MAX_ORDINAL:
            return None
        self.steps[step_id] = None
        if len(self.steps) > RECENT_STEPS:
            self.all_steps = False
            del self.steps[next(iter(self.steps))]
        self.tail = None
        return self._number()

    def keep_open(self, steps: Mapping[UUID, dict[str, Any]], *, all_read: bool) -> None:
        """Remember which of these steps go on. `all_read`: whether all that had not ended are among them."""
        if self.open_steps is None and not all_read:
            return
        known = {**(self.open_steps or {}), **steps}
        going_on = {pk: step for pk, step in known.items() if step["ended_at"] is None}
        # An agent that ends none of its calls does not fill our memory.
        self.open_steps = going_on if len(going_on) <= MOST_OPEN else None

    def end_turn(self) -> None:
        """What is said next is another message."""
        self.tail = None

    def _number(self) -> int:
        self.ordinal += 1
        return self.ordinal - 1


_all_of = attrgetter(*(field.name for field in fields(Standing)))


def _remark(said: Said) -> Words | None:
    """What an agent says beside its work."""
    match said:
        case Notice():
            more = f" ({said.description})" if said.description else ""
            return Words("notice", shrunk_text(f"{said.severity}: {said.title}{more}", 2000) + "\n")
        case PlanText():
            return Words("notice", shrunk_text(f"plan: {said.text}", 4000) + "\n")
        case Compaction():
            why = f" ({said.error})" if said.error else ""
            text = f"{COMPACTION.get(said.status, said.status)}{why}\n{said.summary or ''}".rstrip() + "\n"
            return Words("notice", shrunk_text(text, 8000), f"compaction:{said.compaction_id}")
        case CompactionSummary():
            return Words("notice", said.text, f"compaction:{said.compaction_id}") if said.text else None
        case DecidedThere():
            return Words("machine", said.text)
        case UnknownUpdate():
            return Words("unknown", shrunk_text(f"{said.tag} {said.raw!r}", 2000) + "\n")
        case _:
            return None


def after_stop(part_id: UUID) -> UUID:
    """The part in which a message goes on once its attempt is over: evidence is kept apart from what counts."""
    return uuid5(part_id, "after")


def plan_counts(entries: Sequence[Any]) -> tuple[int, int]:
    """How many lines of an agent's plan are done, and how many there are."""
    done = sum(1 for entry in entries if isinstance(entry, dict) and entry.get("status") == "completed")
    return done, len(entries)
