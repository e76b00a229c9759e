"""What an agent said and did, as rows: parts, steps, plan, and how far its link has been taken.

One change holds the effects of frames and the number of the last of them, so that a link which
goes on after any crash neither loses nor repeats a word. A `Standing` is what must be known of a
session to place the next words; it is a cache that the change itself checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import zip_longest
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from django.db.models.functions import Length, Right
from django.utils import timezone

from agents.protocol.updates import PlanReplaced, ToolCall
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
from clawgroups.core.lifecycle import ATTEMPT_LIVE
from clawgroups.core.novelty import Memory, call_mark, plan_mark, step_mark
from clawgroups.core.shrinking import shrink
from clawgroups.core.task_events import PlanTicked, StepRecorded
from clawgroups.core.transcript import (
    RECENT_PARTS,
    RECENT_STEPS,
    Said,
    Standing,
    TurnEnded,
    Words,
    after_stop,
    plan_counts,
)
from clawgroups.models import Command, Part, Session, Step
from clawgroups.services.attempts import TURNS

MAX_PART = 1_000_000
MAX_PLAN = 200
REMEMBERED = 20  # parts and steps that are read to know what was said and done before
REMEMBERED_TEXT = 4000
LIVE = one_of(*(state.value for state in ATTEMPT_LIVE))
ENDED = frozenset({"completed", "failed", "cancelled", "unknown"})


@dataclass(slots=True)
class Batch:
    """What one session said since the last record; `after` is where it then stands."""

    standing: Standing
    said: Sequence[Said]
    after: Standing | None = None


def load(session_ids: Iterable[UUID]) -> dict[UUID, Standing]:
    """Where sessions stand now, from their rows."""
    # Columns, not models: this is read for every turn of every agent.
    rows = Session.objects.filter(pk__in=list(session_ids)).values_list(
        "pk",
        "workspace_id",
        "task_id",
        "attempt_id",
        "attempt__epoch",
        "attempt__state",
        "attempt__plan",
        "attempt__repeats",
        "attempt__member__user_id",
        "task__epoch",
    )
    return {row[0]: _standing(_Row(*row)) for row in rows}


class _Row(NamedTuple):
    session_id: UUID
    workspace_id: UUID
    task_id: UUID
    attempt_id: UUID
    epoch: int
    state: str
    plan: list[Any]
    repeats: int
    holder_id: int | None
    task_epoch: int


def _standing(row: _Row) -> Standing:
    recent = list(
        Part.objects.filter(attempt_id=row.attempt_id)
        .order_by("-ordinal", "-pk")
        .values_list("pk", "ordinal", "kind", "after_stop", Length("text"), "at")[:RECENT_PARTS]
    )
    steps = list(
        Step.objects.filter(attempt_id=row.attempt_id).order_by("-ordinal").values_list("pk", "ordinal")[:RECENT_STEPS]
    )
    last_step = steps[0][1] if steps else 0
    last_part = recent[0][1] if recent else 0
    live = row.state in ATTEMPT_LIVE and row.epoch == row.task_epoch
    tail = None
    if recent and last_part > last_step and recent[0][3] is not live and _in_turn(row.session_id, recent[0][5]):
        tail = (recent[0][2], recent[0][0])
    return Standing(
        session_id=row.session_id,
        workspace_id=row.workspace_id,
        task_id=row.task_id,
        attempt_id=row.attempt_id,
        epoch=row.epoch,
        live=live,
        holder_id=row.holder_id,
        ordinal=max(last_part, last_step) + 1,
        tail=tail,
        plan=plan_counts(row.plan),
        parts={pk: (ordinal, length) for pk, ordinal, _, _, length, _ in reversed(recent)},
        steps={pk: None for pk, _ in reversed(steps)},
        all_parts=len(recent) < RECENT_PARTS,
        all_steps=len(steps) < RECENT_STEPS,
        memory=_memory(row) if recent or steps or row.plan else Memory(row.repeats),
    )


def _memory(row: _Row) -> Memory:
    """What an attempt said and did last, so that a repetition is known as one after a restart, too."""
    memory = Memory(row.repeats)
    parts = Part.objects.filter(attempt=row.attempt_id, after_stop=False).order_by("-ordinal", "-pk")
    said = list(parts.values_list(Right("text", REMEMBERED_TEXT), flat=True)[:REMEMBERED])
    steps = Step.objects.filter(attempt=row.attempt_id).order_by("-ordinal")
    done: list[str] = [plan_mark(row.plan)] if row.plan else []
    for kind, title, status, detail in reversed(steps.values_list("kind", "title", "status", "detail")[:REMEMBERED]):
        done += [call_mark(kind, title, detail), step_mark(kind, title, status, detail)]
    memory.recall(reversed(said), done)
    return memory


def _in_turn(session_id: UUID, at: datetime) -> bool:
    """Whether a turn runs that had begun by then: a message never goes on in another turn."""
    begun = Command.objects.filter(session=session_id, state="sent", purpose__in=TURNS, sent_at__lte=at)
    return begun.exists()


def last_message(command_id: UUID) -> str:
    """The last thing an agent said in the turn of this prompt; empty if it said nothing."""
    command = Command.objects.select_related("attempt").get(pk=command_id)
    if command.attempt is None:
        return ""
    parts = Part.objects.filter(attempt=command.attempt, kind="text").exclude(text="")
    if command.sent_at is not None:
        parts = parts.filter(at__gte=command.sent_at)
    recent = list(parts.order_by("-ordinal", "-pk")[:20])
    for part, before in zip_longest(recent, recent[1:]):
        if part.text.strip():
            goes_on = before is not None and _goes_on(before, part, command.session_id)
            return before.text + part.text if before is not None and goes_on else part.text
    return ""


def _goes_on(before: Part, part: Part, session_id: UUID | None) -> bool:
    """Whether a stop fell into the middle of this message: words of it stand on both sides."""
    if before.after_stop or not part.after_stop:
        return False
    if part.pk == after_stop(before.pk):
        return True
    # An agent that names no messages says one until it does something else; that has a number, too.
    unnamed = uuid5(part.attempt_id, f"{session_id}:text:#{part.ordinal}")
    return part.pk == after_stop(unnamed) and part.ordinal == before.ordinal + 1


def record(
    link: UUID, *, epoch: int, since: int, received: int, batches: Sequence[Batch], actor: Actor
) -> Future[Outcome]:
    """Store what the frames of `link` after `since` up to `received` said, all of it or nothing.

    Fenced by the connection's epoch and count: a socket that was replaced records nothing any more,
    and nothing is recorded twice, however often an unknown outcome makes us try. What an
    attempt says after it is over is kept as read-only evidence; it moves nothing and is not journaled.
    """
    now = timezone.now()
    expects: list[Expect] = []
    writes: list[Write] = [
        Update("agents.Connection", link, {"received": received}, {"epoch": epoch, "received": since})
    ]
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
        holder = standing.holder_id
        self.actor = actor if actor.on_behalf_of == holder else replace(actor, on_behalf_of=holder)
        self.expects = [Expect("clawgroups.Session", standing.session_id, {"attempt_id": standing.attempt_id})]
        self.writes: list[Write] = []
        self.facts: list[Fact] = []
        self._attempt: dict[str, Any] = {}
        self._new_thing = False
        self._repeats = standing.memory.repeats
        self._texts: dict[UUID, list[str]] = {}
        self._new: dict[UUID, dict[str, Any]] = {}
        self._step_ids: dict[str, UUID] = {}
        self._existing: set[UUID] = set()
        self._steps: dict[UUID, dict[str, Any]] = {}
        self._stored: dict[UUID, dict[str, Any]] = {}

    def read_up(self, said: Sequence[Said]) -> None:
        """Read the rows that `said` goes on with."""
        standing = self.standing
        named = {
            standing.part_id(words) for one in said if (words := standing.words(one)) is not None and words.name
        } - standing.parts.keys()
        if named and not standing.all_parts:
            for pk, ordinal, length in Part.objects.filter(pk__in=named).values_list("pk", "ordinal", Length("text")):
                standing.parts[pk] = (ordinal, length)
        self._existing = set(standing.parts)
        self._step_ids = {one.tool_call_id: standing.step_id(one) for one in said if isinstance(one, ToolCall)}
        ids = set(self._step_ids.values())
        if standing.all_steps:
            ids &= standing.steps.keys()
        steps: list[Any] = list(Step.objects.filter(pk__in=ids).values()) if ids else []
        if any(isinstance(one, TurnEnded) for one in said) and (standing.steps or not standing.all_steps):
            steps += Step.objects.filter(attempt_id=standing.attempt_id, ended_at=None).values()[:1000]
        self._steps = {step["id"]: dict(step) for step in steps}
        self._stored = {step["id"]: step for step in steps}

    def add(self, said: Said) -> None:
        """Take one update in. Modes, commands and usage are shown by nobody yet."""
        words = self.standing.words(said)
        if words is not None:
            self._words(words)
        elif not self.standing.live:
            if isinstance(said, TurnEnded):
                self.standing.end_turn()
        elif isinstance(said, ToolCall):
            self._tool_call(said)
        elif isinstance(said, PlanReplaced):
            self._plan(said)
        elif isinstance(said, TurnEnded):
            self._turn_ended(said)

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
        live = {"state": LIVE, "epoch": standing.epoch}
        repeats = standing.memory.repeats
        if self._new_thing:
            self._attempt |= {"progress_at": self.now, "repeats": repeats}
        elif repeats != self._repeats:
            self._attempt["repeats"] = repeats
        if self.writes or self._attempt:
            values = self._attempt
            self.writes.append(Update("clawgroups.Attempt", standing.attempt_id, values, live))

    def _words(self, words: Words) -> None:
        place = self.standing.place(words)
        if place is None:
            return
        self._new_thing |= self.standing.memory.hear(words.text, begins=not place.exists)
        self._texts.setdefault(place.part_id, []).append(words.text)
        if place.part_id not in self._existing and place.part_id not in self._new:
            self._new[place.part_id] = {
                "attempt_id": self.standing.attempt_id,
                "ordinal": place.ordinal,
                "kind": words.kind,
                "after_stop": not self.standing.live,
                "at": self.now,
            }

    def _tool_call(self, call: ToolCall) -> None:
        pk = self._step_ids[call.tool_call_id]
        ordinal = self.standing.begin(pk)
        step = self._steps.get(pk)
        is_new = step is None
        if step is None:
            if ordinal is None:
                return
            step = self._steps[pk] = self._begin(pk, call, ordinal)
        was = step["status"]
        _fold(step, call)
        if step["status"] in ENDED and step["ended_at"] is None:
            step["ended_at"] = self.now
        self._look(step, begins=is_new)
        if is_new or (was not in ENDED and step["status"] in ENDED):
            self._step_fact(pk, step["status"])

    def _look(self, step: dict[str, Any], *, begins: bool) -> None:
        """A call is new by what it asks for, and by what comes of it."""
        memory = self.standing.memory
        if begins:
            self._new_thing |= memory.see(call_mark(step["kind"], step["title"], step["detail"]), begins=True)
        self._new_thing |= memory.see(step_mark(step["kind"], step["title"], step["status"], step["detail"]))

    def _begin(self, pk: UUID, call: ToolCall, ordinal: int) -> dict[str, Any]:
        return {
            "id": pk,
            "attempt_id": self.standing.attempt_id,
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
        entries = [
            {"content": one.content[:1000], "priority": one.priority, "status": one.status}
            for one in plan.entries[:MAX_PLAN]
        ]
        self._new_thing |= self.standing.memory.see(plan_mark(entries), begins=True)
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
        self.standing.end_turn()
        status = "cancelled" if end.stop_reason == "cancelled" else "unknown"
        for pk, step in self._steps.items():
            if step["ended_at"] is None:
                step["status"], step["ended_at"] = status, self.now
                self._step_fact(pk, status)

    def _step_fact(self, pk: UUID, status: str) -> None:
        standing = self.standing
        event = StepRecorded(task_id=standing.task_id, attempt_id=standing.attempt_id, step_id=pk, status=status)
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
