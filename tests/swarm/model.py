"""Models in the place of one: how they sum up, well and badly."""

from __future__ import annotations

import random
import re
from typing import Any

from agents.llm.base import Request
from agents.swarm.handover import SCHEMA
from tests.swarm.play import calls

Json = dict[str, Any]
_FACT = re.compile(r"^\[([A-Z]\d+)\] (.*)$", re.MULTILINE)


def summed_up(request: Request) -> Json:
    """A good summary: every fact that was listed, word for word."""
    asked = request.messages[-1].text.rpartition("# The facts to keep")[2].partition("# An earlier summary")[0]
    kept = [{"id": pk, "text": text} for pk, text in _FACT.findall(asked)]
    return {"kept": kept, "done": ["Went on with it."], "next": "Go on."}


class Forgetful:
    """Writes parts, and sums up badly in every second case, each time in another way."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.bad = self.parts = 0

    def __call__(self, request: Request) -> Any:
        if request.schema is not SCHEMA:
            self.parts += 1
            return calls(("write_file", {"name": f"part-{self.parts}.md", "text": "lorem ipsum " * 80}))
        said = summed_up(request)
        return self.spoiled(said) if self.dice.random() < 0.5 else said

    def spoiled(self, said: Json) -> Any:
        """Something is lost, changed or made up."""
        self.bad += 1
        at = self.dice.randrange(len(said["kept"]))
        fact = said["kept"][at]
        match self.dice.randrange(6):
            case 0:
                return {**said, "kept": [one for one in said["kept"] if one is not fact]}
            case 1:
                changed = {**fact, "text": fact["text"][:-1] + "!?"}
                return {**said, "kept": [changed if one is fact else one for one in said["kept"]]}
            case 2:
                return {**said, "kept": [*said["kept"], {"id": "R99", "text": "Anything goes."}]}
            case 3:
                return {**said, "done": ["The total is 4711.25."]}
            case 4:
                return "I am afraid I cannot say."
            case _:
                return {**said, "done": [], "next": ""}
