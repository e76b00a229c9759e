"""Whose work open tasks build on, as it is kept from look to look."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from agents.ids import new_id
from clawgroups.coordinator import authors
from clawgroups.coordinator.authors import Authors, Plan

ANN, BEN = new_id(), new_id()
TASKS = [new_id() for _ in range(10)]
PLAN: Plan = (new_id(), 1, 1)
FIRST, SECOND, THIRD = TASKS[:3]


class Past:
    """Who did what each task depends on; `asked`: the tasks of each question."""

    def __init__(self) -> None:
        self.did: dict[UUID, set[UUID]] = {}
        self.asked: list[list[UUID]] = []

    def read(self, tasks: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
        self.asked.append(list(tasks))
        return [(task, member) for task in tasks for member in self.did.get(task, ())]


@pytest.fixture
def past() -> Past:
    found = Past()
    found.did = {FIRST: {ANN, BEN}, SECOND: {BEN}}
    return found


def test_only_what_is_not_known_yet_is_asked_for(past: Past) -> None:
    kept = Authors(past.read)
    assert kept.of(PLAN, {FIRST: 1}) == {FIRST: {ANN, BEN}}
    assert kept.of(PLAN, {FIRST: 1, SECOND: 1, THIRD: 1}) == {FIRST: {ANN, BEN}, SECOND: {BEN}, THIRD: frozenset()}
    assert kept.of(PLAN, {SECOND: 1, THIRD: 1}) == {SECOND: {BEN}, THIRD: frozenset()}
    assert past.asked == [[FIRST], [SECOND, THIRD]]


def test_another_plan_or_epoch_is_asked_about_anew(past: Past) -> None:
    kept = Authors(past.read)
    kept.of(PLAN, {SECOND: 1})
    past.did[SECOND] = {ANN}
    assert kept.of(PLAN, {SECOND: 2}) == {SECOND: {ANN}}
    past.did[SECOND] = {ANN, BEN}
    assert kept.of((*PLAN[:2], 2), {SECOND: 2}) == {SECOND: {ANN, BEN}}


def test_tasks_that_are_done_are_not_kept_for_ever(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authors, "SPARE", 2)
    kept = Authors(past.read)
    for task in TASKS:
        kept.of(PLAN, {task: 1})
        assert len(kept) <= 4
    assert kept.of(PLAN, {FIRST: 1}) == {FIRST: {ANN, BEN}}


def test_of_so_many_plans_the_oldest_is_forgotten(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authors, "MOST_PLANS", 2)
    kept = Authors(past.read)
    for version in range(5):
        kept.of((*PLAN[:2], version), {FIRST: 1})
    assert len(kept) == 2
    kept.of((*PLAN[:2], 4), {FIRST: 1})
    assert len(past.asked) == 5


def test_of_very_many_tasks_so_many_are_asked_for_at_once(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authors, "MOST_ASKED", 4)
    assert Authors(past.read).of(PLAN, dict.fromkeys(TASKS, 1))[SECOND] == {BEN}
    assert list(map(len, past.asked)) == [4, 4, 2]
