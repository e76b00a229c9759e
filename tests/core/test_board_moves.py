"""Moves on the board: each is a verb, or there is a sentence that says why not."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from clawgroups.access_table import ROUTES
from clawgroups.core.actors import Role
from clawgroups.core.board_moves import COLUMN_OF, TEAM, Column, Move, Stand, column_of, move, moves
from clawgroups.core.lifecycle import RunState, TaskState
from clawgroups.permissions import ACTIONS

HELD: dict[str, Any] = {"state": "held", "holder": "Bob"}
# How a task stands; then by column what brings it there.
TABLE: list[tuple[str, Stand, dict[str, str]]] = [
    ("waiting for others", Stand("waiting"), {"waiting": "pause", "cancelled": "cancel"}),
    ("paused before it began", Stand("waiting", paused=True), {"waiting": "resume", "cancelled": "cancel"}),
    ("paused", Stand("ready", paused=True), {"ready": "resume", "hands": "take-over", "cancelled": "cancel"}),
    (
        "ready",
        Stand("ready"),
        {"waiting": "pause", "agents": "choose-member", "hands": "take-over", "cancelled": "cancel"},
    ),
    *(
        (
            state,
            Stand(state),
            {
                "waiting": "pause",
                "agents": "choose-member",
                "hands": "take-over",
                "stuck": "stop",
                "cancelled": "cancel",
            },
        )
        for state in ("assigned", "working")
    ),
    (
        "in one's own hands",
        Stand(**HELD, mine=True),
        {"ready": "hand-back", "agents": "hand-back", "review": "submit"},
    ),
    ("in another's hands", Stand(**HELD), {"hands": "ask-for"}),
    ("long idle in another's hands", Stand(**HELD, offered=True), {"hands": "take-over"}),
    (
        "waiting for a verdict",
        Stand("in_review", verdict=True),
        {"ready": "return", "agents": "return", "hands": "take-over", "done": "accept", "cancelled": "cancel"},
    ),
    ("one's own result", Stand("in_review", verdict=True, own=True), {"hands": "take-over", "cancelled": "cancel"}),
    ("being judged", Stand("in_review"), {"hands": "take-over", "cancelled": "cancel"}),
    (
        "stuck",
        Stand("stuck"),
        {
            "waiting": "pause",
            "ready": "choose-member",
            "agents": "choose-member",
            "hands": "take-over",
            "cancelled": "cancel",
        },
    ),
    (
        "stopped",
        Stand("stuck", halted=True),
        {"waiting": "pause", "ready": "resume", "agents": "choose-member", "hands": "take-over", "cancelled": "cancel"},
    ),
    *((state, Stand(state), {}) for state in ("done", "failed", "cancelled")),
    *((f"in a run that is {run}", Stand("ready", run=run), {}) for run in RunState if run != "running"),
    *((f"for a {role}", Stand("ready", role=role), {}) for role in ("guest", "agent", "")),
]


@pytest.mark.parametrize(("stand", "verbs"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_move_is_a_verb_or_a_reason(stand: Stand, verbs: dict[str, str]) -> None:
    found = {column: one for column, one in moves(stand).items() if isinstance(one, Move)}
    assert {column.value: one.verb.removesuffix("-task") for column, one in found.items()} == verbs
    for reason in (one for one in moves(stand).values() if isinstance(one, str)):
        assert reason.endswith("."), reason
        assert reason[0].isupper()


def test_every_state_of_a_task_has_a_column_and_what_is_paused_waits() -> None:
    assert set(COLUMN_OF) == set(TaskState)
    assert set(COLUMN_OF.values()) == set(Column)
    assert column_of("stuck", "Ada") is Column.WAITING
    assert column_of("done", "Ada") is Column.DONE


def test_every_move_posts_to_a_verb_that_those_who_may_move_may_carry_out() -> None:
    stands = [row[1] for row in TABLE]
    verbs = {one.verb for stand, column in product(stands, Column) if isinstance(one := move(stand, column), Move)}
    assert len(verbs) > 8
    for verb in verbs:
        assert ACTIONS[ROUTES[verb]].roles == TEAM, verb


def test_who_holds_it_is_named() -> None:
    assert move(Stand(**HELD), Column.AGENTS) == "Bob works on it by hand. Ask Bob for it."
    assert "guest" in str(move(Stand("ready", role=Role.GUEST), Column.HANDS))
