"""Stopping and pausing on pages: each by form and by htmx, and each state said as such."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clawgroups.models import Attempt, Run, Session, Task
from clawgroups.services import stopping
from clawgroups.services.perform import perform
from clawgroups.services.sweep import sweep
from tests.conftest import Team
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db


def post(client: Client, verb: str, task: Task, **data: Any) -> Any:
    return client.post(reverse(verb, args=[task.workspace_id, task.pk]), data)


def seen(client: Client, task: Task) -> str:
    address = reverse("task", args=[task.workspace_id, task.pk])
    return " ".join(client.get(address).content.decode().split())


@pytest.mark.parametrize("htmx", [False, True])
def test_an_agent_is_stopped_from_the_tasks_page_and_let_go_on(team: Team, sign_in: SignIn, htmx: bool) -> None:
    task, client, reader = team.working(), sign_in("bob", htmx=htmx), sign_in("bob")
    page = seen(reader, task)
    assert "Scribe is at it." in page
    assert "Stop Scribe?" in page
    answer = post(client, "stop-task", task, reason="Wrong file", epoch=task.epoch, operation="one")
    assert answer.status_code == (200 if htmx else 303)
    page = seen(reader, task)
    assert "bob stopped it: Wrong file. Let Scribe go on, give it to somebody else" in page
    assert "Let Scribe go on" in page
    assert "; it has not confirmed yet." in page
    team.send("scribe")
    team.answer("scribe", {"stopReason": "cancelled"})
    assert "stopped after" in seen(reader, task)
    assert post(client, "resume-task", task).status_code == (200 if htmx else 303)
    assert Task.objects.get(pk=task.pk).state == "ready"


def test_a_paused_task_says_so_on_its_page_its_card_and_the_run(team: Team, sign_in: SignIn) -> None:
    task, client = team.working(), sign_in("ada")
    assert post(client, "pause-task", task).status_code == 303
    page = seen(client, task)
    assert "ada paused it." in page
    assert "Let it go on" in page
    assert 'class="input" id="assign"' not in page
    for address in (
        reverse("run", args=[task.workspace_id, task.run_id]),
        reverse("run-tasks", args=[task.workspace_id, task.run_id]),
        reverse("workspace", args=[task.workspace_id]),
    ):
        assert "Paused</span>" in client.get(address).content.decode()
    assert post(client, "resume-task", task).status_code == 303
    assert "Let it go on" not in seen(client, task)


def test_a_task_that_waits_for_others_can_be_paused_before_it_begins(team: Team, sign_in: SignIn) -> None:
    plan: list[dict[str, Any]] = [{"key": "a", "title": "A"}, {"key": "b", "title": "B", "depends_on": ["a"]}]
    task, client = Task.objects.get(run=team.run(plan), key="b"), sign_in("bob")
    assert "It does not begin by itself" in seen(client, task)
    post(client, "pause-task", task)
    assert "bob paused it. It begins only when it is let go on." in seen(client, task)


@pytest.mark.parametrize("verb", ["stop-task", "pause-task"])
def test_a_page_that_is_older_than_the_task_is_told_so_and_does_nothing(team: Team, sign_in: SignIn, verb: str) -> None:
    task = team.working()
    answer = post(sign_in("bob"), verb, task, epoch=task.epoch - 1)
    assert answer.status_code == 409
    assert "moved on while you looked at it" in answer.content.decode()
    assert Task.objects.get(pk=task.pk).state == "working"


def test_a_guest_sees_what_is_so_and_no_button(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    page = seen(sign_in("gus"), task)
    assert reverse("pause-task", args=[task.workspace_id, task.pk]) not in page
    assert reverse("stop-workspace", args=[task.workspace_id]) not in sign_in("gus").get(
        reverse("workspace", args=[task.workspace_id])
    ).content.decode()  # fmt: skip


@pytest.mark.parametrize("whole", ["run", "workspace"])
def test_stopping_everything_first_says_whom_it_stops(team: Team, sign_in: SignIn, whole: str) -> None:
    task, client = team.working(), sign_in("bob")
    args = [task.workspace_id, task.run_id] if whole == "run" else [task.workspace_id]
    address = reverse(f"stop-{whole}", args=args)
    question = client.get(address).content.decode()
    assert "1 agent is at work and is asked to stop." in question
    assert "Stop 1 agent" in question
    assert Task.objects.get(pk=task.pk).state == "working"
    answer = client.post(address, {"operation": "one"}, follow=True)
    assert "1 turn is asked to stop; everything is paused." in answer.content.decode()
    assert client.post(address, {"operation": "one"}).status_code == 303
    assert Run.objects.get(pk=task.run_id).paused
    run = " ".join(client.get(reverse("run", args=[task.workspace_id, task.run_id])).content.decode().split())
    assert "bob stopped everything." in run
    assert "Of 1 turn that was asked to stop: 0 stopped, 1 still stopping." in run


def test_where_nothing_runs_there_is_nothing_to_stop(team: Team, sign_in: SignIn) -> None:
    page = sign_in("bob").get(reverse("stop-workspace", args=[team.workspace.pk])).content.decode()
    assert "Nothing is under way here" in page
    assert '<form method="post" class="row">' not in page


def test_an_agent_that_did_not_confirm_is_named_so_wherever_it_is_shown(team: Team, sign_in: SignIn) -> None:
    task, client = team.working(), sign_in("ada")
    perform(stopping.stop_run, task.run_id, actor=team.actor("ada"))
    sweep(timezone.now() + timedelta(seconds=16), quiet=True)
    said = "It was asked to stop and has not confirmed it."
    for address in (
        reverse("agents"),
        reverse("agent", args=[team.agents["scribe"].pk]),
        reverse("workspace", args=[task.workspace_id]),
    ):
        assert said in client.get(address).content.decode()
    assert "and did not confirm within 15 s." in seen(client, task)
    run = " ".join(client.get(reverse("run", args=[task.workspace_id, task.run_id])).content.decode().split())
    assert "0 stopped, 1 not confirmed." in run


def test_what_was_spent_after_a_stop_stands_with_it(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    perform(stopping.stop_task, task.pk, actor=team.actor("ada"))
    attempt = Attempt.objects.get(task=task)
    spent = {"after_stop": {str(attempt.pk): {"tokens": 9100, "cost_micro": 50_000}}}
    Session.objects.filter(task=task).update(told=spent)
    page = seen(sign_in("ada"), task)
    assert "It still took 9.1k tokens, $0.050" in page
    assert "a part may be from before the stop" in page
