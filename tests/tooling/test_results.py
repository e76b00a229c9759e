"""The closing line counts what really ran, and nothing is skipped in silence."""

from __future__ import annotations

from pathlib import Path

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
