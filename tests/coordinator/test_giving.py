"""Whom tasks go to: what is given out together is what the plain ranking allows, and better shared out."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from uuid import UUID

import pytest

from clawgroups.coordinator.decide import Assign, Explain, decide, urgency
from clawgroups.coordinator.situation import Situation, TaskView, need_of
from clawgroups.core.matching import Candidate, Match, best, rank
from clawgroups.core.roster import KEPT
from tests.coordinator.test_decide import candidate, situation, task

SKILLS = ("writing", "review", "data-analysis", "law")


def in_turn(now: Situation) -> dict[UUID, Match]:
    """Who gets what when every task is ranked against everybody, one after the other."""
    people = {c.member_id: c for c in now.candidates}
    given: dict[UUID, Match] = {}
    for one in sorted(now.tasks, key=urgency):
        chosen = best(rank(need_of(one), list(people.values())))
        if chosen is not None:
            given[one.id] = chosen
            taken = people[chosen.member_id]
            people[chosen.member_id] = replace(taken, busy=taken.busy + 1)
    return given


def some_situation(chance: Random) -> Situation:
    people = tuple(
        Candidate(
            UUID(int=n + 1),
            f"A{n}",
            {s: chance.randint(1, 5) for s in SKILLS if chance.random() < 0.4},
            online=chance.random() < 0.8,
            busy=chance.randint(0, 2),
            capacity=chance.randint(1, 3),
        )
        for n in range(12)
    )
    ids = [c.member_id for c in people]

    def view(n: int) -> TaskView:
        brief: dict[str, object] = {}
        if chance.random() < 0.3:
            brief["refused"] = [str(chance.choice(ids))]
        if chance.random() < 0.3:
            brief["dead_ends"] = [{"member": str(chance.choice(ids)), "reason": "r"}]
        if chance.random() < 0.2:
            brief["preferred"] = str(chance.choice(ids))
        if chance.random() < 0.1:
            brief["only"] = str(chance.choice(ids))
        skills = (chance.choice(SKILLS),) if chance.random() < 0.9 else ()
        authors = frozenset({chance.choice(ids)}) if chance.random() < 0.3 else frozenset()
        return task(f"t{n}", position=n, skills=skills, brief=brief, authors=authors)

    return situation(*(view(n) for n in range(40)), people=people)


def assigned(now: Situation) -> list[Assign]:
    return [step for step in decide(now) if isinstance(step, Assign)]


@pytest.mark.parametrize("seed", range(40))
def test_what_is_given_out_together_serves_whoever_would_be_served_in_turn_and_fits_no_worse(seed: int) -> None:
    now = some_situation(Random(seed))
    together, alone = assigned(now), in_turn(now)
    assert {step.task_id for step in together} >= alone.keys(), f"seed {seed}"
    sums = sum(s.match["chosen"]["score"] for s in together), sum(m.score for m in alone.values())
    assert sums[0] >= sums[1] - 0.5 * len(alone), f"seed {seed}: {sums}"


@pytest.mark.parametrize("seed", range(40))
def test_nobody_gets_what_the_plain_ranking_would_refuse_them_or_more_than_they_can_take(seed: int) -> None:
    now = some_situation(Random(seed))
    people, views = {c.member_id: c for c in now.candidates}, {t.id: t for t in now.tasks}
    for step in assigned(now):
        need = need_of(views[step.task_id])
        match = next(m for m in rank(need, list(people.values())) if m.member_id == step.member_id)
        assert not match.excluded, f"seed {seed}"
        kept = KEPT in step.match["chosen"]["reasons"]
        assert step.match["chosen"]["score"] == round(match.score, 2)
        better = [m for m in step.match["runners_up"] if m["score"] > step.match["chosen"]["score"]]
        assert kept or not better, f"seed {seed}"
        taken = people[step.member_id]
        people[step.member_id] = replace(taken, busy=taken.busy + 1)


def test_an_expert_is_left_to_the_task_that_only_an_expert_does_well() -> None:
    both = candidate("Both", writing=5, law=5)
    writer = candidate("Writer", writing=4)
    lawyer = candidate("Lawyer", law=1)
    steps = assigned(
        situation(
            task("write", position=0),
            task("judge", position=1, skills=("law",)),
            people=(both, writer, lawyer),
        )
    )
    assert [step.member_id for step in steps] == [writer.member_id, both.member_id]
    assert steps[0].match["chosen"]["reasons"][-1] == KEPT
    assert steps[0].match["runners_up"][0]["name"] == "Both"


def test_what_most_others_have_to_follow_is_given_out_first() -> None:
    only = candidate("Only", writing=5)
    last, long = task("last", position=0), task("long", position=1, bottom_level=3)
    (step,) = decide(situation(last, long, people=(only,)))
    assert isinstance(step, Assign)
    assert step.task_id == long.id


def test_a_run_gives_out_no_more_than_the_others_leave_to_it() -> None:
    people = tuple(candidate(f"A{n}", writing=3) for n in range(4))
    tasks = [task(f"t{n}", position=n) for n in range(4)]
    steps = assigned(situation(*tasks, people=people, allowance=2))
    assert [step.task_id for step in steps] == [tasks[0].id, tasks[1].id]
    assert decide(situation(*tasks, people=people, allowance=0)) == []


@pytest.mark.parametrize("seed", range(40))
def test_a_task_is_explained_only_where_waiting_alone_does_not_help(seed: int) -> None:
    now = some_situation(Random(seed))
    for step in decide(now):
        if isinstance(step, Explain):
            view = next(t for t in now.tasks if t.id == step.task_id)
            # Nobody who fits is busy, neither before this round nor by it.
            assert all(m.excluded and not m.later for m in rank(need_of(view), now.candidates)), f"seed {seed}"
