"""A whole run beside its browsers at a size that fits into a test run; `make chaos` holds the full one to its times."""

from __future__ import annotations

from tests.chaos.load import LOAD, SIZES
from tests.chaos.rows import CI, chosen_seed
from tests.chaos.stacks import Stack


def test_a_run_at_full_speed_and_one_at_ease_lose_nothing_on_the_way_to_any_browser(stack: Stack) -> None:
    row = LOAD["T02"](stack, SIZES["T02"][CI], chosen_seed())
    print(row.line())
    assert row.passed, row.complaint()
