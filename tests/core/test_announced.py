"""What changed between two announcements; whatever a stranger puts in one is data."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.announced import CAPABILITIES, Difference, can, differences, fact, kept, logins, skills

OLD = {"name": "gemini", "title": "Gemini CLI", "version": "0.60", "protocol": 1, "load": True, "image": False}


def test_a_new_version_with_other_capabilities_is_told_apart() -> None:
    new = {**OLD, "version": "0.61", "load": False, "image": True}
    assert differences(OLD, new) == (
        Difference("version", "0.60", "0.61"),
        Difference("load", "yes", ""),
        Difference("image", "", "yes"),
    )


def test_the_same_again_is_no_change_and_a_login_that_is_due_neither() -> None:
    assert differences(OLD, dict(OLD)) == ()
    assert differences(OLD, {**OLD, "needs_login": {"message": "x"}}) == ()
    assert kept({**OLD, "needs_login": {}}) == OLD


def test_what_an_older_server_did_not_keep_is_no_change() -> None:
    assert differences(OLD, {**OLD, "fork": True, "mcp_sse": False, "auth_methods": [{"id": "a"}]}) == ()


def test_ways_to_sign_in_are_compared_by_what_they_are_called() -> None:
    before = {"auth_methods": [{"id": "key", "name": "API key"}]}
    after = {
        "auth_methods": [{"id": "key", "name": "API key"}, {"id": "web", "type": "terminal"}, {"name": "no id"}, 7]
    }
    assert differences(before, after) == (Difference("logins", "API key", "API key, web"),)
    assert [(one.id, one.kind) for one in logins(after)] == [("key", ""), ("web", "terminal")]


def test_other_skills_are_told_by_their_names() -> None:
    before: dict[str, Any] = {"skills": [{"name": "writing", "title": "Writing"}]}
    after = {"skills": [{"name": "writing"}, {"name": "sql", "description": "x" * 5000}, {"title": "no name"}, 7]}
    assert differences(before, after) == (Difference("skills", "writing", "writing, sql"),)
    assert [(one.name, len(one.description)) for one in skills(after)] == [("writing", 0), ("sql", 300)]
    assert differences({"version": "1"}, {"version": "1", **after}) == ()


@pytest.mark.parametrize("value", ["yes", 1, "true", {}, [], None])
def test_only_a_plain_yes_is_a_capability(value: Any) -> None:
    assert not can({"load": value}, "load")


def test_a_long_or_broken_text_is_cut_to_one_line() -> None:
    assert fact({"version": "1\n\n2"}, "version") == "1 2"
    assert len(fact({"version": "x" * 5000}, "version")) == 120
    assert fact({"version": ["x"]}, "version") == fact(None, "version") == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "name", "x"]), inner),
    max_leaves=6,
)
SAID = JSON | st.dictionaries(
    st.sampled_from([*CAPABILITIES, "version", "auth_methods", "needs_login", "skills"]), JSON
)


@given(SAID, SAID)
def test_no_announcement_breaks_the_comparison(before: Any, after: Any) -> None:
    found = differences(before, after)
    assert all(len(one.after) < 2000 and one.before != one.after for one in found)
    assert differences(after, after) == ()
