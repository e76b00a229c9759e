"""Model servers, the coordinator's settings, model calls and run limits, by script."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone

from agents.llm.base import Checked
from clawgroups.models import ModelCall, ModelServer, Operation, Run, Workspace
from clawgroups.services import model_tests
from tests.api.conftest import As, problem
from tests.conftest import Team

pytestmark = pytest.mark.django_db

SAID = {"name": "sglang-1", "provider": "sglang", "url": "http://gpu-1:30000/v1", "model": "kimi-k2.6"}
PLAN = [{"key": "a", "title": "A", "skills": ["writing"]}]


def add(api: Any, **more: Any) -> str:
    answer = api.post("/model-servers", SAID | more)
    assert answer.status_code == 201
    return str(answer.json()["id"])


def call(run: Run, **said: Any) -> ModelCall:
    usual = {"kind": "plan", "state": "answered", "created_at": timezone.now(), "model": "kimi-k2.6"}
    return ModelCall.objects.create(workspace=run.workspace, run=run, **{**usual, **said})


# Model servers


def test_a_server_is_added_read_changed_and_removed(team: Team, as_: As) -> None:
    api = as_("sue")
    where = f"/model-servers/{add(api, key='sk-s3cret', prices={'miss': 0.95})}"
    shown = api.get(where).json()
    assert (shown["name"], shown["has_key"], shown["state"], shown["prices"]) == (
        "sglang-1", True, "untested", {"miss": 0.95},
    )  # fmt: skip
    assert "sk-s3cret" not in json.dumps(shown)
    assert api.call("PATCH", where, {"mode": "instant", "concurrency": 8}).status_code == 200
    changed = api.get(where).json()
    assert (changed["mode"], changed["concurrency"], changed["has_key"]) == ("instant", 8, True)
    assert api.call("PATCH", where, {"enabled": False, "key": ""}).status_code == 200
    off = api.get(where).json()
    assert (off["state"], off["has_key"]) == ("off", False)
    assert problem(api.call("PATCH", where, {})) == (422, "invalid")
    assert api.call("DELETE", where).status_code == 200
    assert problem(api.get(where)) == (404, "not_found")


def test_servers_are_listed_in_their_order_and_moved(team: Team, as_: As) -> None:
    api = as_("sue")
    ids = [add(api, name=name) for name in ("one", "two")]
    assert [row["name"] for row in api.get("/model-servers").json()["items"]] == ["one", "two"]
    assert api.call("PATCH", f"/model-servers/{ids[1]}", {"move": "earlier"}).status_code == 200
    assert [row["name"] for row in api.get("/model-servers").json()["items"]] == ["two", "one"]


def test_only_tokens_of_staff_open_them(team: Team, as_: As) -> None:
    where = f"/model-servers/{add(as_('sue'))}"
    api = as_("ada")
    for answer in (
        api.get("/model-servers"),
        api.post("/model-servers", SAID),
        api.get(where),
        api.call("PATCH", where, {"mode": "instant"}),
        api.call("DELETE", where),
        api.post(where + "/test"),
    ):
        assert problem(answer) == (403, "forbidden")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"url": "gpu-1"}, "url"), ({"provider": "skynet"}, "provider"), ({"extra": {"tools": []}}, "extra")],
)
def test_what_cannot_be_is_a_problem_that_names_its_field(
    team: Team, as_: As, wrong: dict[str, Any], field: str
) -> None:
    answer = as_("sue").post("/model-servers", SAID | wrong)
    assert problem(answer) == (422, "invalid")
    assert answer.json()["field"] == field
    assert not ModelServer.objects.exists()


def test_a_test_tells_what_it_found_and_a_failure_is_no_error(
    team: Team, as_: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = {"schema": True, "tools": True, "streaming": True, "cached": False}
    monkeypatch.setattr(model_tests, "check", lambda endpoint: Checked(["kimi-k2.6"], 262144, 0.4, works))
    api = as_("sue")
    where = f"/model-servers/{add(api)}"
    found = api.post(where + "/test").json()
    assert (found["ok"], found["works"], found["context"]) == (True, works, 262144)
    assert api.get(where).json()["state"] == "well"
    monkeypatch.setattr(model_tests, "check", lambda endpoint: Checked([], None, 0.0, {}, "It does not answer."))
    failed = api.post(where + "/test")
    assert (failed.status_code, failed.json()["said"]) == (200, "It does not answer.")
    assert api.get(where).json()["state"] == "failing"


def test_a_repeat_adds_nothing_and_keeps_no_key(team: Team, as_: As) -> None:
    api = as_("sue")
    for key, code in (("sk-1", 201), ("sk-1", 201), ("sk-2", 409)):
        assert api.post("/model-servers", SAID | {"key": key}, Idempotency_Key="k1").status_code == code
    assert ModelServer.objects.count() == 1
    assert "sk-1" not in str(list(Operation.objects.values()))


# The coordinator's settings


def test_settings_are_read_by_members_and_changed_by_admins(team: Team, as_: As) -> None:
    where = f"/workspaces/{team.workspace.pk}/coordination"
    shown = as_("bob").get(where).json()
    assert shown["coordination"] == {}
    assert (shown["in_force"]["use_model"], shown["in_force"]["modes"]["match"]) == (True, "instant")
    assert (shown["coordinator"]["kind"], shown["coordinator"]["why"]) == ("built-in", "no model is set up")
    assert shown["month"]["tokens"] == {"used": 0, "limit": None}
    assert problem(as_("bob").call("PATCH", where, {"use_model": False})) == (403, "forbidden")
    api = as_("carol")
    assert api.call("PATCH", where, {"modes": {"plan": "instant"}, "run": {"tokens": 5000}}).status_code == 200
    assert api.call("PATCH", where, {"start_at_once": True, "run": {"steps": 9}}).status_code == 200
    own = {"modes": {"plan": "instant"}, "start_at_once": True, "run": {"steps": 9}}
    assert Workspace.objects.get(pk=team.workspace.pk).coordination == own
    assert api.get(where).json()["in_force"]["modes"]["plan"] == "instant"
    wrong = api.call("PATCH", where, {"modes": {"plan": "deep"}})
    assert (problem(wrong), wrong.json()["field"]) == ((422, "invalid"), "mode_plan")
    assert problem(api.call("PATCH", where, {})) == (422, "invalid")


def test_a_run_given_by_script_starts_as_it_says_or_as_the_workspace_says(team: Team, as_: As) -> None:
    api, where = as_("carol"), f"/workspaces/{team.workspace.pk}"
    api.call("PATCH", where + "/coordination", {"start_at_once": True})
    ids = [
        api.post(where + "/runs", {"goal": "Look", "plan": PLAN, **more}).json()["id"]
        for more in ({}, {"start": False})
    ]
    assert [Run.objects.get(pk=pk).start_when_planned for pk in ids] == [True, False]


# Model calls and limits of a run


def test_a_run_says_who_plans_it_and_what_it_has_used(team: Team, as_: As) -> None:
    run = team.run(PLAN)
    Run.objects.update(spent_tokens=700, budget={"tokens": 1000}, fallback="sglang-1 rests.", question="Which quarter?")
    shown = as_("gus").get(f"/runs/{run.pk}").json()
    assert (shown["coordinator"]["kind"], shown["coordinator"]["why"]) == ("built-in", "sglang-1 rests")
    assert (shown["spent"]["tokens"], shown["budget"]["tokens"], shown["budget"]["steps"]) == (700, 1000, None)
    assert (shown["fallback"], shown["question"]) == ("sglang-1 rests.", "Which quarter?")


def test_members_read_calls_and_guests_their_sums_only(team: Team, as_: As) -> None:
    run = team.run(PLAN)
    counted = {"prompt_tokens": 1000, "cached_tokens": 250, "completion_tokens": 10, "cost_micro": 42}
    one = call(run, reasoning="my thoughts", raw={"id": "raw-1"}, decision={"tasks": []}, **counted)
    call(run, round=1, state="failed", said="It was slow.")
    where = f"/runs/{run.pk}/model-calls"
    shown = as_("bob").get(where).json()
    assert (shown["totals"]["calls"], shown["totals"]["failed"], shown["totals"]["hit_percent"]) == (2, 1, 25.0)
    assert [row["state"] for row in shown["items"]] == ["failed", "answered"]
    assert "my thoughts" not in json.dumps(shown)
    first = as_("bob").get(where + "?limit=1").json()
    assert as_("bob").get(f"{where}?limit=1&cursor={first['next']}").json()["items"][0]["id"] == str(one.pk)
    full = as_("bob").get(f"/model-calls/{one.pk}").json()
    assert (full["reasoning"], full["raw"], full["decision"]) == ("my thoughts", {"id": "raw-1"}, {"tasks": []})
    guest = as_("gus").get(where).json()
    assert (guest["totals"]["cost_micro"], guest["items"]) == (42, [])
    assert problem(as_("gus").get(f"/model-calls/{one.pk}")) == (403, "forbidden")
    assert problem(as_("mallory").get(where)) == (404, "not_found")
    assert problem(as_("mallory").get(f"/model-calls/{one.pk}")) == (404, "not_found")


def test_limits_are_changed_one_by_one_and_fall_back_to_the_workspaces(team: Team, as_: As) -> None:
    run = team.run(PLAN)
    Workspace.objects.update(coordination={"run": {"tokens": 9000}})
    where = f"/runs/{run.pk}"
    api = as_("bob")
    assert api.call("PATCH", where + "/budget", {"steps": 50}, Idempotency_Key="k").status_code == 200
    repeated = api.call("PATCH", where + "/budget", {"steps": 50}, Idempotency_Key="k")
    assert repeated["Idempotency-Replayed"] == "true"
    assert api.get(where).json()["budget"] == {"tokens": 9000, "cost_micro": None, "steps": 50, "seconds": None}
    api.call("PATCH", where + "/budget", {"tokens": None, "steps": None})
    assert api.get(where).json()["budget"]["tokens"] == 9000
    assert problem(api.call("PATCH", where + "/budget", {"steps": 0})) == (422, "invalid")
    assert problem(as_("gus").call("PATCH", where + "/budget", {"steps": 5})) == (403, "forbidden")
    assert team.journal().count("run.budget_set") == 2
