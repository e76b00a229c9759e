"""What becomes of a message after it was said: other words, signs on it, taking it back."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from django.db.models import Count, QuerySet
from django.utils import timezone

from agents.ids import new_id
from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Delete, Expect, Fact, Insert, Outcome, Put, Update
from clawgroups.core.errors import Conflict, NotFound
from clawgroups.core.message_events import MessageEdited, MessageReacted, MessageRemoved, MessageUnreacted
from clawgroups.core.signs import clean_sign
from clawgroups.models import Member, Message, Reaction
from clawgroups.permissions import ADMINS, get_message, require, seat_of
from clawgroups.services.messages import MAX_MESSAGE, mentions_of
from clawgroups.services.talking import UNHEARD
from clawgroups.services.workspaces import clean_text

MESSAGE = "clawgroups.Message"
VERSION = "clawgroups.MessageVersion"
REACTION = "clawgroups.Reaction"
MOVED = "message_moved"
GONE = "message_removed"


def versioned(rows: QuerySet[Message]) -> QuerySet[Any, Any]:
    """Messages, each with `version`: how often it was changed, which is what an edit says it is based on.

    Both are read in one: who got old words with a new version would overwrite what stands between.
    """
    return rows.annotate(version=Count("versions"))


def edit_message(message_id: UUID, *, body: str, version: int, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Give one's message other words; the earlier ones are kept. Answer: {"id", "version"}.

    `version`: the one that was edited. Raises `Conflict` "message_moved" with `now` and `version` where it says
    something else by now, and changes nothing. The same words are no change.
    """
    row, seat, expects = _standing(message_id, actor, "message.edit")
    row = versioned(Message.objects.filter(pk=message_id)).get()
    if row.member_id != seat.pk:
        raise _not_yours("Only whoever said it can change the words; you can answer it.", row)
    wordless = row.files.exists()
    body = clean_text(body, what="Message", limit=MAX_MESSAGE, required=not wordless)
    known = row.version
    if body == row.body:
        return _submit(row, actor, expects, operation, "message.edit", version=known)
    if version != known:
        raise Conflict(
            "It was changed meanwhile, in another window perhaps. Look at both, then save what shall stand.",
            code=MOVED,
            now=row.body,
            version=known,
        )
    earlier = {
        "message_id": row.pk,
        "number": known + 1,
        "body": row.body,
        "said_at": row.edited_at or row.created_at,
    }
    # Whom it is for was not decided about these words.
    new = {"body": body, "edited_at": _later(row), **({"heard": {}} if row.heard == UNHEARD else {})}
    before = set(mentions_of(row.body, row.workspace_id))
    more = tuple(pk for pk in mentions_of(body, row.workspace_id) if pk not in before)
    fact = MessageEdited(message_id=row.pk, task_id=row.task_id, mentions=more)
    writes = (Update(MESSAGE, row.pk, new, _unmoved(row)), Insert(VERSION, new_id(), earlier))
    return _submit(row, actor, expects, operation, "message.edit", writes, fact, version=known + 1)


def remove_message(message_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Take back what one said, or, as an admin, what somebody said: its place stays, its words and files are gone."""
    row, seat, expects = _standing(message_id, actor, "message.remove")
    if row.member_id != seat.pk and seat.role not in ADMINS:
        raise _not_yours("Whoever said it can take it back, or an admin of the workspace.", row)
    emptied = {"body": "", "removed_at": timezone.now()}
    gone: list[Any] = [Update(MESSAGE, row.pk, emptied, _unmoved(row))]
    gone += [Delete("clawgroups.MessageFile", pk) for pk in row.files.values_list("pk", flat=True)]
    gone += [Delete(VERSION, pk) for pk in row.versions.values_list("pk", flat=True)]
    fact = MessageRemoved(message_id=row.pk, task_id=row.task_id)
    return _submit(row, actor, expects, operation, "message.remove", tuple(gone), fact)


def react(message_id: UUID, *, sign: str, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Put a sign on a message; the same one again is no change."""
    row, seat, expects = _standing(message_id, actor, "message.react")
    pk = _place(row, seat, clean_sign(sign))
    if Reaction.objects.filter(pk=pk).exists():
        return _submit(row, actor, expects, operation, "message.react", sign=sign)
    values = {"workspace_id": row.workspace_id, "message_id": row.pk, "member_id": seat.pk, "sign": sign}
    put = Put(REACTION, pk, values, {"at": timezone.now()})
    fact = MessageReacted(message_id=row.pk, task_id=row.task_id, member_id=seat.pk, sign=sign)
    return _submit(row, actor, (*expects, _there(row)), operation, "message.react", (put,), fact, sign=sign)


def unreact(message_id: UUID, *, sign: str, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Take one's sign off a message; one that is not there is no change."""
    row, seat, expects = _standing(message_id, actor, "message.react")
    pk = _place(row, seat, clean_sign(sign))
    if not Reaction.objects.filter(pk=pk).exists():
        return _submit(row, actor, expects, operation, "message.unreact", sign=sign)
    fact = MessageUnreacted(message_id=row.pk, task_id=row.task_id, member_id=seat.pk, sign=sign)
    off = Delete(REACTION, pk)
    return _submit(row, actor, (*expects, _there(row)), operation, "message.unreact", (off,), fact, sign=sign)


def _standing(message_id: UUID, actor: Actor, action: str) -> tuple[Message, Member, tuple[Expect, ...]]:
    """A message that was not taken back, and the seat of whoever changes it. Raises `Conflict` "message_removed"."""
    row = get_message(actor, message_id, action)
    expects = require(actor, action, row.workspace_id)
    if row.removed_at is not None:
        raise Conflict("This message was taken back.", code=GONE)
    seat = seat_of(actor, row.workspace_id)
    if seat is None:
        raise NotFound("There is no such thing here, or it is not yours to see.")
    return row, seat, expects


def _not_yours(why: str, row: Message) -> Conflict:
    return Conflict(why, code="not_yours", by=str(row.actor.get("name", "")))


def _later(row: Message) -> datetime:
    """Now, and later than the last change in any case: two edits of one moment are told apart by it."""
    now = timezone.now()
    return now if row.edited_at is None or now > row.edited_at else row.edited_at + timedelta(microseconds=1)


def _unmoved(row: Message) -> dict[str, Any]:
    return {"edited_at": row.edited_at, "removed_at": None}


def _there(row: Message) -> Expect:
    return Expect(MESSAGE, row.pk, {"removed_at": None})


def _place(row: Message, seat: Member, sign: str) -> UUID:
    """The key of a member's sign on a message: who presses twice at once puts one."""
    return uuid5(row.pk, f"{seat.pk} {sign}")


def _submit(
    row: Message,
    actor: Actor,
    expects: tuple[Expect, ...],
    operation: str,
    verb: str,
    writes: tuple[Any, ...] = (),
    fact: MessageEdited | MessageRemoved | MessageReacted | MessageUnreacted | None = None,
    **answer: Any,
) -> Future[Outcome]:
    facts = () if fact is None else (Fact(row.workspace_id, fact),)
    said = {"id": str(row.pk), **answer}
    return commit.submit(Change(actor, row.workspace_id, expects, writes, facts, operation, verb=verb, answer=said))
