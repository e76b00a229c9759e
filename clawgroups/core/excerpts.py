"""Looking for words: how what is typed becomes words, and what of a text is shown where they stand."""

from __future__ import annotations

import re

LONGEST_QUERY = 200
MOST_WORDS = 8
WIDTH = 220
LEAD = 60


def words_of(query: str) -> tuple[str, ...]:
    """The words that are looked for: the first ones, each once, whatever their case."""
    said = "".join(sign if sign.isprintable() else " " for sign in query[:LONGEST_QUERY])
    return tuple({word.casefold(): word for word in said.split()}.values())[:MOST_WORDS]


def spellings(word: str) -> tuple[str, ...]:
    """The cases in which a word is looked for where a database folds those of ASCII letters only."""
    if word.isascii():
        return (word,)
    return tuple(dict.fromkeys((word, word.lower(), word.upper(), word.capitalize())))


def excerpt(text: str, words: tuple[str, ...], width: int = WIDTH) -> list[tuple[str, bool]]:
    """A part of `text` on one line around the first of the words: pieces, and whether each is one of them."""
    line = " ".join(text.split())
    pattern = re.compile("|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)), re.IGNORECASE)
    first = pattern.search(line) if words else None
    start = max(0, first.start() - LEAD) if first and first.start() > width - LEAD else 0
    shown = line[start : start + width]
    pieces: list[tuple[str, bool]] = [("…", False)] if start else []
    at = 0
    for hit in pattern.finditer(shown) if words else ():
        pieces += [(shown[at : hit.start()], False), (hit.group(), True)]
        at = hit.end()
    pieces += [(shown[at:], False)]
    if start + width < len(line):
        pieces.append(("…", False))
    return [(part, hit) for part, hit in pieces if part]
