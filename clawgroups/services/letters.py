"""Letters to people about what waits for them: one for all of it, seldom, and claimed before it is sent.

A letter says where to look, never what an agent wants to do exactly: its links ask whoever follows them to sign in.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from smtplib import SMTPRecipientsRefused, SMTPResponseException
from typing import Any
from uuid import UUID, uuid5

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clawgroups import commit
from clawgroups.core.actors import SYSTEM, Actor
from clawgroups.core.changes import Change, Insert, Update, Write
from clawgroups.core.errors import Conflict, Invalid, TooOften
from clawgroups.models import Letter, Member, Notifying
from clawgroups.permissions import TEAM
from clawgroups.services import installation
from clawgroups.services.notifying import is_quiet, person_of
from clawgroups.services.preferences import in_language_of
from clawgroups.services.waits_for import Waiting, waiting_for

log = logging.getLogger(__name__)

MODEL = "clawgroups.Letter"
APART = timedelta(minutes=15)  # between two letters to one person
# After so long one that could not be sent is tried again; in the end as often as the last says.
AGAIN = (timedelta(minutes=2), timedelta(minutes=10), timedelta(minutes=30), timedelta(hours=2))
SHOWN = 20
LINES = ("what", "about", "room", "path")
TEST = ["test"]  # the subjects of a letter that somebody has sent to themselves to see whether it comes
_NEXT = UUID("c1a37000-0000-7000-8000-0000001e77e5")


@dataclass(frozen=True, slots=True)
class Due:
    """A letter that is to be sent: the row as it stands, if there is one, and what is in it."""

    user: User
    last: Letter | None
    new: list[Waiting]
    told: int
    """How much else waits of which the person was told before."""

    @property
    def unsent(self) -> Letter | None:
        """The letter that could not be sent so far."""
        return self.last if self.last is not None and self.last.sent_at is None else None


def is_set_up() -> bool:
    """Whether this installation sends letters: EMAIL_URL is set, and nobody has switched them off."""
    return installation.is_on("mail")


def post(now: datetime) -> int:
    """Send the letters that are due; how many went out. Of two who do so at once, each letter is sent by one.

    A process that dies between sending and noting it sends the letter again.
    """
    if not is_set_up():
        return 0
    sent = 0
    for user, how in _people():
        due = _due(user, how, now)
        claimed = None if due is None else _claim(due, now)
        if due is not None and claimed is not None:
            with in_language_of(user.pk):
                words = _words(due)
            sent += _deliver(claimed, user, words, now)
    return sent


def _people() -> Iterator[tuple[User, Notifying]]:
    """Who has an address and wants letters."""
    seated = Member.objects.filter(left_at=None, role__in=TEAM, user__isnull=False).values("user")
    users = User.objects.filter(is_active=True, pk__in=seated).exclude(email="").order_by("pk")
    said = {how.user_id: how for how in Notifying.objects.filter(user__in=users)}
    for user in users:
        how = said.get(user.pk) or Notifying(user=user)
        if how.mail:
            yield user, how


def _due(user: User, how: Notifying, now: datetime) -> Due | None:
    """What is to be told this person now; None while there is nothing, or it is not the time."""
    last = letters_of(user.pk).exclude(subjects=TEST).first()
    if is_quiet(how, now) or (last is not None and now < next_at(last)):
        return None
    waiting = waiting_for(user.pk)
    told = _told(user.pk, waiting)
    late = [one for one in waiting if one.since + timedelta(seconds=how.mail_after) <= now]
    new = [one for one in late if one.key not in told or told[one.key] < one.since]
    return Due(user, last, new, len(waiting) - len(new)) if new else None


def letters_of(user_id: int) -> Any:
    """A person's letters, the newest first."""
    return Letter.objects.filter(user=user_id).order_by("-made_at", "-id")


def next_at(last: Letter) -> datetime:
    """From when on something may be sent: the same letter again, or the next one."""
    return last.made_at + (APART if last.sent_at is not None else AGAIN[min(last.tries, len(AGAIN)) - 1])


def _told(user_id: int, waiting: Sequence[Waiting]) -> dict[str, datetime]:
    """When the person was told of what waits, by letters that were sent since it does."""
    if not waiting:
        return {}
    since = min(one.since for one in waiting)
    rows = Letter.objects.filter(user=user_id, sent_at__gte=since).order_by("sent_at")
    return {key: at for keys, at in rows.values_list("subjects", "sent_at") for key in keys if at is not None}


def _claim(due: Due, now: datetime) -> Letter | None:
    """Take it upon this process to send it; None where another one did. From now on it counts as tried."""
    values: dict[str, Any] = {"subjects": [one.key for one in due.new], "made_at": now}
    again = due.unsent
    if again is not None:
        pk, values["tries"] = again.pk, again.tries + 1
        write: Write = Update(MODEL, pk, values, {"tries": again.tries, "sent_at": None})
    else:
        # It follows from the letter before: two who write the next one write the same row.
        pk = uuid5(_NEXT, f"{due.user.pk} {due.last.pk if due.last else ''}")
        values["tries"] = 1
        write = Insert(MODEL, pk, {"user_id": due.user.pk, **values})
    try:
        claimed = commit.wait(commit.submit(Change(SYSTEM, writes=(write,), verb="letter.claim"))).applied
    except Conflict:
        return None
    return Letter(pk=pk, user=due.user, **values) if claimed else None


def _deliver(letter: Letter, user: User, words: tuple[str, str], now: datetime) -> bool:
    """Send a claimed letter, and note what came of it."""
    try:
        _message(user, *words).send()
        values: dict[str, Any] = {"sent_at": now, "problem": ""}
    except (OSError, ValueError) as fault:  # whatever smtplib raises is an OSError; a header may be refused
        values = {"problem": fault_said(fault)}
        log.warning("a letter to user %s was not sent: %s", user.pk, values["problem"])
    expect = {"tries": letter.tries, "sent_at": None}
    note = Change(SYSTEM, writes=(Update(MODEL, letter.pk, values, expect),), verb="letter.note")
    commit.wait(commit.submit(note))
    letter.problem = values["problem"]
    return not letter.problem


def fault_said(fault: Exception) -> str:
    """What the mail server said, or what kept us from asking it."""
    if isinstance(fault, SMTPRecipientsRefused):
        fault = SMTPResponseException(*next(iter(fault.recipients.values())))
    if isinstance(fault, SMTPResponseException):
        words = fault.smtp_error.decode("utf-8", "replace") if isinstance(fault.smtp_error, bytes) else fault.smtp_error
        return f"{fault.smtp_code} {in_one_line(words)}"[:300]
    return f"{type(fault).__name__}: {in_one_line(str(fault))}"[:300]


def _message(user: User, subject: str, body: str) -> EmailMessage:
    # Nobody's holiday note shall answer it, and whoever wants none finds where to say so.
    headers = {"Auto-Submitted": "auto-generated", "List-Unsubscribe": f"<{settings.BASE_URL}{reverse('notices')}>"}
    return EmailMessage(subject, body, to=[user.email], headers=headers)


def _words(due: Due) -> tuple[str, str]:
    """The subject and the text."""
    number = len(due.new)
    subject = ngettext("%(n)s thing waits for you", "%(n)s things wait for you", number) % {"n": number}
    shown = [{name: in_one_line(getattr(one, name)) for name in LINES} for one in due.new[:SHOWN]]
    context = {"shown": shown, "more": number - len(shown), "told": due.told}
    return subject, body_of("letters/waiting.txt", due.user, context)


def in_one_line(text: str) -> str:
    """Names and titles, which may hold line breaks, in one line."""
    return " ".join(text.split())


def body_of(template: str, user: User, context: dict[str, Any]) -> str:
    """The text of a letter, in the language that holds now."""
    text = render_to_string(template, {"name": user.get_username(), "base": settings.BASE_URL, **context})
    # Lines that tags have stood on are no lines of the letter.
    return "\n".join(line.rstrip() for line in text.splitlines()).replace("\n\n\n", "\n\n").strip() + "\n"


def send_test(*, actor: Actor, now: datetime) -> str:
    """Send a letter to oneself to see whether it comes, also in quiet hours; the address. At most one a minute.

    Raises `Conflict` where none can be sent, with what the mail server said where that is why.
    """
    user = User.objects.get(pk=person_of(actor))
    if not is_set_up():
        raise Conflict("This installation sends no letters. An administrator sets EMAIL_URL.", code="no_mail")
    if not user.email:
        raise Invalid("You have given no address.", field="email")
    pk = uuid5(_NEXT, f"{user.pk} test {now:%Y-%m-%d %H:%M}")
    values = {"subjects": TEST, "made_at": now, "tries": 1}
    try:
        claim = Insert(MODEL, pk, {"user_id": user.pk, **values})
        commit.wait(commit.submit(Change(actor, writes=(claim,), verb="letter.test")))
    except Conflict:
        raise TooOften("You were sent one just now. Look for it, and try again in a minute.", retry_after=60) from None
    letter = Letter(pk=pk, user=user, **values)
    with in_language_of(user.pk):
        words = _("A test letter"), body_of("letters/test.txt", user, {})
    if not _deliver(letter, user, words, now):
        raise Conflict(f"The mail server did not take it: {letter.problem}", code="not_sent")
    return user.email
