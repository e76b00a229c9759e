"""What an agent tells of its session, and what is set in it before it works."""

from __future__ import annotations

from typing import Any

import pytest

from agents.protocol.updates import (
    AgentUpdate,
    CommandsAvailable,
    ConfigChanged,
    ModeChanged,
    SessionInfo,
    Subagent,
    Usage,
)
from clawgroups.core import session_state
from clawgroups.core.errors import Invalid
from clawgroups.core.session_state import (
    after_set,
    asking_mode,
    chosen_value,
    fold,
    loose_mode,
    read_opened,
    wanted_values,
)


def modes(current: str, *offered: str) -> dict[str, Any]:
    return {"modes": {"currentModeId": current, "availableModes": [{"id": one, "name": one} for one in offered]}}


MODEL = {
    "id": "model",
    "name": "Model",
    "category": "model",
    "type": "select",
    "currentValue": "small",
    "options": [
        {"group": "fast", "name": "Fast", "options": [{"value": "small", "name": "Small"}]},
        {"group": "slow", "name": "Slow", "options": [{"value": "large", "name": "Large"}]},
    ],
}
THINK = {"id": "think", "name": "Think", "category": "thought_level", "type": "boolean", "currentValue": False}


@pytest.mark.parametrize(
    ("said", "key", "value"),
    [
        (Usage(5, 10), "usage", {"used": 5, "size": 10}),
        (Usage(5, 10, 0.25, "USD"), "usage", {"used": 5, "size": 10, "cost": {"amount": 0.25, "currency": "USD"}}),
        (SessionInfo("Sales"), "title", "Sales"),
        (
            CommandsAvailable(({"name": "plan", "description": "Plan it", "input": {"hint": "what"}}, {"name": 3})),
            "commands",
            [{"name": "plan", "description": "Plan it", "hint": "what"}],
        ),
        (Subagent("child", title="Reader"), "children", {"child": "Reader"}),
    ],
)
def test_each_update_replaces_what_it_speaks_of_and_nothing_else(said: AgentUpdate, key: str, value: object) -> None:
    assert fold({"kept": True}, said) == {"kept": True, key: value}


def test_modes_and_config_options_are_shown_in_one_shape_and_config_options_count_alone() -> None:
    (mode,) = read_opened(modes("default", "default", "yolo"))["options"]
    assert (mode["id"], mode["via"], mode["value"]) == ("mode", "modes", "default")
    both = read_opened({**modes("default", "default"), "configOptions": [MODEL, THINK, {"id": "x", "type": "slider"}]})
    assert [one["id"] for one in both["options"]] == ["model", "think"]
    assert [choice["value"] for choice in both["options"][0]["choices"]] == ["small", "large"]
    assert both["options"][0]["choices"][1]["group"] == "Slow"


def test_hostile_options_cost_only_themselves() -> None:
    odd: list[Any] = [7, {"id": 3}, {"id": "a" * 300}, {**MODEL, "currentValue": 7}, {**MODEL, "options": "none"}]
    assert read_opened({"configOptions": odd, "modes": [1]}) == {}
    long = {**MODEL, "options": [{"value": "v" * 300, "name": "long"}, {"value": "small", "name": "n" * 999}]}
    (option,) = read_opened({"configOptions": [long]})["options"]
    assert [choice["value"] for choice in option["choices"]] == ["small"]
    assert len(option["choices"][0]["name"]) == 120


def test_a_mode_that_an_agent_changes_by_itself_is_known() -> None:
    told = read_opened(modes("default", "default", "plan"))
    assert fold(told, ModeChanged("plan"))["options"][0]["value"] == "plan"
    assert fold(told, ConfigChanged((MODEL,)))["options"][0]["id"] == "model"


@pytest.mark.parametrize(
    ("current", "offered", "wanted"),
    [
        ("default", ("default", "acceptEdits", "bypassPermissions", "plan"), "default"),
        ("bypassPermissions", ("default", "acceptEdits", "bypassPermissions"), "default"),
        ("auto", ("read-only", "auto", "full-access"), "read-only"),
        ("yolo", ("plan", "default", "auto-edit", "yolo"), "default"),
        ("build", ("build", "plan"), "build"),
        ("yolo", ("yolo", "plan"), None),
        ("special", ("special", "yolo"), "special"),
    ],
)
def test_a_mode_that_asks_is_chosen_among_those_of_real_agents(
    current: str, offered: tuple[str, ...], wanted: str | None
) -> None:
    assert asking_mode(read_opened(modes(current, *offered))["options"][0]) == wanted


def test_what_the_owner_prefers_is_set_where_it_is_offered_and_a_mode_that_asks_otherwise() -> None:
    told = read_opened({**modes("yolo", "default", "yolo")})
    assert [value for _, value in wanted_values(told, {})] == ["default"]
    assert [value for _, value in wanted_values(told, {"mode": "yolo"})] == ["yolo"]
    assert [value for _, value in wanted_values(told, {"mode": "yolo"}, must_ask=True)] == ["default"]
    assert [value for _, value in wanted_values(told, {"mode": "gone", "model": "x"})] == ["default"]
    only_loose = read_opened({**modes("yolo", "yolo")})
    assert [value for _, value in wanted_values(only_loose, {"mode": "yolo"}, must_ask=True)] == ["yolo"]
    assert [value for _, value in wanted_values(only_loose, {}, must_ask=True)] == []
    config = read_opened({"configOptions": [MODEL, THINK]})
    assert [value for _, value in wanted_values(config, {"model": "large", "think": "true"})] == ["large", True]


def test_a_mode_in_which_a_session_does_not_ask_has_a_name() -> None:
    assert loose_mode(read_opened(modes("yolo", "default", "yolo"))) == "yolo"
    assert loose_mode(read_opened(modes("default", "default", "yolo"))) == ""
    assert loose_mode(read_opened({"configOptions": [MODEL, THINK]})) == ""


def test_only_what_is_offered_can_be_chosen() -> None:
    told = read_opened({"configOptions": [MODEL, THINK]})
    assert chosen_value(told, "think", "false")[1] is False
    for option, value in (("model", "huge"), ("think", "perhaps"), ("temperature", "1")):
        with pytest.raises(Invalid):
            chosen_value(told, option, value)


def test_an_option_that_was_set_is_what_the_agent_says_and_a_refusal_stands_beside_it() -> None:
    told = read_opened({"configOptions": [MODEL]})
    assert after_set(told, "model", "large", {}, "")["options"][0]["value"] == "large"
    own = after_set(told, "model", "large", {"configOptions": [MODEL]}, "")
    assert own["options"][0]["value"] == "small"
    refused = after_set(told, "model", "large", None, "no such model")
    assert refused["options"] == told["options"]
    assert refused["refused"] == {"model": "no such model"}
    assert after_set(refused, "model", "large", {}, "")["refused"] == {}


def test_children_and_commands_are_bounded() -> None:
    told: dict[str, Any] = {}
    for number in range(session_state.MAX_CHILDREN + 5):
        told = fold(told, Subagent(f"c{number}", title="t"))
    assert len(told["children"]) == session_state.MAX_CHILDREN
    many = CommandsAvailable(tuple({"name": f"n{number}"} for number in range(500)))
    assert len(fold({}, many)["commands"]) == session_state.MAX_COMMANDS


def test_what_is_remembered_of_options_is_short_and_knows_no_value() -> None:
    long = {**MODEL, "options": [{"value": f"v{n}", "name": "n", "description": "d" * 200} for n in range(150)]}
    told = read_opened({"configOptions": [{**long, "currentValue": "v1"}, THINK]})
    kept = session_state.remembered(told)
    assert [one["value"] for one in kept] == [None, None]
    assert len(kept[0]["choices"]) == session_state.MAX_REMEMBERED
    assert {choice["description"] for choice in kept[0]["choices"]} == {""}
    assert chosen_value({"options": kept}, "model", "v3")[1] == "v3"
