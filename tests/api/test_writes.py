"""Doing everything from a script: verbs, repeats, and what a repeat answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from clawgroups.models import Approval, Artifact, Draft, Message, Run, Task, Workspace
from tests.api.conftest import As, problem
from tests.conftest import Team, quarantine
from tests.services.late_support import came_late

pytestmark = pytest.mark.django_db

PLAN = [
    {"key": "profile", "title": "Profile the file", "skills": ["data-analysis"]},
    {"key": "write", "title": "Write it up", "skills": ["writing"], "depends_on": ["profile"]},
]


def test_a_workspace_is_opened_read_changed_and_listed(team: Team, as_: As) -> None:
    bob = as_("bob")
    made = bob.post("/workspaces", {"name": "Ours", "goal": "g"})
    assert made.status_code == 201
    pk = made.json()["id"]
    changed = bob.call("PATCH", f"/workspaces/{pk}", {"name": "Mine", "rules": "r"})
    assert changed.json() == {"id": pk, "name": "Mine", "rules": "r"}
    assert bob.get(f"/workspaces/{pk}").json()["members"][0]["role"] == "owner"
    assert [w["name"] for w in bob.get("/workspaces").json()["items"]] == ["Mine", "Sales"]


def test_rights_are_checked_for_all_of_a_change_before_any_of_it(team: Team, as_: As) -> None:
    path = f"/workspaces/{team.workspace.pk}"
    assert problem(as_("bob").call("PATCH", path, {"goal": "new", "name": "new"})) == (403, "forbidden")
    team.workspace.refresh_from_db()
    assert (team.workspace.name, team.workspace.goal) == ("Sales", "Know the numbers")


def test_a_workspaces_deadlines_are_set_by_admins_and_shown_with_those_in_force(team: Team, as_: As) -> None:
    path = f"/workspaces/{team.workspace.pk}"
    assert problem(as_("bob").call("PATCH", path, {"timers": {"approval": 900}})) == (403, "forbidden")
    ada = as_("ada")
    assert ada.call("PATCH", path, {"timers": {"approval": 900, "review": None}}).json()["timers"] == {"approval": 900}
    shown = ada.get(path).json()
    assert shown["timers"] == {"approval": 900}
    assert (shown["timers_in_force"]["approval"], shown["timers_in_force"]["review"]) == (900, 86400)
    refused = ada.call("PATCH", path, {"timers": {"soft_stall": 400}})
    assert problem(refused) == (422, "invalid")
    assert "must be shorter" in refused.json()["detail"]
    assert problem(ada.call("PATCH", path, {"timers": {"lunch": 1}})) == (422, "invalid")
    assert ada.call("PATCH", path, {"timers": {}}).json()["timers"] == {}


def test_members_come_change_and_go(team: Team, as_: As) -> None:
    ada, path = as_("ada"), f"/workspaces/{team.workspace.pk}/members"
    made = ada.post(path, {"user": "mallory", "role": "guest"})
    assert made.status_code == 201
    one = f"{path}/{made.json()['id']}"
    assert ada.call("PATCH", one, {"role": "member"}).json()["role"] == "member"
    assert ada.call("DELETE", one).status_code == 200
    assert "mallory" not in [m["handle"] for m in ada.get(path).json()["items"]]
    assert problem(ada.post(path, {"user": "nobody"})) == (422, "invalid")
    assert problem(ada.post(path, {})) == (422, "invalid")


def test_an_agent_is_registered_with_a_key_that_is_shown_once(team: Team, as_: As) -> None:
    bob = as_("bob")
    made = bob.post("/agents", {"name": "Robo", "skills": [{"name": "writing", "level": 4}]}).json()
    assert made["key"].startswith("cg_")
    assert made["key"] in made["connect_command"]
    shown = bob.get(f"/agents/{made['id']}").json()
    assert made["key"] not in json.dumps(shown)
    assert (shown["name"], shown["online"], len(shown["keys"])) == ("Robo", False, 1)
    more = bob.post(f"/agents/{made['id']}/keys").json()
    assert bob.call("DELETE", f"/agents/{made['id']}/keys/{more['id']}").status_code == 200
    assert problem(as_("ada").get(f"/agents/{made['id']}")) == (404, "not_found")
    seat = as_("ada").post(f"/workspaces/{team.workspace.pk}/members", {"agent": str(team.agents["scribe"].pk)})
    assert problem(seat)[0] == 409


def test_an_agent_that_keeps_failing_is_cleared_by_its_owner(team: Team, as_: As) -> None:
    scribe, ada = team.agents["scribe"], as_("ada")
    closed = {"state": "closed", "until": None, "reason": "", "detail": ""}
    assert ada.get(f"/agents/{scribe.pk}").json()["breaker"] == closed
    quarantine(scribe, "it crashed")
    shown = ada.get(f"/agents/{scribe.pk}").json()["breaker"]
    assert shown == {"state": "quarantined", "until": None, "reason": "it crashed", "detail": "no model"}
    task = team.one_task()
    refused = ada.post(f"/tasks/{task.pk}/assign", {"member": str(team.seat("scribe").pk)})
    assert problem(refused) == (409, "breaker_open")
    assert problem(as_("bob").post(f"/agents/{scribe.pk}/clear")) == (404, "not_found")
    assert ada.post(f"/agents/{scribe.pk}/clear").json() == {"id": str(scribe.pk), "state": "closed"}
    assert ada.post(f"/tasks/{task.pk}/assign", {"member": str(team.seat("scribe").pk)}).status_code == 200


@pytest.mark.parametrize("name", ["<b>Robo</b>", "Robo\nInjected: yes", "Robo <"])
def test_an_agents_name_with_markup_is_refused(team: Team, as_: As, name: str) -> None:
    bob = as_("bob")
    before = bob.get("/agents").json()["items"]
    assert problem(bob.post("/agents", {"name": name})) == (422, "markup")
    assert bob.get("/agents").json()["items"] == before


def test_a_run_goes_from_json_to_its_tasks(team: Team, as_: As) -> None:
    bob = as_("bob")
    made = bob.post(f"/workspaces/{team.workspace.pk}/runs", {"goal": "Know more", "plan": PLAN})
    run = made.json()["id"]
    assert bob.post(f"/runs/{run}/start").json() == {"id": run, "state": "running"}
    listed = bob.get(f"/runs/{run}/tasks").json()["items"]
    assert [(t["key"], t["state"], t["depends_on"]) for t in listed] == [
        ("profile", "ready", []),
        ("write", "waiting", ["profile"]),
    ]
    assert bob.get(f"/runs/{run}").json()["tasks"] == {"ready": 1, "waiting": 1}
    assert bob.post(f"/runs/{run}/pause").json()["paused"] is True
    assert bob.post(f"/runs/{run}/resume").json()["paused"] is False
    assert bob.post(f"/runs/{run}/cancel").json()["state"] == "cancelled"


def test_a_run_comes_with_files_in_a_form(team: Team, as_: As) -> None:
    bob, data = as_("bob"), b"region,amount\nnorth,1\n"
    fields = {
        "goal": "Know more",
        "plan": json.dumps(PLAN),
        "start": "false",
        "files": [SimpleUploadedFile("ünï sales.csv", data, "text/csv"), SimpleUploadedFile("b.txt", b"x")],
    }
    made = bob.form(f"/workspaces/{team.workspace.pk}/runs", fields)
    assert made.status_code == 201, made.content
    files = bob.get(f"/runs/{made.json()['id']}/artifacts").json()["items"]
    assert [(f["name"], f["kind"], f["size"]) for f in files] == [("ünï sales.csv", "input", 22), ("b.txt", "input", 1)]
    got = bob.get(files[0]["url"])
    assert b"".join(got.streaming_content) == data
    assert got["X-Content-Type-Options"] == "nosniff"
    assert got["Content-Disposition"] == "attachment; filename*=utf-8''%C3%BCn%C3%AF%20sales.csv"
    assert "sandbox" in got["Content-Security-Policy"]


def test_a_task_is_taken_over_drafted_handed_back_and_finished_by_hand(team: Team, as_: As) -> None:
    task, bob = team.working(), as_("bob")
    path = f"/tasks/{task.pk}"
    taken = bob.post(f"{path}/takeover").json()
    assert problem(as_("carol").post(f"{path}/takeover", {})) == (409, "held")
    assert bob.post(f"{path}/draft", {"text": "mine"}).json()["version"] == 2
    assert bob.post(f"{path}/handback", {"note": "shorter"}).json()["state"] == "ready"
    assert bob.post(f"{path}/takeover", {}).json()["epoch"] == taken["epoch"] + 2
    done = bob.form(f"{path}/submit", {"result": "The end.", "files": [SimpleUploadedFile("a.md", b"# A")]})
    assert done.json()["state"] == "in_review"
    assert problem(bob.post(f"{path}/return", {})) == (422, "invalid")
    assert bob.post(f"{path}/accept").status_code == 200
    shown = bob.get(path).json()
    assert shown["state"] == "done"
    assert [a["state"] for a in shown["attempts"]] == ["superseded", "superseded", "accepted"]
    assert [a["name"] for a in shown["artifacts"]] == ["a.md"]


def test_assignment_release_and_cancel(team: Team, as_: As) -> None:
    task, bob = team.one_task(), as_("bob")
    path = f"/tasks/{task.pk}"
    seat = str(team.seat("scribe").pk)
    assigned = bob.post(f"{path}/assign", {"member": seat}).json()
    stale = bob.post(f"{path}/release", {"epoch": assigned["epoch"] - 1})
    assert problem(stale) == (409, "stale_attempt")
    assert (stale.json()["current_epoch"], stale.json()["kept_as"]) == (assigned["epoch"], None)
    assert bob.post(f"{path}/release", {"epoch": assigned["epoch"]}).status_code == 200
    assert bob.post(f"{path}/cancel").status_code == 200
    assert problem(bob.post(f"{path}/cancel")) == (409, "illegal_move")


def test_a_late_result_is_taken_up_by_script_once(team: Team, as_: As) -> None:
    attempt, bob = came_late(team), as_("bob")
    path = f"/tasks/{attempt.task_id}"
    shown = bob.get(path).json()["attempts"][0]
    assert (shown["late_result"], shown["adopted_from"]) == ("Sales rose by 4.", None)
    assert shown["late_at"]
    assert problem(as_("gus").post(f"{path}/adopt", {"attempt": str(attempt.pk)})) == (403, "forbidden")
    taken = bob.post(f"{path}/adopt", {"attempt": str(attempt.pk)}, Idempotency_Key="up")
    again = bob.post(f"{path}/adopt", {"attempt": str(attempt.pk)}, Idempotency_Key="up")
    assert (taken.status_code, again.json(), again["Idempotency-Replayed"]) == (200, taken.json(), "true")
    assert taken.json()["state"] == "in_review"
    assert bob.get(path).json()["attempts"][1]["adopted_from"] == str(attempt.pk)
    bob.post(f"{path}/return", {"note": "no"})
    refused = bob.post(f"{path}/adopt", {"attempt": str(attempt.pk)})
    assert problem(refused) == (409, "already_adopted")
    assert problem(bob.post(f"{path}/adopt", {})) == (422, "invalid")


def test_a_task_is_written_anew_and_cut_into_parts(team: Team, as_: As) -> None:
    task, bob = team.one_task(), as_("bob")
    path = f"/tasks/{task.pk}/regenerate"
    anew = bob.post(path, {"instructions": "Do less."})
    assert anew.json() == {"id": str(task.pk), "epoch": task.epoch + 1, "parts": 0}
    assert problem(bob.post(path, {"instructions": ""}))[0] == 422
    assert problem(bob.post(path, {"instructions": "Both.", "parts": [{"title": "One"}]}))[0] == 422
    split = bob.post(path, {"instructions": "Both.", "parts": [{"title": "One"}, {"title": "Two"}]})
    assert split.json()["parts"] == 2
    assert problem(bob.post(path, {"instructions": "Again."})) == (409, "illegal_move")


def test_messages_are_posted_and_read_by_page(team: Team, as_: As) -> None:
    bob, path = as_("bob"), f"/workspaces/{team.workspace.pk}/messages"
    for number in range(5):
        assert bob.post(path, {"body": f"m{number}"}).status_code == 201
    first = bob.get(f"{path}?limit=3").json()
    rest = bob.get(f"{path}?limit=3&cursor={first['next']}").json()
    assert [m["body"] for m in first["items"] + rest["items"]] == ["m4", "m3", "m2", "m1", "m0"]
    assert rest["next"] is None
    assert problem(bob.get(f"{path}?cursor=nonsense")) == (422, "invalid")


# Repeats


def posts(team: Team) -> list[tuple[str, Any, Any]]:
    return [
        ("/workspaces", {"name": "Once"}, Workspace),
        (f"/workspaces/{team.workspace.pk}/messages", {"body": "once"}, Message),
        (f"/workspaces/{team.workspace.pk}/runs", {"goal": "once", "plan": PLAN}, Run),
        ("/agents", {"name": "Once", "handle": "once"}, type(team.agents["scribe"])),
    ]


@pytest.mark.parametrize("index", range(4))
def test_a_repeated_write_gives_the_first_answer_and_writes_nothing(team: Team, as_: As, index: int) -> None:
    path, body, model = posts(team)[index]
    ada = as_("ada")
    first = ada.post(path, body, Idempotency_Key="k-1")
    count = model.objects.count()
    again = ada.post(path, body, Idempotency_Key="k-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert model.objects.count() == count
    assert ada.post(path, {**body, "handle": "twice"}, Idempotency_Key="k-2").json() != first.json()


def test_a_repeat_is_answered_even_when_the_verb_would_now_be_impossible(team: Team, as_: As) -> None:
    ada, run = as_("ada"), team.run(PLAN, start=False)
    first = ada.post(f"/runs/{run.pk}/start", Idempotency_Key="go")
    again = ada.post(f"/runs/{run.pk}/start", Idempotency_Key="go")
    assert (again.status_code, again.json(), again["Idempotency-Replayed"]) == (200, first.json(), "true")
    assert problem(ada.post(f"/runs/{run.pk}/start")) == (409, "illegal_move")


def test_a_key_that_was_used_for_something_else_is_refused(team: Team, as_: As) -> None:
    ada, path = as_("ada"), f"/workspaces/{team.workspace.pk}/messages"
    assert ada.post(path, {"body": "one"}, Idempotency_Key="same").status_code == 201
    assert problem(ada.post(path, {"body": "two"}, Idempotency_Key="same")) == (409, "idempotency_key_reused")
    assert as_("bob").post(path, {"body": "two"}, Idempotency_Key="same").status_code == 201
    assert problem(ada.post(path, {"body": "x"}, Idempotency_Key="x" * 200)) == (422, "invalid")


def test_a_repeated_form_is_known_by_its_files(team: Team, as_: As) -> None:
    ada, path = as_("ada"), f"/workspaces/{team.workspace.pk}/runs"

    def send(data: bytes) -> Any:
        fields = {"goal": "g", "files": [SimpleUploadedFile("a.csv", data)]}
        return ada.form(path, fields, Idempotency_Key="form")

    first = send(b"a,b\n1,2\n")
    assert send(b"a,b\n1,2\n").json() == first.json()
    assert problem(send(b"a,b\n9,9\n")) == (409, "idempotency_key_reused")
    assert Artifact.objects.count() == 1


# A signed-in page


def test_a_page_reads_with_its_cookie_and_writes_with_its_csrf_token(team: Team) -> None:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(team.users["ada"])
    path = f"/api/v1/workspaces/{team.workspace.pk}/messages"
    assert client.get(path).status_code == 200
    assert problem(client.post(path, {"body": "x"}, content_type="application/json")) == (403, "csrf")
    token = "a" * 32
    client.cookies["claw_csrf"] = token
    said = client.post(
        path,
        {"body": "x"},
        content_type="application/json",
        headers={"X-CSRFToken": token, "Origin": "http://testserver"},
    )
    assert said.status_code == 201


def test_a_bearer_request_ignores_cookies(team: Team, as_: As) -> None:
    mallory = as_("mallory")
    mallory.client.force_login(team.users["ada"])
    assert problem(mallory.get(f"/workspaces/{team.workspace.pk}")) == (404, "not_found")
    mallory.headers = {"Authorization": "Bearer nonsense"}
    assert problem(mallory.get("/workspaces")) == (401, "unauthenticated")


def test_nothing_of_a_refused_run_is_kept(team: Team, as_: As) -> None:
    ada, path = as_("ada"), f"/workspaces/{team.workspace.pk}/runs"
    cycle = [{"key": "a", "title": "A", "depends_on": ["b"]}, {"key": "b", "title": "B", "depends_on": ["a"]}]
    for body in ({"goal": "  "}, {"goal": "g", "plan": cycle}, {"goal": "g", "plan": []}, {"goal": "g", "plan": [{}]}):
        assert problem(ada.post(path, body))[0] == 422
    assert (Run.objects.count(), Task.objects.count(), Draft.objects.count(), Approval.objects.count()) == (0, 0, 0, 0)
