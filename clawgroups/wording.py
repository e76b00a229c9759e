"""What the program says in English, said in the reader's language.

Errors, reasons and stories are made, kept and sent to programs in English, with names and numbers in them. The
catalogue knows their patterns (`clawgroups.catalog`): a page knows a sentence again by its pattern, and says it with
the same names and numbers. What nobody knows, as what a person wrote, stays as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.utils.translation import get_language, to_locale

from clawgroups.catalog.po import read

LONGEST = 2000  # characters of what is looked at
DEEP = 3  # sentences in sentences
_PLACE = re.compile(r"(\{[a-z_0-9]*\})")
_BETWEEN = re.compile(r"(?<=[.!?]) (?=[A-Z“])")
_LIST = re.compile(r", (?=“)|(?<=.)(?=; and \d)")
_PHRASE = re.compile(r"[a-z] [a-z0-9“]|^(?:[a-z]+_)?[a-z]{4,}$|^[;,“] ?")


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A sentence with values in it: what stands around them, and their names; values side by side are one."""

    own: tuple[str, ...]
    names: tuple[str, ...]
    translation: str

    @property
    def weight(self) -> int:
        """How much it says by itself."""
        return sum(map(len, self.own))

    def values(self, text: str) -> list[str] | None:
        """The values of a text that has this pattern. Looks at each place once, however the text is made."""
        first, last = self.own[0], self.own[-1]
        if not (text.startswith(first) and text.endswith(last)) or len(text) < self.weight:
            return None
        found, at, end = [], len(first), len(text) - len(last)
        for part in self.own[1:-1]:
            place = text.find(part, at, end)
            if place < 0:
                return None
            found.append(text[at:place])
            at = place + len(part)
        return [*found, text[at:end]] if at <= end else None

    def said(self, values: list[str]) -> str:
        known = dict(zip(self.names, values, strict=True))
        return _PLACE.sub(lambda place: known.get(place[0], ""), self.translation)


@dataclass(frozen=True, slots=True)
class _Book:
    """All that one language has of it."""

    plain: dict[str, str]
    patterns: tuple[_Pattern, ...]


def say(text: object) -> str:
    """A text of the program in the language of whoever reads it now."""
    said = str(text or "")
    language = get_language() or settings.LANGUAGE_CODE
    if language == settings.LANGUAGE_CODE or not said or len(said) > LONGEST:
        return said
    return _said(language, said)


@lru_cache(maxsize=8192)
def _said(language: str, text: str) -> str:
    return _told(_book(language), text, DEEP) or text


def _told(book: _Book, text: str, deep: int) -> str | None:
    """The text in another language; None where nothing of it is known."""
    bare = text.strip()
    known = book.plain.get(bare)
    if known is None and deep and len(parts := _LIST.split(bare)) > 1:
        told = [_told(book, part, deep - 1) for part in parts]
        known = "、".join(one for one in told if one).replace("、；", "；") if all(told) else None
    for pattern in book.patterns if known is None and deep else ():
        values = pattern.values(bare)
        if values is not None:
            return pattern.said([_inner(book, value, deep) for value in values])
    if known is None and deep and len(parts := _BETWEEN.split(bare)) > 1:
        told = [_told(book, part, deep - 1) for part in parts]
        known = "".join(one or part for one, part in zip(told, parts, strict=True)) if any(told) else None
    return known


def _inner(book: _Book, value: str, deep: int) -> str:
    """What stands in a sentence: said as well where it is a phrase, and not a name."""
    return (_told(book, value, deep - 1) if _PHRASE.search(value) else None) or value


@lru_cache(maxsize=8)
def _book(language: str) -> _Book:
    path = Path(settings.LOCALE_PATHS[0]) / to_locale(language) / "LC_MESSAGES" / "django.po"
    entries = [one for one in read(path) if one.is_pattern and one.translation] if path.exists() else []
    plain = {one.text: one.translation for one in entries if not _PLACE.search(one.text)}
    patterns = [_pattern(one.text, one.translation) for one in entries if _PLACE.search(one.text)]
    # Of two that fit, the one that says more by itself.
    return _Book(plain, tuple(sorted(patterns, key=lambda one: -one.weight)))


def _pattern(text: str, translation: str) -> _Pattern:
    parts = _PLACE.split(text)
    own, names = [parts[0]], list[str]()
    for name, part in zip(parts[1::2], parts[2::2], strict=True):
        # What stands side by side cannot be told apart: the first is all of it.
        if names and not own[-1]:
            own[-1] = part
        else:
            names.append(name)
            own.append(part)
    return _Pattern(tuple(own), tuple(names), translation)
