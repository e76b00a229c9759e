"""The address of an agent that we dial, by script."""

from __future__ import annotations

import json

import pytest

from clawgroups.models import Operation
from tests.api.conftest import As
from tests.conftest import Team

pytestmark = pytest.mark.django_db

ADDRESS = "wss://agent.example.org/acp"


def test_an_address_is_set_read_tried_again_and_removed(team: Team, as_: As) -> None:
    api, where = as_("ada"), f"/agents/{team.agents['scribe'].pk}/dial"
    assert api.get(where).json() == {"address": ""}
    assert api.post(where + "/retry").status_code == 409
    said = api.call("PUT", where, {"address": ADDRESS, "secret": "s3cret"}, Idempotency_Key="k1")
    assert said.json() == {"id": str(team.agents["scribe"].pk), "address": ADDRESS}
    shown = api.get(where).json()
    assert (shown["address"], shown["has_key"], shown["state"], shown["private"]) == (ADDRESS, True, "waiting", False)
    assert "s3cret" not in json.dumps(shown)
    wrong = api.call("PUT", where, {"address": "ftp://x"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid")
    assert api.post(where + "/retry").status_code == 200
    assert api.post(where + "/private", {"allowed": True}).status_code == 403
    assert as_("sue").post(where + "/private", {"allowed": True}).status_code == 200
    assert api.get(where).json()["private"] is True
    assert api.call("DELETE", where).status_code == 200
    assert api.get(where).json() == {"address": ""}


def test_a_repeat_with_another_key_is_told_apart_without_keeping_either(team: Team, as_: As) -> None:
    api, where = as_("ada"), f"/agents/{team.agents['scribe'].pk}/dial"
    for secret, code in (("s3cret", 200), ("s3cret", 200), ("other", 409)):
        answer = api.call("PUT", where, {"address": ADDRESS, "secret": secret}, Idempotency_Key="k1")
        assert answer.status_code == code
    assert "s3cret" not in str(list(Operation.objects.values()))
