"""Plans as values: what is taken, what is refused and in which words, and that no circle gets through."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.errors import Invalid
from clawgroups.core.plan import MAX_TASKS, PlanTask, check_plan, find_cycle, parse_plan, places

Graph = dict[str, tuple[str, ...]]


def task(key: str, *parents: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "title": key.title(), "depends_on": list(parents), **more}


def plan_of(graph: Graph) -> list[PlanTask]:
    return [PlanTask(key=key, title="t", depends_on=parents) for key, parents in graph.items()]


def refused(*tasks: Any) -> list[str]:
    with pytest.raises(Invalid) as fault:
        parse_plan(tasks)
    assert fault.value.code == "bad_plan"
    problems: list[str] = fault.value.fields["problems"]
    return problems


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any graph, circles and loops on itself among them."""
    keys = [f"t{number}" for number in range(draw(st.integers(1, 12)))]
    return {key: tuple(draw(st.lists(st.sampled_from(keys), max_size=4))) for key in keys}


@st.composite
def acyclic(draw: st.DrawFn) -> Graph:
    """A graph in which a task depends only on earlier ones, in any order."""
    count = draw(st.integers(1, 15))
    keys = [f"t{number}" for number in range(count)]
    graph = {
        key: tuple(draw(st.lists(st.sampled_from(keys[:number]), max_size=4))) if number else ()
        for number, key in enumerate(keys)
    }
    return {key: graph[key] for key in draw(st.permutations(keys))}


def reaches_itself(graph: Graph) -> bool:
    """Whether some task comes before itself: by brute force."""
    for start in graph:
        seen: set[str] = set()
        new = set(graph[start])
        while new:
            seen |= new
            new = {parent for key in new for parent in graph[key]} - seen
        if start in seen:
            return True
    return False


@given(graphs())
def test_a_circle_is_found_exactly_where_there_is_one_and_is_one(graph: Graph) -> None:
    cycle = find_cycle(graph)
    assert bool(cycle) == reaches_itself(graph)
    if cycle:
        assert cycle[0] == cycle[-1]
        assert len(set(cycle)) == len(cycle) - 1
        for key, parent in itertools.pairwise(cycle):
            assert parent in graph[key]


@given(acyclic())
def test_a_level_is_one_more_than_the_highest_of_the_parents(graph: Graph) -> None:
    assert check_plan(plan_of(graph)) == []
    found = {key: place.level for key, place in places(plan_of(graph)).items()}
    assert found == {key: max((found[p] + 1 for p in parents), default=0) for key, parents in graph.items()}


@given(acyclic())
def test_a_bottom_level_is_one_more_than_the_highest_of_those_that_wait_for_it(graph: Graph) -> None:
    found = {key: place.bottom_level for key, place in places(plan_of(graph)).items()}
    waiting = {key: [child for child, parents in graph.items() if key in parents] for key in graph}
    assert found == {key: 1 + max((found[child] for child in children), default=0) for key, children in waiting.items()}


@given(st.lists(st.one_of(st.none(), st.integers(), st.text(), st.dictionaries(st.text(), st.text())), max_size=3))
def test_whatever_is_sent_is_a_plan_or_is_refused_in_words(tasks: list[Any]) -> None:
    try:
        assert len(parse_plan(tasks)) == len(tasks)
    except Invalid as fault:
        assert fault.message.strip()  # noqa: PT017  either is right, depending on what was drawn


def test_a_chain_of_four_thousand_is_checked_without_recursion() -> None:
    chain = [task("t0"), *(task(f"t{n}", f"t{n - 1}") for n in range(1, MAX_TASKS))]
    place = places(parse_plan(chain))
    assert {place[key].level + place[key].bottom_level for key in place} == {MAX_TASKS}
    assert place[f"t{MAX_TASKS - 1}"].level == MAX_TASKS - 1
    chain[0]["depends_on"] = [f"t{MAX_TASKS - 1}"]
    assert "circle" in refused(*chain)[0]


def test_a_plan_of_more_tasks_than_the_limit_is_refused() -> None:
    with pytest.raises(Invalid) as fault:
        parse_plan([task(f"t{n}") for n in range(4)], max_tasks=3)
    assert fault.value.code == "plan_too_large"


@pytest.mark.parametrize("nothing", [[], (), None, {}, "abc"])
def test_no_tasks_are_no_plan(nothing: Any) -> None:
    with pytest.raises(Invalid) as fault:
        parse_plan(nothing)
    assert fault.value.code == "empty_plan"


def test_a_circle_is_named_as_people_would_walk_it() -> None:
    assert refused(task("a", "c"), task("b", "a"), task("c", "b")) == [
        "these tasks wait for each other in a circle: a → c → b → a"
    ]
    assert refused(task("a", "a")) == ["these tasks wait for each other in a circle: a → a"]


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert refused(task("a"), task("a", "x")) == [
        "the key 'a' is used twice",
        "'a' depends on 'x', which is not in the plan",
    ]
    first, second = refused({"key": "a"}, {"key": "b", "title": "B", "when": "now"})
    assert first.startswith("task 1: title")
    assert second.startswith("task 2: when")


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"key": ""}, "key"),
        ({"key": "a b"}, "key"),
        ({"key": "-a"}, "key"),
        ({"key": "x" * 61}, "key"),
        ({"key": 1}, "key"),
        ({"title": "  "}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"skills": ["!!"]}, "skill"),
        ({"skills": ["a"] * 21}, "skills"),
        ({"acceptance": ["min_words: many"]}, "min_words"),
        ({"acceptance": ["matches: ("]}, "not a pattern"),
        ({"acceptance": ["contains"]}, "needs an argument"),
        ({"depends_on": "a"}, "depends_on"),
    ],
)
def test_a_task_that_cannot_be_is_refused_with_the_reason(more: dict[str, Any], word: str) -> None:
    assert word in refused(task("a", **more) if "key" not in more else {**task("a"), **more})[0]


def test_skills_become_short_words_and_no_acceptance_line_means_not_empty() -> None:
    (found,) = parse_plan([task("a", skills=["Data Analysis", "  SQL! "], acceptance=[])])
    assert found.skills == ("data-analysis", "sql")
    assert found.acceptance == ("not_empty",)
    assert parse_plan([task("b")])[0].acceptance == ("not_empty",)
