"""What the owner of an agent's machine allows there, as its connector announced it: kept, and read to be shown. Pure.

It comes from a stranger, and nothing here is decided by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clawgroups.core.shrinking import shrunk_text

ANSWERS = ("never", "ask-here", "ask", "allow")
CONDITIONS = ("kind", "path", "command")
MOST_RULES = 50
MOST_TEXTS = 20
LONGEST = 200
MOST_SAID = 16_000


@dataclass(frozen=True, slots=True)
class Line:
    """A rule: one of `ANSWERS`, and for which kinds, paths and commands it is; for all, where none is named."""

    answer: str
    kinds: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MachinePolicy:
    """Rules in their order, how many more there are, and what is answered where none speaks."""

    lines: tuple[Line, ...]
    more: int
    otherwise: str

    @property
    def asks_always(self) -> bool:
        """Whether everything is put to the workspace."""
        return self.otherwise == "ask" and not self.more and all(line.answer == "ask" for line in self.lines)


def kept(said: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of an announcement, bounded."""
    given = said.get("rules")
    listed = [one for one in given if isinstance(one, Mapping)] if isinstance(given, list) else []
    rules: list[dict[str, Any]] = []
    left = MOST_SAID
    for one in listed[:MOST_RULES]:
        conditions = {key: texts for key in CONDITIONS if (texts := _texts(one, key))}
        left -= sum(len(text) + 4 for texts in conditions.values() for text in texts)
        if left < 0:
            break
        rules.append({"answer": _answer(one.get("answer")), **conditions})
    more = said.get("more")
    told = more if isinstance(more, int) and not isinstance(more, bool) and 0 < more < 10_000 else 0
    return {"rules": rules, "more": told + len(listed) - len(rules), "otherwise": _answer(said.get("otherwise"))}


def read(client: Any) -> MachinePolicy | None:
    """The policy that is kept with a connection; None where it told none."""
    said = client.get("policy") if isinstance(client, Mapping) else None
    if not isinstance(said, Mapping):
        return None
    known = kept(said)
    lines = [Line(one["answer"], *(tuple(one.get(key, ())) for key in CONDITIONS)) for one in known["rules"]]
    return MachinePolicy(tuple(lines), known["more"], known["otherwise"])


def _answer(given: Any) -> str:
    return given if isinstance(given, str) and given in ANSWERS else "ask"


def _texts(rule: Mapping[str, Any], key: str) -> list[str]:
    given = rule.get(key)
    texts = [one for one in given if isinstance(one, str)] if isinstance(given, list) else []
    return [shrunk_text(" ".join(one.split()), LONGEST) for one in texts[:MOST_TEXTS] if one.strip()]
