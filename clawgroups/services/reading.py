"""How far people have read, and what is unread. A mark is nobody else's business: it never is in the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from django.db.models import IntegerField, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.addressing import mentioned
from clawgroups.core.changes import Change, Outcome, Put, Update, Write
from clawgroups.models import Member, Message, ReadMark, Task
from clawgroups.permissions import get_message, require, seat_of

MOST = 99  # more are not told apart
RECENT = timedelta(days=14)  # how far back threads are looked through
NEWEST = 300  # messages of threads that are looked through
THREADS = 6


class CappedCount(Subquery):
    """How many rows a query with a limit finds."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


@dataclass(frozen=True, slots=True)
class Unread:
    """What is new to somebody in a place."""

    number: int = 0
    mentions: int = 0


@dataclass(frozen=True, slots=True)
class Thread:
    """A task's thread with something new in it."""

    workspace_id: UUID
    task_id: UUID
    title: str
    unread: Unread


@dataclass(frozen=True)
class News:
    """What is new to a person: by workspace, and the threads that concern them, newest first."""

    chats: dict[UUID, Unread]
    threads: Sequence[Thread]

    def number(self, workspace_id: UUID) -> int:
        """How much of its chat they have not read."""
        return self.chats.get(workspace_id, Unread()).number

    def mentions(self, workspace_id: UUID) -> int:
        """How often they are named there in what they have not read, threads included."""
        here = [one.unread.mentions for one in self.threads if one.workspace_id == workspace_id]
        return self.chats.get(workspace_id, Unread()).mentions + sum(here)


def mark_read(message_id: UUID, *, actor: Actor) -> Future[Outcome] | None:
    """The actor has read everything up to this message, in the chat or in its thread.

    A mark never moves back. None: it stood there already, and nothing is written.
    """
    message = get_message(actor, message_id, "message.mark_read")
    seat = seat_of(actor, message.workspace_id)
    assert seat is not None
    pk = uuid5(seat.pk, str(message.task_id))
    known, at = ReadMark.objects.filter(pk=pk).first(), {"read_at": message.created_at}
    if known is not None and known.read_at >= message.created_at:
        return None
    first = {"workspace_id": message.workspace_id, "member_id": seat.pk, "task_id": message.task_id}
    # Where a page of theirs made the mark meanwhile, that one stands: the next line that is read moves it on.
    write: Write = Put("clawgroups.ReadMark", pk, {}, {**first, **at})
    if known is not None:
        write = Update("clawgroups.ReadMark", pk, at, {"read_at": known.read_at})
    expects = require(actor, "message.mark_read", message.workspace_id)
    return commit.submit(Change(actor, message.workspace_id, expects, (write,), verb="message.mark_read"))


def read_until(seat: Member, task_id: UUID | None = None) -> datetime:
    """Up to when they have read the chat or a thread; what was said before they came is not new to them."""
    mark = ReadMark.objects.filter(member=seat, task=task_id).values_list("read_at", flat=True).first()
    return max(mark, seat.joined_at) if mark else seat.joined_at


def _new_to(seat: Member | OuterRef) -> Q:
    """Messages that still say something, and that somebody else said."""
    return Q(removed_at=None) & (Q(member=None) | ~Q(member=seat))


def unread_in(seat: Member, task_id: UUID | None = None) -> int:
    """How many messages of the chat, or of a thread, are new to them; one more than `MOST` is the end of counting."""
    here = Message.objects.filter(_new_to(seat), workspace=seat.workspace_id, task=task_id)
    return here.filter(created_at__gt=read_until(seat, task_id)).order_by()[: MOST + 1].count()


def news_of(user_id: int) -> News:
    """What is new to a person everywhere, in a handful of short queries."""
    mark = ReadMark.objects.filter(member=OuterRef("pk"), task=None).values("read_at")[:1]
    chat = Message.objects.filter(_new_to(OuterRef("pk")), workspace=OuterRef("workspace_id"), task=None)
    unread = chat.filter(created_at__gt=OuterRef("since")).order_by().values("pk")[: MOST + 1]
    seats = Member.objects.filter(user_id=user_id, left_at=None).annotate(since=Coalesce(Subquery(mark), "joined_at"))
    rows = {seat: seat.number for seat in seats.annotate(number=CappedCount(unread))}
    named = _named_in_chats([seat for seat, number in rows.items() if number])
    chats = {seat.workspace_id: Unread(number, named[seat.workspace_id]) for seat, number in rows.items()}
    return News(chats, _threads(list(rows)))


def _named_in_chats(seats: Sequence[Member]) -> Counter[UUID]:
    """How often each of these people is named in what is new to them in the chat."""
    found: Counter[UUID] = Counter()
    wanted = Q(pk__in=[])
    for seat in seats:
        since = Q(created_at__gt=seat.since)  # type: ignore[attr-defined]
        wanted |= Q(_new_to(seat), since, workspace=seat.workspace_id, task=None, body__icontains=f"@{seat.handle}")
    by_workspace = {seat.workspace_id: seat for seat in seats}
    rows = Message.objects.filter(wanted).order_by() if seats else Message.objects.none()
    for workspace_id, body in rows.values_list("workspace_id", "body")[: MOST + 1]:
        found[workspace_id] += _names(body, by_workspace[workspace_id])
    return found


def _names(body: str, seat: Member) -> bool:
    return bool(mentioned(body, {seat.handle: seat.pk}))


def _threads(seats: Sequence[Member]) -> list[Thread]:
    """Threads with something new: those they have read before, those of what they hold, and those that name them."""
    by_workspace = {seat.workspace_id: seat for seat in seats}
    lately = Message.objects.filter(workspace__in=by_workspace, task__isnull=False, removed_at=None)
    lately = lately.filter(created_at__gt=timezone.now() - RECENT).order_by("-created_at")
    said: dict[UUID, list[Message]] = {}
    for message in lately.only("workspace_id", "task_id", "member_id", "body", "created_at")[:NEWEST]:
        seat = by_workspace[message.workspace_id]
        if message.task_id and message.member_id != seat.pk and message.created_at > seat.joined_at:
            said.setdefault(message.task_id, []).append(message)
    marks = dict(ReadMark.objects.filter(member__in=seats, task__in=said).values_list("task_id", "read_at"))
    tasks = Task.objects.filter(pk__in=said).only("pk", "workspace_id", "title", "holder_id").in_bulk()
    found = [_thread(tasks[pk], by_workspace, said[pk], marks.get(pk)) for pk in said if pk in tasks]
    return [one for one in found if one is not None]


def _thread(task: Task, seats: dict[UUID, Member], said: Iterable[Message], mark: datetime | None) -> Thread | None:
    seat = seats[task.workspace_id]
    new = [message for message in said if mark is None or message.created_at > mark]
    mentions = sum(_names(message.body, seat) for message in new)
    if not new or not (mark or mentions or task.holder_id == seat.pk):
        return None
    return Thread(task.workspace_id, task.pk, task.title, Unread(len(new), mentions))
