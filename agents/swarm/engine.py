"""What all sub-agents of a process share: the model and how it is asked, the limits, the clock, the count."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from agents.builtin.failures import Stopped
from agents.builtin.turn import Turn
from agents.llm import client
from agents.llm.base import Endpoint, Fault, FaultKind, Mode, Reply, Request, Usage
from agents.protocol.card import MOST_SESSIONS
from agents.swarm.limits import Limits
from agents.swarm.tally import Tally

# Plans and judgements of the coordinator go before the steps of sub-agents.
PRIORITY = 10
_PASSING = (FaultKind.BUSY, FaultKind.UNREACHABLE, FaultKind.SLOW)
_FIRST, _LONGEST = 1.0, 30.0
_NAP = 0.5


class Ask(Protocol):
    """How a model is asked: `agents.llm.client.ask`, or a script in its place."""

    def __call__(self, endpoint: Endpoint, request: Request, *, wanted: Callable[[], bool]) -> Reply: ...


@dataclass
class Engine:
    """`at_once`: how many calls of the model are under way together at most."""

    endpoint: Endpoint
    limits: Limits = field(default_factory=Limits)
    mode: Mode = Mode.THINKING
    sessions: int = MOST_SESSIONS
    at_once: int = MOST_SESSIONS
    tally: Tally = field(default_factory=Tally)
    ask: Ask = client.ask
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def __post_init__(self) -> None:
        self._room = asyncio.Semaphore(self.at_once)

    async def asked(self, turn: Turn, request: Request, pays: Callable[[Usage], None]) -> Reply:
        """The model's answer; one that is away or busy is waited for. Raises Fault, and Stopped with the turn."""
        until, wait = self.clock() + self.limits.patience, _FIRST
        while True:
            try:
                async with self._room:
                    reply = await turn.work(self.ask, self.endpoint, request, wanted=lambda: _goes_on(turn))
            except Fault as fault:
                pays(fault.usage)
                if fault.kind is FaultKind.ABORTED:
                    raise Stopped from None
                pause = max(wait, fault.again_in or 0.0)
                if fault.kind not in _PASSING or self.clock() + pause > until:
                    raise
                await self._rest(turn, pause)
                wait = min(wait * 2, _LONGEST)
            else:
                pays(reply.usage)
                return reply

    async def _rest(self, turn: Turn, seconds: float) -> None:
        until = self.clock() + seconds
        while (left := until - self.clock()) > 0:
            turn.check()
            await self.sleep(min(left, _NAP))
        turn.check()


def _goes_on(turn: Turn) -> bool:
    try:
        turn.check()
    except Stopped:
        return False
    return True
