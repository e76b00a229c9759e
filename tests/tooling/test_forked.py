"""Tests that were collected once and run by several processes are all run once, and counted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.run.__main__ import ROOT
from tests.run.forked import reports
from tests.run.results import Results

COLLECTED = "with open('collected', 'a') as out: out.write(f'{__name__} ')\n"
SOUND = "import os\nMINE = os.getpid()\ndef test_of_a_fork():\n    print('aloud')\n    assert os.getppid() == MINE\n"
LOGGED = """import logging, sys
logging.getLogger("of.us").addHandler(logging.StreamHandler(sys.stderr))
def test_a_line(capfd):
    logging.getLogger("of.us").warning("aloud")
    assert capfd.readouterr().err == ""
"""
UNSOUND = "def test_one(): assert 0\ndef test_two(): pass\n"
DEAD = "import os\ndef test_the_end_of_the_process(): os._exit(0)\n"


def ran(folder: Path, **files: str) -> tuple[str, str]:
    """What a run with these test files found, and what it said."""
    for name, text in files.items():
        (folder / name).mkdir()
        (folder / name / "__init__.py").touch()
        (folder / name / f"test_{name}.py").write_text(COLLECTED + text, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    command = ["-m", "pytest", "-q", "-p", "tests.run.forked", "--workers", "2", "--junit-xml=report.xml"]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True)
    results, report = Results(strict=True), folder / "report.xml"
    results.read(report, *reports(report), status=done.returncode)
    return results.summary()[-1], done.stdout


def test_each_is_run_once_and_collected_once_and_counted(tmp_path: Path) -> None:
    found, said = ran(tmp_path, a=SOUND, b=UNSOUND, c=SOUND, d=SOUND)
    assert found == "4 passed, 1 failed", said
    assert (tmp_path / "collected").read_text() == "a.test_a b.test_b c.test_c d.test_d "
    assert "aloud" not in said


def test_a_log_that_was_set_up_meanwhile_is_written_on(tmp_path: Path) -> None:
    found, said = ran(tmp_path, a=LOGGED, b=SOUND)
    assert found == "2 passed, 0 failed", said


def test_a_process_that_is_gone_is_a_failure_although_it_says_that_all_is_well(tmp_path: Path) -> None:
    found, said = ran(tmp_path, a=DEAD, b=SOUND)
    assert found == "1 passed, 1 failed", said


def test_a_file_that_cannot_be_collected_is_a_failure(tmp_path: Path) -> None:
    found, said = ran(tmp_path, a="import nothing_of_that_name\n", b=SOUND)
    assert found.endswith(" 1 failed"), said
