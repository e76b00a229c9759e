"""One sub-agent: asks the model for the next step, carries it out, and goes on until the rules say that it is over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from agents.builtin.failures import Stopped
from agents.builtin.turn import Turn
from agents.llm.base import Fault, FaultKind, Message, Reply, Request, Tool, ToolCall, Usage
from agents.swarm.conversation import Conversation
from agents.swarm.course import Course, Deed, End
from agents.swarm.desk import FINISH, Desk
from agents.swarm.engine import PRIORITY, Engine
from agents.swarm.facts import Kind
from agents.swarm.handover import handover_of
from agents.swarm.hands import Hands, Stale
from agents.swarm.learning import Prompt, learn
from agents.swarm.tally import Used
from agents.swarm.toolbox import Outcome, Toolbox

Stop = Literal["end_turn", "max_tokens", "max_turn_requests", "refusal", "cancelled"]
STOPS: dict[End, Stop] = {
    End.DONE: "end_turn",
    End.STEPS: "max_turn_requests",
    End.TIME: "max_turn_requests",
    End.TOKENS: "max_tokens",
    End.NO_PROGRESS: "refusal",
}
NUDGE = f"You called no tool. Go on with the task; when the result is there, call {FINISH}."
_LONGEST_WORDS = 2000
_UNDERSTOOD = "I have read what was changed and go on from it."


class SubAgent:
    """One session. Its turns come one after the other."""

    def __init__(self, engine: Engine, name: str, folder: Path, toolbox: Toolbox | None) -> None:
        self._engine, self.name = engine, name
        self.talk = Conversation(born=engine.clock())
        self.desk = Desk.at(folder)
        self._hands = Hands(self.desk, toolbox, self.talk.facts)
        self._tools: tuple[Tool, ...] = ()
        self._asked = 0
        self._rotten = False
        self._room = engine.limits.room
        self._used = Used(name)
        self._course = Course(engine.limits, engine.clock)

    async def take(self, turn: Turn, prompt: Prompt) -> Stop:
        """One turn from its prompt to its end. Raises Fault where the model is not to be had."""
        engine = self._engine
        self._course = Course(engine.limits, engine.clock)
        self._used = used = Used(self.name, prompt.task, prompt.kind, began=engine.clock())
        try:
            stop = await self._turn(turn, prompt)
        except (Stopped, Stale):
            used.end = "cancelled"
            return "cancelled"
        except Fault as fault:
            used.end, used.why = f"model: {fault.kind}", str(fault)
            raise
        finally:
            used.ended, used.steps = engine.clock(), self._course.steps
            engine.tally.ended(used)
        return stop

    def shrink(self) -> None:
        """Keep what must survive, and let the conversation go: it rests, and others need the memory."""
        if len(self.talk.messages) > 2:
            self.talk.renew(self.talk.mechanical(), self._engine.clock())

    async def _turn(self, turn: Turn, prompt: Prompt) -> Stop:
        learn(self.talk.facts, prompt)
        self._tools = await self._hands.tools(turn)
        await self._hands.read_rules(turn)
        self.desk.brief, self.desk.result = prompt.text, ""
        self.talk.begin(prompt.text)
        if prompt.kind == "acknowledge":
            return await self._acknowledge(turn)
        while (end := self._course.over()) is None:
            turn.check()
            await self._make_room(turn)
            self._course.took(await self._step(turn, ends_with_words=prompt.kind == "steer"))
            self.talk.steps += 1
        self._used.end, self._used.why = str(end), self._course.why
        await turn.say(self.desk.result if end is End.DONE else self._left())
        return STOPS[end]

    async def _acknowledge(self, turn: Turn) -> Stop:
        """One answer in words, and no work."""
        reply = await self._reply(turn)
        said = reply.text.strip()[:_LONGEST_WORDS] if reply is not None else ""
        self.talk.add(Message("assistant", said or _UNDERSTOOD))
        self._used.end = str(End.DONE)
        await turn.say(said or _UNDERSTOOD)
        return "end_turn"

    async def _step(self, turn: Turn, *, ends_with_words: bool) -> Deed:
        """Ask for one answer, and do what it says."""
        reply = await self._reply(turn)
        if reply is None:
            return Deed(words="an answer that was none")
        if not reply.calls:
            return await self._words(turn, reply, ends_with_words)
        if reply.text.strip():
            await turn.say(reply.text.strip()[:_LONGEST_WORDS])
        made = await self._hands.do(turn, reply.calls)
        self.talk.add(Message("assistant", reply.text, reply.reasoning, reply.calls))
        for message, _ in made:
            self.talk.add(message)
        outcomes = [outcome for _, outcome in made]
        self._note(reply.calls, outcomes)
        is_done = any(c.name == FINISH and not o.code for c, o in zip(reply.calls, outcomes, strict=True))
        if is_done:
            self._course.done()
        return Deed(
            tuple(map(_canonical, reply.calls)),
            tuple(outcome.text for outcome in outcomes),
            failed=sum(bool(outcome.code) for outcome in outcomes),
            refused=not is_done and any(call.name == FINISH for call in reply.calls),
        )

    async def _words(self, turn: Turn, reply: Reply, ends: bool) -> Deed:
        said = reply.text.strip()
        self.talk.add(Message("assistant", said[: 4 * _LONGEST_WORDS], reply.reasoning))
        self.talk.log.append(f"{self._course.steps + 1}. said: {' '.join(said.split())[:120]}")
        if ends:
            self.desk.result = said
            self._course.done()
        else:
            await turn.say(said[:_LONGEST_WORDS])
            self.talk.add(Message("user", NUDGE))
        return Deed(words=said)

    async def _reply(self, turn: Turn) -> Reply | None:
        """The model's next answer; None for one that is none. Where it does not fit any more, room is made, once."""
        for is_last in (False, True):
            try:
                reply = await self._ask(turn, self._request())
            except Fault as fault:
                if fault.kind is FaultKind.MALFORMED:
                    return None
                if fault.kind is not FaultKind.TOO_LONG or is_last:
                    raise
                await self._make_room(turn, forced=True)
            else:
                self.talk.measured(reply.usage)
                return reply
        raise AssertionError("the second try returns or raises")

    def _request(self) -> Request:
        limits = self._engine.limits
        return Request(
            tuple(self.talk.messages),
            mode=self._engine.mode,
            tools=self._tools,
            max_output=max(256, min(limits.output, limits.window - self.talk.size)),
        )

    async def _ask(self, turn: Turn, request: Request) -> Reply:
        self._asked += 1
        cache_key = f"{self.name}-{self.talk.generation}"
        asked = replace(request, rid=f"{self.name}-{self._asked}", priority=PRIORITY, cache_key=cache_key)
        return await self._engine.asked(turn, asked, self._pays)

    def _pays(self, usage: Usage) -> None:
        self._used.pays(usage)
        self._course.spent(usage)

    async def _make_room(self, turn: Turn, *, forced: bool = False) -> None:
        """Where the context is full, sum it up; where the session is old or cannot sum up any more, renew it."""
        limits, talk = self._engine.limits, self.talk
        aged = talk.steps >= limits.age_steps or self._engine.clock() - talk.born >= limits.age_seconds
        is_full = forced or talk.size >= self._room
        if not is_full and not (aged and talk.steps):
            return
        renews = aged or self._rotten or talk.rooms >= limits.rooms
        title = "Go on in a fresh session" if renews else "Make room in the context"
        async with turn.step(title, "think") as step:
            handover = await handover_of(talk, lambda request: self._ask(turn, request))
            self._used.refused += len(handover.refused)
            self._used.mechanical += not handover.checked
            self._rotten = not handover.checked and not renews
            if renews:
                await self._hands.read_rules(turn)
                talk.renew(handover.text, self._engine.clock())
                self._used.renewals += 1
            else:
                talk.shorten(handover.text, min(limits.keep, limits.room // 4))
                self._used.rooms += 1
            # What cannot be forgotten may be long: then room is made again only when there is something to forget.
            self._room = max(limits.room, min(talk.size + limits.room // 2, limits.window - 2 * limits.output))
            step.note(f"{len(list(talk.facts))} facts are kept word for word.")
            step.note("The summary was checked." if handover.checked else "The record of its steps stands for it.")
            for wrong in handover.refused:
                step.note(f"A summary was refused: {' '.join(wrong)[:400]}")

    def _note(self, calls: Sequence[ToolCall], outcomes: Sequence[Outcome]) -> None:
        number = self._course.steps + 1
        for call, outcome in zip(calls, outcomes, strict=True):
            came = f"failed: {' '.join(outcome.text.split())[:100]}" if outcome.code else "done"
            self.talk.log.append(f"{number}. {call.name}({' '.join(call.arguments.split())[:120]}): {came}")
        self._used.calls += len(calls)

    def _left(self) -> str:
        """What there is when a turn ends without a result."""
        files = ", ".join(fact.text for fact in self.talk.facts.of(Kind.FILE)) or "none"
        points = "; ".join(self.desk.points) or "none was named"
        return f"{self._course.why} Files so far: {files}. Still open: {points}."


def _canonical(call: ToolCall) -> str:
    """A call, the same however its arguments are written."""
    try:
        return f"{call.name} {json.dumps(json.loads(call.arguments or '{}'), sort_keys=True)}"
    except (ValueError, RecursionError):
        return f"{call.name} {call.arguments}"
