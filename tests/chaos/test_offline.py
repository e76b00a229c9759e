"""T19 of reliability.md 4A at a size that fits into a test run; `make chaos` runs it whole."""

from __future__ import annotations

import pytest

from tests.chaos.offline import OFFLINE, SIZES
from tests.chaos.rows import CI, chosen_seed
from tests.chaos.stacks import Stack


@pytest.mark.parametrize("test", OFFLINE)
def test_whoever_was_away_has_everything_once_soon_after_the_return(stack: Stack, test: str) -> None:
    row = OFFLINE[test](stack, SIZES[test][CI], chosen_seed())
    print(row.line())
    assert row.passed, row.complaint()
