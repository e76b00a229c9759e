"""What a message looks like to everybody: its words, whom it answers, its files, and the signs on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from clawgroups.core.signs import SIGNS
from clawgroups.models import Member, Message, Reaction, Task

MOST_ANSWERS = 50


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign on a message, and whose it is."""

    sign: str
    members: tuple[Member, ...]

    @property
    def word(self) -> str:
        return SIGNS.get(self.sign, "")

    @property
    def names(self) -> str:
        """Who put it there: a few by name."""
        named = [member.name for member in self.members[:8]]
        more = len(self.members) - len(named)
        return ", ".join(named) + (f" +{more}" if more else "")

    @property
    def ids(self) -> str:
        """By these the browser finds out whether it is one's own."""
        return " ".join(str(member.pk) for member in self.members)


def whole(rows: QuerySet[Message]) -> QuerySet[Message]:
    """Messages with everything that is shown of them."""
    signs = Reaction.objects.select_related("member").order_by("at", "id")
    answered = rows.select_related("member", "reply_to")
    asked = Task.objects.select_related("proposed").exclude(state="done").order_by("run", "position")
    return answered.prefetch_related(
        "files", "reply_to__files", Prefetch("reactions", signs), "talks", Prefetch("talks__tasks", asked)
    )


def asked_of(message: Message) -> list[Task]:
    """Of those that were asked to answer a message: the tasks of whoever has not answered."""
    return [task for run in message.talks.all() for task in run.tasks.all()]


def messages_of(ids: Iterable[UUID]) -> list[Message]:
    """These messages, in the order in which they were said."""
    return list(whole(Message.objects.filter(pk__in=list(ids))))


def answers_to(ids: Iterable[UUID]) -> list[UUID]:
    """The newest answers to these messages: they quote what was said there."""
    found = Message.objects.filter(reply_to__in=list(ids), removed_at=None).order_by("-id")
    return list(found.values_list("pk", flat=True)[:MOST_ANSWERS])


def signs_on(message: Message) -> list[Sign]:
    """The signs on a message, in the order in which they came up."""
    found: dict[str, list[Member]] = {}
    for reaction in message.reactions.all():
        found.setdefault(reaction.sign, []).append(reaction.member)
    return [Sign(sign, tuple(members)) for sign, members in found.items()]
