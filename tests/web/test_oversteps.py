"""What is critical and was done without asking, on the task's page and among what waits for one."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from agents.ids import new_id
from clawgroups.models import Attempt, Overstep, Rule, Session, Step, Task
from tests.conftest import Team
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db


def overstepped(team: Team) -> Overstep:
    task = team.working()
    attempt = Attempt.objects.get(task=task)
    step = Step.objects.create(
        pk=new_id(),
        attempt=attempt,
        ordinal=1,
        tool_call_id="c",
        title="Tidy <i>up</i>",
        kind="execute",
        status="completed",
        detail={"raw_input": {"command": "git push --force"}},
        started_at=timezone.now(),
    )
    rule = Rule.objects.get(workspace=team.workspace, note="Publishes something")
    said = {"workspace": team.workspace, "task": task, "attempt": attempt, "step": step, "rule": rule}
    return Overstep.objects.create(pk=step.pk, at=timezone.now(), **said)


@pytest.mark.parametrize("where", ["task", "needs-you"])
def test_it_stands_there_by_its_arguments_until_somebody_has_looked(team: Team, sign_in: SignIn, where: str) -> None:
    found = overstepped(team)
    there = reverse(where, args=[team.workspace.pk, found.task_id] if where == "task" else [])
    client = sign_in("bob")
    text = client.get(there).content.decode()
    assert "Scribe did something critical without asking" in text
    assert "git push --force" in text
    assert "Tidy &lt;i&gt;up&lt;/i&gt;" in text
    assert "Publishes something" in text
    assert client.post(reverse("look-at-overstep", args=[team.workspace.pk, found.pk])).status_code == 303
    assert "I have looked at it" not in client.get(there).content.decode()


def test_a_guest_sees_none_of_it(team: Team, sign_in: SignIn) -> None:
    found = overstepped(team)
    text = sign_in("gus").get(reverse("task", args=[team.workspace.pk, found.task_id])).content.decode()
    assert "without asking" not in text


def test_one_of_another_workspace_is_not_there(team: Team, sign_in: SignIn) -> None:
    found = overstepped(team)
    other = reverse("look-at-overstep", args=[new_id(), found.pk])
    assert sign_in("bob").post(other).status_code == 404
    assert Overstep.objects.get().seen_at is None


def test_a_session_that_does_not_ask_says_so(team: Team, sign_in: SignIn) -> None:
    task: Task = team.working()
    mode = {"id": "mode", "name": "Mode", "description": "", "category": "mode", "via": "modes", "type": "select"}
    choices = [{"value": "yolo", "name": "Do it all", "description": ""}]
    told = {"options": [{**mode, "value": "yolo", "choices": choices}]}
    Session.objects.filter(task=task).update(told=told)
    text = sign_in("bob").get(reverse("task", args=[team.workspace.pk, task.pk])).content.decode()
    assert "It is in the mode “Do it all”, in which it does not ask before it acts." in text
    text = sign_in("ada").get(reverse("agent", args=[team.agents["scribe"].pk])).content.decode()
    assert "does not ask before it acts" in text
