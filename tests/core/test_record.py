"""Counts of ended attempts become a record: per skill, per kind of failure, and what is nobody's fault is neither."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from clawgroups.core.failures import CONSEQUENCES, WORDS, Failure, in_words
from clawgroups.core.record import ContextUse, Ended, Tally, read_context, record_of, typical


def test_attempts_count_for_every_skill_that_their_task_needs() -> None:
    record = record_of(
        [
            Ended(["writing"], "accepted", "", 3),
            Ended(["writing", "review"], "returned", "not_accepted", 1),
            Ended(["review"], "expired", "stalled", 2),
            Ended(["review"], "refused", "stalled", 1),
        ]
    )
    assert record.total == Tally(3, 1, 3)
    assert record.skills == {"writing": Tally(3, 1, 0), "review": Tally(0, 1, 3)}
    assert record.failures == (("stalled", 3), ("not_accepted", 1))


@pytest.mark.parametrize(("state", "failure"), [("cancelled", ""), ("superseded", ""), ("cancelled", "released")])
def test_what_a_person_took_away_is_nobodys_failure(state: str, failure: str) -> None:
    assert record_of([Ended(["writing"], state, failure, 4)]) == record_of([])


def test_a_failure_without_a_kind_is_still_one() -> None:
    record = record_of([Ended([], "expired", "", 1), Ended([], "returned", "", 2)])
    assert record.failures == (("not_accepted", 2), ("error", 1))
    assert record.skills == {}


def test_a_bar_is_full_and_in_one_order() -> None:
    assert Tally(1, 1, 2).bars == [("done", "0.00", "25.00"), ("ask", "25.00", "25.00"), ("bad", "50.00", "50.00")]
    assert Tally(2, 0, 1).success == 67
    assert (Tally().bars, Tally().success) == ([], 0)


def test_the_typical_time_is_the_median() -> None:
    assert typical(timedelta(seconds=s) for s in (10, 1000, 20)) == 20
    assert typical([timedelta(seconds=-5)]) is None


def test_every_kind_of_failure_has_its_words() -> None:
    assert set(WORDS) == set(Failure) == set(CONSEQUENCES)
    assert in_words("crashed") == "its program crashed"
    assert in_words("of_tomorrow") == "of tomorrow"


def test_a_contexts_use_is_read_as_far_as_it_makes_sense() -> None:
    assert read_context({"used": 50, "size": 200}) == ContextUse(50, 200)
    said = {"used": 50, "size": 200, "cost": {"amount": 0.25, "currency": "USD"}}
    assert read_context(said) == ContextUse(50, 200, 0.25, "USD")
    assert ContextUse(500, 200).percent == 100


@pytest.mark.parametrize(
    "said",
    [None, [], {}, {"used": 1}, {"used": -1, "size": 5}, {"used": 1, "size": 0}, {"used": True, "size": 5},
     {"used": "1", "size": 5}, {"used": 2**60, "size": 5}],
)  # fmt: skip
def test_a_use_that_makes_no_sense_is_none(said: Any) -> None:
    assert read_context(said) is None


@pytest.mark.parametrize("cost", ["free", {"amount": "1"}, {"amount": float("nan")}, {"amount": -1}, {"amount": True}])
def test_a_cost_that_makes_no_sense_is_left_out(cost: Any) -> None:
    assert read_context({"used": 1, "size": 2, "cost": cost}) == ContextUse(1, 2)
