"""T21 of reliability.md 4A at a size that fits into a test run; `make chaos` runs it whole."""

from __future__ import annotations

from tests.chaos.rows import CI, chosen_seed
from tests.chaos.takeover import taken_over


def test_whoever_takes_over_is_alone_and_loses_nothing_whatever_is_decided_at_that_moment() -> None:
    row = taken_over(CI, chosen_seed())
    print(row.line())
    assert row.passed, row.complaint()
