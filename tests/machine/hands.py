"""Who has a task in hand, looked at after every step: one at most, and nobody else moves it meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from clawgroups.core.lifecycle import ATTEMPT_OPEN, TASK_TERMINAL
from clawgroups.models import Artifact, Attempt, ControlRequest, Draft, Member, Task
from clawgroups.services.briefs import partial_text

Entry = dict[str, Any]
OPEN = [state.value for state in ATTEMPT_OPEN]
OVER = frozenset(state.value for state in TASK_TERMINAL)
# What ends a hold. By its holder; by an admin, or by somebody to whom it was offered or passed; from outside.
BY_HOLDER = frozenset({"task.submitted", "task.handed_back"})
BY_ANOTHER = frozenset({"task.taken_over"})
FROM_OUTSIDE = frozenset({"task.cancelled", "task.failed"})
LEFT = "task.released"  # its holder is no member any more
ENDS = frozenset({*BY_HOLDER, *BY_ANOTHER, *FROM_OUTSIDE, LEFT})
GIVEN = frozenset({"task.assigned", "task.delegated"})
# What an agent may do about a task that a person holds: say things in their attempt, and be evidence of one before.
OF_AN_AGENT = frozenset(
    {
        "artifact.added",
        "approval.requested",
        "approval.voided",
        "attempt.late_result_kept",
        "attempt.plan_ticked",
        "attempt.progress_reported",
        "attempt.steer_answered",
        "attempt.stop_confirmed",
        "session.option_set",
        "step.recorded",
    }
)


@dataclass(frozen=True)
class Hand:
    """A task as it stood after a step."""

    state: str
    epoch: int
    paused: str
    holder: UUID | None
    user: int | None
    attempt: UUID | None


class Hands:
    """Remembers in whose hands each task of a workspace was."""

    def __init__(self, workspace_id: UUID) -> None:
        self._workspace_id = workspace_id
        self._before: dict[UUID, Hand] = {}

    def check(self, new: Sequence[Entry]) -> Iterator[str]:
        """What is wrong after a step; `new` is what it added to the journal."""
        columns = ("pk", "state", "epoch", "paused", "holder_id", "holder__user_id", "attempt_id")
        now = {
            row[0]: Hand(*row[1:]) for row in Task.objects.filter(workspace=self._workspace_id).values_list(*columns)
        }
        going = Attempt.objects.filter(workspace=self._workspace_id, state__in=OPEN)
        open_of = {
            task: (pk, member, epoch) for pk, task, member, epoch in going.values_list("pk", "task", "member", "epoch")
        }
        for pk, hand in now.items():
            yield from _held(pk, hand, open_of.get(pk))
            if (before := self._before.get(pk)) is not None:
                about = [entry for entry in new if entry["payload"].get("task_id") == str(pk)]
                yield from _moved(pk, before, hand, about)
        self._before = now
        yield from _kept(new)


def _held(pk: UUID, hand: Hand, attempt: tuple[UUID, UUID, int] | None) -> Iterator[str]:
    """A held task has its holder's open attempt, under its epoch; any other one has no holder."""
    if (hand.state == "held") != (hand.holder is not None):
        yield f"task {pk} is {hand.state}, and its holder is {hand.holder}"
    if hand.state == "held" and attempt != (hand.attempt, hand.holder, hand.epoch):
        yield f"task {pk} is held by {hand.holder} under epoch {hand.epoch}, and its open attempt is {attempt}"


def _moved(pk: UUID, before: Hand, now: Hand, about: Sequence[Entry]) -> Iterator[str]:
    """Whoever holds a task moves it, or it is taken or ended for all to see; nobody is given a paused one."""
    given = [entry for entry in about if entry["type"] in GIVEN]
    if before.paused and now.paused and given:
        yield f"task {pk} is paused by {before.paused}, and was given to somebody"
    if before.state != "held":
        return
    first = next((at for at, entry in enumerate(about) if entry["type"] in ENDS), len(about))
    for entry in about[:first]:
        if entry["actor"]["kind"] == "agent" and entry["type"] not in OF_AN_AGENT:
            yield f"task {pk} is held by user {before.user}, and {entry['actor']} did {entry['type']}"
    if (now.epoch, now.state) != (before.epoch, before.state):
        yield from _ended(pk, before, now, about)


def _ended(pk: UUID, before: Hand, now: Hand, about: Sequence[Entry]) -> Iterator[str]:
    """How a hold may end."""
    first = next((entry for entry in about if entry["type"] in ENDS), None)
    if first is None:
        yield f"task {pk} was held and is {now.state}, by {[entry['type'] for entry in about]}"
    elif first["type"] in BY_HOLDER and first["actor"].get("user") != before.user:
        yield f"task {pk} was held by user {before.user}, and {first['actor']} did {first['type']}"
    elif first["type"] == "task.submitted" and first["payload"]["attempt_id"] != str(before.attempt):
        yield f"task {pk} was held, and another attempt than its holder's was submitted"
    elif first["type"] in BY_ANOTHER and not _may_take(before, first):
        yield f"task {pk} was held by user {before.user}, and {first['actor']} took it: {first['payload']}"
    elif first["type"] == LEFT and Member.objects.filter(pk__in=[before.holder], left_at=None).exists():
        yield f"task {pk} was taken from a holder who is here"


def _may_take(before: Hand, entry: Entry) -> bool:
    """It was passed on by its holder, or by their offer; offered to all after long; or taken by force."""
    said, user = entry["payload"], entry["actor"].get("user")
    if said["former_id"] != str(before.holder) or said["superseded_id"] != str(before.attempt):
        return False
    if said["how"] == "passed":
        offered = ControlRequest.objects.filter(holder=before.holder, member=said["member_id"], state="granted")
        return user == before.user or offered.exists()
    if said["how"] == "forced":
        forced_by = Member.objects.filter(user=user)
        return forced_by.filter(role__in=["owner", "admin"]).exists()
    return bool(said["how"] == "offered")


def _kept(new: Sequence[Entry]) -> Iterator[str]:
    """The first draft of who took over is what the last attempt before it that came to anything had come to."""
    for entry in new:
        if entry["type"] != "task.taken_over":
            continue
        mine = Attempt.objects.get(pk=entry["payload"]["attempt_id"])
        last = Attempt.objects.filter(task=mine.task_id, number__lt=mine.number).order_by("number").last()
        first = (
            Draft.objects.filter(attempt=mine, kind="own").order_by("version").values_list("text", flat=True).first()
        )
        wanted = next((text for text in _texts(mine) if text is not None), "")
        if first != wanted:
            yield f"{entry['payload']} begins with {first!r}, and there was {wanted!r}"
        if last is not None and (lost := _files(last) - _files(mine)):
            yield f"{entry['payload']} begins without {lost}"


def _files(attempt: Attempt) -> set[tuple[str, str]]:
    """What an attempt has come to in files: of each name the newest that is not taken out."""
    kinds = ["draft"] if attempt.member.user_id is not None and attempt.submitted_at is None else ["result"]
    rows = Artifact.objects.filter(attempt=attempt, kind__in=kinds, removed_at=None).order_by("created_at", "pk")
    return set({name: (name, sha256) for name, sha256 in rows.values_list("name", "sha256")}.values())


def _texts(mine: Attempt) -> Iterator[str | None]:
    """What each attempt before this one had come to, the newest first; None where that is nothing.

    What a person handed on counts until a result has come since.
    """
    for attempt in Attempt.objects.filter(task=mine.task_id, number__lt=mine.number).order_by("-number"):
        draft = Draft.objects.filter(attempt=attempt, kind="own").order_by("version").last()
        earlier = Attempt.objects.filter(task=mine.task_id, number__lt=attempt.number).exclude(result="")
        back = attempt.brief.get("handback", {})
        source = Attempt.objects.filter(pk=back.get("attempt")).values_list("number", flat=True).first()
        result_since = source is not None and earlier.filter(number__gt=source).exists()
        if attempt.result or draft is not None:
            yield attempt.result or (draft.text if draft is not None else "")
        else:
            yield partial_text(attempt) or ("" if result_since else str(back.get("draft", ""))) or None
