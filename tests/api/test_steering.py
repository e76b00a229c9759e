"""Steering by script."""

from __future__ import annotations

import pytest

from clawgroups.models import Command
from tests.api.conftest import As, problem
from tests.conftest import Team
from tests.services.steer_support import held_by_bob

pytestmark = pytest.mark.django_db


def test_a_holder_asks_takes_back_stops_and_reads_what_came_of_it(team: Team, as_: As) -> None:
    task = held_by_bob(team)
    bob, path = as_("bob"), f"/tasks/{task.pk}/steer"
    first = bob.post(path, {"text": "One"}, Idempotency_Key="a").json()
    assert (first["state"], first["when"], first["agent"]) == ("queued", "now", "Scribe")
    assert bob.post(path, {"text": "One"}, Idempotency_Key="a").json() == first
    assert Command.objects.filter(purpose="steer").count() == 1
    team.send("scribe")
    second = bob.post(path, {"text": "Two", "when": "after_step"}).json()
    assert bob.post(f"{path}/{second['id']}/withdraw").json()["state"] == "withdrawn"
    assert problem(bob.post(f"{path}/{second['id']}/stop")) == (409, "not_running")
    assert bob.post(f"{path}/{first['id']}/stop").json()["state"] == "stopping"
    assert [c.purpose for c in team.send("scribe")] == ["cancel"]
    team.finish("scribe", "Done all the same.")
    found = as_("gus").get(path).json()
    assert [(one["text"], one["state"]) for one in found["items"]] == [("Two", "withdrawn"), ("One", "over")]
    assert (found["items"][1]["outcome"], found["items"][1]["draft"]) == ("end_turn", 2)
    assert found["partner"] == {"agent": "Scribe", "why_not": ""}


def test_what_cannot_be_asked_is_a_problem_that_says_why(team: Team, as_: As) -> None:
    task = held_by_bob(team)
    path = f"/tasks/{task.pk}/steer"
    assert problem(as_("ada").post(path, {"text": "One"})) == (409, "not_holder")
    assert problem(as_("gus").post(path, {"text": "One"}))[0] == 403
    assert problem(as_("mallory").post(path, {"text": "One"}))[0] == 404
    assert problem(as_("bob").post(path, {"text": ""})) == (422, "empty")
    assert problem(as_("bob").post(path, {"text": "x" * 20_001})) == (422, "too_long")
    assert problem(as_("bob").post(path, {"text": "x", "when": "later"}))[0] == 422
