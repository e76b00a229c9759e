"""T28 of reliability.md 4A at a size that fits into a test run; `make chaos` runs it with 300 sockets."""

from __future__ import annotations

from tests.chaos.rows import CI, chosen_seed
from tests.chaos.stacks import Stack
from tests.chaos.standing import SIZES, STANDING


def test_a_pass_or_seat_that_is_lost_counts_at_once_on_what_is_open_and_on_nothing_else(stack: Stack) -> None:
    row = STANDING["T28"](stack, SIZES["T28"][CI], chosen_seed())
    print(row.line())
    assert row.passed, row.complaint()
