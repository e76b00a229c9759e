"""Which tasks go to which members at once: in the order of the tasks, at prices. Pure functions on arrays.

A member that many tasks would like best gets a price, which turns away those that lose little by going to somebody
else (subgradient steps on the Lagrangian dual of the assignment problem: Fisher, Management Science 27, 1981).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
"""(tasks, members), the most urgent task first; `-inf` where a task cannot go."""
Given = NDArray[np.intp]
"""(tasks,): the member of each, or `NOBODY`."""
Sessions = NDArray[np.intp]
"""(members,): how many tasks each can take."""

NOBODY = -1
ROUNDS = 30
FIRST_STEP = 0.15  # of the range of all scores
MOST_MOVED = 100  # of those that found nobody: so many have others make room for them


def assign(scores: Scores, free: Sessions, crowding: NDArray[np.float64] | None = None) -> Given:
    """Who gets what, so that an urgent task never waits for the sake of a later one.

    `crowding`: (members,) what each further task of a member costs in score. No task that an assignment in plain
    order serves goes without, and the sum of the scores is no smaller.
    """
    load = np.zeros(len(free)) if crowding is None else crowding
    nothing, none = np.zeros(len(free)), np.full(len(scores), NOBODY)
    plain = _in_order(scores, free, load, nothing, none)
    served = np.flatnonzero(plain != NOBODY)
    best = scores[served].max(axis=1) if len(served) else np.zeros(0)
    if total(scores, plain) >= best.sum():
        return plain
    among = scores[served]
    priced = _in_order(among, free, load, prices(among, free), none[served])
    if (priced == NOBODY).any() or total(among, priced) <= total(scores, plain):
        return plain
    given = none.copy()
    given[served] = priced
    # Sessions are left elsewhere now: somebody who went without may fit there.
    return _in_order(scores, free, load, nothing, given)


def total(scores: Scores, given: Given) -> float:
    """The sum of the scores of what was given."""
    rows = np.flatnonzero(given != NOBODY)
    return float(scores[rows, given[rows]].sum())


def prices(scores: Scores, free: Sessions) -> NDArray[np.float64]:
    """(members,): what to take off each member's scores, so that about as many tasks want it as it can take."""
    found = np.zeros(len(free))
    narrow = scores.astype(np.float32)
    possible = narrow[np.isfinite(narrow)]
    if not possible.size:
        return found
    step = FIRST_STEP * float(np.ptp(possible))
    sessions = np.maximum(free, 1)
    net, sum_of = np.empty_like(narrow), np.zeros(len(free))
    for number in range(ROUNDS):
        np.subtract(narrow, found.astype(np.float32), out=net)
        wanted = np.bincount(net.argmax(axis=1), minlength=len(free))
        found = np.maximum(found + step / (1 + number / 4) * np.clip((wanted - free) / sessions, -1, 1), 0)
        if number >= ROUNDS // 2:
            sum_of += found
    return sum_of / (ROUNDS - ROUNDS // 2)


def _in_order(
    scores: Scores, free: Sessions, crowding: NDArray[np.float64], price: NDArray[np.float64], before: Given
) -> Given:
    """Each task that has nobody, in turn, to whom it fits best of those left; then room is made for the rest."""
    given = before.copy()
    left = free - np.bincount(given[given != NOBODY], minlength=len(free))
    cost = np.where(left > 0, price, np.inf)
    for row in np.flatnonzero(given == NOBODY):
        net = scores[row] - cost
        member = int(net.argmax())
        if net[member] == -np.inf:
            continue
        given[row] = member
        left[member] -= 1
        cost[member] = cost[member] + crowding[member] if left[member] else np.inf
    _make_room(scores, left, given)
    return given


def _make_room(scores: Scores, left: Sessions, given: Given) -> None:
    """A task that found all its members taken gets one whose task can go to somebody who is still free."""
    for row in np.flatnonzero(given == NOBODY)[:MOST_MOVED]:
        idle = np.flatnonzero(left > 0)
        if not idle.size:
            return
        movable = np.flatnonzero((given != NOBODY) & np.isfinite(scores[row])[given])
        if not movable.size:
            continue
        elsewhere = scores[np.ix_(movable, idle)]
        gain = scores[row, given[movable]] - scores[movable, given[movable]] + elsewhere.max(axis=1)
        best = int(gain.argmax())
        if np.isfinite(gain[best]):
            mover, member = movable[best], given[movable[best]]
            given[row], given[mover] = member, idle[elsewhere[best].argmax()]
            left[given[mover]] -= 1
