"""A verb's decision as a value."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta

import pytest

from clawgroups.core import errors
from clawgroups.core.actors import COORDINATOR, SYSTEM, Actor, ActorKind, coordinator_for
from clawgroups.core.changes import Append, Change, Delete, Expect, Insert, OneOf, OperationId, Put, Update, one_of
from clawgroups.core.clock import utc_now
from clawgroups.core.errors import ClawError, Conflict
from clawgroups.core.timers import Timers


def test_an_operation_id_is_its_text_and_carries_the_digest_of_what_was_asked() -> None:
    operation = OperationId("k", "d")
    assert operation == "k"
    assert hash(operation) == hash("k")
    assert operation.digest == "d"
    assert f"{operation}" == "k"
    assert OperationId("k").digest == ""


def test_one_of_holds_what_it_was_given() -> None:
    assert one_of("a", None) == OneOf(frozenset({"a", None}))


@pytest.mark.parametrize(
    "value",
    [
        Change(SYSTEM),
        Update("m", 1, {}),
        Insert("m", 1, {}),
        Put("m", 1, {}),
        Append("m", 1, "c", "t"),
        Delete("m", 1),
        Expect("m", 1, {}),
        SYSTEM,
    ],
)
def test_a_decision_cannot_be_changed_after_it_was_made(value: object) -> None:
    with pytest.raises((FrozenInstanceError, TypeError)):
        setattr(value, next(iter(type(value).__dataclass_fields__)), "other")  # type: ignore[attr-defined]


def test_an_actor_is_journaled_by_kind_name_and_ids() -> None:
    assert SYSTEM.as_json() == {"kind": "system", "name": "Claw Groups"}
    assert coordinator_for(7).as_json() == {"kind": "coordinator", "name": "Coordinator", "on_behalf_of": 7}
    assert coordinator_for(None) == COORDINATOR
    ada = Actor(ActorKind.PERSON, "Ada", user_id=1, is_staff=True, scopes=frozenset({"x"}))
    assert ada.as_json() == {"kind": "person", "name": "Ada", "user": 1}


ERRORS = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, ClawError)]


@pytest.mark.parametrize("error", ERRORS)
def test_every_expected_failure_has_a_code_a_status_and_a_sentence(error: type[ClawError]) -> None:
    fault = error("Somebody holds it.", holder="ada")
    assert (str(fault), fault.message, fault.fields) == ("Somebody holds it.", "Somebody holds it.", {"holder": "ada"})
    assert 400 <= fault.status < 600
    assert error is ClawError or fault.code not in ("", "error")
    assert error.__name__ in (errors.__doc__ or "")


def test_codes_are_told_apart() -> None:
    assert len({error.code for error in ERRORS}) == len(ERRORS)
    assert Conflict("x", code="run_not_running").code == "run_not_running"
    assert Conflict.code == "conflict"


def test_timers_are_overridden_by_name_and_scaled_together() -> None:
    timers = Timers().overridden({"heartbeat": 5, "nothing": 1})
    assert (timers.heartbeat, timers.grace) == (5.0, Timers().grace)
    small = timers.scaled(0.1)
    assert (small.heartbeat, small.run_total) == (0.5, 4320)


def test_the_present_moment_knows_its_zone() -> None:
    assert abs(utc_now() - datetime.now(UTC)) < timedelta(minutes=1)
