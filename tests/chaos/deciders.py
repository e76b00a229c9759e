"""T22's people, each a client of the API that reads and answers; and agents that try to answer themselves."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from tests.chaos.asking import NOBODY
from tests.stories.script import Answer, Script

Json = dict[str, Any]
PATIENCE = 400.0
PAUSE = 0.1
AGAIN = (429, 500, 502, 503, 504)
# How often each answer is tried: an “always” now and then, which is kept as a rule of the workspace.
CHOICES = (("allow_once", 6), ("allow_always", 1), ("reject_once", 4))


@dataclass(frozen=True)
class Said:
    """What somebody answered, and was told."""

    approval: str
    option: str
    status: int
    code: str
    state: str

    @property
    def decided(self) -> bool:
        return self.status == 200 and self.state == "decided"


def patiently(act: Callable[[], Answer]) -> Answer:
    """The same request until the server answers it: it is killed and comes back meanwhile."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            answer = act()
            if answer.status not in AGAIN or time.monotonic() > until:
                return answer
        except (OSError, HTTPException):
            if time.monotonic() > until:
                raise
        time.sleep(PAUSE)


def reading(script: Script, workspace: str) -> list[Json]:
    """What is open now, but for what is left to expire."""
    found: list[Json] = []
    cursor = ""
    while True:
        path = f"/api/v1/approvals?state=open&workspace={workspace}&limit=200&cursor={cursor}"
        page = patiently(lambda path=path: script.ask("GET", path)).json  # type: ignore[misc]
        found += page["items"]
        if (cursor := page["next"]) is None:
            return [one for one in found if one["tool_call"].get("title") != NOBODY]


def answered(script: Script, one: Json, option: str) -> Said:
    """Answer what was looked at, with one key however often the request has to be sent."""
    pk, given = one["id"], {"option": option, "digest": one["digest"]}
    key = f"{script.token[-8:]}-{pk}-{option}"
    said = patiently(lambda: script.send("POST", f"/api/v1/approvals/{pk}", given, key=key))
    told = said.json if said.bytes else {}
    return Said(pk, option, said.status, str(told.get("code", "")), str(told.get("state", "")))


class Person(threading.Thread):
    """Answers what they have read, in an order of their own; then reads anew and answers that, until it is over."""

    def __init__(self, name: str, script: Script, workspace: str, seed: int) -> None:
        super().__init__(name=name, daemon=True)
        self.script, self.workspace = script, workspace
        self.said: list[Said] = []
        self.fault = ""
        self.over = threading.Event()
        self._dice = random.Random(f"{seed}:{name}")
        self._read = reading(script, workspace)
        self.begins_with = len(self._read)

    def run(self) -> None:
        try:
            while not self.over.is_set():
                self._dice.shuffle(self._read)
                for one in self._read:
                    self.said.append(answered(self.script, one, self._choice(one["options"])))
                self.over.wait(PAUSE)
                self._read = reading(self.script, self.workspace)
        except Exception as fault:  # noqa: BLE001  told in the row
            self.fault = f"{self.name}: {fault!r}"

    def _choice(self, options: Sequence[Json]) -> str:
        kind = self._dice.choices([kind for kind, _ in CHOICES], [weight for _, weight in CHOICES])[0]
        return str(next(one["optionId"] for one in options if one["kind"] == kind))


def tried_by_agents(url: str, keys: Sequence[str], open_ones: Sequence[Json]) -> list[Said]:
    """Every key tries to allow a question, of its own agent's or of another's."""
    tries = []
    for number, key in enumerate(keys):
        one = open_ones[number % len(open_ones)]
        allow = next(option["optionId"] for option in one["options"] if option["kind"] == "allow_once")
        tries.append(answered(Script(url, key), one, allow))
    return tries
