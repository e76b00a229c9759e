"""Plans from a script: read, edited by operations with a version, changed while they run."""

from __future__ import annotations

from typing import Any

import pytest

from clawgroups.models import Run, Task
from tests.api.conftest import As, problem
from tests.conftest import Team
from tests.services.model_support import server

pytestmark = pytest.mark.django_db

PLAN: list[dict[str, Any]] = [
    {"key": "count", "title": "Count", "skills": ["data-analysis"]},
    {"key": "write", "title": "Write", "skills": ["writing"], "depends_on": ["count"]},
]


def test_a_plan_is_read_with_its_version_and_forecast(team: Team, as_: As) -> None:
    run = team.run(PLAN, start=False)
    said = as_("gus").get(f"/runs/{run.pk}/plan").json()
    assert (said["version"], said["state"], said["course"], said["replan"]) == (0, "proposed", None, None)
    assert [(t["key"], t["depends_on"], t["state"]) for t in said["tasks"]] == [
        ("count", [], "waiting"),
        ("write", ["count"], "waiting"),
    ]
    assert said["forecast"]["path"] == ["count", "write"]
    assert said["forecast"]["tokens"] is None


def test_a_plan_is_edited_by_operations_all_or_none_and_taken_back(team: Team, as_: As) -> None:
    run, bob = team.run(PLAN, start=False), as_("bob")
    path = f"/runs/{run.pk}/plan"
    edits = [
        {"op": "edit", "key": "write", "changes": {"minutes": 20, "acceptance": ["min_words: 9"]}},
        {"op": "propose", "key": "write", "assignee": "scribe"},
        {"op": "add", "task": {"key": "check", "title": "Check", "skills": ["review"], "depends_on": ["write"]}},
    ]
    first = bob.call("PATCH", path, {"edits": edits, "version": 0}, Idempotency_Key="a")
    assert first.json() == {"id": str(run.pk), "version": 1, "tasks": 3}
    again = bob.call("PATCH", path, {"edits": edits, "version": 0}, Idempotency_Key="a")
    assert (again.json(), again["Idempotency-Replayed"]) == (first.json(), "true")
    said = bob.get(path).json()
    assert [(t["key"], t["minutes"], t["assignee"]) for t in said["tasks"]] == [
        ("count", 0, ""),
        ("write", 20, "scribe"),
        ("check", 0, ""),
    ]
    stale = bob.call("PATCH", path, {"edits": [{"op": "remove", "key": "check"}], "version": 0})
    assert problem(stale) == (409, "plan_moved")
    assert stale.json()["version"] == 1
    wrong = bob.call("PATCH", path, {"edits": [{"op": "remove", "key": "check"}, {"op": "remove", "key": "x"}]})
    assert problem(wrong) == (422, "no_such_task")
    assert bob.call("PATCH", path, {"edits": [{"op": "undo"}], "version": 1}).json()["version"] == 2
    assert len(bob.get(path).json()["tasks"]) == 2
    assert problem(as_("gus").call("PATCH", path, {"edits": edits})) == (403, "forbidden")


def test_a_running_plan_is_changed_by_a_proposal_that_is_accepted_or_rejected(team: Team, as_: As) -> None:
    run, bob = team.run(PLAN), as_("bob")
    path = f"/runs/{run.pk}"
    tail = [{"key": "count", "title": "Count it"}, {"key": "check", "title": "Check", "depends_on": ["count"]}]
    proposed = bob.post(f"{path}/replan", {"tasks": tail, "rationale": "Shorter"}).json()
    assert (proposed["added"], proposed["cancelled"], proposed["rewritten"]) == (1, 1, 1)
    shown = bob.get(f"{path}/plan").json()
    assert shown["replan"]["rationale"] == "Shorter"
    assert [line["name"] for line in shown["course"]][:2] == ["time", "work"]
    assert problem(bob.post(f"{path}/replan", {"tasks": tail})) == (409, "replan_open")
    assert problem(as_("gus").post(f"{path}/replan/accept")) == (403, "forbidden")
    assert bob.post(f"{path}/replan/reject", {"replan": proposed["replan"]}).status_code == 200
    again = bob.post(f"{path}/replan", {"tasks": tail}).json()
    assert problem(bob.post(f"{path}/replan/accept", {"replan": proposed["replan"]})) == (409, "replan_moved")
    assert bob.post(f"{path}/replan/accept", {"replan": again["replan"]}).json()["added"] == 1
    assert {t.key: t.state for t in Task.objects.filter(run=run)} == {
        "count": "ready",
        "write": "cancelled",
        "check": "waiting",
    }
    assert Run.objects.get().plan_version == 1


def test_the_coordinator_is_asked_for_a_change(team: Team, as_: As) -> None:
    run, bob = team.run(PLAN), as_("bob")
    path = f"/runs/{run.pk}/replan"
    assert problem(bob.post(f"{path}/ask", {"note": "Shorter"})) == (409, "no_model")
    server("K2")
    assert problem(bob.post(f"{path}/ask", {"note": " "})) == (422, "empty")
    assert problem(as_("gus").post(f"{path}/ask", {"note": "Shorter"})) == (403, "forbidden")
    asked = bob.post(f"{path}/ask", {"note": "Shorter"}, Idempotency_Key="a").json()
    assert bob.post(f"{path}/ask", {"note": "Shorter"}, Idempotency_Key="a").json() == asked
    shown = bob.get(f"/runs/{run.pk}/plan").json()["replan"]
    assert (shown["asked"]["id"], shown["asked"]["note"]) == (asked["replan"], "Shorter")
    assert problem(bob.post(f"{path}/ask", {"note": "Longer"})) == (409, "replan_open")
    assert problem(bob.post(path, {"tasks": [{"key": "count"}]})) == (409, "replan_open")
    assert problem(bob.post(f"{path}/accept")) == (409, "no_replan")
    assert bob.post(f"{path}/reject", {"replan": asked["replan"]}).status_code == 200
    assert bob.get(f"/runs/{run.pk}/plan").json()["replan"] is None


def test_a_change_that_came_too_late_names_the_tasks(team: Team, as_: As) -> None:
    run, bob = team.run(PLAN), as_("bob")
    bob.post(f"/runs/{run.pk}/replan", {"tasks": [{"key": "count", "minutes": 4}, {"key": "write"}]})
    count = Task.objects.get(key="count")
    assert bob.post(f"/tasks/{count.pk}/assign", {"member": str(team.seat("counter").pk)}).status_code == 200
    refused = bob.post(f"/runs/{run.pk}/replan/accept")
    assert problem(refused) == (409, "replan_outdated")
    assert refused.json()["tasks"] == ["Count"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"edits": []}, "bad_edits"),
        ({"edits": [{"op": "dance"}]}, "unknown_edit"),
        ({"edits": [{"op": "split", "key": "count"}]}, "bad_edit"),
        ({"edits": [{"op": "edit", "key": "count", "changes": {"minutes": "soon"}}]}, "bad_task"),
        ({"edits": [{"op": "propose", "key": "count", "assignee": "nobody"}]}, "no_such_member"),
    ],
)
def test_what_cannot_be_read_is_said(team: Team, as_: As, body: Any, code: str) -> None:
    run = team.run(PLAN, start=False)
    assert problem(as_("bob").call("PATCH", f"/runs/{run.pk}/plan", body)) == (422, code)
