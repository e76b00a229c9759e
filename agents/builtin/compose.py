"""Composes a report from profiles and the texts of others. Nothing is said that the material does not say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from agents.builtin import sections
from agents.builtin.brief import Brief
from agents.builtin.document import Document, Section, demote
from agents.builtin.facts import Profile
from agents.builtin.figures import joined, name
from agents.builtin.findings import Finding, find, rank
from agents.builtin.marks import escape
from agents.builtin.material import SUMMARY, Material

ASKED, FIGURES, FINDINGS, BREAKDOWN = "What was asked", "Key figures", "Findings", "Breakdown"
OTHERS, NOTES, GAPS, METHOD, SOURCES = "From others", "Notes", "Gaps and caveats", "Method", "Sources"
NOTE_FILES = ("notes.md", "handback.md", "brief.md")
_MOST_LINES = 400
_CHARTS = 3


def compose(brief: Brief, material: Material, unread: Sequence[str] = ()) -> Document:
    """The report that the material carries; `unread` says which files could not be used and why."""
    profiles = list(material.profiles.values())
    told = tell(profiles, brief.wish())
    built = [Section(ASKED, asked(brief, profiles))]
    if profiles:
        built.append(Section(FIGURES, sections.key_figures(profiles)))
    if told:
        built.append(Section(FINDINGS, _lead(told, brief) + sections.findings_list(told)))
    if tables := sections.breakdown(profiles, told):
        built.append(Section(BREAKDOWN, tables))
    for file, text in others(material).items():
        built.append(Section(f"From {PurePosixPath(file).stem}", _contribution(file, text)))
    built += [Section(NOTES, demote(text, 2)) for text in notes(material)]
    built.append(Section(GAPS, caveats(brief, material, unread, told)))
    if profiles:
        built.append(Section(METHOD, sections.method(profiles, told)))
    built.append(Section(SOURCES, _sources(material)))
    return Document(f"# {escape(brief.heading()) or 'Report'}", tuple(built))


def tell(profiles: Sequence[Profile], wish: str) -> list[Finding]:
    """The findings of all tables in the order in which they are told."""
    return rank([finding for profile in profiles for finding in find(profile)], wish)


def asked(brief: Brief, profiles: Sequence[Profile]) -> str:
    """The request in its own words, and the tables it is answered from."""
    words = brief.goal or brief.instructions or brief.text
    quoted = "\n".join(f"> {line}".rstrip() for line in words.strip().splitlines()) or "> (no words came with the task)"
    parts = [quoted]
    if wanted := brief.wanted():
        parts.append("The result is to meet:\n\n" + "\n".join(f"> - {line}" for line in wanted))
    parts += [sections.shape(profile) for profile in profiles]
    return "\n\n".join(parts)


def _lead(told: Sequence[Finding], brief: Brief) -> str:
    first = [finding for finding in told if finding.score >= 1]
    if not first:
        return "" if not brief.wish() else "The request names no column; what stands out most comes first.\n\n"
    which = "The first finding is" if len(first) == 1 else f"The first {sections.count_of(len(first), 'finding')} are"
    return f"{which} about what the request names.\n\n" if len(first) < len(told) else ""


def others(material: Material) -> dict[str, str]:
    """The texts of other tasks by file: not notes to the writer, and no summary whose profile is here."""
    profiled = {file.removesuffix(".profile.json") for file in material.profiles}
    return {
        file: text
        for file, text in material.texts.items()
        if PurePosixPath(file).name not in NOTE_FILES
        and not (file.endswith(SUMMARY) and file.removesuffix(SUMMARY) in profiled)
    }


def notes(material: Material) -> list[str]:
    """The notes of people, one text a file."""
    return [text for file, text in material.texts.items() if PurePosixPath(file).name == NOTE_FILES[0]]


def _contribution(file: str, text: str) -> str:
    lines = demote(text, 2).splitlines()
    cut = f"\n\nThe rest is in {name(file)}." if len(lines) > _MOST_LINES else ""
    return "\n".join(lines[:_MOST_LINES]) + cut


def caveats(brief: Brief, material: Material, unread: Sequence[str], told: Sequence[Finding]) -> str:
    """What the reader should know before relying on the report."""
    items = [item for profile in material.profiles.values() for item in sections.gaps(profile)]
    items += [escape(text) for text in (*unread, *material.left_out)]
    if others(material):
        files = joined([name(file) for file in others(material)])
        items.append(f"What comes from {files} is given as its author wrote it; its numbers were not checked here.")
    if material.profiles and not told:
        items.append("Nothing in the data stands out by the rules below.")
    body = "\n".join((*material.texts.values(), *(finding.text for finding in told), brief.heading())).casefold()
    for wanted in brief.checks("contains"):
        if wanted.casefold() not in body and wanted.casefold() not in _HEADINGS:
            items.append(f"The request wants {name(wanted)} in the text; the material says nothing about it.")
    return sections.bullet(items) if items else "None were found in the material."


def _sources(material: Material) -> str:
    parts = [sections.sources(list(material.profiles.values()))] if material.profiles else []
    parts += [f"- {name(file)}" for file in material.texts]
    return "\n".join(parts) or "None."


_HEADINGS = {heading.casefold() for heading in (ASKED, FIGURES, FINDINGS, BREAKDOWN, NOTES, GAPS, METHOD, SOURCES)}
