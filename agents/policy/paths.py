"""Where a path in a request really leads, and patterns for places. Pure: a `Machine` follows the links."""

from __future__ import annotations

import fnmatch
import ntpath
import posixpath
import re
import unicodedata
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Self

from agents.policy.machine import Machine

LONGEST = 4096
# A shell or a tool may make something else of these than the file of that very name.
_UNCLEAR = re.compile(r"[\x00-\x1f\x7f*?$`'\"\ud800-\udfff]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")

Segments = tuple[re.Pattern[str] | None, ...]
"""Of a pattern; None stands for `**`."""


@dataclass(frozen=True, slots=True)
class Place:
    """A path made absolute: as it is written (`..` taken out), and where it leads once every link is followed.

    Both with slashes, on Windows too.
    """

    written: str
    real: str


def place_of(text: str, base: Place | None, machine: Machine) -> Place | None:
    """Where `text` leads for one who works in `base`; None when that is not sure."""
    if text.startswith("file:"):
        text = _of_url(text)
    if not text or len(text) > LONGEST or text != text.strip() or _UNCLEAR.search(text) or _SCHEME.match(text):
        return None
    if "\\" in text and not machine.windows:
        return None
    target: str | None = text
    if text[0] == "~":
        if text != "~" and not text.startswith("~/"):
            return None
        target = machine.expanded(text)
    if target is not None and not _way(machine).isabs(target):
        target = None if base is None else _way(machine).join(base.real, target)
    return None if target is None else absolute(target, machine)


def _of_url(url: str) -> str:
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return ""
    return urllib.parse.unquote(parts.path) if parts.netloc in ("", "localhost") else ""


def absolute(path: str, machine: Machine) -> Place | None:
    """An absolute path as a place; None when the machine cannot follow it."""
    try:
        return Place(_slashed(_way(machine).normpath(path), machine), _slashed(machine.real(path), machine))
    except (OSError, ValueError):
        return None


def is_within(place: Place | None, base: Place | None) -> bool:
    """Whether a place surely lies in a folder, or is it."""
    return place is not None and base is not None and f"{place.real}/".startswith(f"{base.real}/")


def _way(machine: Machine) -> ModuleType:
    return ntpath if machine.windows else posixpath


def _slashed(path: str, machine: Machine) -> str:
    return path.replace("\\", "/") if machine.windows else path


@dataclass(frozen=True, slots=True)
class PathPattern:
    """`src/*.py`, `~/.ssh`, `/etc`, `*.pem`: a place and all that lies below it.

    `*` and `?` stand for characters of one name, `**` for any number of folders. A relative pattern starts at the
    session's work directory; a name without a slash lies at any depth.
    """

    text: str
    _exact: Segments | None
    """None where it is not known which place is meant."""
    _folded: tuple[Segments, ...]
    _anchored: bool
    _named: bool

    @classmethod
    def read(cls, text: str, machine: Machine) -> Self:
        """Raises ValueError with what is wrong with it."""
        if not text or len(text) > LONGEST or re.search(r"[\x00-\x1f\x7f]", text):
            raise ValueError(f"{text!r} is no pattern for paths")
        whole = machine.expanded(text) if text[0] == "~" else text
        # The home of a person on a machine that we do not see may be anywhere.
        written = "/**/" + text.partition("/")[2] if whole is None else _slashed(whole, machine)
        parts = [part for part in _parts(written) if part != "."]
        if ".." in parts:
            raise ValueError(f"{text!r} has .. in it; write the folder that is meant")
        anchored = whole is None or _way(machine).isabs(whole)
        forms = [parts]
        if anchored:
            # Once and now: a link that is put there later, by an agent say, leads nowhere else.
            forms.append(_through_links(parts, machine))
        return cls(
            text,
            None if whole is None else _compiled(forms[-1], str),
            tuple(_compiled(form, folded) for form in forms),
            anchored,
            not anchored and len(parts) == 1 and parts[0] != "**",
        )

    def surely(self, place: Place, base: Place | None) -> bool:
        """Whether it covers where `place` really leads, letter by letter, and within `base` where it is relative."""
        parts = (
            _parts(place.real)
            if self._anchored
            else _below(_parts(place.real), None if base is None else _parts(base.real))
        )
        if self._exact is None or parts is None:
            return False
        return _covers((None, *self._exact) if self._named else self._exact, parts)

    def maybe(self, place: Place, base: Place | None) -> bool:
        """Whether it covers `place` by any way to write it. A name without a slash then counts wherever it lies."""
        return self._by_any_way(place, base, _covers)

    def reaches_into(self, place: Place, base: Place | None) -> bool:
        """Whether something that it covers may lie within the folder `place`."""
        return self._by_any_way(place, base, _may_begin)

    def _by_any_way(self, place: Place, base: Place | None, so: Callable[[Segments, Sequence[str]], bool]) -> bool:
        starts = [_parts(folded(one)) for one in ({base.real, base.written} if base else ())]
        for path in {place.real, place.written}:
            names = _parts(folded(path))
            ways = [names] if self._anchored or self._named else [_below(names, start) for start in starts]
            for one in self._folded:
                pattern = (None, *one) if self._named else one
                if any(way is not None and so(pattern, way) for way in ways):
                    return True
        return False


@dataclass(frozen=True, slots=True)
class Paths:
    """Patterns of one rule; those that begin with `!` are left out of what the others cover."""

    patterns: tuple[PathPattern, ...]
    left_out: tuple[PathPattern, ...] = ()

    @classmethod
    def read(cls, texts: Sequence[str], machine: Machine) -> Self:
        """Raises ValueError."""
        found = cls(
            tuple(PathPattern.read(one, machine) for one in texts if not one.startswith("!")),
            tuple(PathPattern.read(one[1:], machine) for one in texts if one.startswith("!")),
        )
        if not found.patterns:
            raise ValueError("it only leaves paths out")
        return found

    def surely(self, place: Place, base: Place | None) -> bool:
        """Whether `place` is covered, beyond doubt."""
        covered = any(one.surely(place, base) for one in self.patterns)
        return covered and not any(one.maybe(place, base) for one in self.left_out)

    def maybe(self, place: Place, base: Place | None) -> bool:
        """Whether `place` may be covered."""
        covered = any(one.maybe(place, base) for one in self.patterns)
        return covered and not any(one.surely(place, base) for one in self.left_out)

    def reach_into(self, place: Place, base: Place | None) -> bool:
        """Whether something covered may lie within the folder `place`."""
        return any(one.reaches_into(place, base) for one in self.patterns)


def folded(text: str) -> str:
    """Letters as a disk may take them for the same: in any case, in one piece or in two."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _below(parts: list[str], base: list[str] | None) -> list[str] | None:
    """The names that lead on from `base`, None when the path lies elsewhere."""
    return parts[len(base) :] if base is not None and parts[: len(base)] == base else None


def _through_links(parts: list[str], machine: Machine) -> list[str]:
    """The same pattern with the links in its beginning followed: up to the first name that stands for several."""
    literal = next((at for at, part in enumerate(parts) if "*" in part or "?" in part), len(parts))
    begin = "/".join(parts[:literal])
    return [*_parts(begin if machine.windows else machine.real("/" + begin)), *parts[literal:]]


def _compiled(parts: list[str], form: Callable[[str], str]) -> Segments:
    return tuple(
        None if part == "**" else re.compile(fnmatch.translate(form(part).replace("[", "[[]"))) for part in parts
    )


def _reached(pattern: Segments, parts: Sequence[str]) -> list[set[int]]:
    """After each segment of the pattern: how many names of the path it may have taken."""
    steps = [{0}]
    for one in pattern:
        before = steps[-1]
        if one is None:
            steps.append(set(range(min(before), len(parts) + 1)) if before else set())
        else:
            steps.append({at + 1 for at in before if at < len(parts) and one.match(parts[at])})
    return steps


def _covers(pattern: Segments, parts: Sequence[str]) -> bool:
    # What is left of the path lies below.
    return bool(_reached(pattern, parts)[-1])


def _may_begin(pattern: Segments, parts: Sequence[str]) -> bool:
    return any(len(parts) in step for step in _reached(pattern, parts))
