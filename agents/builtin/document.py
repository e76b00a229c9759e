"""A Markdown text as a title and sections, so that one section can be compared or replaced and the rest left alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_FENCE = re.compile(r"^\s{0,3}(```|~~~)")
_HEADING = re.compile(r"^(#{1,6}) +(.+?)(?: +#+)?\s*$")


@dataclass(frozen=True)
class Section:
    """A second-level heading (without the marks) and what stands below it up to the next."""

    heading: str
    body: str

    def key(self) -> str:
        """The heading as it is compared."""
        return " ".join(self.heading.casefold().split())


@dataclass(frozen=True)
class Document:
    """What stands before the first second-level heading, and the sections."""

    head: str
    sections: tuple[Section, ...]

    def section(self, heading: str) -> Section | None:
        """The section of that heading, or None."""
        key = Section(heading, "").key()
        return next((section for section in self.sections if section.key() == key), None)

    def __str__(self) -> str:
        parts = [self.head.strip()] if self.head.strip() else []
        parts += [f"## {section.heading}\n\n{section.body.strip()}".strip() for section in self.sections]
        return "\n\n".join(parts) + "\n"


def parse(text: str) -> Document:
    """Cut a text at its second-level headings; headings inside code are text."""
    head: list[str] = []
    sections: list[tuple[str, list[str]]] = []
    fenced = False
    for line in text.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        match = None if fenced else _HEADING.match(line)
        if match and len(match[1]) == 2:
            sections.append((match[2], []))
        else:
            (sections[-1][1] if sections else head).append(line)
    built = tuple(Section(heading, "\n".join(body).strip()) for heading, body in sections)
    return Document("\n".join(head).strip(), built)


def demote(text: str, by: int) -> str:
    """The text with its headings moved down, for inclusion below a heading of ours."""
    lines, fenced = [], False
    for line in text.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        match = None if fenced else _HEADING.match(line)
        lines.append("#" * min(len(match[1]) + by, 6) + f" {match[2]}" if match else line)
    return "\n".join(lines).strip()


def headings(sections: Sequence[Section]) -> set[str]:
    """The headings of sections as they are compared."""
    return {section.key() for section in sections}
