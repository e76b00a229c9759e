"""Objective checks of a result against its acceptance lines: text first, then the files.

Without Django, since files are opened and patterns searched for in a child process (`checked_apart.py`).
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from agents.builtin.material import gather
from agents.builtin.review import review
from clawgroups.core.acceptance import Finding, Line, Verdict, check_text, parse_line
from clawgroups.services import bundle_checks

MAX_OPENED = 100 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A delivered file, or an input that numbers can be held against."""

    name: str
    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Result:
    """What is judged: the text, the files that came with it, and the data it speaks of."""

    text: str
    files: tuple[ResultFile, ...] = ()
    data: tuple[ResultFile, ...] = ()


def judge(lines: Sequence[str], result: Result) -> list[Verdict]:
    """A verdict per acceptance line. A text line stays open: it is never passed unread."""
    return [_judge(parse_line(line), result) for line in lines]


def needs_child(line: str) -> bool:
    """Whether a line is judged in a process of its own: it opens files, or a pattern may search for ever."""
    return parse_line(line).check in (_FILE_CHECKS.keys() - {"file_type"}) | {"matches"}


def _judge(line: Line, result: Result) -> Verdict:
    if line.check == "not_empty":
        return _verdict(line, *_not_empty(result))
    by_text = check_text(line, result.text)
    if by_text is not None:
        return by_text
    check = _FILE_CHECKS.get(line.check)
    if check is None:
        return Verdict(line.text, Finding.OPEN, "a person has to judge this", "nobody yet")
    return _verdict(line, *check(line, result))


def _verdict(line: Line, ok: bool, reason: str) -> Verdict:
    return Verdict(line.text, Finding.PASSED if ok else Finding.FAILED, reason)


def _not_empty(result: Result) -> tuple[bool, str]:
    """Words alone may be a result, but not beside files that are all empty: those are what was to be delivered."""
    if result.files and not any(file.size for file in result.files):
        return False, f"{result.files[0].name} is empty"
    ok = bool(result.text.strip()) or bool(result.files)
    return ok, "there is a result" if ok else "the result is empty"


def _file_type(line: Line, result: Result) -> tuple[bool, str]:
    wanted = "." + line.argument.lower().lstrip(".")
    found = [f for f in result.files if f.name.lower().endswith(wanted)]
    full = [f.name for f in found if f.size]
    if found and not full:
        return False, f"{found[0].name} is empty"
    return bool(full), f"{full[0]} is there" if full else f"no {wanted} file was delivered"


def _opens(line: Line, result: Result) -> tuple[bool, str]:
    named = [f for f in result.files if not line.argument or f.name == line.argument]
    if not named:
        return False, "no such file was delivered" if line.argument else "no file was delivered"
    for file in named:
        if fault := opening_fault(file):
            return False, f"{file.name} does not open: {fault}"
    return True, f"{len(named)} {'file opens' if len(named) == 1 else 'files open'}"


def opening_fault(file: ResultFile) -> str:
    """Why a file does not open as what its name says; empty when it does (or the kind is unknown)."""
    if file.size == 0:
        return "it is empty"
    if file.size > MAX_OPENED:
        return "it is too large to be opened here"
    suffix = PurePosixPath(file.name).suffix.lower()
    try:
        if suffix == ".json":
            json.loads(file.path.read_text(encoding="utf-8"))
        elif suffix == ".xlsx":
            with file.path.open("rb") as content:
                openpyxl.load_workbook(content, read_only=True).close()
        elif suffix in (".docx", ".pptx", ".zip"):
            if zipfile.ZipFile(file.path).testzip() is not None:
                return "it is damaged"
        elif suffix in (".md", ".txt", ".csv", ".tsv", ".svg", ".html"):
            file.path.read_text(encoding="utf-8-sig")
        elif suffix == ".png" and not file.path.read_bytes().startswith(b"\x89PNG\r\n"):
            return "it is no PNG"
    except (ValueError, OSError, zipfile.BadZipFile, InvalidFileException, KeyError) as fault:
        return str(fault)[:200] or type(fault).__name__
    return ""


def _sheet_has(line: Line, result: Result) -> tuple[bool, str]:
    for file in result.files:
        if not file.name.lower().endswith(".xlsx") or opening_fault(file):
            continue
        names, heads = _sheets(file)
        if line.argument in names or line.argument in heads:
            return True, f"{file.name} has “{line.argument}”"
    return False, f"no sheet or column “{line.argument}” in a workbook"


def _sheets(file: ResultFile) -> tuple[list[str], set[str]]:
    """The names of a workbook's sheets, and the cells of their first rows."""
    with file.path.open("rb") as content:
        book = openpyxl.load_workbook(content, read_only=True)
        heads = {str(c) for s in book.worksheets for row in s.iter_rows(max_row=1, values_only=True) for c in row}
        names = list(book.sheetnames)
        book.close()
    return names, heads


def _numbers_match_source(line: Line, result: Result) -> tuple[bool, str]:
    """Recompute every number that names its source from the raw tables; nothing is taken on trust."""
    with tempfile.TemporaryDirectory(prefix="claw-check-") as folder:
        for file in (*result.data, *result.files):
            place = Path(folder) / file.name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.path, place)
        material = gather(Path(folder), [f.name for f in result.data])
        found = review("result", result.text, material, lambda: None)
    if found.wrong:
        first = found.wrong[0]
        said = f"{first.claim.text} {first.claim.mark} does not agree with the data"
        return False, f"{len(found.wrong)} of {len(found.checked)} sourced numbers are wrong; {said}"
    if not found.checked and found.unsourced:
        return False, f"none of its {len(found.unsourced)} numbers names its source"
    without = f"; {len(found.unsourced)} name no source" if found.unsourced else ""
    return True, f"all {len(found.checked)} sourced numbers agree with the data{without}"


_FILE_CHECKS: dict[str, Callable[[Line, Result], tuple[bool, str]]] = {
    "file_type": _file_type,
    "opens": _opens,
    "sheet_has": _sheet_has,
    "numbers_match_source": _numbers_match_source,
    "links_resolve": lambda line, result: bundle_checks.links_resolve(result.text, result.files, result.data),
    "has_parts": lambda line, result: bundle_checks.has_parts(line.argument, result.text, result.files),
    "schema": lambda line, result: bundle_checks.schema(line.argument, result.files),
}
