"""What people do on pages: each verb by form and by htmx, and what happens to what they typed."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from agents.models import Agent
from clawgroups.models import AccessToken, Artifact, Attempt, Draft, Message, Run, Task, Workspace
from clawgroups.services import people, takeover
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.web.conftest import SignIn
from tests.web.test_pages import TWO, question

pytestmark = pytest.mark.django_db


def csv(name: str = "sales.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, b"day,sum\nMon,3\n", "text/csv")


def post(client: Client, verb: str, /, *args: Any, **data: Any) -> Any:
    return client.post(reverse(verb, args=args), data)


def test_a_workspace_is_opened_and_shown(sign_in: SignIn) -> None:
    answer = post(sign_in("mallory"), "create-workspace", name="Mine", goal="Win", rules="")
    made = Workspace.objects.get(name="Mine")
    assert answer.status_code == 303
    assert answer["Location"] == reverse("workspace", args=[made.pk])


def test_sending_the_same_form_twice_opens_one_workspace(sign_in: SignIn) -> None:
    client = sign_in("mallory")
    for _ in range(2):
        post(client, "create-workspace", name="Twice", operation="abc")
    assert Workspace.objects.filter(name="Twice").count() == 1


def test_a_refused_workspace_keeps_what_was_typed(sign_in: SignIn) -> None:
    answer = post(sign_in("mallory"), "create-workspace", name="   ", goal="Find <the> cause", rules="Be kind")
    said = answer.content.decode()
    assert answer.status_code == 422
    assert "Find &lt;the&gt; cause" in said
    assert "Be kind" in said
    assert 'aria-invalid="true"' in said


@pytest.mark.parametrize("htmx", [False, True])
def test_a_message_is_said_once_in_the_chat(team: Team, sign_in: SignIn, htmx: bool) -> None:
    client = sign_in("bob", htmx=htmx)
    answer = post(client, "post-message", team.workspace.pk, body="Good **morning**", operation="one")
    again = post(client, "post-message", team.workspace.pk, body="Good **morning**", operation="one")
    assert answer.status_code == again.status_code == (200 if htmx else 303)
    said = Message.objects.get(workspace=team.workspace)
    if htmx:
        assert f'id="message-{said.pk}"' in answer.content.decode()
        assert f'hx-swap-oob="merge:#talk-{team.workspace.pk}"' in answer.content.decode()
        assert 'name="operation"' in answer.content.decode()


def test_an_empty_message_is_a_toast_for_htmx_and_a_page_otherwise(team: Team, sign_in: SignIn) -> None:
    toast = post(sign_in("bob", htmx=True), "post-message", team.workspace.pk, body=" ")
    assert toast.status_code == 422
    assert 'hx-swap-oob="merge:#toasts"' in toast.content.decode()
    page = post(sign_in("bob"), "post-message", team.workspace.pk, body=" ")
    assert page.status_code == 422
    assert 'class="oops"' in page.content.decode()


def test_what_was_typed_stands_on_the_error_page(team: Team, sign_in: SignIn) -> None:
    answer = post(sign_in("gus"), "set-rules", team.workspace.pk, rules="My long <b>rules</b>")
    assert answer.status_code == 403
    assert "My long &lt;b&gt;rules&lt;/b&gt;" in answer.content.decode()


def test_a_message_finds_its_way_into_a_thread_of_this_workspace_only(team: Team, sign_in: SignIn) -> None:
    task = team.one_task()
    post(sign_in("bob"), "post-message", team.workspace.pk, body="here", task=str(task.pk))
    assert Message.objects.get(body="here").task_id == task.pk
    answer = post(sign_in("bob"), "post-message", team.workspace.pk, body="there", task="no-id")
    assert answer.status_code == 404


def test_a_goal_with_a_file_makes_a_run(team: Team, sign_in: SignIn) -> None:
    answer = post(sign_in("bob"), "draft-run", team.workspace.pk, goal="Look at it", files=[csv()])
    assert answer.status_code == 303
    run = Run.objects.get(workspace=team.workspace)
    assert Artifact.objects.get(run=run, kind="input").name == "sales.csv"


def test_an_empty_goal_keeps_the_file(team: Team, sign_in: SignIn) -> None:
    client = sign_in("bob")
    answer = post(client, "draft-run", team.workspace.pk, goal=" ", files=[csv()])
    assert answer.status_code == 422
    said = answer.content.decode()
    assert "The goal is empty" in said
    assert "sales.csv" in said
    token = said.split('name="kept" value="')[1].split('"')[0]
    post(client, "draft-run", team.workspace.pk, goal="Now with words", kept=token)
    assert Artifact.objects.get(kind="input").name == "sales.csv"


def test_a_forged_token_for_a_kept_file_brings_nothing(team: Team, sign_in: SignIn) -> None:
    post(sign_in("bob"), "draft-run", team.workspace.pk, goal="Try it", kept="abc:def:ghi")
    assert not Artifact.objects.exists()
    assert Run.objects.count() == 1


def test_a_bad_file_keeps_the_goal_and_makes_no_run(team: Team, sign_in: SignIn, settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 5
    for htmx in (False, True):
        answer = post(sign_in("bob", htmx=htmx), "draft-run", team.workspace.pk, goal="Look at it", files=[csv()])
        said = answer.content.decode()
        assert answer.status_code == 422
        assert "Look at it" in said
        assert "is larger than" in said
    assert not Run.objects.exists()


@pytest.mark.parametrize("content", [b"", b"day,sum\n", bytes(range(256)) * 40])
def test_a_file_that_is_no_table_is_refused_in_words_beside_the_goal(
    team: Team, sign_in: SignIn, content: bytes
) -> None:
    file = SimpleUploadedFile("sales.csv", content, "text/csv")
    answer = post(sign_in("bob"), "draft-run", team.workspace.pk, goal="Look at it", files=[file])
    said = answer.content.decode()
    assert answer.status_code == 422
    assert "Look at it" in said
    assert 'class="errorlist" role="alert">sales.csv' in said
    assert not Run.objects.exists()


def test_a_goal_by_htmx_answers_with_the_run_everywhere(team: Team, sign_in: SignIn) -> None:
    answer = post(sign_in("bob", htmx=True), "draft-run", team.workspace.pk, goal="Look at it")
    run = Run.objects.get()
    said = answer.content.decode()
    for piece in (f"run-note-{run.pk}", f"run-row-{run.pk}", f"room-current-{team.workspace.pk}", "goal-form"):
        assert f'id="{piece}"' in said


def test_a_run_is_started_paused_resumed_and_cancelled(team: Team, sign_in: SignIn) -> None:
    run = team.run(TWO, start=False)
    client = sign_in("bob", htmx=True)
    for verb, state, paused in (
        ("start-run", "running", False),
        ("pause-run", "running", True),
        ("resume-run", "running", False),
        ("cancel-run", "cancelled", False),
    ):
        answer = post(client, verb, team.workspace.pk, run.pk)
        assert answer.status_code == 200
        assert f'id="run-head-{run.pk}"' in answer.content.decode()
        run.refresh_from_db()
        assert (run.state, run.paused) == (state, paused)


def test_a_task_is_taken_over_edited_and_finished(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    client = sign_in("bob", htmx=True)
    here = (team.workspace.pk, task.pk)
    taken = post(client, "take-over-task", *here)
    assert f'id="task-body-{task.pk}"' in taken.content.decode()
    saved = post(client, "save-draft", *here, text="line one\r\nline two")
    assert "version" in saved.content.decode()
    newest = Draft.objects.order_by("-version").first()
    assert newest is not None
    assert newest.text == "line one\nline two"
    post(client, "submit-task", *here, text="All of it.", files=[csv("extra.csv")])
    task.refresh_from_db()
    assert task.state == "in_review"
    assert Artifact.objects.get(task=task, kind="result").name == "extra.csv"


def test_a_task_is_handed_back_with_a_note(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    answer = post(sign_in("bob"), "hand-back-task", team.workspace.pk, task.pk, note="Keep the first line")
    assert answer.status_code == 303
    task.refresh_from_db()
    assert task.holder is None
    assert task.brief["handback"]["note"] == "Keep the first line"


def test_a_second_person_is_told_who_holds_a_task(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("ada"))
    answer = post(sign_in("bob", htmx=True), "take-over-task", team.workspace.pk, task.pk)
    assert answer.status_code == 409
    assert "ada holds this task" in answer.content.decode()


def test_an_unfinished_draft_of_somebody_who_lost_the_task_is_not_lost(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    answer = post(sign_in("bob"), "save-draft", team.workspace.pk, task.pk, text="precious words")
    assert answer.status_code == 409
    assert "precious words" in answer.content.decode()


def test_a_person_returns_and_accepts_a_result(team: Team, sign_in: SignIn) -> None:
    task = team.working(acceptance=["It is kind"])
    team.finish("scribe", "Be well.")
    client = sign_in("bob", htmx=True)
    refused = post(client, "return-task", team.workspace.pk, task.pk, note=" ")
    assert refused.status_code == 422
    post(client, "accept-task", team.workspace.pk, task.pk)
    task.refresh_from_db()
    assert task.state == "done"
    assert task.attempts.get().verdicts == [
        {"line": "It is kind", "finding": "passed", "reason": "accepted by a person", "by": "bob"}
    ]


def test_a_ready_task_is_given_to_a_certain_agent_and_cancelled(team: Team, sign_in: SignIn) -> None:
    task = team.one_task()
    client = sign_in("bob")
    assert post(client, "assign-task", team.workspace.pk, task.pk, member="").status_code == 422
    post(client, "assign-task", team.workspace.pk, task.pk, member=str(team.seat("scribe").pk))
    task.refresh_from_db()
    assert task.state == "assigned"
    post(client, "cancel-task", team.workspace.pk, task.pk)
    task.refresh_from_db()
    assert task.state == "cancelled"


def test_a_stuck_task_is_written_anew_on_its_page(team: Team, sign_in: SignIn) -> None:
    task, client = team.one_task(instructions="Write all of it."), sign_in("bob")
    here = (team.workspace.pk, task.pk)
    page = reverse("task", args=here)
    assert "Write it anew" not in client.get(page).content.decode()
    Task.objects.filter(pk=task.pk).update(state="stuck", tries=3)
    said = client.get(page).content.decode()
    assert "Write it anew" in said
    assert ">Write all of it.</textarea>" in said
    assert "Write it anew" not in sign_in("gus").get(page).content.decode()
    post(client, "regenerate-task", *here, instructions="Write a line.")
    task.refresh_from_db()
    assert (task.state, task.instructions, task.tries) == ("ready", "Write a line.", 0)


def test_the_page_of_a_task_shows_what_each_try_went_on_from(team: Team, sign_in: SignIn) -> None:
    task, client = team.one_task(), sign_in("bob")
    team.try_once(task, {"stopReason": "max_tokens"})
    Attempt.objects.filter(task=task).update(result="Half a report")
    team.try_once(task, {"stopReason": "max_tokens"})
    said = client.get(reverse("task", args=(team.workspace.pk, task.pk))).content.decode()
    assert "Went on from what try 1 left" in said
    assert "Half a report" in said


def test_an_agents_question_is_answered(team: Team, sign_in: SignIn) -> None:
    asked = question(team.working())
    post(sign_in("bob"), "decide-approval", team.workspace.pk, asked.pk, option="yes")
    asked.refresh_from_db()
    assert (asked.state, asked.option_id) == ("decided", "yes")


def test_members_come_change_and_go(team: Team, sign_in: SignIn) -> None:
    client = sign_in("ada")
    post(client, "add-person", team.workspace.pk, username="mallory", role="guest")
    seat = team.seat("mallory")
    post(client, "set-role", team.workspace.pk, seat.pk, role="member")
    seat.refresh_from_db()
    assert seat.role == "member"
    post(client, "remove-member", team.workspace.pk, seat.pk)
    seat.refresh_from_db()
    assert seat.left_at is not None
    unknown = post(client, "add-person", team.workspace.pk, username="nobody-here", role="guest")
    assert unknown.status_code == 422
    assert "nobody-here" in unknown.content.decode()


PROFILE = {
    "name": "Kimi",
    "description": "Writes well",
    "max_sessions": "2",
    "skill": ["writing", ""],
    "skill_description": ["Long texts", ""],
    "skill_level": ["5", "3"],
}


def test_an_agent_is_registered_once_without_a_key(team: Team, sign_in: SignIn) -> None:
    client = sign_in("bob")
    answer = post(client, "register-agent", **PROFILE, workspace=str(team.workspace.pk), operation="reg")
    agent = Agent.objects.get(name="Kimi")
    assert (answer.status_code, answer["Location"]) == (303, reverse("connect-agent", args=[agent.pk]))
    assert agent.skills.get().level == 5
    assert agent.seats.get().workspace == team.workspace
    assert not agent.keys.exists()
    again = post(client, "register-agent", **PROFILE, workspace=str(team.workspace.pk), operation="reg")
    assert again["Location"] == answer["Location"]
    assert agent.enrolments.count() == 1


def test_a_refused_agent_keeps_its_skill_rows(sign_in: SignIn) -> None:
    wrong = {**PROFILE, "name": "", "skill": ["writing", "!!!"], "skill_description": ["Long <texts>", "odd"]}
    said = post(sign_in("bob"), "register-agent", **wrong).content.decode()
    assert "Long &lt;texts&gt;" in said
    assert 'value="!!!"' in said
    named = post(sign_in("bob"), "register-agent", **{**wrong, "name": "Kimi"})
    assert named.status_code == 422
    assert "Skill 2 needs a name" in named.content.decode()


def test_an_agents_profile_keys_and_end(team: Team, sign_in: SignIn) -> None:
    client, scribe = sign_in("ada"), team.agents["scribe"]
    assert post(client, "set-profile", scribe.pk, **PROFILE).status_code == 303
    scribe.refresh_from_db()
    assert scribe.name == "Kimi"
    assert "CLAWGROUPS_KEY=cg_" in post(client, "rotate-key", scribe.pk).content.decode()
    key = scribe.keys.first()
    assert key is not None
    post(client, "revoke-key", scribe.pk, key.pk)
    key.refresh_from_db()
    assert key.revoked_at is not None
    post(client, "retire-agent", scribe.pk)
    scribe.refresh_from_db()
    assert scribe.retired_at is not None


def test_a_token_is_shown_once_and_revoked(sign_in: SignIn) -> None:
    client = sign_in("bob")
    made = post(client, "create-token", name="script", scopes="read", days="0")
    token = AccessToken.objects.get(name="script")
    assert f"ct_{token.public_id}_" in made.content.decode()
    assert f"ct_{token.public_id}_" not in client.get(reverse("me")).content.decode()
    post(client, "revoke-token", token.pk)
    token.refresh_from_db()
    assert token.revoked_at is not None


def test_the_printed_link_signs_in_once_and_only_from_this_machine(team: Team) -> None:
    path = people.make_login_link(team.users["ada"])
    assert Client(REMOTE_ADDR="10.1.2.3").get(path).status_code == 403
    assert Client(headers={"X-Forwarded-For": "127.0.0.1"}).get(path).status_code == 403
    first = Client()
    assert first.get(path).status_code == 303
    assert first.get("/").status_code == 200
    assert Client().get(path).status_code == 403


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_the_theme_is_kept_and_leads_nowhere_else(sign_in: SignIn, to: str) -> None:
    answer = post(sign_in("bob"), "set-theme", theme="dark", next=to)
    assert answer["Location"] == "/"
    assert answer.cookies["claw_theme"].value == "dark"


def test_htmx_of_somebody_signed_out_is_led_to_the_door(team: Team) -> None:
    answer = Client(headers={"HX-Request": "true"}).post(
        reverse("post-message", args=[team.workspace.pk]), {"body": "x"}
    )
    assert answer.status_code == 401
    assert answer["HX-Redirect"] == "/accounts/login/"


def test_a_run_of_another_workspace_is_not_moved_through_this_one(team: Team, sign_in: SignIn) -> None:
    task = team.one_task()
    elsewhere = post(sign_in("mallory"), "create-workspace", name="Else")["Location"].split("/")[2]
    for verb, pk in (("cancel-run", task.run_id), ("cancel-task", task.pk), ("take-over-task", task.pk)):
        for name, status in (("ada", 404), ("mallory", 404)):
            assert post(sign_in(name), verb, elsewhere, pk).status_code == status
    assert Task.objects.get(pk=task.pk).state == "ready"
