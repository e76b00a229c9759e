"""The members as arrays rank as the plain ranking does, and sharing out serves the urgent first."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.assignment import NOBODY, assign, total
from clawgroups.core.fairness import Wish, allowance
from clawgroups.core.match_parts import Learned
from clawgroups.core.matching import RESTING, Candidate, Need, Standing, best, rank
from clawgroups.core.record import Tally
from clawgroups.core.roster import SHOWN, Roster

IDS = [UUID(int=number) for number in range(1, 7)]
SKILLS = ("writing", "sql", "law")
NO = -np.inf


TALLIES = st.builds(Tally, st.integers(0, 40), st.integers(0, 9), st.integers(1, 9))
COSTS = st.none() | st.sampled_from([0.0, 0.01, 0.3, 2.0])


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    chosen = draw(st.lists(st.sampled_from(IDS), unique=True))
    return [
        Candidate(
            pk,
            draw(st.sampled_from(["ada", "bob", "eve"])),
            draw(st.dictionaries(st.sampled_from(SKILLS), st.integers(1, 5))),
            online=draw(st.integers(0, 4)) > 0,
            busy=draw(st.integers(0, 2)),
            capacity=draw(st.integers(0, 3)),
            needs_login=draw(st.integers(0, 6)) == 0,
            failures=draw(st.integers(0, 2)),
            on_trial=draw(st.integers(0, 4)) == 0,
            rests=draw(st.sampled_from(["", "", "", RESTING])),
            record=draw(st.dictionaries(st.sampled_from(("", *SKILLS)), TALLIES)),
            cost=draw(COSTS),
            usual_cost=draw(COSTS),
            is_person=draw(st.booleans()),
        )
        for pk in chosen
    ]


MEMBERS = st.frozensets(st.sampled_from(IDS), max_size=2)
NEEDS = st.builds(
    Need,
    st.lists(st.sampled_from(SKILLS), unique=True, max_size=2).map(tuple),
    st.none() | st.sampled_from(IDS),
    MEMBERS,
    MEMBERS,
    MEMBERS,
    MEMBERS,
    st.none() | st.none() | st.sampled_from(IDS),
    st.booleans(),
    proposed=st.none() | st.sampled_from(IDS),
    warm=MEMBERS,
    knows=MEMBERS,
    asked=MEMBERS,
    learned=st.dictionaries(st.sampled_from(IDS), st.sampled_from([Learned(0.5, "l"), Learned(-2.0, "l")]), max_size=3),
)


@given(candidates(), st.lists(NEEDS, min_size=1, max_size=3), st.data())
def test_it_chooses_and_explains_as_the_plain_ranking_does_also_after_some_were_taken(
    people: list[Candidate], needs: list[Need], data: st.DataObject
) -> None:
    roster = Roster(people)
    now = {c.member_id: c for c in people}
    for need in needs:
        plain = rank(need, list(now.values()))
        chosen = best(plain)
        assert roster.best(need) == chosen
        assert roster.anybody(need) == any(m.later or not m.excluded for m in plain)
        shown = roster.shown(need, chosen.member_id if chosen else None)
        fits, out = [m for m in plain if not m.excluded], [m for m in plain if m.excluded]
        assert shown["chosen"] == (chosen.as_json() if chosen else None)
        assert shown["runners_up"] == [m.as_json() for m in fits[1 : 1 + SHOWN]]
        shown_out = [(m["name"], m["score"]) for m in shown["out"]]
        assert shown_out == [(m.name, round(m.score, 2)) for m in out[:SHOWN]]
        ranked = [Standing(m.member_id, m.name, m.excluded, m.later) for m in roster.ranking(need)]
        assert roster.standings(need) == ranked
        if chosen is not None and data.draw(st.booleans()):
            roster.take(chosen.member_id)
            taken = now[chosen.member_id]
            now[chosen.member_id] = Candidate(**{**_fields(taken), "busy": taken.busy + 1})


def test_of_those_who_are_alike_the_first_by_name_is_first_also_after_one_was_taken() -> None:
    ada = Candidate(IDS[1], "ada", {}, busy=9, capacity=20)
    roster = Roster([Candidate(IDS[0], "bob", {}, busy=10, capacity=20), ada])
    roster.take(ada.member_id)
    assert [one.name for one in roster.ranking(Need(()))] == ["ada", "bob"]


@given(candidates(), st.lists(NEEDS, min_size=4, max_size=24))
def test_looking_at_the_most_urgent_alone_serves_as_many(people: list[Candidate], needs: list[Need]) -> None:
    shared = {}
    for at_least in (1, len(needs)):  # the latter is all of them
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("clawgroups.core.roster.FEWEST_WEIGHED", at_least)
            shared[at_least] = Roster(people).share_out(needs)
    few, every = ([one for one in found if one is not None] for found in shared.values())
    assert len(few) == len(every)
    free = {one.member_id: one.free for one in people}
    assert all(few.count(member) <= free[member] for member in few)
    for need, member in zip(needs, shared[1], strict=True):
        if member is not None:
            fits = next(one for one in Roster(people).ranking(need) if one.member_id == member)
            assert not fits.excluded


def _fields(one: Candidate) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Candidate.__slots__}


@st.composite
def instances(draw: st.DrawFn) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    tasks, members = draw(st.integers(1, 8)), draw(st.integers(1, 5))
    scores = st.sampled_from([NO, 1.0, 2.0, 3.0, 5.0, 9.0])
    rows = [[draw(scores) for _ in range(members)] for _ in range(tasks)]
    return np.array(rows), np.array([draw(st.integers(0, 3)) for _ in range(members)])


@given(instances())
def test_nobody_gets_more_than_they_can_take_and_a_task_goes_without_only_where_nobody_is_left(
    instance: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]],
) -> None:
    scores, free = instance
    given_out = assign(scores, free)
    rows = np.flatnonzero(given_out != NOBODY)
    left = free - np.bincount(given_out[rows], minlength=len(free))
    assert (left >= 0).all()
    assert np.isfinite(scores[rows, given_out[rows]]).all()
    for row in np.flatnonzero(given_out == NOBODY):
        assert not (np.isfinite(scores[row]) & (left > 0)).any()


def test_room_is_made_for_a_task_whose_only_member_was_given_to_another() -> None:
    assert assign(np.array([[5.0, 4.0], [3.0, NO]]), np.array([1, 1])).tolist() == [1, 0]


def test_an_urgent_task_is_not_left_out_for_later_ones_that_fit_better() -> None:
    scores = np.array([[1.0, NO], [9.0, NO], [9.0, 2.0]])
    assert assign(scores, np.array([1, 1])).tolist() == [0, NOBODY, 1]


@pytest.mark.parametrize("seed", range(3))
def test_a_whole_plan_is_shared_out_far_better_than_in_turn(seed: int) -> None:
    dice = np.random.default_rng(seed)
    scores = dice.random((400, 30))
    free = np.full(30, 14)
    best_of_all = scores.max(axis=1).sum()  # more than anybody can reach
    assert total(scores, assign(scores, free)) >= 0.985 * best_of_all, f"seed {seed}"


def member(number: int, *skills: str, busy: int = 0, capacity: int = 1, online: bool = True) -> Candidate:
    return Candidate(IDS[number], f"A{number}", dict.fromkeys(skills, 3), online, busy, capacity)


def wish(run: int, tasks: int, *skills: str) -> Wish:
    return Wish(UUID(int=run), skills, tasks, frozenset(IDS))


@pytest.mark.parametrize(
    ("wishes", "in_hand", "left"),
    [
        ([], 0, None),
        ([wish(1, 9, "law")], 0, None),  # nobody here can do that
        ([wish(1, 9, "sql")], 0, 2),  # two of four each
        ([wish(1, 9, "sql")], 2, 0),
        ([wish(1, 1, "sql")], 0, 3),  # the other one has work for one only
        ([wish(1, 9, "sql"), wish(1, 3)], 0, 2),  # twice the same run
        ([wish(1, 9, "sql"), wish(2, 9, "sql")], 0, 2),  # a third of four, and never none
        ([wish(1, 9, "sql"), wish(2, 9, "sql")], 3, 0),
    ],
)
def test_several_runs_that_want_the_same_members_get_a_part_each(
    wishes: list[Wish], in_hand: int, left: int | None
) -> None:
    people = [member(n, "sql") for n in range(4)] + [member(4, "sql", online=False)]
    assert allowance(people, wishes, in_hand) == left


def test_members_that_sit_elsewhere_are_not_shared() -> None:
    people = [member(n, "sql") for n in range(2)]
    assert allowance(people, [Wish(UUID(int=1), ("sql",), 5, frozenset())], 0) is None
