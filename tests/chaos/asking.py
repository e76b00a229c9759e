"""Roles of T22: agents that ask before they act, each in its way, and wait until somebody has answered.

`Nobody` is what the people leave unanswered. Those that change what they asked about do so once the test says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from tests.chaos.roles import Outcome

Json = dict[str, Any]
ASK, CHANGE = "ask", "change"
NOBODY = "Nobody answers this"


class Asking(Protocol):
    """One prompt, as a role that asks sees it."""

    name: str
    """The agent's: so that no two of them ask for the same."""

    async def say(self, text: str) -> None: ...

    async def tell(self, update: Json) -> None:
        """A `session/update`."""
        ...

    async def ask(self, call: Json, *, number: int = 0) -> str:
        """Ask for permission and wait for the answer: the option. `number`: the request's id, to use it again."""
        ...

    async def cue(self, what: str) -> None:
        """Wait until the test says so."""
        ...

    def note(self, what: str, **more: Any) -> None: ...


def command(turn: Asking, call: str, what: str = "check") -> Json:
    told = {"toolCallId": f"{turn.name}-{call}", "title": "Run it", "kind": "execute"}
    return {**told, "rawInput": {"command": f"make {what}-{turn.name}-{call}"}}


def edit(turn: Asking) -> Json:
    path = f"notes/{turn.name}.md"
    diff = {"type": "diff", "path": path, "oldText": "one\n", "newText": f"one, by {turn.name}\n"}
    told = {"toolCallId": f"{turn.name}-diff", "title": "Edit it", "kind": "edit"}
    return {**told, "content": [diff], "locations": [{"path": path}]}


async def asks_diff(turn: Asking) -> None:
    await turn.cue(ASK)
    await turn.ask(edit(turn))


async def asks_command(turn: Asking) -> None:
    await turn.cue(ASK)
    await turn.ask(command(turn, "command"))


async def asks_by_id(turn: Asking) -> None:
    """The call is told before, and asked about by its id alone."""
    await turn.cue(ASK)
    told = command(turn, "told")
    await turn.tell({"sessionUpdate": "tool_call", "status": "pending", **told})
    await turn.ask({"toolCallId": told["toolCallId"]})


async def asks_two(turn: Asking) -> None:
    """Two at once."""
    await turn.cue(ASK)
    await asyncio.gather(turn.ask(command(turn, "one")), turn.ask(command(turn, "two")))


async def asks_nobody(turn: Asking) -> None:
    """Asks at once for what is left to expire."""
    await turn.ask({**command(turn, "late"), "title": NOBODY})


async def changes_command(turn: Asking) -> None:
    """Takes back what it asked for: it is told “no”, and asks again."""
    await turn.cue(ASK)
    asking = asyncio.create_task(turn.ask(command(turn, "call")))
    await turn.cue(CHANGE)
    await _update(turn, command(turn, "call", "other"))
    await asking
    await turn.ask(command(turn, "call", "other"))


async def says_more(turn: Asking) -> None:
    """Says more about what it asked for, and goes on waiting."""
    await turn.cue(ASK)
    first = command(turn, "call")
    asking = asyncio.create_task(turn.ask(first))
    await turn.cue(CHANGE)
    await _update(turn, {**first, "rawInput": {**first["rawInput"], "cwd": "/elsewhere"}})
    await asking


async def asks_otherwise(turn: Asking) -> None:
    """Sends the same request with another call in it: it is told “no”, once, and asks again."""
    await turn.cue(ASK)
    asking = asyncio.create_task(turn.ask(command(turn, "call"), number=7))
    await turn.cue(CHANGE)
    turn.note("changed")
    again = asyncio.create_task(turn.ask(command(turn, "another"), number=7))
    await asking
    again.cancel()
    await turn.ask(command(turn, "another"))


async def _update(turn: Asking, call: Json) -> None:
    turn.note("changed")
    await turn.tell({"sessionUpdate": "tool_call_update", **call})


def _then_done(asks: Callable[[Asking], Awaitable[None]]) -> Callable[[Asking], Awaitable[Outcome]]:
    async def role(turn: Asking) -> Outcome:
        await asks(turn)
        await turn.say("It is done as far as I was allowed to.")
        return "end_turn"

    return role


PLAIN = (asks_diff, asks_command, asks_by_id, asks_two)
CHANGING = (changes_command, says_more, asks_otherwise)
ASKING = {asks.__name__: _then_done(asks) for asks in (*PLAIN, *CHANGING, asks_nobody)}


def parts(names: list[str]) -> dict[str, str]:
    """Who plays which role: a sixth changes what it asked for, a tenth is left alone, the rest just ask."""
    changing, alone = max(len(names) // 6, 3), max(len(names) // 10, 2)
    plain = [PLAIN[number % len(PLAIN)] for number in range(len(names) - changing - alone)]
    roles = [CHANGING[number % len(CHANGING)] for number in range(changing)] + [asks_nobody] * alone + plain
    return {name: role.__name__ for name, role in zip(names, roles, strict=True)}
