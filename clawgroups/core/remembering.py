"""Words of notes, and which notes fit them best. Pure, so that both databases find and order the same.

A database only says which notes have any of the words (`models.memory`); how well each fits is said here.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log
from typing import Generic, TypeVar
from uuid import UUID

from clawgroups.core.tokens import tokens

LONGEST_WORD = 40
MOST_WORDS = 60  # of what is looked for
MOST_READ = 20_000  # characters of it
SHORTEST_BEGINNING = 3  # letters of a word by which longer ones are found
IN_KEY = 3.0  # a word of the key says as much as so many of the text
# Signs of private use: no word begins with them, so that nothing which is looked for can be one of these marks.
_ROOM, _NOTE = "\ue000", "\ue001"
_WORD = re.compile(r"[^\W_]+")
# Scripts that are written without blanks are found by pairs of their signs.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")

K = TypeVar("K")


def words_of(text: str) -> list[str]:
    """The words of a text, in order, as they are compared: without case, accents and an English plural's s."""
    found: list[str] = []
    for word in _WORD.findall(_folded(text)):
        at = 0
        for run in _UNSPACED.finditer(word):
            found += _plain(word[at : run.start()])
            found += _pairs(run.group())
            at = run.end()
        found += _plain(word[at:])
    return found


def _folded(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", "".join(sign for sign in apart if not unicodedata.combining(sign)))


def _plain(word: str) -> list[str]:
    if not word:
        return []
    is_plural = len(word) > 3 and word.isascii() and word.endswith("s") and not word.endswith("ss")
    return [(word[:-1] if is_plural else word)[:LONGEST_WORD]]


def _pairs(run: str) -> list[str]:
    return [run[n : n + 2] for n in range(len(run) - 1)] or [run]


def indexed(note_id: UUID, workspace_id: UUID, key: str, text: str) -> str:
    """What a database looks for words in: a mark of the workspace and of the note, then each word once."""
    words = dict.fromkeys(words_of(f"{key}\n{text}"))
    return " ".join((f"{_ROOM}{workspace_id.hex}", f"{_NOTE}{note_id.hex}", *words))


def room_mark(workspace_id: UUID) -> str:
    """The word that all notes of a workspace have, and no others."""
    return f"{_ROOM}{workspace_id.hex}"


def looked_for(text: str) -> tuple[str, ...]:
    """The words that a question or a task is asked for by: each once, the first ones."""
    return tuple(dict.fromkeys(words_of(text[:MOST_READ])))[:MOST_WORDS]


@dataclass(frozen=True, slots=True)
class Candidate(Generic[K]):
    """A note that may be offered. `words`: as `indexed`. `near`: 2 for this task, 1 for this agent, 0 for everybody."""

    note: K
    key: str
    words: str
    near: int = 0


def best_first(found: Sequence[Candidate[K]], words: Sequence[str]) -> list[Candidate[K]]:
    """The notes in the order in which they fit: a rare word says more than one that many have, one of the key more.

    Among equals what is nearer comes first, then as they were given.
    """
    has = [_hits(one, words) for one in found]
    common = {word: sum(1 for hits in has if hits[word]) for word in words}
    rare = {word: log(1 + (len(found) + 1) / (number + 0.5)) for word, number in common.items()}
    score = [sum(rare[word] * hit for word, hit in hits.items()) for hits in has]
    order = sorted(range(len(found)), key=lambda n: (-score[n], -found[n].near, n))
    return [found[n] for n in order]


def _hits(one: Candidate[K], words: Sequence[str]) -> dict[str, float]:
    key, whole = sorted(set(words_of(one.key))), sorted(one.words.split(" "))
    return {word: (_is_in(word, whole) and 1 + IN_KEY * _is_in(word, key)) for word in words}


def _is_in(word: str, ordered: Sequence[str]) -> bool:
    """Whether the word is among these, or a longer one that begins with it."""
    place = bisect_left(ordered, word)
    if place == len(ordered):
        return False
    return ordered[place] == word or (len(word) >= SHORTEST_BEGINNING and ordered[place].startswith(word))


def within(texts: Iterable[tuple[K, str]], budget: int) -> tuple[list[K], int]:
    """Of texts in order those that a budget of tokens has room for, and how many are left out.

    One that is too long leaves its room to shorter ones after it.
    """
    taken: list[K] = []
    left, out = budget, 0
    for one, text in texts:
        size = tokens(text)
        if size > left:
            out += 1
            continue
        taken.append(one)
        left -= size
    return taken, out
