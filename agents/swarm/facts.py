"""What must survive whatever is forgotten: task, rules, acceptance, people's words, files, open points. Pure.

They are kept here, word for word, and put into every context by us. A model that sums a conversation up has to say
them again, by which one sees whether it still knows what it is about: see `faults_of`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """The letter that a fact's id begins with. In the order in which they are shown."""

    RULE = "R"
    ACCEPTANCE = "A"
    INSTRUCTION = "I"
    OPEN = "O"
    FILE = "F"
    TASK = "T"


HEADINGS = {
    Kind.RULE: "Rules of the workspace, which hold for everything you do",
    Kind.ACCEPTANCE: "It is accepted when",
    Kind.INSTRUCTION: "What you were told about it, by people and in review",
    Kind.OPEN: "Points that are still open",
    Kind.FILE: "Files that you made",
    Kind.TASK: "Your task",
}
LONGEST = 400
# Of files the newest so many are named; the tool `list_files` has them all.
MOST_FILES = 200
# So many characters of facts a model has to say again; the rest is carried without asking it.
MOST_ASKED = 12_000
_SENTENCE = re.compile(r"(?<=[.;:!?]) ")
_NUMBER = re.compile(r"\d[\d.,]*\d")
_FILE = re.compile(r"\b[\w-]{2,}(?:[./][\w-]+)*\.[A-Za-z]{2,5}\b")


@dataclass(frozen=True, slots=True)
class Fact:
    """One of them, under an id that it keeps."""

    id: str
    kind: Kind
    text: str


class Facts:
    """Those of one session."""

    def __init__(self) -> None:
        self._kept: dict[Kind, dict[str, Fact]] = {kind: {} for kind in Kind}
        self._numbers = dict.fromkeys(Kind, 0)

    def put(self, kind: Kind, texts: Iterable[str]) -> None:
        """These are all there are of a kind from now on; what was there before keeps its id."""
        before, self._kept[kind] = self._kept[kind], {}
        for piece in (piece for text in texts for piece in pieces_of(text)):
            self._kept[kind][piece] = before.get(piece) or self._new(kind, piece)

    def add(self, kind: Kind, text: str) -> None:
        """One more, unless it is there."""
        for piece in pieces_of(text):
            if piece not in self._kept[kind]:
                self._kept[kind][piece] = self._new(kind, piece)
        if kind is Kind.FILE and len(self._kept[kind]) > MOST_FILES:
            self._kept[kind].pop(next(iter(self._kept[kind])))

    def of(self, kind: Kind) -> list[Fact]:
        """Those of a kind, oldest first."""
        return list(self._kept[kind].values())

    def __iter__(self) -> Iterator[Fact]:
        return (fact for kind in Kind for fact in self._kept[kind].values())

    def asked(self) -> list[Fact]:
        """Those that a model has to say again: the first so many, in the order of their kinds."""
        found, size = [], 0
        for fact in self:
            size += len(fact.text)
            if size > MOST_ASKED:
                break
            found.append(fact)
        return found

    def shown(self) -> str:
        """All of them as text, each with its id."""
        return "\n\n".join(
            "\n".join((f"## {HEADINGS[kind]}", *(f"[{fact.id}] {fact.text}" for fact in kept.values())))
            for kind, kept in self._kept.items()
            if kept
        )

    def _new(self, kind: Kind, text: str) -> Fact:
        self._numbers[kind] += 1
        return Fact(f"{kind}{self._numbers[kind]}", kind, text)


def pieces_of(text: str) -> Iterator[str]:
    """A text as single lines of a length that can be said again, blanks made one."""
    for line in text.splitlines():
        said = " ".join(line.lstrip("> ").split())
        while len(said) > LONGEST:
            ends = [found.start() for found in _SENTENCE.finditer(said, LONGEST // 4, LONGEST)]
            cut = ends[-1] if ends else said.rfind(" ", LONGEST // 2, LONGEST)
            cut = cut if cut > 0 else LONGEST
            yield said[:cut].strip()
            said = said[cut:].strip()
        if said:
            yield said


def faults_of(said: Any, facts: Facts, before: str) -> list[str]:
    """What is wrong with a summary of what stood `before`: facts that are lost, changed or made up. Empty: nothing."""
    if not isinstance(said, Mapping) or not isinstance(said.get("kept"), list):
        return ["It has not the form that was asked for."]
    kept = {str(one.get("id")): str(one.get("text")) for one in said["kept"] if isinstance(one, Mapping)}
    known = {fact.id: fact.text for fact in facts}
    found = [f"{fact.id} is lost." for fact in facts.asked() if fact.id not in kept]
    found += [f"{pk} was changed." for pk, text in kept.items() if pk in known and _plain(text) != _plain(known[pk])]
    found += [f"{pk[:20]} is made up: there is none." for pk in kept if pk not in known]
    told = words_of(said)
    if not told.strip():
        found.append("It does not say what was done.")
    return found + _made_up(told, f"{before}\n{facts.shown()}")


def words_of(said: Mapping[str, Any]) -> str:
    """What a summary says in its own words."""
    done = said.get("done")
    lines = [str(one) for one in done] if isinstance(done, list) else []
    return "\n".join([*lines, str(said.get("next") or "")])


def _made_up(told: str, before: str) -> list[str]:
    """Numbers and names of files that nobody has heard of. Of small numbers nothing is said: things are counted."""
    numbers = {_digits(one) for one in _NUMBER.findall(before)}
    wrong = [one for one in _NUMBER.findall(told) if len(one) > 2 and _digits(one) not in numbers]
    names = [one for one in _FILE.findall(told) if one.casefold() not in before.casefold()]
    return [f"{one[:80]} stands nowhere in what happened." for one in dict.fromkeys([*wrong, *names])]


def _plain(text: str) -> str:
    return " ".join(text.split())


def _digits(number: str) -> str:
    return number.replace(",", "").rstrip(".")
