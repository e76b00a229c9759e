"""Catalogues as files: `.po` for people, `.mo` for Django. Standard library only."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from clawgroups.catalog.sources import PLANS

_LINE = re.compile(r'(?:(msgctxt|msgid_plural|msgid|msgstr(?:\[0\])?) )?(".*")')
_PLACES = re.compile(r"%\([a-zA-Z_0-9.]+\)[sd]|(?<!%)(?:%%)*%[sd]|\{[a-z_0-9]*\}|</?[a-z]+")
BRACES = "python-brace-format"
HEADER = (
    "Project-Id-Version: Claw Groups\nLanguage: {language}\nMIME-Version: 1.0\n"
    "Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\nPlural-Forms: {plurals}\n"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A text, where it stands, and what it is called in another language (empty: nothing yet)."""

    text: str
    plural: str = ""
    context: str = ""
    translation: str = ""
    where: tuple[str, ...] = ()
    is_pattern: bool = False
    """Whether the text is the pattern of sentences that the program makes, with {names} where they differ."""

    @property
    def key(self) -> tuple[str, str]:
        return self.context, self.text

    @property
    def is_of_plans(self) -> bool:
        """Whether the product's own plans and templates say it."""
        return any(one.startswith(PLANS) for one in self.where)

    @property
    def places(self) -> list[str]:
        """What a translation must hold as well: names of values, and tags."""
        return sorted(_PLACES.findall(self.plural or self.text))

    @property
    def fault(self) -> str:
        """What is wrong with the translation; empty when nothing is."""
        if not self.translation:
            return "no translation"
        found, wanted = sorted(_PLACES.findall(self.translation)), self.places
        if self.plural and set(found) != set(wanted):
            return f"holds {found} instead of {wanted}"
        return "" if self.plural or found == wanted else f"holds {found} instead of {wanted}"


def read(path: Path) -> list[Entry]:
    """The entries of a `.po` file, without its header."""
    found = []
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        said: dict[str, str] = {}
        where: list[str] = []
        flags, name = "", ""
        for line in block.splitlines():
            if line.startswith("#: "):
                where += line[3:].split()
            elif line.startswith("#, "):
                flags = line
            elif (match := _LINE.fullmatch(line)) is not None:
                name = match[1] or name
                said[name] = said.get(name, "") + json.loads(match[2])
        if said.get("msgid") and "fuzzy" not in flags:
            translation = said.get("msgstr[0]", said.get("msgstr", ""))
            texts = (said["msgid"], said.get("msgid_plural", ""), said.get("msgctxt", ""), translation)
            found.append(Entry(*texts, tuple(where), BRACES in flags))
    return found


def write(path: Path, entries: Iterable[Entry], *, language: str, plurals: str) -> None:
    """A `.po` file of these entries, in their order, and the `.mo` file beside it."""
    all_of_them = list(entries)
    header = _lines("msgid", "") + _lines("msgstr", HEADER.format(language=language, plurals=plurals))
    blocks = ["\n".join(header)] + ["\n".join(_block(entry)) for entry in all_of_them]
    path.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    path.with_suffix(".mo").write_bytes(compiled(all_of_them, language=language, plurals=plurals))


def _block(entry: Entry) -> list[str]:
    lines = [f"#: {' '.join(entry.where)}"] if entry.where else []
    if entry.is_pattern:
        lines.append(f"#, {BRACES}")
    if entry.context:
        lines += _lines("msgctxt", entry.context)
    lines += _lines("msgid", entry.text)
    if entry.plural:
        lines += _lines("msgid_plural", entry.plural)
    return lines + _lines("msgstr[0]" if entry.plural else "msgstr", entry.translation)


def _lines(name: str, text: str) -> list[str]:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("\r", "\\r")
    parts = [f'"{part}"' for part in escaped.replace("\n", "\\n\n").split("\n") if part] or ['""']
    return [f"{name} {parts[0]}"] if len(parts) == 1 else [f'{name} ""', *parts]


def compiled(entries: Iterable[Entry], *, language: str, plurals: str) -> bytes:
    """The same as a `.mo` file; what has no translation is left out."""
    texts = {"": HEADER.format(language=language, plurals=plurals)}
    for entry in entries:
        if entry.translation:
            key = f"{entry.context}\4{entry.text}" if entry.context else entry.text
            texts[f"{key}\0{entry.plural}" if entry.plural else key] = entry.translation
    pairs = sorted((key.encode(), value.encode()) for key, value in texts.items())
    number = len(pairs)
    start = 28 + 16 * number
    tables: list[bytes] = []
    blob = b""
    for side in (0, 1):
        for pair in pairs:
            tables.append(struct.pack("<II", len(pair[side]), start + len(blob)))
            blob += pair[side] + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, number, 28, 28 + 8 * number, 0, start)
    return head + b"".join(tables) + blob


def merged(wanted: Iterable[Entry], known: Iterable[Entry]) -> list[Entry]:
    """What is wanted, each with the translation that is known of it."""
    texts = {entry.key: entry.translation for entry in known}
    return [replace(entry, translation=texts.get(entry.key, "")) for entry in wanted]
