"""A few tasks are drawn one by one, many as groups; what waits for a person always stands by itself."""

from __future__ import annotations

import pytest

from clawgroups.core.graph_groups import ALONE, FEW, KINDS, OPENED, Group, Item, common_title, grouped, longest_path


def items(number: int, level: int = 0, **more: object) -> list[Item]:
    said = {"title": "Draft page {}", "state": "waiting", "skills": ("writing",), **more}
    title = str(said.pop("title"))
    return [Item(f"{level}-{said['skills']}-{n}", level, title.format(n), **said) for n in range(number)]  # type: ignore[arg-type]


def groups(drawn: list[Item | Group]) -> dict[str, int]:
    return {one.key: len(one.items) for one in drawn if isinstance(one, Group)}


def test_a_plan_that_fits_is_drawn_task_by_task() -> None:
    few = items(FEW)
    assert grouped(few) == few


def test_of_many_the_alike_ones_of_a_layer_are_one_box_with_a_count_of_their_states() -> None:
    plan = [*items(100), *items(31, 1, state="done"), *items(12, 1, state="working", skills=("review",)), *items(2, 2)]
    drawn = grouped(plan)
    assert groups(drawn) == {"0.writing": 100, "1.writing": 31, "1.review": 12}
    assert [one.level for one in drawn] == [0, 1, 1, 2, 2]
    first = drawn[0]
    assert isinstance(first, Group)
    assert (first.title, first.counts) == ("Draft page", [("waiting", 100)])


def test_what_waits_for_a_person_stands_by_itself_up_to_a_number() -> None:
    drawn = grouped([*items(150), *items(3, skills=("talking",), state="held", needs_person=True)])
    assert [one.state for one in drawn if isinstance(one, Item)] == ["held"] * 3
    assert groups(drawn) == {"0.writing": 150}
    crowd = grouped(items(200, state="stuck", needs_person=True))
    assert sum(isinstance(one, Item) for one in crowd) == ALONE
    assert groups(crowd) == {"0.writing": 200 - ALONE}


def test_an_opened_group_shows_what_matters_most_and_keeps_the_rest_together() -> None:
    plan = [*items(150), *items(5, state="working")]
    plan = [Item(f"{n}", 0, one.title, one.state, one.skills) for n, one in enumerate(plan)]
    drawn = grouped(plan, {"0.writing"})
    shown = [one for one in drawn if isinstance(one, Item)]
    assert (len(shown), sum(one.state == "working" for one in shown)) == (OPENED, 5)
    (rest,) = [one for one in drawn if isinstance(one, Group)]
    assert (rest.is_open, len(rest.items)) == (True, 155 - OPENED)
    assert grouped(plan, {"9.nothing"}) == grouped(plan)


def test_many_kinds_of_tasks_make_no_more_than_so_many_groups() -> None:
    plan = [one for kind in range(40) for one in items(4 + kind % 3, skills=(f"skill-{kind}",))]
    drawn = grouped(plan)
    assert len(drawn) == KINDS
    assert sum(groups(drawn).values()) == len(plan)
    assert "0.~" in groups(drawn)


@pytest.mark.parametrize(
    ("titles", "expected"),
    [
        (["Draft page 1", "Draft page 2"], "Draft page"),
        (["Draft page 7", "Draft page 7"], "Draft page"),
        (["North: write", "North: check"], "North"),
        (["Count", "Write"], ""),
        (["12", "12"], ""),
        ([], ""),
    ],
)
def test_a_group_is_called_what_its_titles_have_in_common(titles: list[str], expected: str) -> None:
    assert common_title(titles) == expected


EDGES = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("a", "d"), ("x", "d")]
PLACES = {"a": (0, 3), "b": (1, 2), "c": (1, 2), "x": (0, 2), "d": (2, 1)}


@pytest.mark.parametrize(
    ("left", "expected"),
    [("abcd", "abd"), ("cd", "acd"), ("", "abd")],
)
def test_of_the_longest_paths_the_one_with_most_left_is_marked(left: str, expected: str) -> None:
    assert longest_path(PLACES, 3, EDGES, set(left)) == tuple(expected)


def test_a_plan_of_one_layer_has_no_longest_path() -> None:
    assert longest_path({"a": (0, 1), "b": (0, 1)}, 1, [], {"a"}) == ()
    assert longest_path({}, 0, [], set()) == ()
