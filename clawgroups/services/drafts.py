"""The draft of a held task: its text, version by version, and what was typed that is no part of it.

Nothing overwrites anything: who saves from a version that is not the newest any more, or does not hold the task any
more, is told so, and the text that came along is kept (kind "kept") until its writer has dealt with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from functools import wraps
from typing import Any, ParamSpec, cast
from uuid import UUID

from django.db.models import Max
from django.utils import timezone

from agents.ids import new_id
from agents.models import Connection
from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Fact, Insert, Outcome, Update, Write
from clawgroups.core.errors import Conflict, Invalid, NotFound, TooLarge
from clawgroups.core.lifecycle import ATTEMPT_LIVE
from clawgroups.core.task_events import DraftSaved
from clawgroups.core.text_merge import Merged, merge
from clawgroups.core.timers import wait_for_holder
from clawgroups.models import Attempt, Draft, Task
from clawgroups.permissions import get_task, require
from clawgroups.services.attempts import fence
from clawgroups.services.deadlines import timers_of, waits
from clawgroups.services.hands import MOVED_ON, NOT_HOLDER, check_seen, held, own_seat
from clawgroups.services.texts import OWN, newest, text_so_far

MAX_DRAFT = 1_000_000  # characters
MOST_KEPT = 20
MOVED = "draft_moved"
KEPT, SETTLED = "kept", "settled"
CHOICES = ("mine", "newer", "both")
_HALVES = re.compile("[\ud800-\udfff]")  # of characters that were cut in two: no database takes them

P = ParamSpec("P")


# Reading


def version_of(attempt: Attempt, version: int) -> Draft:
    """A version of an attempt's text, whatever its kind. Raises `NotFound`."""
    found = Draft.objects.filter(attempt=attempt, version=version).first()
    if found is None:
        raise NotFound("There is no such version of this draft.")
    return found


def both(row: Draft, last: Draft) -> Merged:
    """A kept text and the newest version in one."""
    ground = Draft.objects.filter(attempt=row.attempt_id, version=row.base).first() if row.base else None
    marks = (f"[Version {last.version}, saved meanwhile:]", f"[What you typed, kept as version {row.version}:]")
    return merge(ground.text if ground else None, row.text, last.text, marks)


# What a change of a draft is made of


def clean_draft(text: str) -> str:
    """A draft's text as it is stored: one kind of line end, nothing that no page can show.

    Raises `TooLarge` for one that is too long.
    """
    if len(text) > MAX_DRAFT:
        raise too_long(len(text))
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    return _HALVES.sub("\ufffd", text)


def too_long(length: int | None = None) -> TooLarge:
    """The refusal of a text that is no draft any more."""
    said = f"; this one has {length:,}" if length is not None else ""
    return TooLarge(
        f"A draft holds at most {MAX_DRAFT:,} characters{said}. Attach the text as a file of the draft instead.",
        limit=MAX_DRAFT,
        field="text",
    )


def unsaved(attempt: Attempt) -> dict[str, Any]:
    """That nobody has saved since the attempt was read: of two savers at once, one decides again."""
    return {"state": "working", "progress_at": attempt.progress_at}


def nudged(attempt: Attempt) -> dict[str, Any]:
    """What an agent adds to a person's attempt: who saves at this moment decides anew, and yet no clock has moved."""
    return {"progress_at": (attempt.progress_at or timezone.now()) + timedelta(microseconds=1)}


def unmoved(attempt: Attempt, *, urgent: bool = False) -> list[Update]:
    """That an open attempt's text and files stand as now: asked for before they are read, by who takes them along.

    A holder's save and an agent's file move the attempt's progress; whatever an agent says moves the count of its
    link. Of two at the same moment, the one that comes second decides again, and finds what the first has written.
    Who is `urgent` waits for no agent any more, for what a person saves all the same.
    """
    if attempt.state not in ATTEMPT_LIVE or (urgent and attempt.member.user_id is None):
        return []
    progress = {"state": attempt.state, "progress_at": attempt.progress_at}
    if urgent:
        return [Update("clawgroups.Attempt", attempt.pk, {}, progress)]
    links = Connection.objects.filter(pk__in=attempt.sessions.filter(state="open").values("link"))
    rows = links.values_list("pk", "received")
    return [
        Update("clawgroups.Attempt", attempt.pk, {}, progress),
        *(Update("agents.Connection", pk, {}, {"received": received}) for pk, received in rows),
    ]


def draft_row(attempt: Attempt, text: str, actor: Actor, kind: str = OWN, base: int | None = None) -> Insert:
    """The next version of an attempt's draft; its change expects `unsaved`."""
    last = Draft.objects.filter(attempt=attempt).aggregate(last=Max("version"))["last"]
    values = {
        "attempt_id": attempt.pk,
        "version": (last or 0) + 1,
        "kind": kind,
        "base": base,
        "text": text,
        "actor": actor.as_json(),
        "saved_at": timezone.now(),
    }
    return Insert("clawgroups.Draft", new_id(), values)


def typed_row(attempt: Attempt, text: str, actor: Actor, base: int | None = None) -> list[Insert]:
    """What stands in the editor as the next version; none where it was saved already."""
    last = newest(attempt)
    return [] if last is not None and last.text == text else [draft_row(attempt, text, actor, base=base)]


def refuse_moved(attempt: Attempt, text: str, base: int | None) -> None:
    """Raises `Conflict` where another version than `base` is the newest, and says something else than `text`."""
    last = newest(attempt)
    if base is None or last is None or last.version == base or last.text == text:
        return
    by = str(last.actor.get("name") or "the takeover")
    raise Conflict(
        f"Version {last.version} was saved meanwhile by {by}; what you typed began from version {base}. "
        "Look at both and choose.",
        code=MOVED,
        base=base,
        newest=last.version,
        newest_by=by,
    )


def keeps(name: str) -> Callable[[Callable[P, Future[Outcome]]], Callable[P, Future[Outcome]]]:
    """A holder's verb (task, ...): the text that comes as `name` is kept where it cannot be taken, before that is said.

    So with whoever does not hold the task any more, or not in the hold that they saw, and with a version that is not
    the newest any more (`base`).
    """

    def around(verb: Callable[P, Future[Outcome]]) -> Callable[P, Future[Outcome]]:
        @wraps(verb)
        def carried(*args: P.args, **kwargs: P.kwargs) -> Future[Outcome]:
            try:
                return verb(*args, **kwargs)
            except Conflict as why:
                given = cast("dict[str, Any]", kwargs)
                if why.code not in (NOT_HOLDER, MOVED, MOVED_ON) or not isinstance(given.get(name), str):
                    raise
                return _keep(cast("UUID", args[0]), given[name], given["actor"], why, given.get("kept"))

        return carried

    return around


# Verbs


@keeps("text")
def save_draft(
    task_id: UUID,
    *,
    text: str,
    actor: Actor,
    base: int | None = None,
    kept: int | None = None,
    epoch: int | None = None,
    operation: str = "",
) -> Future[Outcome]:
    """Save a version of the draft. Answer: {"version", "saved"}. The text that is saved already is no new version.

    `base` is the version that its writer began from; raises `Conflict` "draft_moved" where another one is the newest.
    `kept` is the version under which an earlier text of the same editor is kept: it becomes this one. `epoch`: of the
    hold that its writer saw; what comes from an earlier one is kept beside the draft.
    """
    task, attempt = held(task_id, actor)
    check_seen(task, epoch)
    text = clean_draft(text)
    refuse_moved(attempt, text, base)
    return _saved(task, attempt, text, actor, base, operation)


def restore_draft(task_id: UUID, version: int, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Go back to a version: its text becomes the newest one. Answer: {"version"}."""
    task, attempt = held(task_id, actor)
    row = version_of(attempt, version)
    return _saved(task, attempt, row.text, actor, row.version, operation)


def choose_draft(
    task_id: UUID,
    kept: int,
    *,
    choice: str,
    actor: Actor,
    text: str | None = None,
    newest_seen: int | None = None,
    operation: str = "",
) -> Future[Outcome]:
    """Deal with a text that was kept beside the draft. Answer: {"version"}, the newest one then.

    "mine": it becomes the newest version (as `text`, where its writer has gone on); "newer": it is let go;
    "both": both in one. Raises `Conflict` "draft_moved" where yet another version came than the one that was seen.
    """
    task, attempt = held(task_id, actor)
    row, last = version_of(attempt, kept), newest(attempt)
    if row.kind != KEPT or last is None:
        raise Conflict("This was chosen already.", code="settled")
    if choice not in CHOICES:
        raise Invalid(f"Choose one of: {', '.join(CHOICES)}.", field="choice")
    if newest_seen is not None and newest_seen != last.version:
        refuse_moved(attempt, row.text, newest_seen)
    row.text = row.text if text is None else clean_draft(text)
    match choice:
        case "mine":
            chosen = row.text
        case "newer":
            chosen = last.text
        case _:
            chosen = clean_draft(both(row, last).text)
    return _saved(task, attempt, chosen, actor, last.version, operation, _settled(row))


def settle_kept(attempt_id: UUID, version: int, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Its writer has what was kept of an attempt that is over: it is shown no more. Its text stays in its row."""
    attempt = Attempt.objects.filter(pk=attempt_id).first()
    if attempt is None:
        raise NotFound("There is no such text.")
    task = get_task(actor, attempt.task_id, "task.hold")
    if attempt.member_id != own_seat(actor, task).pk:
        raise Conflict("Only who typed it puts it away.", code="not_yours")
    row = version_of(attempt, version)
    expects = require(actor, "task.hold", task.workspace_id)
    writes = (_settled(row),) if row.kind == KEPT else ()
    return commit.submit(
        Change(actor, task.workspace_id, expects, writes, (), operation, verb="draft.settle", answer={})
    )


def _settled(row: Draft) -> Update:
    return Update("clawgroups.Draft", row.pk, {"kind": SETTLED}, {"kind": KEPT})


def _saved(
    task: Task, attempt: Attempt, text: str, actor: Actor, base: int | None, operation: str, *more: Write
) -> Future[Outcome]:
    expects = require(actor, "task.hold", task.workspace_id)
    last = newest(attempt)
    if last is not None and last.text == text:
        said = {"version": last.version, "saved": False}
        return commit.submit(
            Change(actor, task.workspace_id, expects, more, (), operation, verb="draft.save", answer=said)
        )
    draft = draft_row(attempt, text, actor, base=base)
    version = draft.values["version"]
    now = timezone.now()
    # Its holder is at it: from now on the time until they are reminded runs anew.
    waiting = waits(task, wait_for_holder(now, timers_of(task.workspace), attempt.member.name), now)
    fact = DraftSaved(task_id=task.pk, attempt_id=attempt.pk, version=version)
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            expects,
            (
                Update("clawgroups.Attempt", attempt.pk, {"progress_at": now, "quiet_since": None}, unsaved(attempt)),
                Update("clawgroups.Task", task.pk, waiting, fence(task)),
                draft,
                *more,
            ),
            (Fact(task.workspace_id, fact),),
            operation,
            verb="draft.save",
            answer={"version": version, "saved": True},
        )
    )


# Kept


def _keep(task_id: UUID, text: str, actor: Actor, why: Conflict, kept: int | None) -> Future[Outcome]:
    """Keep a text with its writer's last attempt; what is returned then raises `why`, which says where it is kept.

    Raises it at once where nothing has to be kept: it was saved before, or its writer never held the task.
    """
    task = get_task(actor, task_id, "task.hold")
    attempt = task.attempts.filter(member=own_seat(actor, task)).order_by("number").last()
    text = clean_draft(text)
    if attempt is None or not text.strip() or text.strip() in (text_so_far(attempt).strip(), attempt.result.strip()):
        raise why
    rows = list(Draft.objects.filter(attempt=attempt, kind=KEPT).order_by("version"))
    for row in rows:
        if row.text == text:
            raise _with_kept(why, row.version)
    now = timezone.now()
    row_write, version = _kept_row(attempt, rows, text, actor, why.fields.get("base"), kept)
    # The attempt's clock is what two writers at once meet at: versions are numbered one after the other.
    met = Update("clawgroups.Attempt", attempt.pk, {"progress_at": now}, {"progress_at": attempt.progress_at})
    # Without its operation: asked once more it must be refused once more, not answered.
    expects = require(actor, "task.hold", task.workspace_id)
    change = Change(actor, task.workspace_id, expects, (met, row_write), verb="draft.keep")
    return refused(commit.submit(change), _with_kept(why, version))


def _kept_row(
    attempt: Attempt, rows: list[Draft], text: str, actor: Actor, base: int | None, kept: int | None
) -> tuple[Write, int]:
    """A row for a kept text: the one that it goes on from, else a new one; of very many the oldest gives way."""
    goes_on = [row for row in rows if row.version == kept or (row.text and text.startswith(row.text))]
    place = goes_on[-1] if goes_on else rows[0] if len(rows) >= MOST_KEPT else None
    if place is None:
        made = draft_row(attempt, text, actor, KEPT, base)
        return made, int(made.values["version"])
    values = {"text": text, "actor": actor.as_json(), "saved_at": timezone.now()}
    return Update("clawgroups.Draft", place.pk, values, {"kind": KEPT, "saved_at": place.saved_at}), place.version


def _with_kept(why: Conflict, version: int) -> Conflict:
    said = f"{why.message} What you typed is kept as version {version}."
    return Conflict(said, code=why.code, **{**why.fields, "kept_as": version})


def refused(future: Future[Outcome], why: Conflict) -> Future[Outcome]:
    """The future of a change after which its asker is refused all the same; a mismatch stays one."""
    told: Future[Outcome] = Future()

    def settle(done: Future[Outcome]) -> None:
        fault = done.exception()
        if fault is None and not done.result().applied:
            told.set_result(done.result())
        else:
            told.set_exception(fault or why)

    future.add_done_callback(settle)
    return told
