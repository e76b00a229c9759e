"""A stage that hangs ends with what it was doing, and leaves nothing behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.run.limited import TOO_LONG, finish
from tests.tooling.processes import alive, eventually

HANGS = """
import faulthandler, subprocess, sys
from pathlib import Path
faulthandler.enable()
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
Path("child").write_text(str(child.pid))
child.wait()
"""


def run(program: str, folder: Path, within: float) -> int:
    return finish([sys.executable, "-c", program], cwd=folder, environment=dict(os.environ), within=within)


def test_a_program_that_ends_in_time_gives_its_own_status(tmp_path: Path) -> None:
    assert run("raise SystemExit(3)", tmp_path, within=60) == 3


def test_one_that_hangs_says_where_and_is_killed_with_its_children(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(HANGS, tmp_path, within=2) == TOO_LONG
    said = capfd.readouterr()
    assert "It did not end within 2 s" in said.out
    assert "child.wait()" in said.err or "in wait" in said.err
    child = int((tmp_path / "child").read_text(encoding="utf-8"))
    assert eventually(lambda: not alive(child))
