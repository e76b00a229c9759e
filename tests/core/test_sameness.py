"""What makes two questions the same, and a call another one."""

from __future__ import annotations

from typing import Any

import pytest

from clawgroups.core.sameness import contradicts, given_else, sameness, says_else


def run(command: str, **more: Any) -> dict[str, Any]:
    return {"toolCallId": "c1", "title": "Run", "kind": "execute", "raw_input": {"command": command, **more}}


def edit(path: str, text: str, **more: Any) -> dict[str, Any]:
    block = {"type": "diff", "path": path, "oldText": "a", "newText": text}
    return {"toolCallId": "c1", "kind": "edit", "content": [block], "locations": [{"path": path, "line": 3}], **more}


def of(call: dict[str, Any]) -> str:
    return sameness("permission", call)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (run("ls"), {**run("ls"), "toolCallId": "c2", "title": "I only look", "status": "pending"}),
        (run("ls", description="Look"), run("ls", description="See what is there")),
        (run("ls", _meta={"a": 1}), run("ls")),
        (edit("/a", "b"), {**edit("/a", "b"), "locations": [{"path": "/a", "line": 9}], "title": "Small fix"}),
    ],
)
def test_ids_titles_and_words_about_itself_make_no_difference(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert of(one) == of(two) != ""


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (run("ls"), run("ls -a")),
        (run("ls"), run("ls", cwd="/etc")),
        (run("ls"), {**run("ls"), "kind": "delete"}),
        (edit("/a", "b"), edit("/a", "c")),
        (edit("/a", "b"), edit("/b", "b")),
        # For a tool that is no command a description may be all that it writes.
        ({"raw_input": {"name": "issue", "description": "a"}}, {"raw_input": {"name": "issue", "description": "b"}}),
    ],
)
def test_other_arguments_are_another_question(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert of(one) != of(two)


@pytest.mark.parametrize(
    "call",
    [
        {"toolCallId": "c1", "title": "rm -rf /"},
        {},
        run("x" * 19_999 + "…"),
        {**edit("/a", "b"), "cut": "…"},
        edit("/a", "x" * 5000 + "…"),
    ],
)
def test_nothing_is_the_same_as_what_is_not_known_as_a_whole(call: dict[str, Any]) -> None:
    assert of(call) == ""


def test_a_question_to_people_is_told_by_its_words_and_choices() -> None:
    yes = [{"name": "Yes"}, {"name": "No"}]
    asked = sameness("question", {"title": "Euros?"}, yes)
    assert asked == sameness("question", {"title": "Euros?", "toolCallId": "c9"}, yes)
    assert asked != sameness("question", {"title": "Euros?"}, yes[:1])
    assert asked != sameness("question", {"title": "Dollars?"}, yes)
    assert asked != sameness("form", {"title": "Euros?"}, yes)
    assert sameness("form", {"title": "t"}, yes, {"a": 1}) != sameness("form", {"title": "t"}, yes, {"a": 2})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (run("ls"), run("rm -r x")),
        (run("ls", timeout=1), run("ls", timeout=2)),
        (edit("/a", "b"), edit("/a", "c")),
        ({"raw_input": "ls"}, {"raw_input": "rm"}),
    ],
)
def test_another_value_takes_back_what_was_said(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert says_else(before, after)
    assert contradicts(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"title": ""}, run("ls")),
        (run("ls"), run("ls", cwd="/etc")),
        (run("ls", cwd="/etc"), run("ls")),
        ({"raw_input": {"path": "/a", "diff": "+b"}}, {"raw_input": {"filePath": "/a", "newString": "b"}}),
        ({"title": "Run"}, edit("/a", "b")),
        ({"title": "ls"}, {"title": "rm"}),
    ],
)
def test_more_and_the_same_in_other_words_is_another_question_too(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert says_else(before, after)
    assert not contradicts(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (run("ls"), {**run("ls"), "title": "Look", "kind": "other", "status": "in_progress", "raw_output": "x"}),
        # Where the input is known, a difference beside it only shows what it does.
        ({"raw_input": {"path": "/a", "text": "b"}}, {"raw_input": {"path": "/a", "text": "b"}, **edit("/a", "b")}),
        (run("ls", _meta={"n": 1}), run("ls", _meta={"n": 2})),
    ],
)
def test_what_says_nothing_else_of_what_it_does_is_the_same_call(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert not says_else(before, after)


def test_a_request_that_comes_again_is_held_against_what_it_gives() -> None:
    stored = {**run("ls"), "content": [], "status": "pending"}
    assert not given_else(stored, {"toolCallId": "c1"})
    assert not given_else(stored, run("ls"))
    assert given_else(stored, run("rm"))
    assert given_else(stored, {"toolCallId": "c1", "locations": [{"path": "/etc"}]})
    assert given_else({"title": "ls"}, {"title": "rm"})
    assert not given_else({"title": "ls", "raw_input": {"command": "ls"}}, {"title": "Look"})
