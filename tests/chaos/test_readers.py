"""T03 and T20 of reliability.md 4A at a size that fits into a test run; `make chaos` runs them whole."""

from __future__ import annotations

import pytest

from tests.chaos.readers import READERS, SIZES
from tests.chaos.rows import CI, chosen_seed
from tests.chaos.stacks import Stack


@pytest.mark.parametrize("test", READERS)
def test_everybody_is_told_everything_that_is_written_however_slowly_somebody_reads(stack: Stack, test: str) -> None:
    row = READERS[test](stack, SIZES[test][CI], chosen_seed())
    print(row.line())
    assert row.passed, row.complaint()
