"""Durations as people write them, and which deadlines a workspace may have."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.durations import parse_duration, say_duration
from clawgroups.core.errors import Invalid
from clawgroups.core.timer_settings import ORDERED, SETTINGS, clean_timers
from clawgroups.core.timers import Timers

WRITTEN = {
    "90": 90,
    "45 s": 45,
    "5min": 300,
    "1 h 30 min": 5400,
    "1h30m": 5400,
    "1.5 hours": 5400,
    "1,5 h": 5400,
    "2 days": 172_800,
    " 1 Minute, 30 Seconds ": 90,
}


@pytest.mark.parametrize("text", WRITTEN)
def test_a_duration_is_read_as_people_write_it(text: str) -> None:
    assert parse_duration(text) == WRITTEN[text]


@pytest.mark.parametrize("text", ["", "soon", "5 parsecs", "min 5", "-5 min", "5 min or so", "1e9", "5 min 3"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="45 s"):
        parse_duration(text)


@given(st.integers(min_value=1, max_value=90 * 86400))
def test_a_duration_that_is_said_is_read_as_the_same(seconds: int) -> None:
    assert parse_duration(say_duration(seconds)) == seconds


def test_the_defaults_are_within_their_own_bounds_and_in_order() -> None:
    assert clean_timers({name: one.default for name, one in SETTINGS.items()}) == {}
    for short, long in ORDERED:
        assert SETTINGS[short].default < SETTINGS[long].default


def test_only_what_differs_from_the_default_is_kept() -> None:
    assert clean_timers({"approval": 900, "review": None, "grace": Timers().grace}) == {"approval": 900.0}


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "an unknown one": ({"lunch": 5}, "timers", "no deadline “lunch”"),
    "no number": ({"approval": "soon"}, "approval", "number of seconds"),
    "a truth": ({"approval": True}, "approval", "number of seconds"),
    "not a number": ({"approval": float("nan")}, "approval", "number of seconds"),
    "too short": ({"lost_contact": 5}, "lost_contact", "can be 30 s to 1 h"),
    "too long": ({"run_total": 1e9}, "run_total", "can be 10 min to 90 days"),
    "in the wrong order": ({"soft_stall": 400}, "soft_stall", "must be shorter than “Without progress” .5 min."),
    "in the wrong order, seen from the other": ({"holder_offer": 600}, "holder_offer", "“Idle in human hands”"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_deadline_that_cannot_be_is_refused_by_name(case: str) -> None:
    given, field, said = REFUSED[case]
    with pytest.raises(Invalid, match=said) as refused:
        clean_timers(given)
    assert refused.value.fields["field"] == field
