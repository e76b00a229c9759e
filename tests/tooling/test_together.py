"""Files that share an installation are run by one process."""

from __future__ import annotations

from tests.run.__main__ import ROOT
from tests.run.together import GROUPS, OF_FILE


def test_the_files_that_are_grouped_exist_and_none_is_in_two_groups() -> None:
    assert len(OF_FILE) == sum(map(len, GROUPS.values()))
    assert [file for file in OF_FILE if not (ROOT / "tests" / f"{file}.py").exists()] == []


def test_whatever_stands_on_a_shared_installation_is_in_its_group() -> None:
    fixtures = {"stack: Stack", "quick: Stack", "own: Installation", "other: Installation", "script: Script"}
    files = [*(ROOT / "tests" / "chaos").glob("test_*.py"), *(ROOT / "tests" / "stories").glob("test_*.py")]
    using = {f"{one.parent.name}/{one.stem}" for one in files if any(use in one.read_text() for use in fixtures)}
    assert using <= OF_FILE.keys()
