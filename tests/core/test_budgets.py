"""Limits: what is near, what is reached, and how it is said."""

from __future__ import annotations

from typing import Any

import pytest

from clawgroups.core.budgets import MONTH, RUN, Spent, Standing, near, reached, read_set, say_amount
from clawgroups.core.coordination import Limits
from clawgroups.core.errors import Invalid


def test_nothing_is_reached_where_there_is_no_limit() -> None:
    assert reached([Standing(RUN, Limits(), Spent(10**9, 10**9, 10**9, 10**9))]) == ""


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(tokens=1000), "The limit of the run of 1,000 tokens is used up."),
        (Limits(cost_micro=1_500_000), "The limit of the run of 1.50 USD is used up."),
        (Limits(steps=1500), "The limit of the run of 1,500 steps is used up."),
        (Limits(seconds=5400), "The limit of the run of 1 h 30 min is used up."),
    ],
)
def test_a_limit_that_is_used_up_is_said_with_its_amount(limits: Limits, said: str) -> None:
    assert reached([Standing(RUN, limits, Spent(1499, 1_499_999, 1499, 5399))]) == (said if limits.tokens else "")
    assert reached([Standing(RUN, limits, Spent(1500, 1_500_000, 1500, 5400))]) == said


def test_four_fifths_are_near_and_named_by_what_they_are_of() -> None:
    month = Standing(MONTH, Limits(steps=10, tokens=100), Spent(tokens=79, steps=8))
    assert near([month]) == {
        "steps of the workspace in this month": "80% of the limit of the workspace in this month of 10 steps used up."
    }


@pytest.mark.parametrize(
    "said", [{"tokens": 0}, {"tokens": -1}, {"tokens": True}, {"tokens": 1.5}, {"tokens": 10**16}, {"words": 1}]
)
def test_what_is_no_limit_is_refused_with_its_field(said: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        read_set(said)


def test_limits_are_whole_numbers_or_nothing() -> None:
    assert read_set({"tokens": 5, "steps": None}) == {"tokens": 5, "steps": None}
    assert say_amount("cost_micro", 12_345_678_900) == "12,345.68 USD"
