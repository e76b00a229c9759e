"""A change of a running plan as a difference: only what nobody works on is touched."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgroups.core.errors import Invalid
from clawgroups.core.plan import PlanTask
from clawgroups.core.plan_diff import Standing, applied, diff, filled, moved_on, read_diff


def task(key: str, *parents: str, **more: Any) -> PlanTask:
    return PlanTask(key=key, title=key.upper(), depends_on=parents, **more)


def stands(key: str, state: str, *parents: str, epoch: int = 0, **more: Any) -> Standing:
    return Standing(task(key, *parents, **more), state, epoch)


NOW = (
    stands("done", "done"),
    stands("hand", "working", "done", epoch=1),
    stands("ready", "ready", "done"),
    stands("later", "waiting", "hand", "ready"),
    stands("lost", "cancelled", epoch=1),
)


def test_tasks_are_added_taken_away_rewritten_and_linked_otherwise() -> None:
    found = diff(NOW, [task("ready", "done", minutes=5), task("new", "hand", "ready")])
    assert [one.key for one in found.added] == ["new"]
    assert [one.task.key for one in found.removed] == ["later"]
    assert [(one.after.key, one.fields) for one in found.rewritten] == [("ready", ("minutes",))]
    relinked = diff(NOW, [task("ready", "done"), task("later", "ready")])
    assert [(one.after.key, one.fields, one.is_relinked) for one in relinked.relinked] == [("later", (), True)]
    assert not relinked.rewritten


def test_a_difference_is_the_same_when_it_was_stored() -> None:
    found = diff(NOW, [task("ready", "done", minutes=5), task("new", "hand", "ready")])
    assert read_diff(found.as_json()) == found


@pytest.mark.parametrize("letter", ["x", "ж"])
def test_a_change_that_is_too_large_to_be_kept_with_its_run_says_to_change_fewer_tasks(letter: str) -> None:
    kept = [task("ready", "done"), task("later", "hand", "ready")]

    def size(number: int) -> int:
        new = [task(f"t{n}", instructions=letter * 1_000) for n in range(number)]
        return len(json.dumps(diff(NOW, [*kept, *new]).as_json()))

    assert size(40) < 310_000
    with pytest.raises(Invalid, match=r"400 tasks .* Change fewer tasks at once") as refused:
        size(400)
    assert refused.value.code == "replan_too_large"


@pytest.mark.parametrize(
    ("proposed", "said"),
    [
        ([task("ready", "done"), task("later", "hand", "ready")], "changes nothing"),
        ([task("hand", "done", minutes=3), task("ready"), task("later")], "'hand' is in somebody's hands"),
        ([task("done", minutes=3), task("ready"), task("later")], "'done' is done and cannot be changed"),
        ([task("lost"), task("ready"), task("later")], "'lost' was the key of a task that is cancelled"),
        ([task("ready", "lost"), task("later")], "'ready' depends on 'lost', which is cancelled"),
        ([task("later", "ready")], "'later' depends on 'ready', which would be taken away"),
        ([task("ready", "nowhere"), task("later")], "which is not in the plan"),
        ([task("ready", "later"), task("later", "ready")], "circle"),
        ([task("ready"), task("ready")], "used twice"),
    ],
)
def test_what_cannot_be_changed_is_named(proposed: list[PlanTask], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        diff(NOW, proposed)


def test_tasks_in_hand_may_be_named_as_they_are() -> None:
    found = diff(NOW, [task("hand", "done"), task("ready", "done"), task("later", "ready")])
    assert len(found.changed) == 1


def test_a_key_alone_keeps_a_task_as_it_is() -> None:
    said = filled(NOW, [{"key": "ready"}, {"key": "later", "minutes": 7}, {"key": "new", "title": "New"}])
    assert [PlanTask.model_validate(one) for one in said] == [
        task("ready", "done"),
        task("later", "hand", "ready", minutes=7),
        PlanTask(key="new", title="New"),
    ]


@pytest.mark.parametrize(
    ("now", "titles"),
    [
        (NOW, []),
        ((*NOW[:2], stands("ready", "stuck", "done"), *NOW[3:]), []),
        ((*NOW[:2], stands("ready", "assigned", "done", epoch=1), *NOW[3:]), ["READY"]),
        ((*NOW[:2], stands("ready", "ready", "done", epoch=2), *NOW[3:]), ["READY"]),
        ((*NOW[:3], stands("later", "waiting", "hand", "ready", "part"), NOW[4]), ["LATER"]),
        ((NOW[0], stands("hand", "cancelled", "done", epoch=2), *NOW[2:]), ["HAND"]),
        ((*NOW, stands("new", "waiting")), ["NEW"]),
    ],
)
def test_what_moved_on_since_the_proposal_is_named(now: tuple[Standing, ...], titles: list[str]) -> None:
    found = diff(NOW, [task("ready", "done", minutes=5), task("new", "hand", "ready")])
    assert moved_on(now, found) == titles


def test_what_came_in_since_stays_in_the_plan() -> None:
    found = diff(NOW, [task("ready", "done"), task("new", "ready")])
    plan = applied((*NOW, stands("part", "ready", "done")), found)
    assert [one.key for one in plan] == ["done", "hand", "ready", "lost", "part", "new"]
    with pytest.raises(Invalid, match="waits for later, which would be taken away"):
        applied((*NOW, stands("part", "waiting", "later")), found)
