"""T22 of reliability.md 4A at a size that fits into a test run; `make chaos` runs it whole."""

from __future__ import annotations

from tests.chaos.approvals import SIZES, asked, on_time
from tests.chaos.rows import CI, chosen_seed


def test_each_decision_reaches_its_agent_once_and_none_is_an_agents_whatever_breaks() -> None:
    with on_time("servers", CI) as stack:
        row = asked(stack, SIZES["T22"][CI], chosen_seed())
    print(row.line())
    assert row.passed, row.complaint()
