"""T22 of reliability.md 4A at a size that fits into a test run; `make chaos` runs it whole."""

from __future__ import annotations

from tests.chaos.approvals import SIZES, asked
from tests.chaos.rows import CI, chosen_seed
from tests.chaos.stacks import Stack


def test_each_decision_reaches_its_agent_once_and_none_is_an_agents_whatever_breaks(
    quick: Stack,
) -> None:
    row = asked(quick, SIZES["T22"][CI], chosen_seed())
    print(row.line())
    assert row.passed, row.complaint()
