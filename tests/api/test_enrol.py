"""A machine comes in by a code, over the API: without any other right, and whoever guesses codes is slowed down."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from agents.models import AgentKey, Enrolment
from agents.protocol import codes
from clawgroups.services.guessing import guesses
from tests.api.conftest import Api, As, Json, problem
from tests.conftest import Team

pytestmark = pytest.mark.django_db


@pytest.fixture
def offered(team: Team, as_: As) -> Json:
    response = as_("ada").post(f"/agents/{team.agents['scribe'].pk}/enrolment", {"launcher": "kimi"})
    assert response.status_code == 201
    made: Json = response.json()
    return made


def enrol(code: str, key: str, **headers: str) -> Any:
    return Api().post("/enrol", {"code": code, "key": key}, **headers)


def test_a_machine_comes_in_with_the_code_and_nothing_else(team: Team, offered: Json) -> None:
    key = codes.new_key()
    first = enrol(offered["code"], key)
    agent = team.agents["scribe"]
    assert first.json() == {"agent": str(agent.pk), "name": "Scribe", "handle": "scribe", "launcher": "kimi"}
    again = enrol(offered["code"], key, Authorization="Bearer nonsense")
    assert (again.status_code, again.json()) == (200, first.json())
    mine = Api(key).get("/workspaces").json()["items"]
    assert [UUID(one["id"]) for one in mine] == [team.workspace.pk]


def test_the_offer_gives_the_lines_to_copy(offered: Json) -> None:
    code, origin = offered["code"], "http://127.0.0.1:8000"
    assert codes.is_code(code)
    assert offered["connect_command"] == f"clawgroups connect {origin} --code {code}"
    assert offered["fetch_command"] == (
        f"curl -fsSL {origin}/connect.pyz -o connect.pyz && python3 connect.pyz connect {origin} --code {code}"
    )


def test_an_offer_that_is_repeated_gives_the_same_code(team: Team, as_: As) -> None:
    ada, path = as_("ada"), f"/agents/{team.agents['scribe'].pk}/enrolment"
    first, again = (ada.post(path, Idempotency_Key="one") for _ in range(2))
    assert first.json() == again.json()
    assert again["Idempotency-Replayed"] == "true"
    assert ada.post(path).json()["code"] != first.json()["code"]
    assert Enrolment.objects.count() == 1


def test_each_fault_has_its_code_and_says_what_to_do(offered: Json) -> None:
    code, key = offered["code"], codes.new_key()
    assert problem(enrol("0000-0000-0000-0000", key)) == (404, "unknown_code")
    assert problem(enrol(code, "cg_no_key")) == (422, "invalid")
    assert problem(Api().post("/enrol", {"code": code})) == (422, "invalid")
    assert problem(enrol("x" * 101, key)) == (422, "invalid")
    assert problem(Api().get("/enrol")) == (405, "method_not_allowed")
    assert enrol(code, key).status_code == 200
    used = enrol(code, codes.new_key())
    assert problem(used) == (409, "code_used")
    assert "Make a new line" in used.json()["detail"]
    assert AgentKey.objects.filter(public_id=key[3:15]).count() == 1


def test_a_code_that_is_over_says_so(offered: Json) -> None:
    Enrolment.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert problem(enrol(offered["code"], codes.new_key())) == (409, "code_expired")


def test_what_is_refused_is_not_said_back(offered: Json) -> None:
    key = codes.new_key()
    for response in (enrol("0000-0000-0000-0000", key), enrol(offered["code"], key + "x"), enrol("x" * 101, key)):
        assert key[16:] not in response.content.decode()


def test_who_guesses_waits_and_others_come_in_meanwhile(offered: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses, "_clock", lambda: 100.0)
    guesses.forget()
    for _ in range(10):
        assert enrol("0000-0000-0000-0000", codes.new_key()).status_code == 404
    refused = enrol(offered["code"], codes.new_key())
    assert problem(refused) == (429, "rate_limited")
    assert refused["Retry-After"] == str(refused.json()["retry_after"]) == "10"
    elsewhere = Api()
    elsewhere.client.defaults["REMOTE_ADDR"] = "192.0.2.7"
    assert elsewhere.post("/enrol", {"code": offered["code"], "key": codes.new_key()}).status_code == 200


def test_an_agents_own_key_offers_nothing(team: Team, offered: Json) -> None:
    key = codes.new_key()
    enrol(offered["code"], key)
    assert problem(Api(key).post(f"/agents/{team.agents['scribe'].pk}/enrolment"))[0] == 404
