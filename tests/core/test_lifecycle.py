"""Every state and every verb of runs, tasks and attempts, as tables that are read like the design's."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import pytest

from clawgroups.core import lifecycle
from clawgroups.core.errors import IllegalMove
from clawgroups.core.lifecycle import (
    ATTEMPT_LIVE,
    ATTEMPT_OPEN,
    RUN_TERMINAL,
    TASK_OPEN,
    TASK_TERMINAL,
    AttemptState,
    AttemptVerb,
    RunState,
    RunVerb,
    TaskState,
    TaskVerb,
    move_attempt,
    move_run,
    move_task,
)

# One row a state, one column a verb; a dot is a move that there is not.
RUNS = """
                plan      propose   start    consolidate    finish  reopen   fail    cancel
draft           planning  proposed  .        .              .       .        .       cancelled
planning        .         proposed  .        .              .       .        failed  cancelled
proposed        planning  .         running  .              .       .        .       cancelled
running         .         .         .        consolidating  .       .        failed  cancelled
consolidating   .         .         .        .              done    running  failed  cancelled
done            .         .         .        .              .       .        .       .
failed          .         .         .        .              .       .        .       .
cancelled       .         .         .        .              .       .        .       .
"""
TASKS = """
          unblock assign   begin   submit    accept return release take_over hand_back stick adopt     regenerate split   fail   cancel
waiting   ready   .        .       .         .      .      .       .         .         .     .         .          .       failed cancelled
ready     .       assigned .       .         .      .      .       held      .         stuck in_review ready      waiting failed cancelled
assigned  .       .        working in_review .      .      ready   held      .         stuck in_review .          .       failed cancelled
working   .       .        .       in_review .      .      ready   held      .         stuck in_review .          .       failed cancelled
in_review .       .        .       .         done   ready  .       held      .         stuck .         .          .       failed cancelled
held      .       .        .       in_review .      .      .       held      ready     .     .         .          .       failed cancelled
stuck     .       assigned .       .         .      .      ready   held      .         .     in_review ready      waiting failed cancelled
done      .       .        .       .         .      .      .       .         .         .     .         .          .       .      .
failed    .       .        .       .         .      .      .       .         .         .     .         .          .       .      .
cancelled .       .        .       .         .      .      .       .         .         .     .         .          .       .      .
"""  # noqa: E501
ATTEMPTS = """
            begin    submit     accept    return    cancel     expire   refuse   supersede
offered     working  submitted  .         .         cancelled  expired  refused  superseded
working     .        submitted  .         .         cancelled  expired  refused  superseded
submitted   .        .          accepted  returned  cancelled  expired  refused  superseded
accepted    .        .          .         .         .          .        .        .
returned    .        .          .         .         .          .        .        .
cancelled   .        .          .         .         .          .        .        .
expired     .        .          .         .         .          .        .        .
refused     .        .          .         .         .          .        .        .
superseded  .        .          .         .         .          .        .        .
"""

Move = Callable[[str, Any], StrEnum]
KINDS: list[tuple[str, str, type[StrEnum], type[StrEnum], Move]] = [
    ("run", RUNS, RunState, RunVerb, move_run),
    ("task", TASKS, TaskState, TaskVerb, move_task),
    ("attempt", ATTEMPTS, AttemptState, AttemptVerb, move_attempt),
]


def read(table: str) -> dict[tuple[str, str], str]:
    """(state, verb) -> the state after it, "." where there is none."""
    head, *lines = [line.split() for line in table.strip().splitlines()]
    return {(state, verb): after for state, *row in lines for verb, after in zip(head, row, strict=True)}


CELLS = [
    pytest.param(move, state, verbs(verb), after, id=f"{noun}: {verb} while {state}")
    for noun, table, _, verbs, move in KINDS
    for (state, verb), after in read(table).items()
]


@pytest.mark.parametrize(("move", "state", "verb", "after"), CELLS)
def test_a_verb_leads_where_the_table_says_or_is_refused(move: Move, state: str, verb: StrEnum, after: str) -> None:
    if after != ".":
        assert move(state, verb).value == after
        return
    with pytest.raises(IllegalMove) as refused:
        move(state, verb)
    assert (refused.value.status, refused.value.code) == (409, "illegal_move")
    assert refused.value.fields == {"state": state, "verb": verb.value}
    assert state.replace("_", " ") in refused.value.message


@pytest.mark.parametrize(("noun", "table", "states", "verbs", "move"), KINDS)
def test_the_tables_here_have_every_state_and_every_verb(
    noun: str, table: str, states: type[StrEnum], verbs: type[StrEnum], move: Move
) -> None:
    assert read(table).keys() == {(state.value, verb.value) for state in states for verb in verbs}


@pytest.mark.parametrize(("noun", "table", "states", "verbs", "move"), KINDS)
def test_every_state_can_be_reached_and_every_open_one_left(
    noun: str, table: str, states: type[StrEnum], verbs: type[StrEnum], move: Move
) -> None:
    moves = {cell: after for cell, after in read(table).items() if after != "."}
    first = next(iter(states)).value
    reached, new = {first}, {first}
    while new:
        new = {after for (state, _), after in moves.items() if state in new} - reached
        reached |= new
    # A task without dependencies begins as ready.
    assert reached == {state.value for state in states}


def test_terminal_and_open_states_are_what_no_verb_leaves_and_the_rest() -> None:
    def left(table: str) -> set[str]:
        return {state for (state, _), after in read(table).items() if after != "."}

    assert {state.value for state in RunState} - left(RUNS) == set(RUN_TERMINAL)
    assert left(TASKS) == set(TASK_OPEN)
    assert {state.value for state in TaskState} - left(TASKS) == set(TASK_TERMINAL)
    assert left(ATTEMPTS) == set(ATTEMPT_OPEN)
    assert ATTEMPT_OPEN - {AttemptState.SUBMITTED} == ATTEMPT_LIVE


def test_every_verb_of_a_person_that_stops_work_is_open_in_every_state_where_work_is_going_on() -> None:
    for state in ("assigned", "working"):
        for verb in (TaskVerb.TAKE_OVER, TaskVerb.CANCEL, TaskVerb.RELEASE):
            assert lifecycle.move_task(state, verb)


def test_a_state_that_there_is_not_is_no_state() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        move_task("nowhere", TaskVerb.CANCEL)
