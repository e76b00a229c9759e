"""The breaker of a model server: when it opens, for how long, who may try it, and what is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from clawgroups.core.server_breaker import (
    Limits,
    ServerBreaker,
    ServerState,
    answered,
    begun,
    failed,
    knocked,
    may_be_asked,
    read,
    says,
    unfinished,
)

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
LIMITS = Limits()


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def opened(times: int = 1, kind: str = "unreachable") -> ServerBreaker:
    """One that opened so many times in a row, each at its first trial, at `NOW`."""
    found = ServerBreaker()
    for _ in range(3):
        found = failed(found, kind, "no connection", NOW, LIMITS)
    for _ in range(times - 1):
        found = failed(begun(found), kind, "no connection", NOW, LIMITS)
    return found


def test_it_opens_after_three_faults_in_a_row_and_an_answer_between_begins_anew() -> None:
    found = ServerBreaker()
    for _ in range(2):
        found = failed(found, "slow", "", NOW, LIMITS)
    found = answered(found)
    for _ in range(2):
        found = failed(found, "slow", "", NOW, LIMITS)
    assert found.state is ServerState.CLOSED
    assert failed(found, "slow", "", NOW, LIMITS).until == after(15)


@pytest.mark.parametrize(("times", "pause"), [(1, 15), (2, 30), (3, 60), (5, 240), (6, 300), (60, 300)])
def test_each_failed_trial_doubles_the_pause_up_to_five_minutes(times: int, pause: float) -> None:
    assert opened(times).until == after(pause)


def test_what_was_under_way_when_it_opened_does_not_count_again() -> None:
    found = opened()
    assert failed(found, "slow", "", after(5), LIMITS) == found


def test_on_trial_it_is_asked_once_at_a_time() -> None:
    found = opened()
    assert not may_be_asked(after(14), found, 0, 4)
    assert may_be_asked(after(15), found, 0, 4)
    on_trial = begun(found)
    assert on_trial.state is ServerState.PROBING
    assert not may_be_asked(after(16), on_trial, 1, 4)
    assert may_be_asked(after(16), on_trial, 0, 4), "whoever tried it has died"
    assert answered(on_trial).state is ServerState.CLOSED
    assert may_be_asked(after(16), unfinished(on_trial, after(16)), 0, 4)


def test_a_server_that_is_well_is_asked_as_often_at_once_as_it_takes() -> None:
    assert [may_be_asked(NOW, ServerBreaker(), calling, 2) for calling in (0, 1, 2)] == [True, True, False]


def test_a_knock_lets_in_only_one_that_was_away() -> None:
    assert knocked(opened(3), after(1)).until == after(1)
    quota = failed(ServerBreaker(), "quota", "no balance", NOW, LIMITS)
    assert knocked(quota, after(1)) == quota
    assert knocked(ServerBreaker(), NOW) == ServerBreaker()


def test_a_quota_rests_as_long_as_the_provider_says_else_a_minute_and_longer() -> None:
    assert failed(ServerBreaker(), "quota", "", NOW, LIMITS, 3600).until == after(3600)
    first = failed(ServerBreaker(), "quota", "", NOW, LIMITS)
    assert first.until == after(60)
    assert failed(begun(first), "quota", "", NOW, LIMITS).until == after(120)


def test_a_refused_key_rests_until_a_person_has_looked() -> None:
    found = failed(ServerBreaker(), "key", "401", NOW, LIMITS)
    assert found.rests_for_a_person
    assert not may_be_asked(after(10**6), found, 0, 4)


def test_it_is_read_back_as_it_was_kept() -> None:
    for found in (ServerBreaker(), opened(2), replace(opened(), asked=7)):
        assert read(found.state.value, found.until, found.health) == found
    assert ServerBreaker().health == {}


def test_it_says_what_is_wrong_and_what_ends_that() -> None:
    assert says("K2.6", ServerBreaker(), NOW) == ""
    assert says("K2.6", opened(), NOW) == (
        "K2.6 does not answer; it rests after 3 faults and is tried again at 12:00:15 UTC."
    )
    assert says("K2.6", opened(), after(15)) == ""
    assert "K2.6's quota is used up; " in says("K2.6", failed(ServerBreaker(), "quota", "x", NOW, LIMITS), NOW)
    assert says("K2.6", failed(ServerBreaker(), "key", "org-7: sk-1 is no key", NOW, LIMITS), NOW) == (
        "K2.6 refuses our key; it is not asked until somebody has looked at it."
    )
