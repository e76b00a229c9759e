"""docs/conformance.md names tests that exist, and every file of this folder."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")


def named() -> set[tuple[str, str]]:
    """(file, test) as the page has them; `::test` alone goes on with the file before it."""
    found, file = set(), ""
    for path, test in re.findall(r"`(tests/[\w/]+\.py)?(?:::(test_\w+))?`", PAGE):
        file = path or file
        if path or test:
            found.add((file, test))
    return found


def functions_of(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_every_test_that_the_page_names_exists() -> None:
    assert len(named()) > 50
    assert [f"{file}::{test}" for file, test in named() if test and test not in functions_of(file)] == []


def test_every_file_of_these_tests_is_on_the_page() -> None:
    files = {str(path.relative_to(ROOT)) for path in Path(__file__).parent.glob("test_*.py")}
    assert files - {file for file, _ in named()} == {"tests/conformance/test_documented.py"} - {f for f, _ in named()}
