"""What is given to a template of a run: words that were typed, and files, each for the input that takes its kind."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from django.conf import settings

from agents.builtin.failures import TableError
from agents.builtin.tables import Table, open_tables
from clawgroups.core.errors import Invalid
from clawgroups.core.run_templates import filling
from clawgroups.core.run_templates.shape import Entry, Given, Input, Kind, Template
from clawgroups.services.files import StoredFile, path_of, store
from clawgroups.services.inputs import store_input

EXAMPLES = Path(settings.BASE_DIR) / "static" / "examples"
MOST_ROWS = 10_000  # that are looked at before a table is said to be too long
MOST_COLUMNS = 60


@dataclass(frozen=True, slots=True)
class Taken:
    """What a plan is made of, and the files that go along with the run."""

    given: Given
    files: tuple[StoredFile, ...]


@dataclass(slots=True)
class _Sorted:
    by_input: dict[str, list[StoredFile]] = field(default_factory=dict)


def sample_of(template: Template) -> tuple[Mapping[str, str], tuple[StoredFile, ...]]:
    """The words and files of a template's example. Raises `Invalid` for a template that has none."""
    if not template.samples:
        raise Invalid("This template has no example data. Fill in its fields.", field="sample", code="no_sample")
    files = tuple(store_input([(EXAMPLES / name).read_bytes()], name=name) for name in template.samples)
    return template.sample_words, files


def take(template: Template, words: Mapping[str, str], files: Sequence[StoredFile]) -> Taken:
    """Read what was given. Raises `Invalid`, whose `field` is the input that is missing or cannot be used."""
    mine = _sort(template, files)
    said: dict[str, str] = {}
    entries: dict[str, tuple[Entry, ...]] = {}
    along = list(files)
    for wanted in template.inputs:
        typed, found = words.get(wanted.name, ""), mine.by_input.get(wanted.name, [])
        if wanted.kind is Kind.TABLES:
            entries[wanted.name] = _tables(wanted, found)
        elif wanted.kind is Kind.ROWS:
            entries[wanted.name] = _rows(wanted, typed, found)
        elif wanted.kind is Kind.LIST:
            entries[wanted.name] = filling.typed_entries(wanted, typed)
        elif wanted.kind is Kind.DOCUMENT:
            document = _document(wanted, typed, found)
            said[wanted.name] = document.name
            along += [] if document in along else [document]
        else:
            said[wanted.name] = filling.words_of(wanted, typed)
    return Taken(Given(said, entries), tuple(along))


def _sort(template: Template, files: Iterable[StoredFile]) -> _Sorted:
    """Each file to the first input that takes files of its kind."""
    mine = _Sorted()
    for file in files:
        suffix = PurePosixPath(file.name).suffix.casefold()
        wanted = next((one for one in template.inputs if suffix in one.suffixes), None)
        if wanted is None:
            kinds = ", ".join(suffix for one in template.inputs for suffix in one.suffixes) or "no files"
            raise Invalid(f"“{file.name}” cannot be used here. This template takes {kinds}.", field="files")
        mine.by_input.setdefault(wanted.name, []).append(file)
    return mine


def _tables(wanted: Input, files: Sequence[StoredFile]) -> tuple[Entry, ...]:
    if not files:
        said = f"{wanted.label}: choose at least one CSV, TSV or XLSX file."
        raise Invalid(said, field=wanted.name, code="empty")
    if len(files) > wanted.most:
        raise Invalid(f"{wanted.label}: at most {wanted.most} files.", field=wanted.name, code="too_many")
    names = [file.name for file in files]
    if len({name.casefold() for name in names}) < len(names):
        raise Invalid(f"{wanted.label}: two files have the same name. Rename one.", field=wanted.name)
    return filling.file_entries(names)


def _rows(wanted: Input, typed: str, files: Sequence[StoredFile]) -> tuple[Entry, ...]:
    if not files:
        return filling.typed_entries(wanted, typed)
    if len(files) > 1 or typed.strip():
        said = f"{wanted.label}: give one table, or type them one a line; not both."
        raise Invalid(said, field=wanted.name, code="two_sources")
    return filling.row_entries(wanted, rows_of(files[0], wanted.name))


def rows_of(file: StoredFile, name: str) -> list[dict[str, str]]:
    """The rows of a table as text by column. Raises `Invalid` of the input `name` where it cannot be read."""
    with tempfile.TemporaryDirectory(prefix="clawgroups-rows-") as folder:
        # What a table is, is read from the ending of its name; in the store it has none.
        copy = Path(folder) / f"table{PurePosixPath(file.name).suffix.casefold()}"
        shutil.copyfile(path_of(file.sha256), copy)
        try:
            with open_tables(copy, file.name) as tables:
                return _read(tables[0])
        except TableError as wrong:
            raise Invalid(str(wrong), field=name, code="bad_table", file=file.name) from None


def _read(table: Table) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    columns = table.columns[:MOST_COLUMNS]
    for batch in table.batches(lambda: None):
        found += [dict(zip(columns, row, strict=False)) for row in zip(*batch.columns, strict=True)]
        if len(found) > MOST_ROWS:
            break
    return found


def _document(wanted: Input, typed: str, files: Sequence[StoredFile]) -> StoredFile:
    if len(files) > 1 or (files and typed.strip()):
        said = f"{wanted.label}: give one file, or paste the text; not both."
        raise Invalid(said, field=wanted.name, code="two_sources")
    if files:
        return files[0]
    if not typed.strip():
        said = f"{wanted.label} is missing. Choose a text or Markdown file, or paste it."
        raise Invalid(said, field=wanted.name, code="empty")
    if len(typed) > 200_000:
        raise Invalid(f"{wanted.label} is too long to be pasted. Send it as a file.", field=wanted.name)
    return store([typed.encode()], name=f"{wanted.name}.md", content_type="text/markdown")
