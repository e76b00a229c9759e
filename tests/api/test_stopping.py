"""Stopping and pausing by scripts: answers, repeats, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from clawgroups.models import Command, Run, Session, Task
from clawgroups.services import runs, stopping
from clawgroups.services.perform import perform
from tests.api.conftest import As
from tests.conftest import Team

pytestmark = pytest.mark.django_db


def post(client: Any, path: str, body: Any = None, key: str = "") -> Any:
    return client.post(path, body, **({"Idempotency_Key": key} if key else {}))


def test_a_task_is_stopped_and_resumed(team: Team, as_: As) -> None:
    task, client = team.working(), as_("bob")
    answer = post(client, f"/tasks/{task.pk}/stop", {"reason": "Wrong file", "epoch": task.epoch}, key="one")
    assert (answer.status_code, answer.json()["state"]) == (200, "stuck")
    again = post(client, f"/tasks/{task.pk}/stop", {"reason": "Wrong file", "epoch": task.epoch}, key="one")
    assert (again.json(), again["Idempotency-Replayed"]) == (answer.json(), "true")
    refused = post(client, f"/tasks/{task.pk}/stop")
    assert (refused.status_code, refused.json()["code"]) == (409, "nobody_at_it")
    shown = client.get(f"/tasks/{task.pk}").json()
    assert (shown["attempts"][0]["stop"], shown["attempts"][0]["after_stop"]["stopped_at"]) == ("asked", None)
    assert post(client, f"/tasks/{task.pk}/resume").json()["state"] == "ready"


def test_a_task_is_paused_and_the_answer_says_who_paused_it(team: Team, as_: As) -> None:
    task, client = team.one_task(), as_("bob")
    stale = post(client, f"/tasks/{task.pk}/pause", {"epoch": 9})
    assert (stale.status_code, stale.json()["code"]) == (409, "moved_on")
    assert post(client, f"/tasks/{task.pk}/pause").json()["paused"] == "bob"
    assert client.get(f"/tasks/{task.pk}").json()["paused"] == "bob"
    refused = post(client, f"/tasks/{task.pk}/assign", {"member": str(team.seat("scribe").pk)})
    assert (refused.status_code, refused.json()["code"], refused.json()["by"]) == (409, "paused", "bob")


def test_a_run_is_stopped_and_says_how_far_its_agents_are(team: Team, as_: As) -> None:
    task, client = team.working(), as_("bob")
    answer = post(client, f"/runs/{task.run_id}/stop", key="one").json()
    assert answer == {
        "id": str(task.run_id), "paused": True, "asked": 1, "stopped": 0, "stopping": 1, "unconfirmed": 0,
    }  # fmt: skip
    team.send("scribe")
    team.answer("scribe", {"stopReason": "cancelled"})
    assert client.get(f"/runs/{task.run_id}").json()["stops"]["stopped"] == 1
    assert post(client, f"/runs/{task.run_id}/stop", key="one").json()["stopped"] == 1
    # Repeated once the run goes on again, it stops nothing more.
    perform(runs.resume_run, task.run_id, actor=team.actor("ada"))
    post(client, f"/runs/{task.run_id}/stop", key="one")
    assert not Run.objects.get(pk=task.run_id).paused


def test_a_workspace_is_stopped_run_by_run(team: Team, as_: As) -> None:
    task, client = team.working(), as_("bob")
    idle = team.one_task()
    answer = post(client, f"/workspaces/{team.workspace.pk}/stop", key="one").json()
    assert (answer["asked"], sorted(answer["runs"])) == (1, sorted([str(task.run_id), str(idle.run_id)]))
    assert set(Run.objects.values_list("paused", flat=True)) == {True}
    assert Command.objects.filter(purpose="cancel").count() == 1


def test_what_an_agent_spent_after_the_stop_is_told(team: Team, as_: As) -> None:
    task, client = team.working(), as_("bob")
    post(client, f"/tasks/{task.pk}/stop")
    attempt = Task.objects.get(pk=task.pk).attempts.get()
    Session.objects.update(told={"after_stop": {str(attempt.pk): {"tokens": 70, "cost_micro": 9}}})
    told = client.get(f"/tasks/{task.pk}").json()["attempts"][0]["after_stop"]
    assert (told["tokens"], told["cost_micro"], told["seconds"]) == (70, 9, None)


def test_a_run_that_is_over_meanwhile_keeps_no_other_from_being_stopped(team: Team, as_: As, monkeypatch: Any) -> None:
    first, second, client = team.working(), team.working("counter"), as_("ada")
    named = stopping.stop_workspace

    def then_cancelled(*args: Any, **kwargs: Any) -> Any:
        future = named(*args, **kwargs)
        perform(runs.cancel_run, first.run_id, actor=team.actor("ada"))
        return future

    monkeypatch.setattr(stopping, "stop_workspace", then_cancelled)
    answer = post(client, f"/workspaces/{team.workspace.pk}/stop", key="one")
    assert (answer.status_code, answer.json()["asked"]) == (200, 1)
    assert Run.objects.get(pk=second.run_id).paused
    # Repeated after it is over, too.
    perform(runs.cancel_run, second.run_id, actor=team.actor("ada"))
    assert post(client, f"/workspaces/{team.workspace.pk}/stop", key="one").status_code == 200
