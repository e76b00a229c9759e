"""T11 of reliability.md 4A at a size that fits into a test run; `make chaos` runs it whole."""

from __future__ import annotations

import pytest

from tests.chaos.model_away import MODEL, SIZES, on_time
from tests.chaos.rows import CI, chosen_seed


@pytest.mark.parametrize("kind", ["servers"])
def test_work_goes_on_and_nothing_is_burned_while_the_model_is_away(kind: str) -> None:
    with on_time(kind, CI) as stack:
        row = MODEL["T11"](stack, SIZES["T11"][CI], chosen_seed())
    print(row.line())
    assert row.passed, row.complaint()
