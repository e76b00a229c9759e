"""A version of a text for one role: what fits the role first, every sentence from the source, nothing of it lost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agents.builtin.brief import Brief
from agents.builtin.failures import NoInputError
from agents.builtin.figures import joined, name, plural
from agents.builtin.material import REPORT, gather, write
from agents.builtin.pages import note_missing
from agents.builtin.roles import words_of
from agents.builtin.told import Told, read_told
from agents.builtin.turn import Turn
from agents.builtin.webpage import from_markdown, hero, page

MOST_FITTING = 6
MOST_ASKED = 40
_WORD = re.compile(r"\w{2,}", re.UNICODE)
_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$")
_BULLET = re.compile(r"^\s*[-*•]\s+")
_PHRASE = re.compile(r"\s*[,;|\n•]\s*")
_STEM = 5
_WISH = frozenset({"asks", "needs", "requires", "requirements", "skills", "must", "wants", "wanted"})
_STOP = frozenset(
    _WORD.findall(
        "the and for with from into that this your our their of to in on at by an or as is are be we you it its"
        " und der die das mit für von"
    )
)
_NEEDS = (
    "There is no text here to make a version of. Give the run a Markdown or text file, and this task a line such as"
    " “Source: profile.md”, “Name: Data analyst”, then “What is known:” and a line “- Asks for: SQL, reports”."
)


@dataclass(frozen=True)
class Part:
    """A heading of the source with what stands below it up to the next one."""

    heading: str
    level: int
    units: tuple[str, ...]

    def text(self) -> str:
        """As it stood in the source."""
        head = [f"{'#' * self.level} {self.heading}"] if self.heading else []
        return "\n\n".join([*head, *_blocks(self.units)])


@dataclass(frozen=True)
class Version:
    """What was made of a source for a role."""

    title: str
    text: str
    fitting: tuple[str, ...]
    missing: tuple[str, ...]


async def tailor(turn: Turn, brief: Brief) -> None:
    """Write the version of one role and say what is in it and what is not."""
    told = read_told(brief.instructions)
    material = await turn.work(gather, turn.folder)
    texts = {file: text for file, text in material.texts.items() if file != REPORT}
    source = told.get("Source")
    if source not in texts:
        source = next(iter(texts), "")
    role = told.get("Name")
    if not source or not role:
        raise NoInputError(_NEEDS)
    file = told.file("version.html", ".html")
    await turn.plan([f"Read {source}", f"Find what fits {role}", "Write it"])
    await turn.advance()
    version = await turn.work(version_of, texts[source], role, told)
    await turn.advance()
    async with turn.step(f"Write {file}", "edit", file) as step:
        await turn.work(write, turn.folder, file, page_of(version, role))
        await turn.work(note_missing, turn.folder, file, version.missing)
        step.note(f"{len(version.fitting)} {plural(len(version.fitting), 'passage')} fit the role.")
    await turn.say(_said(version, role, file, source))
    await turn.advance()


def version_of(source: str, role: str, told: Told) -> Version:
    """The source for a role: passages that speak of what it asks for, then all of it, what fits it most first."""
    parts = parts_of(source)
    title = parts[0].heading if parts and parts[0].level == 1 else ""
    asked = asked_for(role, told)
    stems = {_stem(word) for phrase in (role, *asked) for word in _words(phrase)}
    scored = [
        (-len(stems & {_stem(word) for word in _words(unit)}), place, unit)
        for place, unit in enumerate(unit for part in parts for unit in part.units)
    ]
    fitting = tuple(_BULLET.sub("", unit) for score, _, unit in sorted(scored) if score)[:MOST_FITTING]
    known = {_stem(word) for word in _words(source)}
    missing = tuple(p for p in asked if not any(_stem(word) in known for word in _words(p)))
    return Version(title, _text(parts, stems, fitting), fitting, missing)


def parts_of(source: str) -> list[Part]:
    """The source cut at its headings; what stands before the first is a part without one."""
    found: list[tuple[str, int, list[str]]] = [("", 0, [])]
    for line in source.splitlines():
        if heading := _HEADING.match(line):
            found.append((heading[2], len(heading[1]), []))
        elif not line.strip():
            found[-1][2].append("")
        elif _BULLET.match(line) or not found[-1][2] or not found[-1][2][-1]:
            found[-1][2].append(line.strip())
        else:
            found[-1][2][-1] = f"{found[-1][2][-1]} {line.strip()}"
    parts = [Part(heading, level, tuple(unit for unit in units if unit)) for heading, level, units in found]
    return [part for part in parts if part.heading or part.units]


def asked_for(role: str, told: Told) -> tuple[str, ...]:
    """What the role asks for, phrase by phrase, from its facts; its name and where it is are none of it."""
    wishes = [
        value
        for column, value in told.facts
        if value != role and (_PHRASE.search(value) or _WISH & set(words_of(column)))
    ]
    phrases = dict.fromkeys(phrase.strip() for value in wishes for phrase in _PHRASE.split(value) if phrase.strip())
    return tuple(phrases)[:MOST_ASKED]


def _text(parts: Sequence[Part], stems: set[str], fitting: Sequence[str]) -> str:
    """The whole of it as Markdown, without the title."""
    lead = "\n\n".join(["## What fits best", "\n".join(f"- {unit}" for unit in fitting)]) if fitting else ""
    head = [part for part in parts if part.level <= 1]
    groups: list[list[Part]] = []
    for part in (part for part in parts if part.level > 1):
        # A part belongs to the one of the highest level before it.
        if part.level == 2 or not groups:
            groups.append([part])
        else:
            groups[-1].append(part)
    order = sorted(range(len(groups)), key=lambda number: (-_weight(groups[number], stems), number))
    opening = "\n\n".join(_blocks([unit for part in head for unit in part.units]))
    rest = [part.text() for number in order for part in groups[number]]
    # A text without sections has no opening: what fits stands above all of it.
    whole = (opening, lead, *rest) if groups else (lead, opening)
    return "\n\n".join(text for text in whole if text)


def _weight(group: Sequence[Part], stems: set[str]) -> float:
    """How much of a group speaks of what is asked for, for each passage of it."""
    units = [unit for part in group for unit in part.units]
    hits = sum(1 for unit in units if stems & {_stem(word) for word in _words(unit)})
    return hits / len(units) if units else 0.0


def _blocks(units: Sequence[str]) -> list[str]:
    """Passages as Markdown: bullets that follow each other make one list."""
    blocks: list[str] = []
    for unit in units:
        if _BULLET.match(unit) and blocks and _BULLET.match(blocks[-1]):
            blocks[-1] += f"\n{unit}"
        else:
            blocks.append(unit)
    return blocks


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.casefold()) if word not in _STOP]


def _stem(word: str) -> str:
    """Words with the same beginning count as one: plan, planning; report, reports."""
    return word[:_STEM]


def page_of(version: Version, role: str) -> str:
    """The version as a web page that prints well."""
    title = version.title or role
    body = f'{hero(title, eyebrow=role)}<main><div class="text">{from_markdown(version.text)}</div></main>'
    return page(f"{title}: {role}" if version.title else role, body, about=f"For: {role}", seed=version.title)


def _said(version: Version, role: str, file: str, source: str) -> str:
    parts = [f"The version of {name(source)} for {name(role)} is in `{file}`. All of the source is in it, reordered."]
    if version.fitting:
        parts.append("What fits best stands first:\n\n" + "\n".join(f"- {unit}" for unit in version.fitting))
    else:
        parts.append(f"Nothing in it speaks of {name(role)}, so its order was kept.")
    if version.missing:
        parts.append(f"The role asks for {joined([name(one) for one in version.missing])}; the source does not say it.")
    return "\n\n".join(parts) + "\n"
