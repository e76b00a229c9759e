"""The vocabulary of the journal: closed, documented, and the same after a way through JSON."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from clawgroups import reactions
from clawgroups.core import (
    access_events,
    approval_events,
    asking_events,
    control_events,
    coordination_events,
    event_base,
    events,
    memory_events,
    message_events,
    task_events,
)
from clawgroups.core.event_base import JournalEvent
from clawgroups.core.events import EVENTS, WAKING, Event, GoalSet, parse_event, payload_of

MODULES = (
    events,
    task_events,
    coordination_events,
    control_events,
    asking_events,
    approval_events,
    memory_events,
    message_events,
    access_events,
    event_base,
)
DECLARED = {
    value
    for module in MODULES
    for value in vars(module).values()
    if inspect.isclass(value) and issubclass(value, JournalEvent) and value is not JournalEvent
}
FORBIDDEN = frozenset({"updated", "changed", "modified"})

# Whatever a field may hold, by its annotation; an event with another kind of field has to be added here.
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    UUID: st.uuids(),
    UUID | None: st.one_of(st.none(), st.uuids()),
    str: st.text(),
    bool: st.booleans(),
    int: st.integers(-(2**53), 2**53),
    int | None: st.one_of(st.none(), st.integers(0, 2**31)),
    tuple[UUID, ...]: st.lists(st.uuids(), max_size=4).map(tuple),
    dict[str, float]: st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False), max_size=4),
    tuple[str, ...]: st.lists(st.text(), max_size=4).map(tuple),
}


def test_every_event_is_registered_under_its_own_type_and_in_the_union() -> None:
    assert set(EVENTS.values()) == DECLARED
    assert len(EVENTS) == len(DECLARED)
    assert set(get_args(get_args(Event)[0])) == DECLARED


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_every_event_says_what_it_means_and_what_it_is_called_in_the_past(event: type[JournalEvent]) -> None:
    first = (event.__doc__ or "").splitlines()[0]
    assert len(first) > 10, f"{event.__name__} has no docstring of its own"
    assert event.__doc__ != JournalEvent.__doc__
    noun, _, verb = event.model_fields["type"].default.partition(".")
    assert re.fullmatch(r"[a-z]+", noun)
    assert re.fullmatch(r"[a-z_]+", verb)
    assert verb not in FORBIDDEN
    assert event.model_config.get("frozen")
    assert event.model_config.get("extra") == "forbid"


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
@settings(max_examples=20)
@given(data=st.data())
def test_every_event_is_the_same_after_its_way_through_the_journal(
    event: type[JournalEvent], data: st.DataObject
) -> None:
    fields = {name: field for name, field in event.model_fields.items() if name != "type"}
    made = event(**{name: data.draw(VALUES[field.annotation]) for name, field in fields.items()})
    data_type = event.model_fields["type"].default
    payload = payload_of(made)
    assert "type" not in payload
    stored = json.loads(json.dumps(payload))
    assert parse_event(data_type, stored) == made


@pytest.mark.parametrize(
    ("type_", "payload"),
    [("goal.unset", {}), ("workspace.goal_set", {}), ("workspace.goal_set", {"goal": "g", "by": "me"}), ("", {})],
)
def test_what_is_none_of_ours_is_refused(type_: str, payload: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parse_event(type_, payload)


def test_an_event_cannot_be_changed_afterwards() -> None:
    fact = GoalSet(goal="g")
    with pytest.raises(ValidationError):
        fact.goal = "h"  # type: ignore[misc]


def test_whatever_wakes_the_reactions_is_an_event_and_has_a_reaction() -> None:
    assert set(EVENTS) >= WAKING
    assert set(reactions.REACTIONS) == set(WAKING)
