"""T04 at a reduced size; `python -m tests.chaos T04` plays 12 hours."""

from __future__ import annotations

from tests.chaos.long_life import long_life
from tests.chaos.rows import CI, chosen_seed


def test_a_long_run_with_agents_that_come_and_go_leaves_nothing_open_and_reads_no_more_for_its_age() -> None:
    row = long_life(CI, chosen_seed())
    assert row.passed, row.complaint()
