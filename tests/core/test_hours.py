"""When a person may be asked: in their own zone, over midnight, and said clearly where it cannot be read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.errors import Invalid
from clawgroups.core.hours import DAYS, Hours, read_hours

OFFICE = {"zone": "Europe/Berlin", "days": ["mon", "fri"], "from": "09:00", "to": "17:30"}
NIGHT = {"zone": "UTC", "days": ["fri"], "from": "22:00", "to": "06:00"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "moment", "held"),
    [
        (OFFICE, "2026-11-27 08:00", True),  # Friday, 9:00 in Berlin
        (OFFICE, "2026-11-27 07:59", False),
        (OFFICE, "2026-11-27 16:29", True),
        (OFFICE, "2026-11-27 16:30", False),
        (OFFICE, "2026-11-26 10:00", False),  # Thursday
        (OFFICE, "2026-07-03 07:00", True),  # in summer an hour earlier
        (NIGHT, "2026-11-27 23:00", True),
        (NIGHT, "2026-11-28 05:59", True),  # Saturday morning belongs to Friday's night
        (NIGHT, "2026-11-28 06:00", False),
        (NIGHT, "2026-11-28 22:00", False),
        (NIGHT, "2026-11-27 05:00", False),
        ({**NIGHT, "from": "00:00", "to": "00:00"}, "2026-11-27 12:00", True),
    ],
)
def test_a_moment_lies_within_hours_or_not(said: dict[str, Any], moment: str, held: bool) -> None:
    hours = read_hours(said)
    assert hours is not None
    assert hours.hold(at(moment)) is held


def test_no_hours_are_any_time_and_missing_parts_are_usual_ones() -> None:
    assert read_hours({}) is None
    assert read_hours({"zone": "UTC"}) == Hours()


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"zone": "Europe/Atlantis"}, "zone"),
        ({"zone": "../etc/passwd"}, "zone"),
        ({"zone": "x" * 5000}, "zone"),
        ({"days": []}, "days"),
        ({"days": ["monday"]}, "days"),
        ({"days": [["mon"]]}, "days"),
        ({"days": "mon"}, "days"),
        ({"from": "25:00"}, "from"),
        ({"to": "soon"}, "to"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(said: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_hours(said)
    assert refused.value.fields["field"] == field


@given(
    st.sampled_from(["UTC", "Asia/Kolkata", "America/St_Johns"]),
    st.sets(st.sampled_from(DAYS), min_size=1).map(list),
    st.times(),
    st.times(),
)
def test_what_is_stored_is_read_again(zone: str, days: list[str], begin: Any, end: Any) -> None:
    said = {"zone": zone, "days": days, "from": f"{begin:%H:%M}", "to": f"{end:%H:%M}"}
    hours = read_hours(said)
    assert hours is not None
    assert read_hours(hours.as_json()) == hours
