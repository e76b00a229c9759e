"""What lies in a session's folder: tables, profiles, texts of others, earlier versions; links are not followed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.builtin.facts import Profile
from agents.builtin.tables import OTHER_TABLES, SHEET_SUFFIXES, TEXT_SUFFIXES

REPORT = "report.md"
BEFORE = "before/"
DRAFT = "draft.md"
REVIEW = "review.json"
PROFILE = ".profile.json"
SUMMARY = ".summary.md"
WORKBOOK = ".workbook.xlsx"
CHART = ".chart.svg"
_TEXTS = frozenset({".md", ".markdown", ".txt"})
_MOST_TEXT = 2 * 1024 * 1024
_MOST_PROFILE = 64 * 1024 * 1024
_PROFILE_KEYS = frozenset({"table", "rows", "columns", "groups", "series", "outliers", "duplicates", "ragged", "notes"})


@dataclass
class Material:
    """The files of a session, sorted by what they are; names are relative to the folder, with `/`."""

    folder: Path
    tables: list[str] = field(default_factory=list)
    profiles: dict[str, Profile] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    report: str | None = None
    draft: str | None = None
    review: dict[str, Any] | None = None
    left_out: list[str] = field(default_factory=list)
    """Files that could not be used, each with the reason."""

    def path(self, name: str) -> Path:
        """Where a file of the folder is."""
        return self.folder / name


def files_in(folder: Path) -> list[str]:
    """Every plain file below a folder in order of name; hidden ones and links are passed over."""
    found = []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in relative.parts)
        if not hidden and path.is_file() and not _through_link(folder, relative):
            found.append(relative.as_posix())
    return found


def _through_link(folder: Path, relative: Path) -> bool:
    here = folder
    for part in relative.parts:
        here /= part
        if here.is_symlink():
            return True
    return False


def is_table(name: str) -> bool:
    """Whether a name is that of a table somebody made, not one of our own results."""
    suffix = Path(name).suffix.casefold()
    return suffix in TEXT_SUFFIXES - {".txt"} | SHEET_SUFFIXES | OTHER_TABLES.keys() and not name.endswith(WORKBOOK)


def gather(folder: Path, wanted: Iterable[str] = ()) -> Material:
    """Read what is in a folder; with `wanted` names, other tables are left aside when one of the wanted is there."""
    material = Material(folder)
    for name in files_in(folder):
        if not name.startswith(BEFORE):
            _sort(material, name)
    earlier = Path(folder, BEFORE, REPORT)
    if material.report is None and earlier.is_file():
        # What an earlier try left is no material of its own, but its report is gone on with.
        material.report = earlier.read_bytes().decode("utf-8-sig", "replace").replace("\r\n", "\n")
    asked = [name for name in material.tables if name in set(wanted)]
    material.tables = asked or material.tables
    return material


def _sort(material: Material, name: str) -> None:
    path = material.path(name)
    if is_table(name):
        material.tables.append(name)
    elif name == REVIEW:
        content = _json(path)
        material.review = content if isinstance(content, dict) else None
    elif name.endswith(PROFILE):
        _take_profile(material, name)
    elif path.suffix.casefold() in _TEXTS:
        _take_text(material, name)


def _take_profile(material: Material, name: str) -> None:
    content = _json(material.path(name))
    if isinstance(content, dict) and content.keys() >= _PROFILE_KEYS:
        material.profiles[name] = content
    else:
        material.left_out.append(f"{name} is not a profile as the analyst writes it.")


def _take_text(material: Material, name: str) -> None:
    path = material.path(name)
    if path.stat().st_size > _MOST_TEXT:
        material.left_out.append(f"{name} is longer than {_MOST_TEXT >> 20} MiB of text.")
        return
    text = path.read_bytes().decode("utf-8-sig", "replace").replace("\r\n", "\n")
    if name == REPORT:
        material.report = text
    elif name == DRAFT:
        material.draft = text
    elif text.strip():
        material.texts[name] = text


def _json(path: Path) -> Any:
    if path.stat().st_size > _MOST_PROFILE:
        return None
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None


def write(folder: Path, name: str, content: bytes | str) -> None:
    """Write a file so that it is there whole or not at all."""
    target = folder / name
    fresh = target.with_name(f".{target.name}.part")
    fresh.write_bytes(content.encode() if isinstance(content, str) else content)
    fresh.replace(target)
