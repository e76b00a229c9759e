"""Sharing rankings between equal needs changes nothing but the cost."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from uuid import UUID

import pytest

from clawgroups.coordinator.decide import Assign, Explain, decide, need_of, shown
from clawgroups.coordinator.situation import Situation, TaskView
from clawgroups.core import matching
from clawgroups.core.matching import Candidate, best, rank
from tests.coordinator.test_decide import situation, task

SKILLS = ("writing", "review", "data-analysis", "law")


def plainly(now: Situation) -> list[tuple[UUID, UUID, object]]:
    """Who gets what when every task is ranked against everybody, one after the other."""
    people = {c.member_id: c for c in now.candidates}
    given: list[tuple[UUID, UUID, object]] = []
    for one in sorted(now.tasks, key=lambda t: (t.level, t.position)):
        only = one.brief.get("only")
        ranking = rank(need_of(one), [c for c in people.values() if not only or str(c.member_id) == only])
        chosen = best(ranking)
        if chosen is not None:
            given.append((one.id, chosen.member_id, shown(ranking)))
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


@pytest.mark.parametrize("seed", range(40))
def test_shared_rankings_give_the_same_tasks_to_the_same_members_for_the_same_reasons(seed: int) -> None:
    now = some_situation(Random(seed))
    steps = decide(now)
    assert [(s.task_id, s.member_id, s.match) for s in steps if isinstance(s, Assign)] == plainly(now), f"seed {seed}"


@pytest.mark.parametrize("seed", range(40))
def test_a_task_is_explained_only_where_waiting_alone_does_not_help(seed: int) -> None:
    now = some_situation(Random(seed))
    for step in decide(now):
        if isinstance(step, Explain):
            view = next(t for t in now.tasks if t.id == step.task_id)
            only = view.brief.get("only")
            allowed = [c for c in now.candidates if not only or str(c.member_id) == only]
            # Nobody who fits is busy, neither before this round nor by it.
            assert all(m.excluded and not m.later for m in rank(need_of(view), allowed)), f"seed {seed}"


def test_a_thousand_ready_tasks_judge_three_hundred_members_once_per_need(monkeypatch: pytest.MonkeyPatch) -> None:
    people = tuple(Candidate(UUID(int=n + 1), f"A{n:03}", {SKILLS[n % 4]: 3}) for n in range(300))
    plain = [task(f"t{n}", position=n, skills=(SKILLS[n % 4],)) for n in range(800)]
    # Tried before, each by somebody else: needs of their own, at the end of the queue.
    own = [
        task(f"o{n}", position=800 + n, skills=(SKILLS[n % 4],), brief={"refused": [str(people[n].member_id)]})
        for n in range(200)
    ]
    now = situation(*plain, *own, people=people)
    judged: list[matching.Need] = []
    judge = matching._judge

    def counted(need: matching.Need, one: Candidate) -> matching.Match:
        judged.append(need)
        return judge(need, one)

    monkeypatch.setattr(matching, "_judge", counted)
    steps = decide(now)
    assert len(steps) == 300
    # 4 needs x 300 members, and each member that was taken once more for each of the needs.
    assert len(judged) <= 4 * 300 + 4 * 300
