"""Asks the person at this machine, where there is one: on the terminal, one question at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

if sys.platform != "win32":  # Nobody is asked there.
    import termios

MOST_SHOWN = 2000
# What moves a cursor, changes colours or turns the order of letters round could show another question than is asked.
_UNSHOWN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_MEANINGS = {
    "allow_once": "allow it this once",
    "allow_always": "allow it, and be asked no more by the agent",
    "reject_once": "reject it",
    "reject_always": "reject it, and be asked no more by the agent",
}
_SHORT = {"y": "allow_once", "yes": "allow_once", "n": "reject_once", "no": "reject_once"}

Option = Mapping[str, Any]


class Person(Protocol):
    """Whoever can be asked at this machine."""

    def is_there(self) -> bool:
        """Whether a question would be seen now."""

    async def ask(self, question: str, options: Sequence[Option], until: float) -> Option | None:
        """The option that was chosen, None when nobody did by `until` (the loop's time)."""


def shown(text: str, limit: int = MOST_SHOWN) -> str:
    """A text of the agent as it may be put on a terminal: its letters, and nothing that acts on the terminal."""
    cleaned = _UNSHOWN.sub("\ufffd", text)
    return cleaned if len(cleaned) <= limit else cleaned[: limit - 1] + "…"


def usable(options: Any) -> list[Option]:
    """The options that can be offered: each with an id of its own and a kind that is known."""
    listed = [one for one in options if isinstance(one, dict)] if isinstance(options, list) else []
    known: list[Option] = [o for o in listed if isinstance(o.get("optionId"), str) and o.get("kind") in _MEANINGS]
    ids = [one["optionId"] for one in known]
    return [one for one in known if ids.count(one["optionId"]) == 1][:9]


@dataclass(frozen=True, slots=True)
class Question:
    """What is put on the terminal."""

    text: str
    options: Sequence[Option]

    def __str__(self) -> str:
        lines = [self.text]
        for number, one in enumerate(self.options, 1):
            name = shown(str(one.get("name") or ""), 80).replace("\n", " ")
            lines.append(f"  {number}  {_MEANINGS[one['kind']]}" + (f" (“{name}”)" if name else ""))
        return "\n".join(lines)

    def meant(self, typed: str) -> Option | None:
        """The option that somebody means who types this."""
        typed = typed.strip().lower()
        if typed.isascii() and typed.isdigit() and 1 <= int(typed) <= len(self.options):
            return self.options[int(typed) - 1]
        of_kind = [one for one in self.options if one["kind"] == _SHORT.get(typed)]
        return of_kind[0] if len(of_kind) == 1 else None


class Terminal:
    """The terminal that this program was started from. Shared by all agents of the program."""

    def __init__(self, fd: int, say: Callable[[str], None]) -> None:
        self._fd = fd
        self._say = say
        self._turn = asyncio.Lock()
        self._typed = ""

    @classmethod
    def found(cls, say: Callable[[str], None]) -> Terminal | None:
        """The terminal, None where there is none: in a service, say."""
        if sys.platform == "win32":
            return None
        for fd in (0, 1, 2):
            # By its own name and once more: not all that a system can wait for can be waited for as /dev/tty.
            with contextlib.suppress(OSError):
                return cls(os.open(os.ttyname(fd), os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK), say)
        return None

    def is_there(self) -> bool:
        """See `Person.is_there`. A job in the background would be stopped if it read from its terminal."""
        try:
            return os.isatty(self._fd) and os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:
            return False

    def close(self) -> None:
        """Ask nobody any more."""
        with contextlib.suppress(OSError):
            os.close(self._fd)

    async def ask(self, question: str, options: Sequence[Option], until: float) -> Option | None:
        """See `Person.ask`."""
        asked = Question(question, options)
        try:
            async with asyncio.timeout_at(until), self._turn:
                return await self._answer(asked, until) if self.is_there() else None
        except (TimeoutError, OSError, ValueError):
            return None

    async def _answer(self, asked: Question, until: float) -> Option | None:
        loop = asyncio.get_running_loop()
        lines: asyncio.Queue[str | None] = asyncio.Queue()
        # What was typed before there was a question is no answer to it.
        with contextlib.suppress(termios.error):
            termios.tcflush(self._fd, termios.TCIFLUSH)
        self._typed = ""
        self._say(f"{asked}\n  a number and Enter; after {until - loop.time():.0f} s the workspace is asked")
        loop.add_reader(self._fd, self._read, lines)
        try:
            while (line := await lines.get()) is not None:
                if (option := asked.meant(line)) is not None:
                    return option
                self._say(f"please type a number from 1 to {len(asked.options)}")
            return None
        finally:
            loop.remove_reader(self._fd)

    def _read(self, lines: asyncio.Queue[str | None]) -> None:
        try:
            data = os.read(self._fd, 4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            lines.put_nowait(None)
            return
        *whole, self._typed = (self._typed + data.decode("utf-8", "replace"))[-4096:].split("\n")
        for line in whole:
            lines.put_nowait(line)
