"""Edits of a proposed plan: each keeps it whole, and can be taken back exactly."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.errors import Invalid
from clawgroups.core.plan import PlanTask, check_plan
from clawgroups.core.plan_edits import FIELDS, Plan, apply, restore, reverse
from clawgroups.core.plan_words import edits_words


def task(key: str, *parents: str, **more: Any) -> PlanTask:
    return PlanTask(key=key, title=key.upper(), depends_on=parents, **more)


CHAIN: Plan = (task("a"), task("b", "a"), task("c", "b"))
FORK: Plan = (task("a"), task("b", "a", minutes=9, skills=["writing"]), task("c", "a"), task("d", "b", "c"))


def links(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {one.key: one.depends_on for one in plan}


def test_what_waited_for_a_removed_task_waits_for_what_it_waited_for() -> None:
    assert links(apply(CHAIN, {"op": "remove", "key": "b"})) == {"a": (), "c": ("a",)}
    assert links(apply(FORK, {"op": "remove", "key": "b"}))["d"] == ("a", "c")


def test_the_parts_of_a_split_task_wait_as_it_did_and_what_follows_waits_for_all_of_them() -> None:
    parts = [{"title": "One", "instructions": "1"}, {"title": "Two"}, {"title": "Three"}]
    after = apply(FORK, {"op": "split", "key": "b", "parts": parts})
    assert links(after) == {
        "a": (),
        "b": ("a",),
        "b-2": ("a",),
        "b-3": ("a",),
        "c": ("a",),
        "d": ("b", "b-2", "b-3", "c"),
    }
    made = [one for one in after if one.key.startswith("b")]
    assert [(one.title, one.instructions, one.minutes, one.skills) for one in made] == [
        ("One", "1", 3, ("writing",)),
        ("Two", "", 3, ("writing",)),
        ("Three", "", 3, ("writing",)),
    ]


def test_merged_tasks_wait_for_all_that_they_waited_for_and_are_one_for_what_follows() -> None:
    after = apply(FORK, {"op": "merge", "keys": ["c", "b"], "title": "Both"})
    assert links(after) == {"a": (), "b": ("a",), "d": ("b",)}
    assert after[1].title == "Both"
    assert after[1].skills == ("writing",)
    assert links(apply(CHAIN, {"op": "merge", "keys": ["a", "b"]})) == {"a": (), "c": ("a",)}


def test_a_merge_around_a_task_in_between_is_refused_as_a_circle() -> None:
    with pytest.raises(Invalid, match="circle"):
        apply(CHAIN, {"op": "merge", "keys": ["a", "c"]})


def test_a_task_is_added_at_the_end_with_a_key_from_its_title_and_may_go_before_others() -> None:
    after = apply(CHAIN, {"op": "add", "task": {"title": "Look it up!", "depends_on": ["a"]}, "before": ["c"]})
    assert links(after) == {"a": (), "b": ("a",), "c": ("b", "look-it-up"), "look-it-up": ("a",)}
    again = apply(after, {"op": "add", "task": {"title": "Look it up!"}})
    assert again[-1].key == "look-it-up-2"
    assert again[-1].acceptance == ("not_empty",)


def test_a_task_moves_in_the_order_and_no_further_than_its_ends() -> None:
    assert [t.key for t in apply(CHAIN, {"op": "move", "key": "c", "by": -1})] == ["a", "c", "b"]
    assert [t.key for t in apply(CHAIN, {"op": "move", "key": "a", "by": 99})] == ["b", "c", "a"]


def test_an_edit_changes_what_it_says_and_nothing_else() -> None:
    after = apply(FORK, {"op": "edit", "key": "b", "changes": {"title": "Beta", "acceptance": ["min_words: 9"]}})
    assert after[1] == FORK[1].model_copy(update={"title": "Beta", "acceptance": ("min_words: 9",)})
    assert (after[0], *after[2:]) == (FORK[0], *FORK[2:])


def test_another_member_is_proposed_or_nobody() -> None:
    after = apply(CHAIN, {"op": "propose", "key": "a", "assignee": "scribe", "why": "knows it"})
    assert (after[0].assignee, after[0].why) == ("scribe", "knows it")
    assert apply(after, {"op": "propose", "key": "a", "assignee": ""}) == CHAIN


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({"op": "dance"}, "An edit is one of"),
        ({"op": "remove"}, "does not say what it needs: key"),
        ({"op": "remove", "key": "x"}, "no task 'x'"),
        ({"op": "remove", "key": ["a"]}, "does not say what it needs"),
        ({"op": "split", "key": "a", "parts": [{"title": "One"}]}, "2 to 8 parts"),
        ({"op": "split", "key": "a", "parts": [{"title": "One"}, {"title": " "}]}, "Title"),
        ({"op": "split", "key": "a", "parts": ["One", "Two"]}, "does not say what it needs"),
        ({"op": "merge", "keys": ["a", "a"]}, "two tasks or more"),
        ({"op": "move", "key": "a", "by": True}, "a number of places"),
        ({"op": "edit", "key": "a", "changes": {"title": ""}}, "Title"),
        ({"op": "edit", "key": "a", "changes": {"acceptance": ["min_words: many"]}}, "min_words needs a number"),
        ({"op": "edit", "key": "a", "changes": {"minutes": -1}}, "Minutes"),
        ({"op": "edit", "key": "a", "changes": {"state": "done"}}, "no state to edit"),
        ({"op": "edit", "key": "a", "changes": {"depends_on": ["c"]}}, "circle"),
        ({"op": "edit", "key": "a", "changes": {"depends_on": ["z"]}}, "not in the plan"),
        ({"op": "add", "task": {"title": "A", "key": "a"}}, "used twice"),
        ({"op": "add", "task": {"title": "New", "depends_on": ["z"]}}, "not in the plan"),
        ({"op": "add", "task": {}}, "Title"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(edit: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        apply(CHAIN, edit)


def test_the_last_task_of_a_plan_stays() -> None:
    with pytest.raises(Invalid, match="at least one task"):
        apply((task("a"),), {"op": "remove", "key": "a"})


def edits(keys: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    key = st.sampled_from(keys)
    some = st.lists(key, max_size=4, unique=True)
    title = st.sampled_from(["One", "Two", "Three"])
    parts = st.lists(st.fixed_dictionaries({"title": title}), min_size=2, max_size=4)
    changes = st.fixed_dictionaries(
        {}, optional={"title": title, "depends_on": some, "minutes": st.integers(0, 60), "instructions": title}
    )
    new = st.fixed_dictionaries({"title": title, "depends_on": some})
    return st.one_of(
        st.fixed_dictionaries({"op": st.just("add"), "task": new, "before": some}),
        st.fixed_dictionaries({"op": st.just("remove"), "key": key}),
        st.fixed_dictionaries({"op": st.just("split"), "key": key, "parts": parts}),
        st.fixed_dictionaries({"op": st.just("merge"), "keys": some}),
        st.fixed_dictionaries({"op": st.just("move"), "key": key, "by": st.integers(-3, 3)}),
        st.fixed_dictionaries({"op": st.just("edit"), "key": key, "changes": changes}),
        st.fixed_dictionaries({"op": st.just("propose"), "key": key, "assignee": st.sampled_from(["", "scribe"])}),
    )


@given(st.data())
def test_any_sequence_of_edits_keeps_the_plan_whole_and_each_is_taken_back_exactly(data: st.DataObject) -> None:
    plan, undo = FORK, []
    for _ in range(data.draw(st.integers(1, 8))):
        edit = data.draw(edits([one.key for one in plan]))
        try:
            after = apply(plan, edit)
        except Invalid:
            continue
        assert check_plan(after) == []
        assert after
        assert edits_words(plan, [edit])
        undo.append((plan, reverse(plan, after)))
        plan = after
    for before, said in reversed(undo):
        plan = restore(plan, said)
        assert plan == before


def test_every_word_of_a_task_but_its_key_and_who_does_it_can_be_edited() -> None:
    assert set(FIELDS) == PlanTask.model_fields.keys() - {"key", "assignee", "why"}
