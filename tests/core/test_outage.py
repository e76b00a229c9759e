"""Whether we were away ourselves, as a table of pulses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clawgroups.core.outage import Finding, Pulse, look

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
GAP = LAPSE = timedelta(seconds=30)
QUIET = timedelta(seconds=105)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


LATER = NOW + QUIET
CASES: dict[str, tuple[Pulse, Finding]] = {
    "the first sweep of all": (Pulse(), Finding(quiet_until=LATER)),
    "all is well": (Pulse(ago(2), ago(9)), Finding()),
    "no gateway was ever there": (Pulse(ago(2)), Finding()),
    "a quick restart of the worker": (Pulse(ago(29), ago(9)), Finding()),
    "the worker was down": (Pulse(ago(300), ago(9)), Finding(over=ago(300), quiet_until=LATER)),
    "no gateway is there": (Pulse(ago(2), ago(31)), Finding(away_since=ago(31))),
    "still none": (Pulse(ago(2), ago(90), away_since=ago(90)), Finding(away_since=ago(90))),
    "one is there again": (
        Pulse(ago(2), ago(1), away_since=ago(300)),
        Finding(over=ago(300), quiet_until=LATER),
    ),
    "everything was down, the worker is first": (Pulse(ago(300), ago(305)), Finding(away_since=ago(305))),
    "everything was down, the gateway was first": (
        Pulse(ago(300), ago(3)),
        Finding(over=ago(300), quiet_until=LATER),
    ),
    "the quiet time goes on": (
        Pulse(ago(2), ago(9), quiet_until=NOW + timedelta(seconds=50)),
        Finding(quiet_until=NOW + timedelta(seconds=50)),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_outage_is_noticed_and_measured(case: str) -> None:
    pulse, expected = CASES[case]
    assert look(pulse, NOW, gap=GAP, lapse=LAPSE, quiet=QUIET) == expected


@pytest.mark.parametrize(
    ("finding", "quiet"),
    [
        (Finding(), False),
        (Finding(away_since=ago(40)), True),
        (Finding(quiet_until=NOW + timedelta(seconds=1)), True),
        (Finding(quiet_until=NOW), False),
    ],
)
def test_nothing_expires_while_we_are_away_and_for_a_while_after(finding: Finding, quiet: bool) -> None:
    assert finding.is_quiet(NOW) is quiet
