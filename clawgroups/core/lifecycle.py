"""States and moves of runs, tasks and attempts (design.md 4). Pure: a move is a table look-up.

Terminal states absorb: no verb leads out of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from clawgroups.core.errors import IllegalMove


class RunState(StrEnum):
    DRAFT = "draft"
    PLANNING = "planning"
    PROPOSED = "proposed"
    RUNNING = "running"
    CONSOLIDATING = "consolidating"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RunVerb(StrEnum):
    PLAN = "plan"
    PROPOSE = "propose"
    START = "start"
    CONSOLIDATE = "consolidate"
    FINISH = "finish"
    REOPEN = "reopen"
    FAIL = "fail"
    CANCEL = "cancel"


class TaskState(StrEnum):
    WAITING = "waiting"
    READY = "ready"
    ASSIGNED = "assigned"
    WORKING = "working"
    IN_REVIEW = "in_review"
    HELD = "held"
    STUCK = "stuck"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TaskVerb(StrEnum):
    UNBLOCK = "unblock"
    ASSIGN = "assign"
    BEGIN = "begin"
    SUBMIT = "submit"
    ACCEPT = "accept"
    RETURN = "return"
    RELEASE = "release"
    TAKE_OVER = "take_over"
    HAND_BACK = "hand_back"
    STICK = "stick"
    ADOPT = "adopt"
    REGENERATE = "regenerate"
    SPLIT = "split"
    FAIL = "fail"
    CANCEL = "cancel"


class AttemptState(StrEnum):
    OFFERED = "offered"
    WORKING = "working"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    RETURNED = "returned"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REFUSED = "refused"
    SUPERSEDED = "superseded"


class AttemptVerb(StrEnum):
    BEGIN = "begin"
    SUBMIT = "submit"
    ACCEPT = "accept"
    RETURN = "return"
    CANCEL = "cancel"
    EXPIRE = "expire"
    REFUSE = "refuse"
    SUPERSEDE = "supersede"


S = TypeVar("S", bound=StrEnum)
V = TypeVar("V", bound=StrEnum)

RUN_MOVES: Mapping[tuple[RunState, RunVerb], RunState] = {
    (RunState.DRAFT, RunVerb.PLAN): RunState.PLANNING,
    (RunState.DRAFT, RunVerb.PROPOSE): RunState.PROPOSED,
    (RunState.PLANNING, RunVerb.PROPOSE): RunState.PROPOSED,
    (RunState.PROPOSED, RunVerb.PLAN): RunState.PLANNING,
    (RunState.PROPOSED, RunVerb.START): RunState.RUNNING,
    (RunState.RUNNING, RunVerb.CONSOLIDATE): RunState.CONSOLIDATING,
    (RunState.CONSOLIDATING, RunVerb.REOPEN): RunState.RUNNING,
    (RunState.CONSOLIDATING, RunVerb.FINISH): RunState.DONE,
    **{
        (state, RunVerb.FAIL): RunState.FAILED
        for state in (RunState.PLANNING, RunState.RUNNING, RunState.CONSOLIDATING)
    },
    **{
        (state, RunVerb.CANCEL): RunState.CANCELLED
        for state in (
            RunState.DRAFT,
            RunState.PLANNING,
            RunState.PROPOSED,
            RunState.RUNNING,
            RunState.CONSOLIDATING,
        )
    },
}

_IN_HAND = (TaskState.ASSIGNED, TaskState.WORKING)
_OPEN = (
    TaskState.WAITING,
    TaskState.READY,
    TaskState.ASSIGNED,
    TaskState.WORKING,
    TaskState.IN_REVIEW,
    TaskState.HELD,
    TaskState.STUCK,
)

TASK_MOVES: Mapping[tuple[TaskState, TaskVerb], TaskState] = {
    (TaskState.WAITING, TaskVerb.UNBLOCK): TaskState.READY,
    (TaskState.READY, TaskVerb.ASSIGN): TaskState.ASSIGNED,
    (TaskState.STUCK, TaskVerb.ASSIGN): TaskState.ASSIGNED,
    (TaskState.ASSIGNED, TaskVerb.BEGIN): TaskState.WORKING,
    **{(state, TaskVerb.SUBMIT): TaskState.IN_REVIEW for state in (*_IN_HAND, TaskState.HELD)},
    (TaskState.IN_REVIEW, TaskVerb.ACCEPT): TaskState.DONE,
    (TaskState.IN_REVIEW, TaskVerb.RETURN): TaskState.READY,
    **{(state, TaskVerb.RELEASE): TaskState.READY for state in (*_IN_HAND, TaskState.STUCK)},
    **{
        (state, TaskVerb.TAKE_OVER): TaskState.HELD
        for state in (TaskState.READY, *_IN_HAND, TaskState.IN_REVIEW, TaskState.HELD, TaskState.STUCK)
    },
    (TaskState.HELD, TaskVerb.HAND_BACK): TaskState.READY,
    **{(state, TaskVerb.STICK): TaskState.STUCK for state in (TaskState.READY, *_IN_HAND, TaskState.IN_REVIEW)},
    # A late result is taken up under a new epoch and reviewed like any other.
    **{(state, TaskVerb.ADOPT): TaskState.IN_REVIEW for state in (TaskState.READY, *_IN_HAND, TaskState.STUCK)},
    # Written anew after the last try, or cut into parts that it then waits for.
    **{(state, TaskVerb.REGENERATE): TaskState.READY for state in (TaskState.READY, TaskState.STUCK)},
    **{(state, TaskVerb.SPLIT): TaskState.WAITING for state in (TaskState.READY, TaskState.STUCK)},
    **{(state, TaskVerb.FAIL): TaskState.FAILED for state in _OPEN},
    **{(state, TaskVerb.CANCEL): TaskState.CANCELLED for state in _OPEN},
}

ATTEMPT_MOVES: Mapping[tuple[AttemptState, AttemptVerb], AttemptState] = {
    (AttemptState.OFFERED, AttemptVerb.BEGIN): AttemptState.WORKING,
    (AttemptState.OFFERED, AttemptVerb.SUBMIT): AttemptState.SUBMITTED,
    (AttemptState.WORKING, AttemptVerb.SUBMIT): AttemptState.SUBMITTED,
    (AttemptState.SUBMITTED, AttemptVerb.ACCEPT): AttemptState.ACCEPTED,
    (AttemptState.SUBMITTED, AttemptVerb.RETURN): AttemptState.RETURNED,
    **{
        (state, verb): after
        for state in (AttemptState.OFFERED, AttemptState.WORKING, AttemptState.SUBMITTED)
        for verb, after in (
            (AttemptVerb.CANCEL, AttemptState.CANCELLED),
            (AttemptVerb.EXPIRE, AttemptState.EXPIRED),
            (AttemptVerb.REFUSE, AttemptState.REFUSED),
            (AttemptVerb.SUPERSEDE, AttemptState.SUPERSEDED),
        )
    },
}

RUN_TERMINAL = frozenset({RunState.DONE, RunState.FAILED, RunState.CANCELLED})
TASK_TERMINAL = frozenset({TaskState.DONE, TaskState.FAILED, TaskState.CANCELLED})
TASK_OPEN = frozenset(_OPEN)
ATTEMPT_OPEN = frozenset({AttemptState.OFFERED, AttemptState.WORKING, AttemptState.SUBMITTED})
ATTEMPT_LIVE = frozenset({AttemptState.OFFERED, AttemptState.WORKING})


def _move(moves: Mapping[tuple[S, V], S], state: S, verb: V, noun: str) -> S:
    try:
        return moves[state, verb]
    except KeyError:
        shown = state.value.replace("_", " ")
        said = verb.value.replace("_", " ")
        raise IllegalMove(
            f"This {noun} is {shown}; “{said}” is not possible now.", state=state.value, verb=verb.value
        ) from None


def move_run(state: str, verb: RunVerb) -> RunState:
    """The state after `verb`; raises `IllegalMove` where the table has no row."""
    return _move(RUN_MOVES, RunState(state), verb, "run")


def move_task(state: str, verb: TaskVerb) -> TaskState:
    """The state after `verb`; raises `IllegalMove` where the table has no row."""
    return _move(TASK_MOVES, TaskState(state), verb, "task")


def move_attempt(state: str, verb: AttemptVerb) -> AttemptState:
    """The state after `verb`; raises `IllegalMove` where the table has no row."""
    return _move(ATTEMPT_MOVES, AttemptState(state), verb, "attempt")
