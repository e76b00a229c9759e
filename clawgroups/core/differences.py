"""What changed between two versions of a text or of a set of files, bounded, for a brief. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

MAX_LINES = 5_000  # of each side: what is beyond that is counted, not compared line by line
TEXTS = (".md", ".txt", ".csv", ".tsv", ".json", ".html", ".svg", ".xml", ".yaml", ".yml", ".py", ".sql", ".tex")


def is_text(name: str) -> bool:
    """Whether a file of this name is read as text."""
    return name.lower().endswith(TEXTS)


def difference(before: str, after: str, limit: int, *, was: str = "before", now: str = "after") -> str:
    """A unified diff, empty when nothing changed. One longer than `limit` characters ends in a line that says so."""
    if before == after:
        return ""
    old, new = before.splitlines(), after.splitlines()
    if max(len(old), len(new)) > MAX_LINES:
        return _counted(old, new)
    lines = list(difflib.unified_diff(old, new, was, now, lineterm=""))
    if not lines:
        return f"--- {was}\n+++ {now}\n(only line ends changed)"
    return _within(lines, limit)


def _within(lines: Sequence[str], limit: int) -> str:
    kept, used = [], 0
    for number, line in enumerate(lines):
        used += len(line) + 1
        if used > limit:
            kept.append(f"(cut here: {len(lines) - number} more lines differ)")
            break
        kept.append(line)
    return "\n".join(kept)


def _counted(old: Sequence[str], new: Sequence[str]) -> str:
    gone, come = len(set(old) - set(new)), len(set(new) - set(old))
    return f"(too long to show: {len(old)} lines became {len(new)}; {gone} went and {come} are new)"
