"""What the owner of an agent's machine keeps back: patterns in the language of `.gitignore`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FILE = ".clawignore"
USUAL = (".*", "node_modules/", "__pycache__/")
"""Never somebody's deliverable, and thousands at a time; `!` in the owner's own patterns takes one back in."""
_LONGEST = 256 * 1024


@dataclass(frozen=True)
class _Rule:
    matches: re.Pattern[str]
    takes_back: bool
    folders_only: bool


class Ignore:
    """Patterns in order; the last one that matches counts.

    What lies in an ignored folder is ignored, and cannot be taken back by a later pattern.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self._rules = tuple(rule for rule in map(_rule, patterns) if rule is not None)

    def ignores(self, name: str, *, is_folder: bool = False) -> bool:
        """Whether this one is ignored, where its folder is not."""
        for rule in reversed(self._rules):
            if (is_folder or not rule.folders_only) and rule.matches.fullmatch(name):
                return not rule.takes_back
        return False

    def hides(self, name: str) -> bool:
        """Whether a file is ignored, or a folder that it lies in."""
        parts = name.split("/")
        above = ("/".join(parts[:count]) for count in range(1, len(parts)))
        return any(self.ignores(folder, is_folder=True) for folder in above) or self.ignores(name)


def patterns_of(folder: Path) -> list[str]:
    """The patterns in a folder's `.clawignore`; none where there is no such file. Raises OSError or ValueError."""
    try:
        with (folder / FILE).open(encoding="utf-8") as file:
            text = file.read(_LONGEST + 1)
    except FileNotFoundError:
        return []
    if len(text) > _LONGEST:
        raise ValueError(f"{folder / FILE} is too long")
    return text.splitlines()


def _rule(pattern: str) -> _Rule | None:
    pattern = _without_trailing_blanks(pattern)
    if not pattern or pattern.startswith("#"):
        return None
    takes_back = pattern.startswith("!")
    pattern = pattern.removeprefix("!")
    folders_only = pattern.endswith("/")
    pattern = pattern.removesuffix("/")
    # A slash anywhere but at the end ties a pattern to the top.
    anywhere = "" if "/" in pattern else "(?:[^/]+/)*"
    pattern = pattern.removeprefix("/")
    if not pattern:
        return None
    try:
        return _Rule(re.compile(anywhere + _expression(pattern), re.DOTALL), takes_back, folders_only)
    except re.error:
        return None  # Nor does a range from behind.


def _without_trailing_blanks(pattern: str) -> str:
    stripped = pattern.rstrip(" \t\r\n")
    behind = len(stripped) - len(stripped.rstrip("\\"))
    return stripped + " " if behind % 2 and len(stripped) < len(pattern) else stripped


_PIECES = re.compile(r"(?P<deep>(?:^|(?<=/))\*\*/)|(?P<rest>(?<=/)\*\*$)|(?P<stars>\*+)|(?P<one>\?)"
                     r"|(?P<choice>\[[!^]?\]?(?:\\.|[^\]\\])*\])|\\(?P<escaped>.)|(?P<plain>.)", re.DOTALL)  # fmt: skip


def _expression(pattern: str) -> str:
    return "".join(_piece(found) for found in _PIECES.finditer(pattern))


def _piece(found: re.Match[str]) -> str:
    match found.lastgroup:
        case "deep":
            return "(?:[^/]+/)*"
        case "rest":
            return ".+"
        case "stars":
            return "[^/]*"
        case "one":
            return "[^/]"
        case "choice":
            return _choice(found["choice"])
    if found["plain"] == "[":
        return "(?!)"  # A bracket that is never closed matches nothing.
    return re.escape(found["escaped"] or found["plain"])


def _choice(text: str) -> str:
    """A bracket with its ranges; like a star it never stands for a slash."""
    inner = text[1:-1]
    is_not = inner[:1] in ("!", "^")
    inner = inner[1:] if is_not else inner
    inner = re.sub(r"\\(.)", r"\1", inner).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    inner = inner.replace("^", "\\^").replace("&&", "&\\&").replace("||", "|\\|").replace("~~", "~\\~")
    return f"(?!/)[{'^' if is_not else ''}{inner}]"
