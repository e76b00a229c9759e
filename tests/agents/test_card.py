"""Agent cards: what we write is of the A2A shape and comes back whole; what strangers write is read or refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.protocol.card import (
    ACP_EXTENSION,
    LARGEST,
    CardError,
    CardSkill,
    Profile,
    clean,
    read_card,
    write_card,
)

KIMI = Profile(
    name="Kimi on Ana's laptop",
    description="Backend work.\n\n- Django\n- SQL",
    version="2.1.0",
    skills=(
        CardSkill("django", "Django", "models, views, tests", ("python", "web"), ("Add a field to the order.",), 5),
        CardSkill("sql", level=2),
    ),
    handle="kimi",
    model="kimi-k2.6",
    device="ana-laptop",
    toolkits=("files", "browser"),
    max_sessions=3,
)
# What 1.0 says that every card and skill has.
REQUIRED = {
    *("name", "description", "version", "supportedInterfaces", "capabilities"),
    *("defaultInputModes", "defaultOutputModes", "skills"),
}
OLD = {
    "protocolVersion": "0.3.0",
    "name": "Recipe Agent",
    "description": "Helps with recipes",
    "url": "https://recipes.example/a2a",
    "preferredTransport": "JSONRPC",
    "version": "1.2",
    "capabilities": {"streaming": True},
    "defaultInputModes": ["text"],
    "skills": [{"id": "cook", "name": "Cook", "description": "Cooks", "tags": ["food"], "examples": ["Bread?"]}],
}


def test_a_profile_comes_back_from_its_card_whole() -> None:
    card = write_card(KIMI)
    assert read_card(json.dumps(card)).profile == read_card(card).profile == KIMI
    assert read_card(card).left_out == ()
    bare = Profile(name="Bare")
    assert read_card(write_card(bare)).profile == bare


def test_a_card_has_all_that_a2a_demands_and_claims_no_interface() -> None:
    for profile in (KIMI, Profile(name="Bare", skills=(CardSkill("writing"),))):
        card = write_card(profile)
        assert card.keys() >= REQUIRED
        assert card["supportedInterfaces"] == []
        assert all(card[key] for key in REQUIRED - {"supportedInterfaces"})
        assert ACP_EXTENSION in [one["uri"] for one in card["capabilities"]["extensions"]]
        for skill in card["skills"]:
            assert all(skill[key] for key in ("id", "name", "description", "tags"))


def test_pictures_are_among_the_inputs_where_the_agent_takes_them() -> None:
    assert "image/png" in write_card(KIMI, images=True)["defaultInputModes"]
    assert write_card(KIMI)["defaultInputModes"] == ["text/plain"]


@pytest.mark.parametrize("card", [OLD, {"card": OLD}, {"agentCard": OLD}], ids=["0.3", "in an invite", "wrapped"])
def test_older_shapes_are_read_and_what_has_no_place_is_named(card: dict[str, Any]) -> None:
    read = read_card(json.dumps(card))
    assert (read.profile.name, read.profile.version) == ("Recipe Agent", "1.2")
    assert read.profile.skills == (CardSkill("cook", "Cook", "Cooks", ("food",), ("Bread?",)),)
    assert read.left_out == ("preferredTransport", "url")


def test_odd_but_clear_values_are_taken() -> None:
    read = read_card({"name": " Two\nlines ", "version": 2.5, "skills": ["Cooking", {"name": "x", "tags": "a, b"}]})
    assert (read.profile.name, read.profile.version) == ("Two lines", "2.5")
    assert [(skill.id, skill.tags) for skill in read.profile.skills] == [("Cooking", ()), ("x", ("a", "b"))]
    assert read_card({"name": "No skills", "skills": None, "description": None}).profile == Profile(name="No skills")


WRONG = [
    ("", "no JSON"),
    ("{", "line 1"),
    ("[]", "a list; an object"),
    ("null", "nothing"),
    ("{}", "no agent card"),
    ('{"name": 5}', "name: a text was expected, this is a number"),
    ('{"name": "a", "skills": {}}', "skills: a list"),
    ('{"name": "a", "skills": [5]}', "skills[1]: an object"),
    ('{"name": "a", "skills": [{"id": "x"}, {"id": "x"}]}', "skills[2]: there is another"),
    ('{"name": "a", "skills": [{"description": "x"}]}', "skills[1]: it has neither"),
    ('{"name": "a", "skills": [{"id": "x", "tags": [1]}]}', "skills[1].tags"),
    ('{"name": "a", "skills": [{"id": "x", "examples": 1}]}', "skills[1].examples"),
    ("[" * 100_000, "too deep"),
    ('{"name": ' + "9" * 10_000 + "}", "too long"),
    ('{"name": "' + "a" * 30_000 + '"}', "30000 characters"),
    (json.dumps({"name": "a", "skills": [{"id": str(i)} for i in range(41)]}), "41 skills; at most 40"),
    (" " * (LARGEST + 1), "too large"),
]


@pytest.mark.parametrize(("text", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_cannot_be_read_is_refused_with_the_place_and_the_reason(text: str, said: str) -> None:
    with pytest.raises(CardError) as refused:
        read_card(text)
    assert said in str(refused.value)
    assert len(str(refused.value)) < 300


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
SKILL = st.fixed_dictionaries({}, optional=dict.fromkeys(("id", "name", "description", "tags", "examples"), JSON))
CARD = st.fixed_dictionaries(
    {"name": JSON},
    optional={"description": JSON, "version": JSON, "skills": JSON | st.lists(SKILL, max_size=3), "capabilities": JSON},
)


@given(JSON | CARD)
def test_no_card_breaks_its_reader_and_what_is_read_can_be_stored(card: Any) -> None:
    try:
        read = read_card(card if isinstance(card, dict) else json.dumps(card))
    except CardError:
        return
    said = json.dumps(write_card(read.profile), ensure_ascii=False)
    assert "\x00" not in said.encode("utf-8").decode()
    again = read_card(said).profile
    # A description that only repeats the name is one that is not there.
    assert replace(again, description="", skills=()) == replace(read.profile, description="", skills=())


def test_signs_that_hide_or_reverse_are_taken_out() -> None:
    assert (
        clean("a\x00b\u202ec\ud800d\x1b[31m\ne\U0001f9d1\u200d\U0001f680") == "abc?d[31m\ne\U0001f9d1\u200d\U0001f680"
    )
