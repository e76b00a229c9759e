"""When talk among agents stops: it is capped by turns, and by whether it still brings something new. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

MOST_TURNS = 8
"""Answers of agents to agents, since a person last spoke."""
ALIKE = 0.8
"""The share of words, three by three, that two messages have in common when one only repeats the other."""
BACK_AND_FORTH = 4
"""Turns between the same two in which something new must come up."""
NEW = 0.2
"""The share of words in these turns that nobody had said before them, or at least in the last of them."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Turn:
    """What somebody said. `author` tells them apart."""

    author: str
    text: str


def held_up(turns: Sequence[Turn]) -> str:
    """Why nobody is woken by the last of these turns of agents, oldest first, without a person between; "": go on."""
    if len(turns) >= MOST_TURNS:
        return f"Agents have answered each other {len(turns)} times without a person."
    last, before = turns[-1], turns[:-1]
    if any(one.author == last.author and _alike(one.text, last.text) >= ALIKE for one in before):
        return f"{last.author} says the same again."
    rally = turns[-BACK_AND_FORTH:]
    if len(rally) == BACK_AND_FORTH and _is_ping_pong(rally) and _share_of_new(rally) < NEW:
        return f"{rally[-2].author} and {last.author} answer each other, and nothing new comes up."
    return ""


def _is_ping_pong(turns: Sequence[Turn]) -> bool:
    authors = [one.author for one in turns]
    return len(set(authors)) == 2 and all(one != other for one, other in pairwise(authors))


def _share_of_new(turns: Sequence[Turn]) -> float:
    """Of the words of the last two turns: how many stood in none of the turns before them."""
    earlier = set().union(*(_words(one.text) for one in turns[:-2]))
    latest = set().union(*(_words(one.text) for one in turns[-2:]))
    return len(latest - earlier) / len(latest) if latest else 0.0


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text)}


def _alike(one: str, other: str) -> float:
    first, second = _shingles(one), _shingles(other)
    both = first | second
    return len(first & second) / len(both) if both else 1.0


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = [word.casefold() for word in _WORD.findall(text)]
    return {tuple(words[at : at + 3]) for at in range(max(len(words) - 2, 1))} if words else set()
