"""One session's share of a change that records what agents said: its parts, steps, plan, and what it told of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models.functions import Length

from agents.llm import base
from agents.protocol.updates import PlanReplaced, ToolCall
from clawgroups.core import session_state
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Append, Expect, Fact, Insert, Update, Write, one_of
from clawgroups.core.lifecycle import ATTEMPT_LIVE
from clawgroups.core.novelty import call_mark, plan_mark, step_mark
from clawgroups.core.shrinking import shrink
from clawgroups.core.task_events import PlanTicked, StepRecorded
from clawgroups.core.transcript import DecidedThere, Said, Standing, TurnEnded, Words, plan_counts
from clawgroups.models import Part, Step
from clawgroups.services import changing, usage
from clawgroups.services.overstepping import ANSWERED_THERE, oversteps_of
from clawgroups.services.tool_output import MOST_KEPT, Keeper

MAX_PART = 1_000_000
MAX_PLAN = 200
NOTED_EVERY = timedelta(seconds=0.5)
LIVE = one_of(*(state.value for state in ATTEMPT_LIVE))
MOST_ENDED = 1000  # steps that are ended together
ENDED = frozenset({"completed", "failed", "cancelled", "unknown"})


class Page:
    """One session's share of a change."""

    def __init__(self, standing: Standing, actor: Actor, now: datetime) -> None:
        self.standing = standing
        self.now = now
        # A session that a person steers works on behalf of that person.
        holder = standing.holder_id
        self.actor = actor if actor.on_behalf_of == holder else replace(actor, on_behalf_of=holder)
        self.expects: list[Expect] = []
        if not standing.left:
            self.expects.append(Expect("clawgroups.Session", standing.session_id, {"attempt_id": standing.attempt_id}))
        self.writes: list[Write] = []
        self.facts: list[Fact] = []
        self.wakes: list[str] = []
        self._attempt: dict[str, Any] = {}
        self._told = standing.told
        self._new_thing = False
        self._repeats = standing.memory.repeats
        self._texts: dict[UUID, list[str]] = {}
        self._new: dict[UUID, dict[str, Any]] = {}
        self._step_ids: dict[str, UUID] = {}
        self._existing: set[UUID] = set()
        self._steps: dict[UUID, dict[str, Any]] = {}
        self._stored: dict[UUID, dict[str, Any]] = {}
        self._all_read = False  # whether all steps that have not ended are among them
        # What the calls asked for before they were told of here.
        self._first_told: dict[UUID, dict[str, Any]] = {}
        # The steps that came to an end, each with the status that it had before.
        self._ended: list[tuple[str, dict[str, Any]]] = []

    def read_up(self, said: Sequence[Said]) -> None:
        """Read the rows that `said` goes on with."""
        standing = self.standing
        named = {
            standing.part_id(words) for one in said if (words := standing.words(one)) is not None and words.name
        } - standing.parts.keys()
        if named and not standing.all_parts:
            parts = Part.objects.filter(pk__in=named).order_by()
            for pk, ordinal, length in parts.values_list("pk", "ordinal", Length("text")):
                standing.parts[pk] = (ordinal, length)
        self._existing = set(standing.parts)
        calls = [one.tool_call_id for one in said if isinstance(one, ToolCall)]
        self._step_ids = {call_id: standing.step_id(call_id) for call_id in calls}
        about = {standing.step_id(one.call_id) for one in said if isinstance(one, DecidedThere)}
        about.update(self._step_ids.values())
        if standing.all_steps:
            about &= standing.steps.keys()
        steps = self._read_steps(about, everything=any(isinstance(one, TurnEnded) for one in said))
        self._steps = {step["id"]: dict(step) for step in steps}
        self._stored = {step["id"]: step for step in steps}

    def _read_steps(self, about: set[UUID], *, everything: bool) -> list[Any]:
        """The columns of these steps; with `everything`, of those that have not ended, too."""
        standing = self.standing
        known = standing.open_steps or {}
        steps: list[Any] = [step for pk, step in known.items() if everything or pk in about]
        if missing := about - known.keys():
            steps += Step.objects.filter(pk__in=missing).order_by("ordinal").values()
        if everything and standing.open_steps is None:
            going_on = Step.objects.filter(attempt_id=standing.attempt_id, ended_at=None)
            others = going_on.order_by("ordinal").values()[:MOST_ENDED]
            steps += others
            self._all_read = len(others) < MOST_ENDED
        return steps

    def add(self, said: Said) -> None:
        """Take one update in. What a session tells of itself is kept whether its attempt goes on or not."""
        if isinstance(said, session_state.STATE_UPDATES):
            self._told = session_state.fold(self._told, said)
            return
        if isinstance(said, TurnEnded) and said.usage is not None:
            self._told = session_state.fold_tokens(self._told, said.usage)
        if isinstance(said, DecidedThere):
            self._answered_there(said)
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
        self.standing.keep_open(self._steps, all_read=self._all_read)
        self._told_otherwise()
        self._overstepped()
        self._count_usage()
        if self._told is not self.standing.told and self._told != self.standing.told:
            self.writes.append(Update("clawgroups.Session", self.standing.session_id, {"told": dict(self._told)}))
            self.standing.told = self._told
        if self.standing.live:
            self._expect_live()

    def _overstepped(self) -> None:
        """What was critical, and nobody was asked about."""
        if not self.standing.live:
            return
        writes, events = oversteps_of(self.standing, self._ended, self.now)
        self.writes += writes
        self.facts += [Fact(self.standing.workspace_id, event, self.actor) for event in events]

    def _count_usage(self) -> None:
        """The steps that began, and what the session says that it has used since."""
        standing = self.standing
        if standing.run_id is None:
            return
        began = sum(1 for pk in self._steps if pk not in self._stored)
        if not began and self._told is standing.told:
            return
        said = session_state.used_since(standing.told, self._told)
        if not standing.live:
            self._told = session_state.fold_after_stop(self._told, str(standing.attempt_id), said)
        self.writes += usage.used(
            standing.workspace_id,
            run_id=standing.run_id,
            agent_id=standing.agent_id,
            at=self.now,
            steps=began,
            tokens=base.Usage(said.prompt, said.cached, said.completion, said.reasoning),
            cost_micro=said.cost_micro,
        )

    def _expect_live(self) -> None:
        standing = self.standing
        self.expects.append(Expect("clawgroups.Task", standing.task_id, {"epoch": standing.epoch}))
        live = {"state": LIVE, "epoch": standing.epoch}
        repeats = standing.memory.repeats
        if standing.holder_id is not None:
            pass  # It works for a person, and only what that person does is progress.
        elif self._new_thing:
            self._note_progress(repeats)
        elif repeats != self._repeats:
            self._attempt["repeats"] = repeats
        if self.writes or self._attempt:
            values = self._attempt
            self.writes.append(Update("clawgroups.Attempt", standing.attempt_id, values, live))

    def _note_progress(self, repeats: int) -> None:
        """Once in a while: of an agent that does much, this would be as many writes of its row as it takes steps."""
        noted_at = self.standing.noted_at
        if noted_at is None or repeats != self._repeats or not noted_at <= self.now < noted_at + NOTED_EVERY:
            self.standing.noted_at = self.now
            self._attempt |= {"progress_at": self.now, "repeats": repeats}

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
        elif pk not in self._first_told:
            self._first_told[pk] = _asked_for(step)
        was = step["status"]
        self._fold(step, call)
        if step["status"] in ENDED and step["ended_at"] is None:
            step["ended_at"] = self.now
            self._ended.append((was, step))
        self._look(step, begins=is_new)
        if is_new or (was not in ENDED and step["status"] in ENDED):
            self._step_fact(pk, step["status"])

    def _answered_there(self, said: DecidedThere) -> None:
        """Keep with the step what its agent's owner said to it, since nobody was asked here."""
        step = next((one for one in self._steps.values() if one["tool_call_id"] == said.call_id[:200]), None)
        if step is not None and self.standing.live:
            step["detail"] = {**step["detail"], ANSWERED_THERE: said.answer}

    def _told_otherwise(self) -> None:
        """What was asked about calls that are not what they were: once each, however often they were told of."""
        for pk, before in self._first_told.items():
            step = self._steps[pk]
            name, after = step["tool_call_id"], _asked_for(step)
            decision = changing.told_otherwise(self.standing.attempt_id, name, before, after, self.now)
            self.writes += decision.writes
            self.facts += [replace(fact, actor=fact.actor or self.actor) for fact in decision.facts]
            self.wakes += decision.wakes

    def _fold(self, step: dict[str, Any], call: ToolCall) -> None:
        """What was given replaces what stood there."""
        given = dict(call.given)
        step["title"] = str(given.pop("title", step["title"]))[:300]
        step["kind"] = str(given.pop("kind", step["kind"]))[:20]
        status = given.pop("status", step["status"])
        # An ended call may still be told to have ended otherwise, but it does not begin again.
        if step["status"] not in ENDED or status in ENDED:
            step["status"] = status
        if not given:
            return
        if call.streamed and not step["detail"].get("raw_input"):
            given.setdefault("raw_input", dict(call.streamed))
        # Apart from the rest, so that a long input does not cut what is shown.
        shown = step["detail"].get("content")
        if "content" in given:
            keeper = Keeper(MOST_KEPT - self.standing.kept)
            shown = shrink({"content": keeper.content(given.pop("content"))}).get("content", [])
            self.standing.kept = MOST_KEPT - keeper.left
        rest = {key: value for key, value in step["detail"].items() if key != "content"}
        step["detail"] = {**shrink({**rest, **given}), **({"content": shown} if shown is not None else {})}

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
        name = {"plan": plan.plan_id[:200]} if plan.plan_id else {}
        others = [one for one in self.standing.plan if isinstance(one, dict) and one.get("plan") != name.get("plan")]
        entries = [
            {"content": one.content[:1000], "priority": one.priority, "status": one.status, **name}
            for one in plan.entries
        ]
        entries = [*others, *entries][:MAX_PLAN]
        self._new_thing |= self.standing.memory.see(plan_mark(entries), begins=True)
        self._attempt["plan"] = entries
        before, counts = plan_counts(self.standing.plan), plan_counts(entries)
        self.standing.plan = entries
        if counts != before:
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
                self._ended.append((step["status"], step))
                step["status"], step["ended_at"] = status, self.now
                self._step_fact(pk, status)

    def _step_fact(self, pk: UUID, status: str) -> None:
        standing = self.standing
        event = StepRecorded(task_id=standing.task_id, attempt_id=standing.attempt_id, step_id=pk, status=status)
        self.facts.append(Fact(standing.workspace_id, event, self.actor))


def _asked_for(step: dict[str, Any]) -> dict[str, Any]:
    """What a step wants to do, as questions about it hold it."""
    detail = {name: value for name, value in step["detail"].items() if name != ANSWERED_THERE}
    return {**detail, "title": step["title"], "kind": step["kind"]}
