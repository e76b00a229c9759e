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
from django.utils.translation import get_language, gettext, to_locale

from clawgroups.catalog.po import Entry, read

LONGEST = 2000  # characters of what is looked at
LONGEST_OF_PLAN = 8000
SURE = 16  # characters of its own by which a pattern is known for certain
DEEP = 3  # sentences in sentences
MOST_TOGETHER = 4  # sentences that one entry of the catalogue holds
_COLON = ": "
_PLACE = re.compile(r"(\{[a-z_0-9]*\})")
_BETWEEN = re.compile(r"(?<=[.!?]) (?=[A-Z“])")
_LIST = re.compile(r", |(?<=.)(?=; and \d)| and (?=\d+ more$)")
_NUMBER = re.compile(r"[\d,]+")
_QUOTED = re.compile(r"“[^”]*”")
_PHRASE = re.compile(
    r"[a-z] [a-z0-9“]|^(?:[a-z]+_)?[a-z]{4,}$|^[;,“] ?|^(?:Coordinator|Somebody|Nobody|[\d,]+ [a-z]+)$"
)
_UNIT = r"(?:days?|h|min|s)"
_DURATION = re.compile(rf"\d+ {_UNIT}(?: \d+ {_UNIT})*")
_PART = re.compile(rf"(\d+) ({_UNIT})")
_UNITS = {"day": "%d days", "days": "%d days", "h": "%d h", "min": "%d min", "s": "%d s"}
# What stands before a sentence in a message: the sign of a list, and whom it is to.
_BEFORE = re.compile(r"(?:[-*] )?(?:@[\w-]+: )?")


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

    def takes(self, values: list[str]) -> bool:
        """Whether these may be its values: no number is a word, and no sentence goes on where one ends."""
        places = zip(self.names, values, self.own[1:], strict=True)
        return not any(
            (after.startswith(".") and _BETWEEN.search(one)) or (name == "{n}" and not _NUMBER.fullmatch(one))
            for name, one, after in places
        )

    def said(self, values: list[str]) -> str:
        known = dict(zip(self.names, values, strict=True))
        return _PLACE.sub(lambda place: known.get(place[0], ""), self.translation)


@dataclass(frozen=True, slots=True)
class _Book:
    """All that one language has of it."""

    plain: dict[str, str]
    patterns: tuple[_Pattern, ...]


def say(text: object, *, sure: bool = False) -> str:
    """A text of the program in the language of whoever reads it now. `sure`: it may also be a model's, so that no
    short pattern will do to know it by."""
    said = str(text or "")
    language = get_language() or settings.LANGUAGE_CODE
    if language == settings.LANGUAGE_CODE or not said or len(said) > LONGEST:
        return said
    return _said(language, said, sure)


def say_lines(text: str, *, sure: bool = False) -> str:
    """A message of the program, line by line; whom a line is to stays before it, and quotes stay as they are."""
    lines = []
    for line in text.split("\n"):
        at = found.end() if (found := _BEFORE.match(line)) else 0
        is_quoted = line.startswith("> ")
        lines.append(line if is_quoted else line[:at] + say(line[at:], sure=sure))
    return "\n".join(lines)


def say_plan(text: object) -> str:
    """A title, or other words of a task or a goal: said in the reader's language where the product's own plans and
    templates say so. What a person, an agent or a model wrote stays as it is."""
    said = str(text or "")
    language = get_language() or settings.LANGUAGE_CODE
    if language == settings.LANGUAGE_CODE or not said or len(said) > LONGEST_OF_PLAN:
        return said
    return _planned(language, said)


@lru_cache(maxsize=8192)
def _said(language: str, text: str, sure: bool) -> str:
    return _told(_book(language, least=SURE if sure else 0), text, DEEP) or text


@lru_cache(maxsize=8192)
def _planned(language: str, text: str) -> str:
    # What was given stands in them as it was given: only what the product puts in its place is said as well.
    book, bare = _book(language, of_plans=True), text.strip()
    return _known(book, bare, 1) or _sentences(book, _BETWEEN.split(bare), 1) or text


def _told(book: _Book, text: str, deep: int) -> str | None:
    """The text in another language; None where nothing of it is known."""
    bare = text.strip()
    known = book.plain.get(bare) or _lasting(bare)
    if known is None and deep and len(parts := _LIST.split(bare)) > 1:
        known = _list(book, parts, deep - 1)
    if known is None:
        known = _known(book, bare, deep)
    if known is None and deep and len(parts := _BETWEEN.split(bare)) > 1:
        known = _sentences(book, parts, deep - 1)
    return known


def _list(book: _Book, parts: list[str], deep: int) -> str | None:
    """Several of a kind; titles among them stay as they are, unless the last is the rest of a sentence."""
    is_rest, known = parts[-1].endswith("."), list[str]()
    for part in parts:
        told = _told(book, part, deep) or (part if not is_rest and _QUOTED.fullmatch(part) else None)
        if told is None:
            return None
        known.append(told)
    return "、".join(known).replace("、；", "；") if known != parts else None


def _known(book: _Book, text: str, deep: int) -> str | None:
    """The text as one entry of the catalogue."""
    known = book.plain.get(text)
    for pattern in book.patterns if known is None and deep else ():
        values = pattern.values(text)
        if values is not None and pattern.takes(values):
            return pattern.said([_inner(book, value, deep) for value in values])
    return known


def _sentences(book: _Book, parts: list[str], deep: int) -> str | None:
    """Several sentences; some entries of the catalogue are more than one."""
    told: list[str] = []
    at, found = 0, False
    while at < len(parts):
        most = min(MOST_TOGETHER, len(parts) - at)
        for many in range(most, 0, -1):
            text = " ".join(parts[at : at + many])
            known = book.plain.get(text) if many > 1 else _told(book, text, deep)
            if known is not None:
                break
        found = found or known is not None
        told.append(known or f" {parts[at]} ")
        at += many
    return "".join(told).strip() if found else None


def _lasting(text: str) -> str | None:
    """A length of time, as `core.durations` says it."""
    if not _DURATION.fullmatch(text):
        return None
    return " ".join(gettext(_UNITS[unit]) % int(number) for number, unit in _PART.findall(text))


def _inner(book: _Book, value: str, deep: int) -> str:
    """What stands in a sentence: said as well where it is a phrase, and not a name."""
    told = _told(book, value, deep - 1) if _PHRASE.search(value) else _lasting(value)
    if told is None and deep and _COLON in value:
        name, _, rest = value.partition(_COLON)  # somebody, and why it is they
        said = _told(book, rest, deep - 1)
        told = f"{name}：{said}" if said is not None else None
    return told or value


@lru_cache(maxsize=8)
def _entries(language: str) -> tuple[Entry, ...]:
    path = Path(settings.LOCALE_PATHS[0]) / to_locale(language) / "LC_MESSAGES" / "django.po"
    return tuple(one for one in read(path) if one.is_pattern and one.translation) if path.exists() else ()


@lru_cache(maxsize=8)
def _book(language: str, *, of_plans: bool = False, least: int = 0) -> _Book:
    entries = [one for one in _entries(language) if not of_plans or one.is_of_plans]
    plain = {one.text: one.translation for one in entries if not _PLACE.search(one.text)}
    patterns = [_pattern(one.text, one.translation) for one in entries if _PLACE.search(one.text)]
    # Of two that fit, the one that says more by itself.
    return _Book(plain, tuple(sorted((one for one in patterns if one.weight >= least), key=lambda one: -one.weight)))


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
