"""T11 of reliability.md 4A at a size that fits into a test run; `make chaos` runs it whole."""

from __future__ import annotations

from tests.chaos.model_away import MODEL, SIZES
from tests.chaos.rows import CI, chosen_seed
from tests.chaos.stacks import Stack


def test_work_goes_on_and_nothing_is_burned_while_the_model_is_away(quick: Stack) -> None:
    row = MODEL["T11"](quick, SIZES["T11"][CI], chosen_seed())
    print(row.line())
    assert row.passed, row.complaint()
