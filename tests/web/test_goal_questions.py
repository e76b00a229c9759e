"""What the coordinator asks about a goal, on pages and by REST."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.urls import reverse

from clawgroups.core.actors import coordinator_for
from clawgroups.models import Run
from clawgroups.services import goal_questions, people, runs
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db

QUESTION = "Who is it for & why?"


def asked(team: Team) -> Run:
    """A run that waits for an answer."""
    drafted = perform(runs.draft_run, team.workspace.pk, goal="Leaflet", actor=team.actor("ada"))
    run_id = UUID(drafted.answer["id"])
    actor = coordinator_for(team.users["ada"].pk)
    perform(goal_questions.ask_about_goal, run_id, question=QUESTION, actor=actor)
    return Run.objects.get(pk=run_id)


def test_a_run_says_what_it_waits_for_of_whom_and_until_when(team: Team, sign_in: SignIn) -> None:
    run = asked(team)
    said = sign_in("bob").get(reverse("run", args=[team.workspace.pk, run.pk])).content.decode()
    assert "Who is it for &amp; why?" in said
    assert "The coordinator asks ada before it plans" in said
    assert "Without an answer the run ends" in said
    assert reverse("answer-question", args=[team.workspace.pk, run.pk]) in said
    assert "makes a plan" not in said


def test_a_guest_sees_the_question_and_no_form(team: Team, sign_in: SignIn) -> None:
    run = asked(team)
    said = sign_in("gus").get(reverse("run", args=[team.workspace.pk, run.pk])).content.decode()
    assert "Who is it for &amp; why?" in said
    assert reverse("answer-question", args=[team.workspace.pk, run.pk]) not in said


@pytest.mark.parametrize("htmx", [False, True])
def test_an_answer_goes_to_the_coordinator(team: Team, sign_in: SignIn, htmx: bool) -> None:
    run = asked(team)
    client = sign_in("bob", htmx=htmx)
    answered = client.post(reverse("answer-question", args=[team.workspace.pk, run.pk]), {"answer": "For guests."})
    assert answered.status_code == (200 if htmx else 303)
    run.refresh_from_db()
    assert (run.question, run.answers) == ("", [{"question": QUESTION, "answer": "For guests.", "by": "bob"}])


def test_an_empty_answer_is_refused_and_the_question_stays(team: Team, sign_in: SignIn) -> None:
    run = asked(team)
    refused = sign_in("bob").post(reverse("answer-question", args=[team.workspace.pk, run.pk]), {"answer": " "})
    assert refused.status_code == 422
    run.refresh_from_db()
    assert run.question == QUESTION


def test_it_stands_in_what_needs_people(team: Team, sign_in: SignIn) -> None:
    asked(team)
    assert "Who is it for &amp; why?" in sign_in("bob").get(reverse("needs-you")).content.decode()
    assert ">1</b>" in sign_in("bob").get(reverse("count-needs")).content.decode()
    assert "Who is it for" not in sign_in("gus").get(reverse("needs-you")).content.decode()


def test_it_is_answered_by_rest_once(team: Team, sign_in: SignIn) -> None:
    run = asked(team)
    _, token = people.create_token(team.users["bob"], name="t")
    client, headers = sign_in("bob"), {"Authorization": f"Bearer {token}", "Idempotency-Key": "one"}
    shown = client.get(f"/api/v1/runs/{run.pk}", headers=headers).json()
    assert (shown["question"], shown["answers"]) == (QUESTION, [])
    url = f"/api/v1/runs/{run.pk}/answer"
    body = {"answer": "For guests."}
    first = client.post(url, body, content_type="application/json", headers=headers)
    again = client.post(url, body, content_type="application/json", headers=headers)
    assert first.json() == again.json() == {"id": str(run.pk), "answers": 1}
    late = client.post(url, body, content_type="application/json", headers={**headers, "Idempotency-Key": "two"})
    assert (late.status_code, late.json()["code"]) == (409, "not_asked")
