"""The two clocks as tables: what is overdue, what is only noted, which deadline is shown, how a rest moves them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clawgroups.core.clocks import (
    GIVEN_ON,
    NO_SIGN,
    NOT_BACK,
    InHand,
    Sign,
    attempt_after_rest,
    noted,
    overdue,
    sign,
    task_after_rest,
    wait_in_hand,
)
from clawgroups.core.failures import Failure
from clawgroups.core.timers import RUN_ENDS, TASK_ENDS, Bounds, Timers, Wait, wait_for_resume

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
TIMERS = Timers()


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


# An agent that works, was heard of and made progress this very moment, and has twenty minutes.
FINE = InHand(close_by=at(1200), progress_at=NOW, heard_at=NOW)

OVERDUE: dict[str, tuple[dict[str, Any], float, Failure | None]] = {
    "in time": ({"progress_at": at(1190)}, 1199, None),
    "not finished": ({"progress_at": at(1200)}, 1200, Failure.TIMED_OUT),
    "a second before it is stalled": ({}, 299, None),
    "stalled": ({}, 300, Failure.STALLED),
    "looping": ({"repeats": 3}, 300, Failure.LOOPING),
    "twice is no loop": ({"repeats": 2}, 300, Failure.STALLED),
    "not begun": ({"begun": False, "progress_at": None, "start_by": at(300)}, 300, Failure.NOT_STARTED),
    "may begin still": ({"begun": False, "progress_at": None, "start_by": at(300)}, 299, None),
    "not acknowledged": ({"start_by": at(120)}, 120, Failure.NOT_ACKNOWLEDGED),
    "may acknowledge still": ({"start_by": at(120)}, 119, None),
    "not back": ({"contact": "lost", "back_by": at(60)}, 60, Failure.LOST_CONTACT),
    "may come back still": ({"contact": "lost", "back_by": at(60)}, 59, None),
    "back, so that the old grace means nothing": ({"back_by": at(60)}, 61, None),
    "resting": ({"resting": True, "start_by": at(1), "back_by": at(1), "contact": "lost"}, 5000, None),
}


@pytest.mark.parametrize("case", OVERDUE)
def test_an_attempt_is_taken_back_at_its_first_deadline_and_not_before(case: str) -> None:
    changes, seconds, failure = OVERDUE[case]
    assert overdue(replace(FINE, **changes), TIMERS, at(seconds)) is failure


SIGNS: dict[str, tuple[dict[str, Any], float, Sign | None]] = {
    "nothing new": ({}, 44, None),
    "no sign of life": ({}, 45, Sign.LOST),
    "the socket has closed": ({"heard_at": None}, 0, Sign.LOST),
    "lost and still away": ({"contact": "lost"}, 46, None),
    "back": ({"contact": "lost", "heard_at": at(60)}, 61, Sign.BACK),
    "quiet": ({"heard_at": at(120)}, 120, Sign.QUIET),
    "nearly quiet": ({"heard_at": at(119)}, 119, None),
    "quiet was said": ({"heard_at": at(130), "quiet_since": NOW}, 130, None),
    "goes on again": ({"heard_at": at(131), "quiet_since": NOW, "progress_at": at(130)}, 131, Sign.STIRRED),
    "resting is not quiet": ({"heard_at": at(500), "resting": True}, 500, None),
    "contact is lost in a rest too": ({"resting": True}, 45, Sign.LOST),
    "an offer is not quiet": ({"begun": False, "progress_at": None, "heard_at": at(500)}, 500, None),
}


@pytest.mark.parametrize("case", SIGNS)
def test_a_sign_is_noted_once(case: str) -> None:
    changes, seconds, expected = SIGNS[case]
    assert sign(replace(FINE, **changes), TIMERS, at(seconds)) is expected


def test_a_sign_says_what_becomes_of_the_columns() -> None:
    assert noted(FINE, Sign.LOST, TIMERS, NOW) == {"contact": "lost", "back_by": at(60)}
    assert noted(FINE, Sign.BACK, TIMERS, NOW) == {"contact": "live", "back_by": None}
    assert noted(FINE, Sign.QUIET, TIMERS, at(120)) == {"quiet_since": NOW}
    assert noted(FINE, Sign.STIRRED, TIMERS, NOW) == {"quiet_since": None}


SHOWN: dict[str, tuple[dict[str, Any], float, str]] = {
    "its end": ({}, 1200, GIVEN_ON),
    "its begin": ({"begun": False, "close_by": None, "start_by": at(300)}, 300, GIVEN_ON),
    "its return": ({"contact": "lost", "back_by": at(60)}, 60, NOT_BACK),
    "its quiet": ({"quiet_since": NOW}, 300, NO_SIGN),
    "what comes first of two": ({"quiet_since": NOW, "close_by": at(200)}, 200, GIVEN_ON),
}


@pytest.mark.parametrize("case", SHOWN)
def test_the_earliest_deadline_is_shown_with_its_effect(case: str) -> None:
    changes, seconds, effect = SHOWN[case]
    wait = wait_in_hand(replace(FINE, **changes), TIMERS, "Scribe")
    assert (wait.blocked_on, wait.next_actor, wait.deadline, wait.effect) == ("agent", "Scribe", at(seconds), effect)


BOUNDED: dict[str, tuple[str, Bounds, float | None, str]] = {
    "its own": ("agent", Bounds(at(20), at(30)), 10, "own"),
    "the task's": ("agent", Bounds(at(5), at(30)), 5, TASK_ENDS),
    "the run's": ("agent", Bounds(at(20), at(3)), 3, RUN_ENDS),
    "the task's rests while a person is waited for": ("person", Bounds(at(5), at(30)), 10, "own"),
    "the run's does not": ("person", Bounds(at(5), at(3)), 3, RUN_ENDS),
}


@pytest.mark.parametrize("case", BOUNDED)
def test_no_wait_is_longer_than_its_task_and_its_run(case: str) -> None:
    blocked_on, bounds, seconds, effect = BOUNDED[case]
    columns = Wait(blocked_on, "x", at(10), "own").columns(bounds)
    assert (columns["deadline_at"], columns["deadline_effect"]) == (at(seconds or 0), effect)


def test_a_paused_run_waits_until_its_own_deadline_only() -> None:
    columns = wait_for_resume("Ada").columns(Bounds(at(5), at(30)))
    assert (columns["deadline_at"], columns["deadline_effect"]) == (at(30), RUN_ENDS)


def test_a_rest_moves_an_attempts_clocks_on_by_its_length() -> None:
    before = {"start_by": None, "close_by": at(1000), "back_by": at(30), "progress_at": at(-100)}
    after = attempt_after_rest(before, timedelta(seconds=200), at(200), TIMERS)
    assert after == {
        "start_by": None,
        "close_by": at(1200),
        "back_by": at(230),
        "progress_at": at(100),
        "quiet_since": None,
    }


def test_a_rest_never_gives_more_than_a_whole_period() -> None:
    before = {"close_by": at(1190), "back_by": at(195), "progress_at": at(190)}
    after = attempt_after_rest(before, timedelta(seconds=200), at(200), TIMERS)
    assert (after["close_by"], after["back_by"], after["progress_at"]) == (at(1390), at(260), at(200))


@pytest.mark.parametrize(
    ("close_by", "expected"),
    [(None, None), (at(1000), at(1600)), (at(-1), at(600 + 7200))],
    ids=["none", "moved on", "anew, since it had passed before"],
)
def test_a_tasks_own_deadline_is_moved_on_by_a_rest(close_by: datetime | None, expected: datetime | None) -> None:
    assert task_after_rest(close_by, NOW, at(600), TIMERS) == expected
