"""The closing line counts what really ran, and nothing is skipped in silence."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest

from tests.run.__main__ import AT_LAST, BY_NAME, FIRST, ROOT, STAGES
from tests.run.beside import Beside
from tests.run.results import Results

REPORT = """<testsuites><testsuite>
<testcase classname="a" name="one"/><testcase classname="a" name="two"><failure message="no"/></testcase>
<testcase classname="a" name="three"><skipped message="no Chromium"/></testcase>
<testcase classname="a" name="four"><error message="fixture"/></testcase>
</testsuite></testsuites>"""


def read(tmp_path: Path, text: str, *, status: int, strict: bool) -> list[str]:
    report = tmp_path / "report.xml"
    report.write_text(text, encoding="utf-8")
    results = Results(strict=strict)
    results.check(ok=True)
    results.read(report, status=status)
    return results.summary()


def test_passed_failed_and_skipped_are_counted_and_the_skipped_are_named(tmp_path: Path) -> None:
    lines = read(tmp_path, REPORT, status=1, strict=False)
    assert lines == ["skipped: a.three: no Chromium", "2 passed, 2 failed, 1 skipped"]


def test_under_ci_a_skipped_test_counts_as_failed(tmp_path: Path) -> None:
    assert read(tmp_path, REPORT, status=1, strict=True)[-1] == "2 passed, 3 failed"


def test_a_run_that_ends_badly_without_a_failed_test_is_a_failure(tmp_path: Path) -> None:
    assert read(tmp_path, "<testsuites/>", status=5, strict=False)[-1] == "1 passed, 1 failed"
    assert read(tmp_path, "not xml", status=4, strict=False)[-1] == "1 passed, 1 failed"


def test_what_ran_beside_is_counted_by_its_closing_line() -> None:
    results = Results(strict=False)
    results.add("== browser\n..\nskipped: a.b: no Chromium\n2 passed, 1 failed, 1 skipped\n", status=1)
    results.add("Segmentation fault", status=139)
    assert results.summary() == ["skipped: a.b: no Chromium", "2 passed, 2 failed, 1 skipped"]


def test_under_ci_what_was_skipped_beside_is_among_its_failures() -> None:
    results = Results(strict=True)
    results.add("skipped: a.b: no Chromium\n2 passed, 2 failed\n", status=1)
    assert results.summary() == ["2 passed, 2 failed"]


def test_a_run_beside_tells_what_it_says_when_it_is_over(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    beside = Beside(["--help"], cwd=ROOT, said=tmp_path / "said.txt")
    results = Results(strict=True)
    beside.finish(results, within=60)
    assert "one line: `N passed, N failed`" in capfd.readouterr().out
    assert results.summary() == ["0 passed, 0 failed"]


def test_every_stage_runs_once_in_a_whole_run_or_by_its_name() -> None:
    assert sorted(chain(*FIRST, *AT_LAST, BY_NAME)) == sorted(STAGES)
