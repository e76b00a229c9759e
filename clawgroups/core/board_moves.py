"""Moving a card on the board: which verb a move from where a task stands to a column is, or why there is none. Pure.

A card is never simply put somewhere: every move is one of the verbs of a task, and the verb decides again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from clawgroups.core.actors import Role
from clawgroups.core.lifecycle import TASK_TERMINAL, RunState, TaskState

TEAM = frozenset({Role.OWNER, Role.ADMIN, Role.MEMBER})


class Column(StrEnum):
    """The columns of the board, in the order of a task's life."""

    WAITING = "waiting"
    READY = "ready"
    AGENTS = "agents"
    HANDS = "hands"
    REVIEW = "review"
    STUCK = "stuck"
    DONE = "done"
    CANCELLED = "cancelled"


COLUMN_OF: Mapping[str, Column] = {
    TaskState.WAITING: Column.WAITING,
    TaskState.READY: Column.READY,
    TaskState.ASSIGNED: Column.AGENTS,
    TaskState.WORKING: Column.AGENTS,
    TaskState.HELD: Column.HANDS,
    TaskState.IN_REVIEW: Column.REVIEW,
    TaskState.STUCK: Column.STUCK,
    TaskState.FAILED: Column.STUCK,
    TaskState.DONE: Column.DONE,
    TaskState.CANCELLED: Column.CANCELLED,
}


def column_of(state: str, paused: str) -> Column:
    """Where a task stands on the board: what a person paused waits, whatever it was before."""
    return Column.WAITING if paused and state not in TASK_TERMINAL else COLUMN_OF[state]


class How(StrEnum):
    """What a move takes: nothing, an answer to a question first, or a form on the task's page."""

    NOW = "now"
    ASKS = "asks"
    OPENS = "opens"


@dataclass(frozen=True, slots=True)
class Move:
    """A verb by the name of its address, in words. `place`: where on the task's page its form stands."""

    verb: str
    word: str
    how: How = How.NOW
    place: str = ""


PAUSE = Move("pause-task", "Pause it")
RESUME = Move("resume-task", "Let it go on")
TAKE = Move("take-over-task", "Take it over")
ACCEPT = Move("accept-task", "Accept the result")
CHOOSE = Move("choose-member", "Choose who does it", How.ASKS)
STOP = Move("stop-task", "Stop its agent", How.ASKS)
CANCEL = Move("cancel-task", "Cancel it", How.ASKS)
RETURN = Move("return-task", "Return it with reasons", How.OPENS, "hands")
GIVE = Move("hand-back-task", "Hand it on", How.OPENS, "give")
FINISH = Move("submit-task", "Finish it", How.OPENS, "finish")
ASK = Move("ask-for-task", "Ask for it", How.OPENS, "hands")


@dataclass(frozen=True, slots=True)
class Stand:
    """How a task stands for the one who would move it.

    `halted`: its agent was stopped; `holder`: who has it in hand, `mine`: that is the one who looks; `offered`: it has
    lain there so long that anybody may take it; `verdict`: a person has to judge it; `own`: it is their own result.
    """

    state: str
    paused: bool = False
    halted: bool = False
    holder: str = ""
    mine: bool = False
    offered: bool = False
    verdict: bool = False
    own: bool = False
    run: str = RunState.RUNNING
    role: str = Role.MEMBER


# Where nothing else is said, why a task does not go into a column.
NOT_INTO: Mapping[Column, str] = {
    Column.WAITING: "There is nothing to pause.",
    Column.READY: "It is ready as soon as what it waits for is done.",
    Column.AGENTS: "No agent can be given it now.",
    Column.HANDS: "Nobody can take it over now.",
    Column.REVIEW: "Whoever does it submits a result; only that is reviewed.",
    Column.STUCK: "A task gets stuck by itself. Pause it to have it rest.",
    Column.DONE: "It is done when its result is accepted.",
    Column.CANCELLED: "It cannot be cancelled now.",
}
_BEFORE_IT = "It waits for other tasks. Take one of those over, or this one when it is ready."
_AT_IT = "Somebody is at it. Pause it, or give it to somebody else."
_OWN = "It is your own result; somebody else judges it."
_CHECKING = "The coordinator judges it at this moment."
_IN_HAND = "It is in your hands. Hand it on, or finish it."

# How a task stands -> what it takes to bring it into a column, or why it does not go there.
MOVES: Mapping[str, Mapping[Column, Move | str]] = {
    "waiting": {
        Column.WAITING: PAUSE,
        Column.AGENTS: _BEFORE_IT,
        Column.HANDS: _BEFORE_IT,
        Column.CANCELLED: CANCEL,
    },
    "paused early": {
        Column.WAITING: RESUME,
        Column.READY: "Let it go on first; it is ready when what it waits for is done.",
        Column.AGENTS: _BEFORE_IT,
        Column.HANDS: _BEFORE_IT,
        Column.CANCELLED: CANCEL,
    },
    "paused": {
        Column.WAITING: "It is paused already.",
        Column.READY: RESUME,
        Column.AGENTS: "Let it go on first: bring it to “Ready”.",
        Column.HANDS: TAKE,
        Column.CANCELLED: CANCEL,
    },
    "ready": {
        Column.WAITING: PAUSE,
        Column.AGENTS: CHOOSE,
        Column.HANDS: TAKE,
        Column.CANCELLED: CANCEL,
    },
    "at work": {
        Column.WAITING: PAUSE,
        Column.READY: _AT_IT,
        Column.AGENTS: CHOOSE,
        Column.HANDS: TAKE,
        Column.STUCK: STOP,
        Column.CANCELLED: CANCEL,
    },
    "mine": {
        Column.WAITING: _IN_HAND,
        Column.READY: GIVE,
        Column.AGENTS: GIVE,
        Column.HANDS: "It is in your hands already.",
        Column.REVIEW: FINISH,
        Column.DONE: "Finish it: it goes through the same review as any other.",
        Column.STUCK: _IN_HAND,
        Column.CANCELLED: _IN_HAND,
    },
    "verdict": {
        Column.WAITING: "Its result is there. Accept it, or return it with reasons.",
        Column.READY: RETURN,
        Column.AGENTS: RETURN,
        Column.HANDS: TAKE,
        Column.DONE: ACCEPT,
        Column.CANCELLED: CANCEL,
    },
    "own": {
        Column.WAITING: _OWN,
        Column.READY: _OWN,
        Column.AGENTS: _OWN,
        Column.HANDS: TAKE,
        Column.DONE: _OWN,
        Column.CANCELLED: CANCEL,
    },
    "checking": {
        Column.WAITING: _CHECKING,
        Column.READY: _CHECKING,
        Column.AGENTS: _CHECKING,
        Column.HANDS: TAKE,
        Column.DONE: _CHECKING,
        Column.CANCELLED: CANCEL,
    },
    "stuck": {
        Column.WAITING: PAUSE,
        Column.READY: CHOOSE,
        Column.AGENTS: CHOOSE,
        Column.HANDS: TAKE,
        Column.STUCK: "It is stuck already.",
        Column.CANCELLED: CANCEL,
    },
    "halted": {
        Column.WAITING: PAUSE,
        Column.READY: RESUME,
        Column.AGENTS: CHOOSE,
        Column.HANDS: TAKE,
        Column.STUCK: "Its agent was stopped already.",
        Column.CANCELLED: CANCEL,
    },
}
ENDED = {TaskState.DONE: "is done", TaskState.FAILED: "has failed", TaskState.CANCELLED: "was cancelled"}
_STANDINGS = {TaskState.ASSIGNED: "at work", TaskState.WORKING: "at work", TaskState.HELD: "mine"}


def move(stand: Stand, column: Column) -> Move | str:
    """What it takes to bring a task into a column, or in a sentence why it does not go there."""
    if stand.role not in TEAM:
        return f"Your role here is {stand.role}; only the team moves tasks."
    if stand.state in TASK_TERMINAL:
        return f"This task {ENDED[TaskState(stand.state)]}; nothing leads out of that."
    if stand.run != RunState.RUNNING:
        return f"The run is {stand.run}; nothing in it is moved now."
    if stand.state == TaskState.HELD and not stand.mine:
        return _of_another(stand, column)
    return MOVES[_standing(stand)].get(column, NOT_INTO[column])


def moves(stand: Stand) -> dict[Column, Move | str]:
    """Every column, with what it takes to bring the task there."""
    return {column: move(stand, column) for column in Column}


def _of_another(stand: Stand, column: Column) -> Move | str:
    if column is Column.HANDS:
        return TAKE if stand.offered else ASK
    return f"{stand.holder} works on it by hand. Ask {stand.holder} for it."


def _standing(stand: Stand) -> str:
    if stand.paused:
        return "paused early" if stand.state == TaskState.WAITING else "paused"
    if stand.state == TaskState.IN_REVIEW:
        return "checking" if not stand.verdict else "own" if stand.own else "verdict"
    if stand.state == TaskState.STUCK and stand.halted:
        return "halted"
    return _STANDINGS.get(TaskState(stand.state), stand.state)
