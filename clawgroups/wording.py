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


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A sentence with values in it: its longest part of its own, by which most others are told apart at once."""

    mark: str
    form: re.Pattern[str]
    names: tuple[str, ...]
    translation: str

    def said(self, text: str, deep: int) -> str | None:
        found = self.form.fullmatch(text) if self.mark in text else None
        if found is None:
            return None
        values = {name: _inner(value, deep) for name, value in zip(self.names, found.groups(), strict=True)}
        return _PLACE.sub(lambda place: values.get(place[0], place[0]), self.translation)


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
    for pattern in book.patterns if known is None and deep else ():
        known = pattern.said(bare, deep)
        if known is not None:
            break
    if known is None and len(parts := _BETWEEN.split(bare)) > 1:
        told = [_told(book, part, deep) for part in parts]
        known = "".join(one or part for one, part in zip(told, parts, strict=True)) if any(told) else None
    return known


def _inner(value: str, deep: int) -> str:
    """What stands in a sentence: said as well where it is a phrase, and not a name."""
    if not re.search(r"[a-z] [a-z0-9]|^(?:[a-z]+_)?[a-z]{4,}$|^; |^, ", value):
        return value
    return _told(_book(get_language() or settings.LANGUAGE_CODE), value, deep - 1) or value


@lru_cache(maxsize=8)
def _book(language: str) -> _Book:
    path = Path(settings.LOCALE_PATHS[0]) / to_locale(language) / "LC_MESSAGES" / "django.po"
    entries = [one for one in read(path) if one.is_pattern and one.translation] if path.exists() else []
    plain = {one.text: one.translation for one in entries if not _PLACE.search(one.text)}
    patterns = [_pattern(one.text, one.translation) for one in entries if _PLACE.search(one.text)]
    # Of two that fit, the one that says more by itself.
    return _Book(plain, tuple(sorted(patterns, key=lambda one: -len(_PLACE.sub("", one.form.pattern)))))


def _pattern(text: str, translation: str) -> _Pattern:
    parts = _PLACE.split(text)
    names = tuple(part for part in parts if _PLACE.fullmatch(part))
    own = [part for part in parts if not _PLACE.fullmatch(part)]
    form = "".join("(.*?)" if _PLACE.fullmatch(part) else re.escape(part) for part in parts)
    return _Pattern(max(own, key=len), re.compile(form, re.DOTALL), names, translation)
