"""Wrong codes are counted by address and in all; right ones cost nothing."""

from __future__ import annotations

from typing import Any

import pytest

from clawgroups.core.errors import NotFound, TooOften
from clawgroups.services import guessing
from clawgroups.services.guessing import Guesses, asker


class Clock:
    """A clock that goes when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def miss(guesses: Guesses, address: str, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(NotFound), guesses.counted(address):
            raise NotFound("no such code")


def refused(guesses: Guesses, address: str) -> int:
    """The seconds to wait; 0 where it is listened to."""
    try:
        with guesses.counted(address):
            return 0
    except TooOften as told:
        return int(told.fields["retry_after"])


def test_after_ten_wrong_codes_an_address_waits_and_no_other_one_does() -> None:
    clock = Clock()
    guesses = Guesses(clock)
    miss(guesses, "192.0.2.1", 10)
    assert refused(guesses, "192.0.2.1") == 10
    assert refused(guesses, "192.0.2.2") == 0
    clock.now += 9.5
    assert refused(guesses, "192.0.2.1") == 1
    clock.now += 0.6
    miss(guesses, "192.0.2.1")
    assert refused(guesses, "192.0.2.1") > 0


def test_right_codes_are_never_counted() -> None:
    guesses = Guesses(Clock())
    assert [refused(guesses, "192.0.2.1") for _ in range(1000)] == [0] * 1000


def test_one_network_of_ipv6_is_one_address_and_a_mapped_address_is_itself() -> None:
    guesses = Guesses(Clock())
    miss(guesses, "2001:db8:0:1::1", 5)
    miss(guesses, "2001:db8:0:1:ffff::2%eth0", 5)
    assert refused(guesses, "2001:db8:0:1::3") == 10
    assert refused(guesses, "2001:db8:0:2::3") == 0
    miss(guesses, "::ffff:192.0.2.1", 10)
    assert refused(guesses, "192.0.2.1") == 10


def test_many_addresses_together_wait_too_and_are_not_remembered_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guessing, "MOST", 20)
    clock = Clock()
    guesses = Guesses(clock)
    for number in range(int(guessing.IN_ALL_AT_ONCE)):
        miss(guesses, f"198.51.100.{number % 250}")
    assert len(guesses._known) == 20
    assert refused(guesses, "203.0.113.9") == 1
    clock.now += 1.0
    assert refused(guesses, "203.0.113.9") == 0


def test_who_has_no_address_is_counted_as_one() -> None:
    guesses = Guesses(Clock())
    miss(guesses, "", 5)
    miss(guesses, "a unix socket", 5)
    assert refused(guesses, "") == 10


def test_who_asks_is_said_by_the_proxy_last_and_only_where_there_is_one(settings: Any) -> None:
    said = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "1.1.1.1, 9.9.9.9"}
    settings.SECURE_PROXY_SSL_HEADER = None
    assert asker(said) == "10.0.0.1"
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert asker(said) == "9.9.9.9"
    assert asker({"REMOTE_ADDR": "10.0.0.1"}) == "10.0.0.1"
