"""The checker itself: a sound history passes, and each kind of unsoundness is noticed."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from tests.stories.checker import faults
from tests.stories.script import Json

STORY: list[tuple[str, Json]] = [
    ("task.ready", {"task_id": "t"}),
    ("task.assigned", {"task_id": "t", "attempt_id": "a", "epoch": 1}),
    ("task.begun", {"task_id": "t", "attempt_id": "a"}),
    ("task.taken_over", {"task_id": "t", "attempt_id": "p", "superseded_id": "a", "epoch": 2}),
    ("draft.saved", {"task_id": "t", "attempt_id": "p"}),
    ("task.handed_back", {"task_id": "t", "epoch": 3}),
    ("task.assigned", {"task_id": "t", "attempt_id": "b", "epoch": 4}),
    ("attempt.acknowledged", {"task_id": "t", "attempt_id": "b"}),
    ("task.begun", {"task_id": "t", "attempt_id": "b"}),
    ("task.submitted", {"task_id": "t", "attempt_id": "b"}),
    ("task.done", {"task_id": "t", "attempt_id": "b"}),
    ("run.done", {"run_id": "r"}),
]
ATTEMPTS = [("a", 1, "superseded"), ("p", 2, "superseded"), ("b", 4, "accepted")]


def history() -> tuple[list[Json], list[Json]]:
    entries = [
        {"seq": at, "at": f"2026-01-01T00:00:{at:02d}Z", "type": kind, "payload": copy.deepcopy(said)}
        for at, (kind, said) in enumerate(STORY, 1)
    ]
    attempts = [
        {"id": pk, "number": number, "epoch": epoch, "state": state, "ended_at": "then"}
        for number, (pk, epoch, state) in enumerate(ATTEMPTS, 1)
    ]
    return entries, [{"id": "t", "key": "report", "state": "done", "attempts": attempts}]


def numbered(entries: list[Json]) -> None:
    for at, entry in enumerate(entries, 1):
        entry["seq"], entry["at"] = at, f"2026-01-01T00:00:{at:02d}Z"


def copied(entries: list[Json], source: int, to: int, **payload: object) -> None:
    entry = copy.deepcopy(entries[source])
    entry["payload"].update(payload)
    entries.insert(to, entry)
    numbered(entries)


def returned(entries: list[Json], at: int) -> None:
    entries.insert(at, {"type": "task.returned", "payload": {"task_id": "t", "attempt_id": "b"}})
    numbered(entries)


Harm = Callable[[list[Json], list[Json]], object]
HARMS: dict[str, tuple[Harm, str]] = {
    "a gap": (lambda e, t: e.pop(4), "has the number"),
    "done twice": (lambda e, t: copied(e, 10, 11), "was done 2 times"),
    "never done": (lambda e, t: e.pop(10), "was done 0 times"),
    "begun twice": (lambda e, t: copied(e, 8, 9), "begins a second time"),
    "submitted twice": (lambda e, t: copied(e, 9, 10), "submits a second time"),
    "a late result that counted": (lambda e, t: copied(e, 9, 5, attempt_id="a"), "but p has the task"),
    "a late step": (lambda e, t: copied(e, 4, 7, attempt_id="a"), "but b has the task"),
    "a result after a return": (lambda e, t: returned(e, 9), "but None has the task"),
    "an epoch that fell": (lambda e, t: e[6]["payload"].update(epoch=2), "did not rise"),
    "moved after its end": (lambda e, t: copied(e, 0, 11), "comes after the task's end"),
    "two accepted": (lambda e, t: t[0]["attempts"][0].update(state="accepted"), "accepted are ['a', 'b']"),
    "one left open": (lambda e, t: t[0]["attempts"][1].update(ended_at=None, state="working"), "is still working"),
    "not done at all": (lambda e, t: t[0].update(state="stuck"), "is stuck"),
}


def test_a_sound_history_has_no_faults() -> None:
    assert faults(*history()) == []


@pytest.mark.parametrize("kind", HARMS)
def test_an_unsound_history_is_noticed(kind: str) -> None:
    harm, said = HARMS[kind]
    entries, tasks = history()
    harm(entries, tasks)
    assert any(said in fault for fault in faults(entries, tasks)), faults(entries, tasks)
