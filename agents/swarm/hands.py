"""Carrying out the calls of one answer: side by side, each shown to the team as a step, each answered in its place."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from acp.schema import ToolKind

from agents.builtin.turn import Turn
from agents.llm.base import Message, Tool, ToolCall
from agents.swarm.desk import FINISH, POINTS, TOOLS, Desk, Wrong, arguments_of
from agents.swarm.facts import Facts, Kind
from agents.swarm.learning import learn_answer, learn_rules
from agents.swarm.toolbox import STALE, Outcome, Toolbox

MOST_CALLS = 16
LONGEST = 20_000
_SHOWN = 300
_KINDS: dict[str, ToolKind] = {
    "read": "read",
    "list": "search",
    "recall": "search",
    "write": "edit",
    "deliver": "edit",
    "set": "think",
}


class Stale(Exception):
    """The attempt is over at the server: nothing that is done for it counts any more."""


class _Failed(Exception):
    """A call that failed, so that its step is shown as one that did."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text[:_SHOWN])
        self.outcome = outcome


class Hands:
    """Those of one session."""

    def __init__(self, desk: Desk, toolbox: Toolbox | None, facts: Facts) -> None:
        self.desk, self._toolbox, self._facts = desk, toolbox, facts
        self._questions: dict[str, str] = {}

    async def tools(self, turn: Turn) -> tuple[Tool, ...]:
        """All that the model may call: ours, and those of the workspace of other names."""
        theirs = () if self._toolbox is None else await turn.work(self._toolbox.load)
        return (*TOOLS, *(tool for tool in theirs if not self.desk.does(tool.name)))

    async def read_rules(self, turn: Turn) -> None:
        """Have the rules as they stand now among the facts."""
        if self._toolbox is not None and self._toolbox.has("read_rules"):
            outcome = await turn.work(self._toolbox.call, "read_rules", {}, "")
            if not outcome.code:
                learn_rules(self._facts, outcome.text)

    async def do(self, turn: Turn, calls: Sequence[ToolCall]) -> list[tuple[Message, Outcome]]:
        """The answer to each call, in order; "done" comes after all the others. Raises Stopped, Stale."""
        last = [at for at, call in enumerate(calls) if call.name == FINISH]
        first = [at for at in range(len(calls)) if at not in last]
        found: dict[int, Outcome] = {}
        for group in (first, last):
            made = await asyncio.gather(
                *(self._one(turn, calls[at], at) for at in group),
                return_exceptions=True,
            )
            for at, outcome in zip(group, made, strict=True):
                if isinstance(outcome, BaseException):
                    raise outcome
                found[at] = outcome
        return [(Message("tool", found[at].text, call_id=call.id), found[at]) for at, call in enumerate(calls)]

    async def _one(self, turn: Turn, call: ToolCall, at: int) -> Outcome:
        if at >= MOST_CALLS:
            return Outcome(f"Not done: at most {MOST_CALLS} calls at once.", "too_many")
        try:
            async with turn.step(title_of(call), _KINDS.get(call.name.partition("_")[0], "other")) as step:
                outcome = await self._carried_out(turn, call)
                if outcome.code:
                    raise _Failed(outcome)
                step.note(outcome.text[:_SHOWN])
        except _Failed as failed:
            outcome = failed.outcome
        if outcome.code == STALE:
            raise Stale
        return outcome

    async def _carried_out(self, turn: Turn, call: ToolCall) -> Outcome:
        try:
            given = arguments_of(call.arguments)
            if self.desk.does(call.name):
                outcome = Outcome(await turn.work(self.desk.call, call.name, given))
            elif self._toolbox is not None and self._toolbox.has(call.name):
                outcome = await turn.work(self._toolbox.call, call.name, given, uuid.uuid4().hex)
            else:
                raise Wrong(f"There is no tool {call.name!r}.")
        except Wrong as wrong:
            return Outcome(str(wrong), "wrong")
        if not outcome.code:
            await self._learn(turn, call.name, given, outcome.text)
        return Outcome(_cut(outcome.text), outcome.code)

    async def _learn(self, turn: Turn, name: str, given: Mapping[str, Any], text: str) -> None:
        if name == POINTS:
            self._facts.put(Kind.OPEN, self.desk.points)
            await turn.plan(self.desk.points)
        elif name == "write_file":
            self._facts.add(Kind.FILE, str(given["name"]))
        elif name == "deliver_artifact" and '"stored": true' in text:
            self.desk.delivered.add(str(given.get("name")))
            self._facts.add(Kind.FILE, str(given.get("name")))
        elif name == "read_rules":
            learn_rules(self._facts, text)
        elif name in ("ask_human", "read_answer"):
            asked = str(given.get("question") or self._questions.get(str(given.get("question_id")), ""))
            self._questions[learn_answer(self._facts, text, asked)] = asked


def title_of(call: ToolCall) -> str:
    """A call in one line: its tool, and what it is about."""
    try:
        given = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        given = {}
    known = given if isinstance(given, dict) else {}
    named = [known[key] for key in ("name", "key", "query", "question", "note") if known.get(key)]
    about = " ".join(str(named[0]).split())[:100] if named else ""
    return f"{call.name}: {about}" if about else call.name


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\n[cut: {len(text) - LONGEST} characters more]"
