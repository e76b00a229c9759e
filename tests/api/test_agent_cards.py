"""Agent cards by script: an agent as a card, an agent out of a card, and what it has done."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import As, problem
from tests.conftest import Team

pytestmark = pytest.mark.django_db

CARD: dict[str, Any] = {
    "name": "Kimi",
    "description": "Backend work",
    "version": "2.1.0",
    "supportedInterfaces": [
        {"url": "https://kimi.example/a2a", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
    ],
    "capabilities": {"streaming": True},
    "skills": [{"id": "django", "name": "Django", "description": "models", "tags": ["web"], "examples": ["A field"]}],
}


def test_an_agent_is_registered_from_a_card_and_given_back_as_one(as_: As, team: Team) -> None:
    bob = as_("bob")
    made = bob.post("/agents", {"card": CARD, "max_sessions": 4})
    assert made.status_code == 201
    shown = bob.get(f"/agents/{made.json()['id']}").json()
    assert (shown["name"], shown["version"], shown["max_sessions"]) == ("Kimi", "2.1.0", 4)
    assert shown["skills"] == [
        {
            "name": "django",
            "title": "Django",
            "description": "models",
            "level": 3,
            "tags": ["web"],
            "examples": ["A field"],
        }
    ]
    card = bob.get(f"/agents/{made.json()['id']}/card").json()
    assert {key: card[key] for key in ("name", "description", "version", "skills")} == {
        key: CARD[key] for key in ("name", "description", "version", "skills")
    }
    assert card["supportedInterfaces"] == []
    again = bob.post("/agents", {"card": card}).json()
    assert (again["name"], again["handle"]) == ("Kimi", "kimi-2")


def test_what_is_said_beside_a_card_goes_before(as_: As, team: Team) -> None:
    said = {"name": "Mine", "version": "3", "skills": [{"name": "writing", "level": 5}]}
    made = as_("bob").post("/agents", {"card": CARD, **said}).json()
    shown = as_("bob").get(f"/agents/{made['id']}").json()
    assert (shown["name"], shown["version"], shown["description"]) == ("Mine", "3", "Backend work")
    assert [skill["name"] for skill in shown["skills"]] == ["writing"]


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ({}, "bad_card"),
        ({"name": "x", "skills": "many"}, "bad_card"),
        ({"name": "x", "skills": [{"id": "a", "tags": {"b": 1}}]}, "bad_card"),
        ({"skills": [{"id": "a"}]}, "empty"),
        ({"name": "<b>Robo</b>"}, "markup"),
        ({"name": "x", "skills": [{"id": "a", "description": "d" * 301}]}, "too_long"),
        ("text", "invalid"),
    ],
)
def test_a_card_that_is_wrong_makes_no_agent(as_: As, team: Team, card: Any, code: str) -> None:
    bob = as_("bob")
    assert problem(bob.post("/agents", {"card": card})) == (422, code)
    assert bob.get("/agents").json()["items"] == []


def test_a_card_is_registered_once_however_often_it_is_sent(as_: As, team: Team) -> None:
    bob = as_("bob")
    first, second = (bob.post("/agents", {"card": CARD}, Idempotency_Key="k") for _ in range(2))
    assert first.json() == second.json()
    assert len(bob.get("/agents").json()["items"]) == 1


def test_the_card_of_somebody_elses_agent_is_not_found(as_: As, team: Team) -> None:
    assert problem(as_("bob").get(f"/agents/{team.agents['scribe'].pk}/card")) == (404, "not_found")


def test_an_agent_is_shown_with_what_became_of_its_tries(as_: As, team: Team) -> None:
    ada, task = as_("ada"), team.one_task()
    team.try_once(task, {"stopReason": "confused"})
    record = ada.get(f"/agents/{team.agents['scribe'].pk}").json()["record"]
    assert (record["accepted"], record["failed"], record["failures"]) == (0, 1, {"malformed": 1})
    assert record["skills"] == {"writing": {"accepted": 0, "returned": 0, "failed": 1}}


def test_a_key_may_end_by_itself(as_: As, team: Team) -> None:
    ada, path = as_("ada"), f"/agents/{team.agents['scribe'].pk}"
    made = ada.post(f"{path}/keys", {"days": 7}).json()
    ends = {key["id"]: key["expires_at"] for key in ada.get(path).json()["keys"]}
    assert ends.pop(made["id"])
    assert set(ends.values()) == {None}
    assert problem(ada.post(f"{path}/keys", {"days": 0})) == (422, "invalid")
    assert ada.call("POST", f"{path}/keys").status_code == 201
