"""What an agent wants to do is read from its arguments, in all the ways in which agents put them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.arguments import Arguments, hides, is_suspicious, read, shown

DIFF = {"type": "diff", "path": "a.py", "oldText": "x\n", "newText": "y\n"}


def raw(kind: str = "", **given_: Any) -> Arguments:
    return read({"toolCallId": "c1", "title": "Its words", "kind": kind, "raw_input": given_})


@pytest.mark.parametrize(
    ("given_", "line"),
    [
        ({"command": "git push"}, "git push"),
        ({"command": ["bash", "-lc", "rm -r 'a b'"]}, """bash -lc 'rm -r '"'"'a b'"'"''"""),
        ({"command": "npm", "args": ["run", "build it"]}, "npm run 'build it'"),
        ({"commandLine": "ls"}, "ls"),
        ({"cmd": "ls"}, "ls"),
        ({"script": "echo 1\necho 2"}, "echo 1\necho 2"),
    ],
)
def test_a_command_is_found_however_it_is_named(given_: dict[str, Any], line: str) -> None:
    found = raw(**given_)
    assert (found.does, found.commands, found.others) == ("command", (line,), ())


def test_the_folder_of_a_command_and_what_is_said_about_it_stand_apart() -> None:
    found = raw("execute", command="ls", cwd="/srv", description="Look around", timeout=30, env={"A": "1"})
    assert (found.folder, found.words) == ("/srv", ("Its words", "Look around"))
    assert found.others == (("timeout", "30"), ("env", '{"A": "1"}'))


def test_what_another_tool_writes_is_an_argument_and_not_said_about_it() -> None:
    found = raw("other", title="A ticket", description="Delete the database")
    assert found.words == ("Its words",)
    assert dict(found.others) == {"title": "A ticket", "description": "Delete the database"}


def test_a_change_comes_as_a_diff_as_strings_as_a_file_or_as_a_patch() -> None:
    as_diff = read({"kind": "edit", "content": [DIFF], "raw_input": {"file_path": "a.py", "old_string": "x"}})
    assert [(b.name, b.before, b.text) for b in as_diff.changes] == [("a.py", "x\n", "y\n")]
    as_strings = raw("edit", file_path="a.py", old_string="x", new_string="y")
    assert [(b.name, b.before, b.text) for b in as_strings.changes] == [("a.py", "x", "y")]
    several = raw("edit", path="a.py", edits=[{"oldText": "x", "newText": "y"}, {"oldText": "p", "newText": "q"}])
    assert [(b.name, b.text) for b in several.changes] == [("a.py", "y"), ("a.py", "q")]
    assert raw("edit", filePath="n.md", content="# N").whole == (("n.md", "# N"),)
    patch = "*** Begin Patch\n*** Update File: a.py\n-x\n+y\n*** End Patch"
    assert raw("other", input=patch).patches == (patch,)
    assert {one.does for one in (as_diff, as_strings, several)} == {"change"}
    assert (as_diff.files, as_strings.places) == (("a.py",), ())


def test_a_call_that_says_less_than_it_does_does_what_its_arguments_show() -> None:
    assert raw("read", command="rm -rf /").does == "command"
    assert read({"kind": "read", "content": [DIFF]}).does == "change"


@pytest.mark.parametrize(
    ("kind", "given_", "does"),
    [
        ("delete", {"paths": ["a", "b"]}, "delete"),
        ("move", {"source": "a", "destination": "b"}, "move"),
        ("read", {"path": "a"}, "read"),
        ("search", {"pattern": "x"}, "search"),
        ("fetch", {"url": "https://e.org"}, "fetch"),
        ("other", {"url": "https://e.org"}, "fetch"),
        ("switch_mode", {}, "mode"),
        ("", {"x": 1}, "other"),
    ],
)
def test_what_it_does_is_told_by_its_kind_where_nothing_shows_more(
    kind: str, given_: dict[str, Any], does: str
) -> None:
    assert raw(kind, **given_).does == does


def test_no_argument_is_out_of_sight() -> None:
    found = raw("move", source="a", destination="b", nested={"deep": ["x"]}, flag=True)
    assert dict(found.others) == {"source": "a", "destination": "b", "nested": '{"deep": ["x"]}', "flag": "true"}
    assert raw("other", long="x" * 900).others == (("long", "x" * 400 + "…"),)


def test_one_that_sends_only_words_is_bare() -> None:
    assert read({"toolCallId": "c1", "title": "May I?"}).is_bare
    assert read(
        {"title": "May I?", "content": [{"type": "content", "content": {"type": "text", "text": "rm"}}]}
    ).is_bare
    assert not raw("read", path="a").is_bare
    assert not raw("other", x=1).is_bare


def test_paths_are_named_once_and_those_of_a_change_with_it() -> None:
    call = {"locations": [{"path": "a.py", "line": 3}, {"path": "b.py"}], "raw_input": {"path": "b.py"}}
    assert [str(one) for one in read({**call, "kind": "read"}).places] == ["a.py:3", "b.py"]
    assert [str(one) for one in read({**call, "content": [DIFF]}).places] == ["b.py"]


def test_what_hides_or_turns_is_shown_by_its_number() -> None:
    assert shown("rm \u202e# ok\u202c") == "rm ⟦U+202E⟧# ok⟦U+202C⟧"
    assert shown("a\r\nb\tc\x1b[2K") == "a\nb\tc⟦U+001B⟧[2K"
    assert shown("a\rb") == "a⟦U+000D⟧b"
    assert shown("naïve 日本語 👩‍🚀") == "naïve 日本語 👩‍🚀"
    assert is_suspicious("curl https://p\u0430ypal.com")
    assert not is_suspicious("echo привет и hello")
    assert raw(command="ls \u200b").hides
    assert not raw(command="ls").hides


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
keys = st.sampled_from(
    ["command", "args", "cwd", "path", "paths", "edits", "old_string", "content", "url", "patch", "x"]
)


@given(st.dictionaries(st.sampled_from(["kind", "title", "content", "locations", "raw_input"]), json_values))
def test_nothing_that_an_agent_sends_breaks_the_reading(call: dict[str, Any]) -> None:
    found = read(call)
    assert not hides("".join(map(shown, found.words)))


@given(st.dictionaries(keys, json_values, max_size=6))
def test_no_arguments_break_it_either(arguments: dict[str, Any]) -> None:
    read({"raw_input": arguments})
