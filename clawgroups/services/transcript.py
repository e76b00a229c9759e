"""What an agent said and did, as rows: parts, steps, plan, and how far its link has been taken.

One change holds the effects of frames and the number of the last of them, so that a link which
goes on after any crash neither loses nor repeats a word. A `Standing` is what must be known of a
session to place the next words; it is a cache that the change itself checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from django.db.models import Max
from django.db.models.functions import Length
from django.utils import timezone

from agents.protocol.updates import (
    AgentUpdate,
    MessageChunk,
    Notice,
    PlanReplaced,
    ThoughtChunk,
    ToolCall,
    UnknownUpdate,
)
from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import (
    Append,
    Change,
    Expect,
    Fact,
    Insert,
    Outcome,
    Update,
    Write,
    one_of,
)
from clawgroups.core.events import PlanTicked, StepRecorded
from clawgroups.core.lifecycle import ATTEMPT_LIVE
from clawgroups.core.shrinking import shrink, shrunk_text
from clawgroups.models import Attempt, Part, Session, Step

MAX_PART = 1_000_000
MAX_ORDINAL = 20_000
RECENT_PARTS = 50
MAX_PLAN = 200
ENDED = frozenset({"completed", "failed", "cancelled", "unknown"})


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The prompt was answered: tool calls still open will not be heard of again."""

    stop_reason: str


Said = AgentUpdate | TurnEnded


@dataclass(frozen=True, slots=True)
class Place:
    """Where words go: the part, its number in the transcript, and how long it is before them."""

    part_id: UUID
    ordinal: int
    length: int
    exists: bool


@dataclass(slots=True)
class Standing:
    """Where a session's transcript stands. `live` is False once its attempt is over."""

    session_id: UUID
    workspace_id: UUID
    task_id: UUID
    attempt_id: UUID
    epoch: int
    live: bool
    holder_id: int | None = None
    ordinal: int = 1
    tail: tuple[str, UUID] | None = None
    plan: tuple[int, int] = (0, 0)
    parts: dict[UUID, tuple[int, int]] = field(default_factory=dict)

    def copy(self) -> Standing:
        """Another one that may go its own way."""
        return replace(self, parts=dict(self.parts))

    @property
    def full(self) -> bool:
        """Whether the transcript has no room for anything new."""
        return self.ordinal >= MAX_ORDINAL

    def part_id(self, kind: str, message_id: str | None) -> UUID:
        """The part for the next words of this kind; without a name, the one last written to goes on."""
        if message_id is None and self.tail is not None and self.tail[0] == kind:
            return self.tail[1]
        name = f"#{self.ordinal}" if message_id is None else f"={message_id}"
        return self.name(f"{kind}:{name}" + ("" if self.live else ":after"))

    def name(self, key: str) -> UUID:
        """The row id for something of this session in this attempt."""
        return uuid5(self.attempt_id, f"{self.session_id}:{key}")

    def place(self, kind: str, message_id: str | None, length: int) -> Place:
        """Take room for `length` more characters of this kind."""
        part_id = self.part_id(kind, message_id)
        known = self.parts.pop(part_id, None)
        ordinal, before = known if known is not None else (self.ordinal, 0)
        if known is None:
            self.ordinal += 1
        self.parts[part_id] = (ordinal, before + length)
        if len(self.parts) > RECENT_PARTS:
            del self.parts[next(iter(self.parts))]
        self.tail = (kind, part_id)
        return Place(part_id, ordinal, before, known is not None)


@dataclass(slots=True)
class Batch:
    """What one session said since the last record; `after` is where it then stands."""

    standing: Standing
    said: Sequence[Said]
    after: Standing | None = None


def load(session_ids: Iterable[UUID]) -> dict[UUID, Standing]:
    """Where sessions stand now, from their rows."""
    rows = Session.objects.select_related("attempt", "attempt__member", "task").filter(pk__in=list(session_ids))
    return {row.pk: _standing(row) for row in rows}


def _standing(session: Session) -> Standing:
    attempt = session.attempt
    recent = list(
        Part.objects.filter(attempt_id=attempt.pk)
        .order_by("-ordinal", "-pk")
        .values_list("pk", "ordinal", "kind", "after_stop", Length("text"))[:RECENT_PARTS]
    )
    last_step = Step.objects.filter(attempt_id=attempt.pk).aggregate(last=Max("ordinal"))["last"] or 0
    last_part = recent[0][1] if recent else 0
    live = attempt.state in ATTEMPT_LIVE and attempt.epoch == session.task.epoch
    tail = None
    if recent and last_part > last_step and recent[0][3] is not live:
        tail = (recent[0][2], recent[0][0])
    return Standing(
        session_id=session.pk,
        workspace_id=session.workspace_id,
        task_id=session.task_id,
        attempt_id=attempt.pk,
        epoch=attempt.epoch,
        live=live,
        holder_id=attempt.member.user_id,
        ordinal=max(last_part, last_step) + 1,
        tail=tail,
        plan=plan_counts(attempt.plan),
        parts={pk: (ordinal, length) for pk, ordinal, _, _, length in reversed(recent)},
    )


def plan_counts(entries: Sequence[Any]) -> tuple[int, int]:
    """How many lines of an agent's plan are done, and how many there are."""
    done = sum(1 for entry in entries if isinstance(entry, dict) and entry.get("status") == "completed")
    return done, len(entries)


def last_message(session_id: UUID, *, since: datetime | None) -> str:
    """The last thing a session said in the turn that began at `since`; empty if it said nothing."""
    parts = Part.objects.filter(attempt__sessions=session_id, kind="text").exclude(text="")
    if since is not None:
        parts = parts.filter(at__gte=since)
    for text in parts.order_by("-ordinal", "-pk").values_list("text", flat=True)[:20]:
        if text.strip():
            return text
    return ""


def record(link: UUID, *, epoch: int, received: int, batches: Sequence[Batch], actor: Actor) -> Future[Outcome]:
    """Store what the frames of `link` up to `received` said, all of it or nothing.

    Fenced by the connection's epoch: a socket that was replaced records nothing any more. What an
    attempt says after it is over is kept as read-only evidence; it moves nothing and is not journaled.
    """
    now = timezone.now()
    expects: list[Expect] = []
    writes: list[Write] = [Update("agents.Connection", link, {"received": received}, {"epoch": epoch})]
    facts: list[Fact] = []
    for batch in batches:
        page = _Page(batch.standing.copy(), actor, now)
        page.read_up(batch.said)
        for said in batch.said:
            page.add(said)
        page.close()
        expects += page.expects
        writes += page.writes
        facts += page.facts
        batch.after = page.standing
    return commit.submit(
        Change(actor=actor, expects=tuple(expects), writes=tuple(writes), facts=tuple(facts), verb="record")
    )


class _Page:
    """One session's share of a change."""

    def __init__(self, standing: Standing, actor: Actor, now: datetime) -> None:
        self.standing = standing
        self.now = now
        # A session that a person steers works on behalf of that person.
        self.actor = replace(actor, on_behalf_of=standing.holder_id)
        self.expects = [
            Expect("clawgroups.Session", standing.session_id, {"attempt_id": standing.attempt_id})
        ]
        self.writes: list[Write] = []
        self.facts: list[Fact] = []
        self._attempt: dict[str, Any] = {}
        self._texts: dict[UUID, list[str]] = {}
        self._new: dict[UUID, dict[str, Any]] = {}
        self._existing: set[UUID] = set()
        self._steps: dict[UUID, dict[str, Any]] = {}
        self._stored: dict[UUID, dict[str, Any]] = {}

    def read_up(self, said: Sequence[Said]) -> None:
        """Read the rows that `said` goes on with."""
        standing = self.standing
        named = {
            standing.part_id(kind, one.message_id)
            for one in said
            if (kind := _kind(one)) and isinstance(one, (MessageChunk, ThoughtChunk)) and one.message_id
        } - standing.parts.keys()
        if named:
            for pk, ordinal, length in Part.objects.filter(pk__in=named).values_list(
                "pk", "ordinal", Length("text")
            ):
                standing.parts[pk] = (ordinal, length)
        self._existing = set(standing.parts)
        ids = {standing.name(f"step:{one.tool_call_id}") for one in said if isinstance(one, ToolCall)}
        steps = list(Step.objects.filter(pk__in=ids).values()) if ids else []
        if any(isinstance(one, TurnEnded) for one in said):
            steps += Step.objects.filter(attempt_id=standing.attempt_id, ended_at=None).values()[:1000]
        self._steps = {step["id"]: dict(step) for step in steps}
        self._stored = {step["id"]: step for step in steps}

    def add(self, said: Said) -> None:
        match said:
            case ToolCall():
                self._tool_call(said)
            case PlanReplaced():
                self._plan(said)
            case TurnEnded():
                self._turn_ended(said)
            case _ if kind := _kind(said):
                name = said.message_id if isinstance(said, (MessageChunk, ThoughtChunk)) else None
                self._words(kind, name, words_of(said))
            case _:
                pass  # Modes, commands, usage: shown by nobody yet.

    def close(self) -> None:
        """Put the writes together."""
        for pk, values in self._new.items():
            text = "".join(self._texts.pop(pk))[-MAX_PART:]
            self.writes.append(Insert("clawgroups.Part", pk, {**values, "text": text}))
        for pk, pieces in self._texts.items():
            self.writes.append(Append("clawgroups.Part", pk, "text", "".join(pieces), MAX_PART))
        for pk, step in self._steps.items():
            before = self._stored.get(pk)
            if before is None:
                values = {key: value for key, value in step.items() if key != "id"}
                self.writes.append(Insert("clawgroups.Step", pk, values))
            elif changed := {key: value for key, value in step.items() if value != before[key]}:
                self.writes.append(Update("clawgroups.Step", pk, changed))
        if self.standing.live:
            self._expect_live()

    def _expect_live(self) -> None:
        standing = self.standing
        self.expects.append(Expect("clawgroups.Task", standing.task_id, {"epoch": standing.epoch}))
        live = {"state": one_of(*(state.value for state in ATTEMPT_LIVE)), "epoch": standing.epoch}
        if self.writes or self._attempt:
            values = {**self._attempt, "progress_at": self.now}
            self.writes.append(Update("clawgroups.Attempt", standing.attempt_id, values, live))

    def _words(self, kind: str, message_id: str | None, text: str) -> None:
        standing = self.standing
        if not text or (standing.full and standing.part_id(kind, message_id) not in standing.parts):
            return
        place = standing.place(kind, message_id, len(text))
        self._texts.setdefault(place.part_id, []).append(text)
        if place.part_id not in self._existing and place.part_id not in self._new:
            self._new[place.part_id] = {
                "attempt_id": standing.attempt_id,
                "ordinal": place.ordinal,
                "kind": kind,
                "after_stop": not standing.live,
                "at": self.now,
            }

    def _tool_call(self, call: ToolCall) -> None:
        standing = self.standing
        pk = standing.name(f"step:{call.tool_call_id}")
        if not standing.live:
            title = call.title or (self._steps.get(pk) or {}).get("title") or call.tool_call_id[:200]
            self._words("notice", f"{call.tool_call_id}:{call.status}", f"{title}: {call.status or 'going on'}")
            return
        step = self._steps.get(pk)
        is_new = step is None
        if step is None:
            if standing.full:
                return
            step = self._steps[pk] = self._begin(pk, call)
        was = step["status"]
        _fold(step, call)
        if step["status"] in ENDED and step["ended_at"] is None:
            step["ended_at"] = self.now
        if is_new or (was not in ENDED and step["status"] in ENDED):
            self._step_fact(pk, step["status"])

    def _begin(self, pk: UUID, call: ToolCall) -> dict[str, Any]:
        standing = self.standing
        ordinal, standing.ordinal, standing.tail = standing.ordinal, standing.ordinal + 1, None
        return {
            "id": pk,
            "attempt_id": standing.attempt_id,
            "ordinal": ordinal,
            "tool_call_id": call.tool_call_id[:200],
            "title": "",
            "kind": "",
            "status": "pending",
            "detail": {},
            "started_at": self.now,
            "ended_at": None,
        }

    def _plan(self, plan: PlanReplaced) -> None:
        if not self.standing.live:
            return
        entries = [
            {"content": one.content[:1000], "priority": one.priority, "status": one.status}
            for one in plan.entries[:MAX_PLAN]
        ]
        self._attempt["plan"] = entries
        counts = plan_counts(entries)
        if counts != self.standing.plan:
            self.standing.plan = counts
            event = PlanTicked(
                task_id=self.standing.task_id,
                attempt_id=self.standing.attempt_id,
                done=counts[0],
                total=counts[1],
            )
            self.facts.append(Fact(self.standing.workspace_id, event, self.actor))

    def _turn_ended(self, end: TurnEnded) -> None:
        self.standing.tail = None
        if not self.standing.live:
            return
        status = "cancelled" if end.stop_reason == "cancelled" else "unknown"
        for pk, step in self._steps.items():
            if step["ended_at"] is None:
                step["status"], step["ended_at"] = status, self.now
                self._step_fact(pk, status)

    def _step_fact(self, pk: UUID, status: str) -> None:
        standing = self.standing
        event = StepRecorded(
            task_id=standing.task_id, attempt_id=standing.attempt_id, step_id=pk, status=status
        )
        self.facts.append(Fact(standing.workspace_id, event, self.actor))


def _fold(step: dict[str, Any], call: ToolCall) -> None:
    """What was given replaces what stood there."""
    given = dict(call.given)
    step["title"] = str(given.pop("title", step["title"]))[:300]
    step["kind"] = str(given.pop("kind", step["kind"]))[:20]
    status = given.pop("status", step["status"])
    # An ended call may still be told to have ended otherwise, but it does not begin again.
    if step["status"] not in ENDED or status in ENDED:
        step["status"] = status
    if given:
        step["detail"] = shrink({**step["detail"], **given})


def _kind(said: Said) -> str:
    match said:
        case MessageChunk():
            return "text"
        case ThoughtChunk():
            return "thought"
        case Notice():
            return "notice"
        case UnknownUpdate():
            return "unknown"
        case _:
            return ""


def kind_of(said: Said) -> str:
    """The kind of part an update adds words to; empty when it adds none."""
    return _kind(said)


def words_of(said: Said) -> str:
    """The words an update adds to the transcript."""
    match said:
        case MessageChunk() | ThoughtChunk():
            if said.content is None:
                return said.text
            return f"[{shrunk_text(said.content.get('type'), 40)}]"
        case Notice():
            words = f"{said.severity}: {said.title}" + (f" ({said.description})" if said.description else "")
            return shrunk_text(words, 2000) + "\n"
        case UnknownUpdate():
            return shrunk_text(f"{said.tag} {said.raw!r}", 2000) + "\n"
        case _:
            return ""


__all__ = ["Attempt", "Batch", "Place", "Said", "Standing", "TurnEnded", "last_message", "load", "record"]
