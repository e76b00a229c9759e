"""What a task says in lines: “File: …” before the facts, then “- name: value” for each fact."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath

KNOWN = "what is known"
_KEY = re.compile(r"^([A-Z][a-z]{2,15}):\s*(.*)$")
_FACT = re.compile(r"^[-*]\s+([^:\n]{1,100}):\s+(.+)$")
_UNSAFE = re.compile(r"[^\w.-]+")


@dataclass(frozen=True)
class Told:
    """The lines of a task's instructions that are data."""

    keys: dict[str, str] = field(default_factory=dict)
    facts: tuple[tuple[str, str], ...] = ()

    def get(self, key: str, otherwise: str = "") -> str:
        """What stands behind a key."""
        return self.keys.get(key) or otherwise

    def file(self, otherwise: str, suffix: str) -> str:
        """The name of the file to make, as one that can be written: never a path."""
        name = _UNSAFE.sub("-", PurePosixPath(self.get("File", otherwise)).name).strip(".-") or otherwise
        return name if name.lower().endswith(suffix) else f"{name}{suffix}"


def read_told(instructions: str) -> Told:
    """Read instructions; of a key that comes twice the first counts."""
    keys: dict[str, str] = {}
    facts: list[tuple[str, str]] = []
    behind = False
    for line in instructions.splitlines():
        text = line.strip()
        if text.rstrip(":").casefold().startswith(KNOWN):
            behind = True
        elif behind and (fact := _FACT.match(text)):
            facts.append((fact[1].strip(), fact[2].strip()))
        elif not behind and (key := _KEY.match(text)):
            keys.setdefault(key[1], key[2].strip())
    return Told(keys, tuple(facts))
