"""Rules and what was done without asking, by the API."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone

from clawgroups.core.actors import Actor, ActorKind
from clawgroups.models import Approval, Attempt, Overstep, Rule, Session, Step
from clawgroups.services import people, putting
from clawgroups.services.perform import perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db


def client_of(team: Team, name: str) -> Client:
    _, token = people.create_token(team.users[name], name="t")
    return Client(headers={"Authorization": f"Bearer {token}"})


def post(client: Client, path: str, said: Any, **headers: str) -> Any:
    return client.post(f"/api/v1{path}", json.dumps(said), content_type="application/json", headers=headers)


def test_a_rule_is_made_listed_and_revoked(team: Team) -> None:
    client, room = client_of(team, "ada"), f"/workspaces/{team.workspace.pk}"
    said = {"answer": "deny", "commands": ["curl *"], "note": "No", "seconds": 3600}
    made = post(client, f"{room}/rules", said, **{"Idempotency-Key": "k"})
    again = post(client, f"{room}/rules", said, **{"Idempotency-Key": "k"})
    assert (made.status_code, again.json()) == (201, made.json())
    items = client.get(f"/api/v1{room}/rules").json()["items"]
    mine = next(one for one in items if one["id"] == made.json()["id"])
    assert (mine["answer"], mine["commands"], mine["made_by"]["name"], mine["times"]) == ("deny", ["curl *"], "ada", 0)
    assert {one["made_by"] for one in items if one is not mine} == {None}
    assert post(client, f"/rules/{mine['id']}/revoke", {}).json()["in_force"] is False
    assert mine["id"] not in {one["id"] for one in client.get(f"/api/v1{room}/rules").json()["items"]}
    past = client.get(f"/api/v1{room}/rules", {"past": "true"}).json()["items"]
    assert mine["id"] in {one["id"] for one in past}


def test_what_is_wrong_is_said_with_its_field(team: Team) -> None:
    client, room = client_of(team, "ada"), f"/workspaces/{team.workspace.pk}"
    fault = post(client, f"{room}/rules", {"answer": "allow", "paths": ["~/x"]})
    assert (fault.status_code, fault.json()["field"]) == (422, "paths")
    assert post(client_of(team, "bob"), f"{room}/rules", {"answer": "deny", "kinds": ["edit"]}).status_code == 403


def test_a_dry_run_is_given_with_what_became_of_each_question(team: Team) -> None:
    team.working()
    me = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    call = {"toolCallId": "c", "kind": "fetch", "raw_input": {"url": "https://example.org/"}}
    options = [{"optionId": "n", "kind": "reject_once"}]
    session = Session.objects.get()
    perform(putting.request_approval, session.pk, request_id=1, tool_call=call, options=options, actor=me)
    said = {"answer": "deny", "kinds": ["fetch"]}
    tried = post(client_of(team, "bob"), f"/workspaces/{team.workspace.pk}/rules/try", said).json()
    assert (tried["looked_at"], tried["differs"], tried["cautions"]) == (1, 0, [])
    assert [(one["answer"], one["state"]) for one in tried["fits"]] == [("deny", "open")]
    assert Approval.objects.get().state == "open"


def test_what_was_done_without_asking_is_listed_until_somebody_has_looked(team: Team) -> None:
    task = team.working()
    attempt = Attempt.objects.get(task=task)
    step = Step.objects.create(
        pk=UUID(int=7), attempt=attempt, ordinal=1, tool_call_id="t", title="Look", started_at=timezone.now()
    )
    rule = Rule.objects.filter(workspace=team.workspace).first()
    said = {"workspace": team.workspace, "task": task, "attempt": attempt, "step": step, "rule": rule}
    Overstep.objects.create(pk=step.pk, at=timezone.now(), **said)
    client, path = client_of(team, "bob"), f"/workspaces/{team.workspace.pk}/oversteps"
    (one,) = client.get(f"/api/v1{path}").json()["items"]
    assert (one["step"], one["seen_at"], one["member"]["name"]) == (str(step.pk), None, "Scribe")
    assert post(client, f"/oversteps/{one['id']}/seen", {}).status_code == 200
    (one,) = client.get(f"/api/v1{path}").json()["items"]
    assert one["seen_by"]["name"] == "bob"
    assert client_of(team, "gus").get(f"/api/v1{path}").status_code == 403
