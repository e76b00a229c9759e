"""When an agent gets no work any more, when it is tried again, and who must clear it: tables with their own clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core import breaker
from clawgroups.core.breaker import Breaker, BreakerState, Limits

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
LIMITS = Limits()
CLOSED, OPEN, PROBING, QUARANTINED = BreakerState


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def after(outcomes: str, begin: Breaker | None = None) -> Breaker:
    """The breaker after a second for each of: f(ailed), s(ucceeded), v(iolated), p(robe if due)."""
    found = begin or Breaker()
    for second, outcome in enumerate(outcomes):
        match outcome:
            case "f":
                found = breaker.failed(found, at(second), LIMITS, "it crashed")
            case "s":
                found = breaker.succeeded(found, LIMITS)
            case "v":
                found = breaker.violated(found, at(second), LIMITS, "no JSON")
            case _:
                found = breaker.probed(found, at(second))
    return found


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ("", CLOSED),
        ("ff", CLOSED),
        ("fff", OPEN),
        ("fsfsf", OPEN),
        ("fsfssf", CLOSED),
        ("ffsssf", CLOSED),
        ("sssssfff", OPEN),
        ("fssfssfss", CLOSED),
        ("vv", CLOSED),
        ("vvv", OPEN),
        ("vsvsv", OPEN),
        ("ffv", CLOSED),
        ("fffs", OPEN),
        ("ffffff", OPEN),
        ("fffvvv", OPEN),
        ("fffp", OPEN),
    ],
)
def test_it_opens_after_three_failures_of_five_or_three_violations(outcomes: str, state: BreakerState) -> None:
    assert after(outcomes).state is state


def test_an_open_one_says_why_and_until_when() -> None:
    opened = after("fff")
    assert opened.until == at(2 + 60)
    assert (opened.reason, opened.detail) == ("It failed 3 of its last 5 tasks", "it crashed")
    assert after("vvv").reason == "It broke the protocol 3 times within 60 seconds: no JSON"


def test_violations_that_lie_apart_do_not_add_up() -> None:
    found = Breaker()
    for minute in range(0, 20, 1):
        found = breaker.violated(found, at(minute * 30.5), LIMITS, "no JSON")
    assert found.state is CLOSED
    assert len(found.violations) <= LIMITS.violations


@pytest.mark.parametrize(("seconds", "state"), [(0, OPEN), (61.9, OPEN), (62, PROBING), (500, PROBING)])
def test_one_probe_is_due_when_the_pause_is_over(seconds: float, state: BreakerState) -> None:
    assert breaker.probed(after("fff"), at(seconds)).state is state


def test_a_success_on_trial_closes_it_and_forgets_the_failures() -> None:
    probing = breaker.probed(after("fff"), at(62))
    closed = breaker.succeeded(probing, LIMITS)
    assert (closed.state, closed.recent, closed.reason, closed.until) == (CLOSED, (), "", None)
    assert after("ff", closed).state is CLOSED


def test_a_failure_on_trial_opens_it_at_once() -> None:
    again = breaker.failed(breaker.probed(after("fff"), at(62)), at(70), LIMITS, "no answer")
    assert (again.state, again.until) == (OPEN, at(130))
    assert (again.reason, again.detail) == ("It failed the task it was tried with", "no answer")


@pytest.mark.parametrize(("between", "state"), [(61, QUARANTINED), (1799, QUARANTINED), (1801, OPEN)])
def test_three_openings_within_an_hour_put_it_into_quarantine(between: float, state: BreakerState) -> None:
    found, second = after("fff"), 2.0
    for _ in range(2):
        second += between
        found = breaker.failed(breaker.probed(found, at(second)), at(second), LIMITS, "again")
    assert found.state is state


def test_a_success_in_between_does_not_hide_that_it_keeps_opening() -> None:
    found, second = Breaker(), 0.0
    for _ in range(3):
        for _ in range(3):
            second += 1
            found = breaker.failed(found, at(second), LIMITS, "again")
        if found.state is OPEN:
            second += 61
            found = breaker.succeeded(breaker.probed(found, at(second)), LIMITS)
    assert found.state is QUARANTINED


@pytest.mark.parametrize("outcomes", ["f", "s", "v", "p", "fsvp" * 3])
def test_only_a_person_ends_a_quarantine(outcomes: str) -> None:
    quarantined = Breaker(QUARANTINED, opens=(at(0), at(1), at(2)), reason="again")
    assert after(outcomes, quarantined) == quarantined
    assert breaker.probed(quarantined, at(10_000_000)) == quarantined
    assert breaker.cleared() == Breaker()


def test_only_a_probing_one_keeps_what_it_was_offered() -> None:
    probing = breaker.probed(after("fff"), at(62))
    assert breaker.offered(probing, "one").probe == "one"
    assert breaker.offered(Breaker(), "one") == Breaker()


def test_times_follow_the_clock_scale_and_numbers_do_not() -> None:
    scaled = LIMITS.scaled(0.1)
    assert (scaled.pause, scaled.violations_within, scaled.opens_within) == (6, 6, 360)
    assert (scaled.failures, scaled.of_last, scaled.violations, scaled.opens) == (3, 5, 3, 3)


OUTCOMES = st.text("fsvp", max_size=40)


@given(OUTCOMES)
def test_what_is_stored_is_what_is_read(outcomes: str) -> None:
    found = after(outcomes)
    assert breaker.read(found.state.value, found.until, found.health) == found


@given(st.text("fs", max_size=40))
def test_what_is_kept_decides_as_all_outcomes_would(outcomes: str) -> None:
    found = Breaker()
    for number, outcome in enumerate(outcomes):
        found = after(outcome, found)
        window = outcomes[max(0, number - 4) : number + 1]
        assert (found.state is OPEN) == (window.count("f") >= 3)
        if found.state is OPEN:
            return


@given(st.integers(0, 50))
def test_whoever_only_succeeds_changes_nothing(number: int) -> None:
    assert after("s" * number).health == {}
