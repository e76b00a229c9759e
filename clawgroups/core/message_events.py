"""Facts about what was said and about files that are final; part of the vocabulary in `core.events`."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from clawgroups.core.event_base import JournalEvent


class MessageEdited(JournalEvent):
    """A message got other words; `mentions` are those of the new words that it did not mention before."""

    type: Literal["message.edited"] = "message.edited"
    message_id: UUID
    task_id: UUID | None = None
    mentions: tuple[UUID, ...] = ()


class MessageRemoved(JournalEvent):
    """A message was taken back: its place stays, its words and files are gone."""

    type: Literal["message.removed"] = "message.removed"
    message_id: UUID
    task_id: UUID | None = None


class MessageReacted(JournalEvent):
    """A member put a sign on a message."""

    type: Literal["message.reacted"] = "message.reacted"
    message_id: UUID
    task_id: UUID | None = None
    member_id: UUID
    sign: str


class MessageUnreacted(JournalEvent):
    """A member took a sign off a message again."""

    type: Literal["message.unreacted"] = "message.unreacted"
    message_id: UUID
    task_id: UUID | None = None
    member_id: UUID
    sign: str


class ArtifactPinned(JournalEvent):
    """This revision of a file is the final one, instead of whichever was before."""

    type: Literal["artifact.pinned"] = "artifact.pinned"
    artifact_id: UUID
    run_id: UUID
    task_id: UUID | None = None
    name: str
    revision: int


class ArtifactUnpinned(JournalEvent):
    """No revision of a file is the final one any more."""

    type: Literal["artifact.unpinned"] = "artifact.unpinned"
    artifact_id: UUID
    run_id: UUID
    task_id: UUID | None = None
    name: str
    revision: int


class TalkLetOn(JournalEvent):
    """A person had those asked whom a message names, after talk among agents was held up there."""

    type: Literal["message.let_on"] = "message.let_on"
    message_id: UUID


class MessageHeard(JournalEvent):
    """The coordinator decided what a message that names nobody is for: `nobody`, `ask`, `plan`, `answer`; or `unheard`.

    `members`: the agents that it has asked. Why is with the message.
    """

    type: Literal["message.heard"] = "message.heard"
    message_id: UUID
    did: str
    members: tuple[UUID, ...] = ()


MessageEvent = (
    MessageEdited
    | MessageRemoved
    | MessageReacted
    | MessageUnreacted
    | MessageHeard
    | TalkLetOn
    | ArtifactPinned
    | ArtifactUnpinned
)
