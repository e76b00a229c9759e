"""Every page renders for those who may see it, in every state, and for nobody else."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from clawgroups.core.lifecycle import RunState, TaskState
from clawgroups.models import Approval, Artifact, Run, Session, Step, Task
from clawgroups.services import drafts, takeover
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db

TWO = [
    {"key": "look", "title": "Look at the data", "skills": ["data-analysis"], "acceptance": ["min_words: 5"]},
    {"key": "write", "title": "Write it up", "skills": ["writing"], "depends_on": ["look"]},
]
PEOPLE = ("ada", "carol", "bob", "gus")


def room_pages(team: Team) -> list[str]:
    task = team.working()
    here: dict[str, Any] = {"workspace_id": team.workspace.pk}
    attempt = task.attempt
    assert attempt is not None
    return [
        reverse("workspace", kwargs=here),
        reverse("messages", kwargs=here),
        reverse("runs", kwargs=here),
        reverse("members", kwargs=here),
        reverse("run", kwargs={**here, "run_id": task.run_id}),
        reverse("run-actions", kwargs={**here, "run_id": task.run_id}),
        reverse("task", kwargs={**here, "task_id": task.pk}),
        reverse("task-body", kwargs={**here, "task_id": task.pk}),
        reverse("transcript", kwargs={**here, "task_id": task.pk}),
    ]


def page(client: Client, name: str, *args: Any, status: int = 200) -> str:
    answer = client.get(reverse(name, args=args))
    assert answer.status_code == status, answer.content[:500]
    return answer.content.decode()


@pytest.mark.parametrize("name", PEOPLE)
def test_the_pages_of_a_workspace_render_for_every_member(team: Team, sign_in: SignIn, name: str) -> None:
    client = sign_in(name)
    for address in room_pages(team):
        assert client.get(address).status_code == 200, address


@pytest.mark.parametrize("name", ["mallory", "sue"])
def test_a_stranger_finds_nothing_at_the_addresses_of_a_workspace(team: Team, sign_in: SignIn, name: str) -> None:
    client = sign_in(name)
    for address in room_pages(team):
        answer = client.get(address)
        assert answer.status_code == 404, address
        assert team.workspace.name.encode() not in answer.content


def test_nobody_is_led_to_the_sign_in_page_and_back(team: Team) -> None:
    for address in room_pages(team):
        answer = Client().get(address)
        assert answer.status_code == 303
        assert answer["Location"] == f"/accounts/login/?next={address.replace('/', '%2F')}"


@pytest.mark.parametrize("name", ["workspaces", "agents", "new-agent", "needs-you", "count-needs", "me", "notices"])
def test_pages_of_one_person_render_for_everybody_signed_in(sign_in: SignIn, name: str) -> None:
    for person in (*PEOPLE, "mallory", "sue"):
        page(sign_in(person), name)


@pytest.mark.parametrize("name", ["account_login", "account_reset_password", "account_signup"])
def test_the_doors_render_for_nobody(db: None, name: str) -> None:
    answer = Client().get(reverse(name))
    assert answer.status_code == 200
    assert b"Claw Groups" in answer.content


def test_sign_up_is_closed_unless_the_installation_is_open(db: None, settings: Any) -> None:
    assert "Sign-up is closed" in Client().get(reverse("account_signup")).content.decode()
    settings.SIGNUP_OPEN = True
    assert "password1" in Client().get(reverse("account_signup")).content.decode()


@pytest.mark.parametrize("state", list(RunState))
def test_a_run_renders_in_every_state(team: Team, sign_in: SignIn, state: RunState) -> None:
    run = team.run(TWO, start=False)
    Run.objects.filter(pk=run.pk).update(state=state.value, reason="Because of this.")
    said = page(sign_in("bob"), "run", team.workspace.pk, run.pk)
    assert "Look at the data" in said
    assert "Because of this." in said
    page(sign_in("bob"), "workspace", team.workspace.pk)
    page(sign_in("bob"), "workspaces")


@pytest.mark.parametrize("state", list(TaskState))
def test_a_task_renders_in_every_state(team: Team, sign_in: SignIn, state: TaskState) -> None:
    task = team.working()
    holder = team.seat("bob") if state is TaskState.HELD else None
    Task.objects.filter(pk=task.pk).update(state=state.value, holder=holder, blocked_on="person", reason="Why so.")
    for name in ("bob", "carol", "gus"):
        said = page(sign_in(name), "task", team.workspace.pk, task.pk)
        assert "Write it up" in said
        assert "Why so." in said
    page(sign_in("bob"), "workspace", team.workspace.pk)
    page(sign_in("bob"), "needs-you")


def test_a_proposed_plan_shows_who_would_do_what(team: Team, sign_in: SignIn) -> None:
    run = team.run(TWO, start=False)
    said = page(sign_in("ada"), "run", team.workspace.pk, run.pk)
    assert "Counter" in said
    assert "data-analysis at level 4 of 5" in said
    assert reverse("start-run", args=[team.workspace.pk, run.pk]) in said


def test_a_guest_sees_no_button_of_a_run_or_a_task(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    said = page(sign_in("gus"), "run", team.workspace.pk, task.run_id)
    said += page(sign_in("gus"), "task", team.workspace.pk, task.pk)
    for name, pk in (("pause-run", task.run_id), ("cancel-run", task.run_id), ("cancel-task", task.pk)):
        assert reverse(name, args=[team.workspace.pk, pk]) not in said


def test_a_task_is_not_found_under_another_workspace(team: Team, sign_in: SignIn) -> None:
    task = team.one_task()
    page(sign_in("ada"), "task", UUID(int=1), task.pk, status=404)
    page(sign_in("ada"), "run", UUID(int=1), task.run_id, status=404)


def test_the_holder_sees_an_editor_with_the_draft_and_others_do_not(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    perform(drafts.save_draft, task.pk, text="Half of a <report>", actor=team.actor("bob"))
    mine = page(sign_in("bob"), "task", team.workspace.pk, task.pk)
    assert '<textarea class="draft"' in mine
    assert "Half of a &lt;report&gt;</textarea>" in mine
    others = page(sign_in("ada"), "task", team.workspace.pk, task.pk)
    assert '<textarea class="draft"' not in others
    assert "bob works on it by hand" in others


def test_an_open_question_is_shown_to_the_team_but_not_to_a_guest(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    question(task)
    for name, seen in (("bob", True), ("gus", False)):
        said = page(sign_in(name), "task", team.workspace.pk, task.pk)
        assert ("rm -rf /" in said) is seen
    assert "rm -rf /" in page(sign_in("bob"), "needs-you")
    assert "rm -rf /" not in page(sign_in("mallory"), "needs-you")


def question(task: Task) -> Approval:
    session = Session.objects.get(task=task)
    assert task.attempt is not None
    return Approval.objects.create(
        workspace_id=task.workspace_id,
        task=task,
        attempt=task.attempt,
        session=session,
        epoch=task.epoch,
        request_id=0,
        tool_call={"title": "Run a command", "kind": "execute", "raw_input": {"command": "rm -rf /"}},
        options=[{"optionId": "yes", "name": "Allow", "kind": "allow_once"}],
        digest="",
        asked_at=task.created_at,
        expires_at=task.created_at,
    )


def test_deliverables_are_offered_for_download(team: Team, sign_in: SignIn) -> None:
    run = team.run(TWO)
    Run.objects.filter(pk=run.pk).update(state="done")
    file = Artifact.objects.create(
        workspace=team.workspace,
        run=run,
        kind="deliverable",
        name="report.html",
        size=1234,
        sha256="0" * 64,
        actor={},
        created_at=run.created_at,
    )
    for name, args in (("run", [team.workspace.pk, run.pk]), ("workspace", [team.workspace.pk])):
        assert f"/api/v1/artifacts/{file.pk}/content" in page(sign_in("gus"), name, *args)


def test_an_agent_is_shown_to_its_owner_only(team: Team, sign_in: SignIn) -> None:
    scribe = team.agents["scribe"]
    for name in ("agent", "agent-presence", "edit-agent"):
        page(sign_in("ada"), name, scribe.pk)
        page(sign_in("bob"), name, scribe.pk, status=404)
    assert "online" in page(sign_in("ada"), "agent-presence", scribe.pk)


@pytest.mark.parametrize("path", ["/nowhere/", "/w/nope/", "/w/00000000-0000-0000-0000-000000000000/"])
def test_a_wrong_address_gets_our_page(sign_in: SignIn, path: str) -> None:
    answer = sign_in("ada").get(path)
    assert answer.status_code == 404
    assert b'class="oops"' in answer.content


def test_no_page_holds_what_the_content_policy_forbids(team: Team, sign_in: SignIn) -> None:
    client = sign_in("ada")
    names = [reverse(n) for n in ("workspaces", "agents", "new-agent", "needs-you", "me", "notices")]
    for address in [*room_pages(team), *names]:
        said = client.get(address).content.decode()
        for forbidden in (" style=", "<style", " onclick=", "hx-on", "javascript:", "hx-vals='js"):
            assert forbidden not in said, f"{forbidden} in {address}"
        assert said.count("<script") == said.count("<script src=")


def test_the_details_of_a_step_have_an_address_of_their_own(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    assert task.attempt is not None
    step = Step.objects.create(
        id=uuid4(),
        attempt=task.attempt,
        ordinal=1,
        tool_call_id="t1",
        title="Read the file",
        kind="read",
        status="completed",
        detail={"raw_input": {"path": "secret.csv"}, "raw_output": "three rows"},
        started_at=task.created_at,
    )
    whole = page(sign_in("bob"), "task", team.workspace.pk, task.pk)
    assert "Read the file" in whole
    assert "secret.csv" not in whole
    told = page(sign_in("bob"), "step-detail", task.attempt.pk, step.pk)
    assert "secret.csv" not in told
    raw = page(sign_in("bob"), "step-raw", task.attempt.pk, step.pk)
    assert "secret.csv" in raw
    assert "three rows" in raw
    page(sign_in("gus"), "step-raw", task.attempt.pk, step.pk, status=403)
    page(sign_in("mallory"), "step-detail", task.attempt.pk, step.pk, status=404)
    page(sign_in("mallory"), "step-raw", task.attempt.pk, step.pk, status=404)
    page(sign_in("bob"), "step-detail", task.attempt.pk, uuid4(), status=404)


@pytest.mark.parametrize("htmx", [False, True])
def test_a_page_says_that_the_database_is_away_and_when_to_come_back(
    team: Team, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch, htmx: bool
) -> None:
    def away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr("clawgroups.web.task_doors.get_task", away)
    task = team.one_task()
    answer = sign_in("ada", htmx=htmx).get(reverse("task", args=[team.workspace.pk, task.pk]))
    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert "does not answer" in answer.content.decode()


def test_an_outage_met_outside_of_any_view_is_told_in_the_same_way(
    team: Team, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("the server closed the connection")

    client = sign_in("ada")
    client.raise_request_exception = False
    monkeypatch.setattr("django.contrib.sessions.middleware.SessionMiddleware.process_request", away)
    answer = client.get("/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
