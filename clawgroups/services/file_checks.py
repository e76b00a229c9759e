"""`python -m clawgroups.services.file_checks`: judges one result, with the checks that open files of others.

Without Django, and in a process of its own, which `checked_apart.py` bounds in time and memory.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import openpyxl

from agents.builtin.material import gather
from agents.builtin.review import review
from clawgroups.core.acceptance import Line, Verdict
from clawgroups.core.parent import die_with
from clawgroups.services import bundle_checks, checks
from clawgroups.services.checks import Check, Result, ResultFile

MAX_OPENED = 100 * 1024 * 1024


def judge(lines: Sequence[str], result: Result) -> list[Verdict]:
    """A verdict per acceptance line, files and all."""
    return checks.judge(lines, result, CHECKS)


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
    except (ValueError, OSError, zipfile.BadZipFile, KeyError) as fault:
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


CHECKS: dict[str, Check] = {
    "opens": _opens,
    "sheet_has": _sheet_has,
    "numbers_match_source": _numbers_match_source,
    "links_resolve": lambda line, result: bundle_checks.links_resolve(result.text, result.files, result.data),
    "has_parts": lambda line, result: bundle_checks.has_parts(line.argument, result.text, result.files),
    "schema": lambda line, result: bundle_checks.schema(line.argument, result.files),
}


def main() -> None:
    """The child: one question on standard input, the verdicts on standard output."""
    asked = json.load(sys.stdin)
    die_with(asked["parent"])
    resource.setrlimit(resource.RLIMIT_AS, (asked["memory"], asked["memory"]))
    resource.setrlimit(resource.RLIMIT_CPU, (asked["seconds"], asked["seconds"]))
    verdicts = judge(asked["lines"], _result(asked["result"]))
    json.dump([verdict.as_json() for verdict in verdicts], sys.stdout)


def _result(said: dict[str, Any]) -> Result:
    files, data = (
        tuple(ResultFile(file["name"], Path(file["path"]), file["size"]) for file in said[kind])
        for kind in ("files", "data")
    )
    return Result(said["text"], files, data)


if __name__ == "__main__":
    main()
