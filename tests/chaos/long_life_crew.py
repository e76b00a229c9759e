"""Agents of T04 behind their connectors, without a network, and the gateway's side of their sockets.

They work by a clock that somebody else moves: whatever takes time is an event. An agent that is away does not
notice; what it would have said it says when it is back, unless its program was started anew.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol
from uuid import UUID

from agents.ids import new_id
from agents.protocol.updates import MessageChunk
from clawgroups import commit
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.errors import ClawError, Conflict, NotFound
from clawgroups.gateway import reads
from clawgroups.models import Command
from clawgroups.services import approvals, contact, late, putting, sessions, transcript
from clawgroups.services.perform import perform

WORDS = 100  # seconds after which an agent says something
SOON = 5
OBEDIENT = 0.75  # share of the turns that stop when asked
OPTIONS = [{"optionId": "y", "kind": "allow_once"}, {"optionId": "n", "kind": "reject_once"}]
Said = dict[str, dict[str, object]]
DONE: Said = {"result": {"stopReason": "end_turn"}}
FAILING: tuple[Said, ...] = (
    {"error": {"code": -32603, "message": "it broke"}},
    {"result": {"stopReason": "refusal"}},
    {"result": {"stopReason": "max_tokens"}},
)


class Around(Protocol):
    """What an agent needs of the world: its chance, its clock, and what happens to which task."""

    dice: random.Random
    sessions_lost: int

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Have this happen after so many seconds."""

    def time_for(self, title: str) -> float:
        """How long this task takes now, in seconds."""

    def begun(self, task_id: UUID, title: str) -> None:
        """An agent has begun this task."""

    def wants_to_ask(self, title: str) -> bool:
        """Whether an agent asks for permission in this task."""

    def asked(self, approval_id: UUID, title: str, withdraw: Callable[[], None]) -> None:
        """It did; `withdraw` takes the question back."""


@dataclass(eq=False)
class Turn:
    """A prompt that an agent works on."""

    command: UUID
    session: UUID
    title: str
    task: UUID


class FarAgent:
    """One agent: its link, the turns it is at, and what it says when it is back."""

    def __init__(self, world: Around, pk: UUID, name: str, key: UUID, *, fails: float) -> None:
        self.pk, self.name, self.key = pk, name, key
        self.link, self.epoch = new_id(), 0
        self.up = self.retired = False
        self._world, self._fails = world, fails
        self._received = self._asked = 0
        self._turns: dict[UUID, Turn] = {}
        self._unsaid: list[Callable[[], None]] = []
        self._actor = Actor(ActorKind.AGENT, name, agent_id=pk)

    # Coming and going

    def comes(self, *, same: bool = True) -> None:
        """Connect: the same program goes on, or (not `same`) another one that has forgotten everything."""
        if self.up or self.retired:
            return
        if not same:
            self.link = new_id()
            self._turns.clear()
            self._unsaid.clear()
        try:
            opened = perform(contact.open_connection, self.pk, key_id=self.key, link=self.link, extensions=["link"])
        except NotFound:
            self.retired = True  # while it was away
            return
        self.epoch, self._received, self.up = opened.answer["epoch"], opened.answer["received"], True
        perform(contact.connection_ready, self.link, epoch=self.epoch, announced={"name": self.name})
        self._give_up_elsewhere()
        for command in reads.given_up(self.pk, self.link):
            self._stops(command.session_id)
        unsaid, self._unsaid = self._unsaid, []
        for what in unsaid:
            what()

    def _give_up_elsewhere(self) -> None:
        """What the gateway does about an agent's other links."""
        elsewhere = reads.sessions_elsewhere(self.pk, self.link)
        self._world.sessions_lost = max(self._world.sessions_lost, len(elsewhere))
        for session_id, attempt_id in elsewhere:
            why = "another process of the agent came"
            perform(sessions.session_lost, session_id, attempt_id=attempt_id, reason=why)
        forgotten = late.forget_told(self.pk, self.link)
        if forgotten is not None:
            commit.wait(forgotten)

    def goes(self, *, silently: bool = False, reason: str = "The socket closed.") -> None:
        """The socket closes, or (`silently`) nothing is heard of it any more."""
        if self.up and not silently:
            with suppress(Conflict):
                perform(contact.close_connection, self.link, epoch=self.epoch, reason=reason)
        self.up = False

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        self._world.later(seconds, partial(self._now_or_when_back, what))

    def _now_or_when_back(self, what: Callable[[], None]) -> None:
        if self.up:
            what()
        elif not self.retired:
            self._unsaid.append(what)

    # What it is sent

    def is_busy_in(self, session_id: UUID | None) -> bool:
        """Whether a turn runs in this session, so that no other may begin."""
        return session_id in self._turns

    def hears(self, command: Command) -> None:
        """A frame reaches the agent."""
        match command.purpose:
            case "open":
                self._answer(command.pk, {"result": {"sessionId": f"acp-{command.session_id}"}})
            case "work" | "acknowledge":
                self._begins(command)
            case "cancel":
                self._stops(command.session_id)
            case "reply":
                turn = self._turns.get(command.session_id) if command.session_id is not None else None
                if turn is not None:
                    self._later(60, partial(self._ends, turn))
            case "stale":
                with suppress(ClawError):
                    perform(late.noted, UUID(command.params["request"]), actor=self._actor)

    def _begins(self, command: Command) -> None:
        assert command.session_id is not None
        told = command.params["_meta"]["clawgroups"]["task"]
        assert command.session is not None
        turn = Turn(command.pk, command.session_id, told["title"], command.session.task_id)
        self._turns[turn.session] = turn
        if command.purpose == "acknowledge":
            self._later(30, partial(self._ends, turn))
            return
        seconds = self._world.time_for(turn.title)
        for at in range(WORDS, int(seconds), WORDS):
            self._later(at, partial(self._says, turn, f"{at} seconds into {turn.title}. "))
        if self._world.wants_to_ask(turn.title):
            self._later(seconds / 2, partial(self._asks, turn))
        else:
            self._later(seconds, partial(self._ends, turn))
        self._world.begun(turn.task, turn.title)

    def _stops(self, session_id: UUID | None) -> None:
        """It is asked to stop: mostly it does, sometimes it goes on and has its result too late."""
        turn = self._turns.get(session_id) if session_id is not None else None
        if turn is not None and self._world.dice.random() < OBEDIENT:
            del self._turns[turn.session]
            self._later(SOON, partial(self._answer, turn.command, {"result": {"stopReason": "cancelled"}}))

    # What it says

    def _says(self, turn: Turn, text: str) -> None:
        if self._turns.get(turn.session) is not turn:
            return
        batch = transcript.Batch(transcript.load([turn.session])[turn.session], [MessageChunk(text=text)])
        number = self._received + 1
        recorded = transcript.record(
            self.link, epoch=self.epoch, since=number - 1, received=number, batches=[batch], actor=self._actor
        )
        self._received += commit.wait(recorded).applied

    def _asks(self, turn: Turn) -> None:
        if self._turns.get(turn.session) is not turn:
            return
        self._asked += 1
        number = self._asked
        asked = perform(
            putting.request_approval,
            turn.session,
            request_id=number,
            tool_call={"toolCallId": f"call-{number}", "title": f"Publish {turn.title}", "kind": "execute"},
            options=OPTIONS,
            actor=self._actor,
        )
        if asked.answer["open"]:
            self._world.asked(UUID(asked.answer["id"]), turn.title, partial(self._withdraws, turn, number))

    def _withdraws(self, turn: Turn, number: int) -> None:
        if self.up and self._turns.get(turn.session) is turn:
            with suppress(ClawError):
                perform(approvals.withdraw_approval, turn.session, request_id=number, actor=self._actor)
        self._later(60, partial(self._ends, turn))

    def _ends(self, turn: Turn) -> None:
        """The turn ends, with a result or without."""
        if self._turns.get(turn.session) is not turn:
            return
        failed = self._world.dice.random() < self._fails
        del self._turns[turn.session]
        said = self._world.dice.choice(FAILING) if failed else DONE
        self._answer(turn.command, said, text=f"The result of {turn.title}.")

    def _answer(self, command_id: UUID, said: Said, *, text: str = "") -> None:
        number = self._received + 1
        # A second answer, or one to what is over for good, counts for nothing.
        with suppress(Conflict):
            perform(
                sessions.command_answered,
                command_id,
                link=self.link,
                epoch=self.epoch,
                received=number,
                result=said.get("result"),
                error=said.get("error"),
                text=text,
            )
            self._received = number
