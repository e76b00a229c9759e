"""Coming in by the code of a copied line: a key is made here, kept, and brought to the server.

The key is kept before it is sent, under the code: when the answer is lost, the same line goes on with the same key.
When the server says no, it is kept no longer.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from agents.connector import faults, wire
from agents.connector.backoff import retry_delay
from agents.connector.exits import REFUSED, UNREACHABLE, Wrong
from agents.connector.keys import KeyFile
from agents.connector.posting import Answer, Unanswered, post
from agents.protocol import codes

TRIES = 4
SHOWN = 500
_PASSING = frozenset({408, 425, 500, 502, 503, 504})
_REFUSALS = frozenset({"unknown_code", "code_used", "code_expired", "already_exists", "invalid"})


@dataclass(frozen=True)
class Enrolled:
    """Whom this machine has come in as; `launcher` is the program that its owner chose, or empty."""

    key: str = field(repr=False)
    agent: str
    name: str
    handle: str
    launcher: str


class _Refused(Exception):
    """The server will not take this key by this code."""


def code_of(typed: str) -> str:
    """The code that was typed or copied. Raises Wrong where it is none."""
    code = codes.read_code(typed)
    if not codes.is_code(code):
        raise Wrong("that is not a code: it has four groups of four letters and digits. Copy the whole line again")
    return code


@dataclass(frozen=True)
class Door:
    """A server to come in at (`wire.socket_address`), and where keys are kept. `scale` stretches the waiting times."""

    address: str
    keys: KeyFile
    say: Callable[[str], None]
    scale: float = 1.0

    def enrol(self, typed: str, name: str = "") -> Enrolled:
        """Bring a key by a code, and remember it under `name`. Blocking; raises Wrong, saying what to do."""
        code = code_of(typed)
        slot = _slot(code)
        kept = self.keys.find(self.address, slot)
        key = kept if kept is not None and codes.is_key(kept) else codes.new_key()
        self._keep(slot, key)
        try:
            enrolled = self._brought(code, key)
        except _Refused as refused:
            self._forget(slot)
            raise Wrong(f"the server does not take the code: {refused}", REFUSED) from None
        except Unanswered as fault:
            # What never arrived need not be kept, unless an earlier start has sent it.
            if kept is None and not fault.arrived:
                self._forget(slot)
            raise Wrong(str(fault), UNREACHABLE) from None
        for one in {name, name or enrolled.handle}:
            self._keep(one, key)
        self.say(f"let in as {enrolled.name} (@{enrolled.handle}); the key is kept in {self.keys.path}")
        return enrolled

    def _keep(self, name: str, key: str) -> None:
        try:
            self.keys.remember(self.address, name, key)
        except OSError as problem:
            raise Wrong(
                f"the key cannot be kept in {self.keys.path} ({problem.strerror or problem}); "
                "make room or change the rights there, or name another folder in XDG_CONFIG_HOME"
            ) from None

    def _forget(self, slot: str) -> None:
        with suppress(OSError):
            self.keys.forget(self.address, slot)

    def _brought(self, code: str, key: str) -> Enrolled:
        """Send it, and again where that failed for a passing reason. Raises _Refused and Unanswered."""
        arrived = False
        for attempt in range(1, TRIES + 1):
            try:
                answer = post(wire.web_address(self.address, codes.PATH), {"code": code, "key": key})
                return _read(answer, key, wire.web_address(self.address))
            except Unanswered as fault:
                arrived = arrived or fault.arrived
                if attempt == TRIES or not fault.passing:
                    fault.arrived = arrived
                    raise
            if attempt == 1:
                self.say("the server does not answer yet; trying again")
            time.sleep(retry_delay(attempt, self.scale))
        raise AssertionError("the last try returns or raises")


def _read(answer: Answer, key: str, host: str) -> Enrolled:
    """What the server's answer says. Raises _Refused and Unanswered."""
    said, status = answer.said, answer.status
    if status == 200 and {"agent", "name", "handle"} <= said.keys():
        told = {one: _shown(said.get(one)) for one in ("agent", "name", "handle", "launcher")}
        return Enrolled(key=key, **told)
    if said.get("code") in _REFUSALS:
        raise _Refused(wire.sentence(_shown(said.get("detail"))))
    if status == 429:
        raise Unanswered(wire.sentence(_shown(said.get("detail") or "too much is asked of the server; wait a minute")))
    if status in _PASSING or said.get("code") == "conflict":
        text = f"{host} cannot take the code now (it answered {status}); start the same line again in a moment"
        raise Unanswered(text, passing=True, arrived=True)
    if answer.location:
        raise Unanswered(faults.answered(status, _shown(answer.location)).text)
    raise Unanswered(f"{host} answered {status}, as no Claw Groups server of this version does: check the address")


def _shown(said: object) -> str:
    """Text from elsewhere, as it may stand on a terminal."""
    return "".join(one if one.isprintable() else " " for one in str(said or ""))[:SHOWN]


def _slot(code: str) -> str:
    """The name under which the key of a code is kept: not the code itself, which is a secret for its hour."""
    return f"code:{hashlib.sha256(code.encode()).hexdigest()[:16]}"
