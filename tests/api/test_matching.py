"""The matching as a script sees it."""

from __future__ import annotations

import pytest

from agents.models import Agent
from clawgroups.coordinator.loop import take_turn
from clawgroups.models import Override, Task
from clawgroups.reactions import react
from tests.api.conftest import As, problem
from tests.conftest import Team, online_agent

pytestmark = pytest.mark.django_db


def turn(team: Team, task: Task) -> Task:
    react(team.workspace.pk)
    take_turn(task.run_id)
    return Task.objects.get(pk=task.pk)


def test_a_script_reads_the_ranking_and_chooses_another(team: Team, as_: As) -> None:
    team.agents["poet"] = online_agent(team, "poet", "writing")
    task = turn(team, team.one_task())
    bob = as_("bob")
    found = bob.get(f"/tasks/{task.pk}/match").json()
    assert found["stored"]["chosen"]["name"] == "Poet"
    assert [one["name"] for one in found["now"]] == ["Scribe", "Poet", "Counter", "Judge"]
    assert {part["name"] for part in found["now"][0]["parts"]} == {"skill", "record", "load", "cost"}
    assert found["now"][1]["excluded"] == "is busy with 1 of 1"
    body = {"member": str(team.seat("scribe").pk)}
    first = bob.post(f"/tasks/{task.pk}/choose", body, Idempotency_Key="k")
    assert first.json()["state"] == "ready"
    again = bob.post(f"/tasks/{task.pk}/choose", body, Idempotency_Key="k")
    assert (again.json(), again["Idempotency-Replayed"]) == (first.json(), "true")
    assert turn(team, task).assignee == team.seat("scribe")
    (choice,) = bob.get(f"/workspaces/{team.workspace.pk}/choices").json()["items"]
    assert (choice["passed"]["name"], choice["chosen"]["name"], choice["by"]) == ("Poet", "Scribe", "bob")
    assert problem(as_("gus").call("DELETE", f"/choices/{choice['id']}"))[0] == 403
    assert problem(as_("mallory").call("DELETE", f"/choices/{choice['id']}"))[0] == 404
    assert bob.call("DELETE", f"/choices/{choice['id']}").status_code == 200
    assert not Override.objects.exists()


def test_one_at_work_is_stopped_only_when_the_script_says_so(team: Team, as_: As) -> None:
    task = team.working("scribe")
    body = {"member": str(team.seat("counter").pk)}
    assert problem(as_("bob").post(f"/tasks/{task.pk}/choose", body)) == (409, "at_work")
    assert as_("bob").post(f"/tasks/{task.pk}/choose", {**body, "stop": True}).status_code == 200


def test_a_person_sets_parts_of_their_own_profile(team: Team, as_: As) -> None:
    path = f"/workspaces/{team.workspace.pk}/members/me"
    bob = as_("bob")
    hours = {"zone": "UTC", "days": ["mon"], "from": "08:00", "to": "10:00"}
    said = {"skills": [{"name": "law", "level": 4}], "capacity": 1, "hours": hours}
    answer = bob.call("PATCH", path, said)
    assert answer.json() == {"id": str(team.seat("bob").pk), "skills": {"law": 4}, "hours": hours, "capacity": 1}
    assert bob.call("PATCH", path, {"hours": None}).json()["hours"] == {}
    assert team.seat("bob").skills == {"law": 4}
    people = as_("gus").get(f"/workspaces/{team.workspace.pk}/members").json()["items"]
    assert [one["capacity"] for one in people if one["name"] == "bob"] == [1]
    assert problem(bob.call("PATCH", path, {"hours": {"zone": "Nowhere"}}))[0] == 422
    assert problem(as_("gus").call("PATCH", path, {"capacity": 1}))[0] == 403
    task = turn(team, team.one_task(skills=["law"]))
    assert bob.post(f"/tasks/{task.pk}/decline").json()["state"] == "ready"
    assert problem(bob.post(f"/tasks/{task.pk}/decline")) == (409, "not_asked")


def test_an_owner_resets_a_record(team: Team, as_: As) -> None:
    path = f"/agents/{team.agents['scribe'].pk}/record/reset"
    assert problem(as_("bob").post(path, {"skill": "writing"}))[0] == 404
    assert list(as_("ada").post(path, {"skill": "writing"}).json()["record_since"]) == ["writing"]
    assert list(Agent.objects.get(handle="scribe").record_since) == ["writing"]
