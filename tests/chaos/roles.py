"""How a fake agent behaves: a role takes one turn and says how it ended. Small, seeded, without any model."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import Protocol


class Turn(Protocol):
    """One prompt, as a role sees it."""

    dice: random.Random
    work: float
    """About how many seconds an honest turn takes."""
    title: str
    first: bool
    """Whether its agent was asked nothing before."""

    async def say(self, text: str) -> None:
        """A piece of the message."""
        ...

    async def act(self, title: str, *, output: str = "", ended: bool = True) -> None:
        """A tool call, from its beginning to its end."""
        ...

    async def fail(self, code: int, message: str) -> None:
        """Answer the prompt with an error; the turn is over then."""
        ...

    async def garble(self, line: str) -> None:
        """Write this line as it is."""
        ...

    async def cue(self, what: str) -> None:
        """Wait until the test says so."""
        ...


ENOUGH = "enough"
OBEDIENT_SAYS = "The result stands, as it was asked for."
Outcome = str | None
"""A stop reason; None where the prompt was answered already, or never is."""


async def obedient(turn: Turn) -> Outcome:
    """Works for a while, shows it, and hands over a result."""
    pause = turn.work * turn.dice.uniform(0.7, 1.3) / 3
    await asyncio.sleep(pause)
    await turn.act("Look at the material", output=f"seen {turn.dice.random():.6f}")
    await asyncio.sleep(pause)
    begin, end = OBEDIENT_SAYS.split(",")
    await turn.say(f"{begin},")
    await asyncio.sleep(pause)
    await turn.say(end)
    return "end_turn"


async def out_of_step(turn: Turn) -> Outcome:
    """Obedient; its first task takes a part, by chance, of the usual: agents that begin together don't end together."""
    if turn.first:
        turn.work *= turn.dice.random()
    return await obedient(turn)


async def steady(turn: Turn) -> Outcome:
    """Works as its task says, whoever it is given to: the same calls and the same words each time."""
    for part in ("first", "second", "third"):
        await asyncio.sleep(turn.work / 4)
        await turn.act(f"{turn.title}: look at the {part} part", output=f"the {part} part of {turn.title}")
        await turn.say(f"The {part} part of {turn.title}. ")
    return "end_turn"


async def late(turn: Turn) -> Outcome:
    """Works in one long breath: frozen meanwhile, it is done the moment it wakes."""
    await turn.say("I look into it. ")
    await asyncio.sleep(turn.work)
    await turn.say("Here it is.")
    return "end_turn"


async def slow(turn: Turn) -> Outcome:
    """Takes thirty times as long, and is seen to get on all the time."""
    for step in range(30):
        await asyncio.sleep(turn.work)
        await turn.say(f"Line {step}: {turn.dice.random():.9f}. ")
    return "end_turn"


async def busy(turn: Turn) -> Outcome:
    """Gets on, and is seen to, until the test says that it is enough."""
    told = asyncio.create_task(turn.cue(ENOUGH))
    try:
        for page in itertools.count(1):
            await turn.act(f"Look at page {page}", output=f"seen {turn.dice.random():.6f}")
            if (await asyncio.wait([told], timeout=turn.work))[0]:
                break
    finally:
        told.cancel()
    await turn.say(OBEDIENT_SAYS)
    return "end_turn"


async def silent(_turn: Turn) -> Outcome:
    """Takes the prompt and is never heard of again; its socket stays open."""
    await asyncio.Event().wait()
    return None


async def looping(turn: Turn) -> Outcome:
    """Does and says the same for ever."""
    while True:
        await turn.act("Look at the material", output="nothing new")
        await turn.say("Let me look again. ")
        await asyncio.sleep(max(turn.work / 4, 0.05))


async def liar(turn: Turn) -> Outcome:
    """Always fails, each time in another way: claims, errors, broken protocol, strange ends."""
    await asyncio.sleep(turn.work / 4)
    match turn.dice.randrange(4):
        case 0:
            return "end_turn"  # Done, it says, and there is nothing.
        case 1:
            await turn.fail(-32603, "the tool fell over")
            return None
        case 2:
            for broken in ('{"jsonrpc": "2.0", "method": ', "[1, 2, 3]", '{"id": 7}'):
                await turn.garble(broken)
            return "splendid"
        case _:
            return "max_turn_requests"


DUPLICATOR = "duplicator"
"""Works as `steady` does; whatever it says and that has an identity comes one to three times, in any order."""

PLAYED = (obedient, out_of_step, steady, late, slow, busy, silent, looping, liar)
ROLES = {role.__name__: role for role in PLAYED} | {DUPLICATOR: steady}
