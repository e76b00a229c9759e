"""The card that says that a result came late, in every state of its task, and what one can do with it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from clawgroups.models import Attempt, Command, Task
from clawgroups.services import finishing, takeover
from clawgroups.services.perform import perform
from clawgroups.web.tags import span
from tests.conftest import Team
from tests.services.late_support import adopt, answer, came_late, deliver, expired, reassigned
from tests.web.conftest import SignIn
from tests.web.test_pages import page

pytestmark = pytest.mark.django_db


def shown(team: Team, sign_in: SignIn, attempt: Attempt, name: str = "bob") -> str:
    return page(sign_in(name), "task", team.workspace.pk, attempt.task_id)


def test_a_late_result_stands_on_the_task_with_who_when_words_and_files(team: Team, sign_in: SignIn) -> None:
    attempt = expired(team)
    deliver(team, attempt, "late.md", b"words")
    answer(team, attempt, "Sales rose by **4**.")
    Attempt.objects.filter(pk=attempt.pk).update(late_at=attempt.ended_at + timedelta(minutes=3))  # type: ignore[operator]
    text = shown(team, sign_in, attempt)
    card = text[text.index("A result came late") : text.index("The work, step by step")]
    for word in ("Scribe", "try 1", "It came 3 min after that try was over", "<strong>4</strong>", "late.md"):
        assert word in card, word
    assert "Take it up" in card
    assert "goes into review like any other" in card
    assert f'name="attempt" value="{attempt.pk}"' in card


def test_a_guest_reads_it_and_is_offered_nothing(team: Team, sign_in: SignIn) -> None:
    text = shown(team, sign_in, came_late(team), "gus")
    assert "A result came late" in text
    assert "Take it up" not in text


def test_whoever_works_on_it_now_is_named_before_they_are_stopped(team: Team, sign_in: SignIn) -> None:
    attempt = came_late(team)
    reassigned(team, attempt.task_id)
    assert "Judge, who works on the task now, is asked to stop" in shown(team, sign_in, attempt)


def test_a_held_task_and_one_in_review_say_why_not_now(team: Team, sign_in: SignIn) -> None:
    attempt = came_late(team)
    perform(takeover.take_over, attempt.task_id, actor=team.actor("ada"))
    text = shown(team, sign_in, attempt)
    assert "The task is in human hands" in text
    assert "Take it up" not in text
    perform(finishing.submit_held, attempt.task_id, result="mine", actor=team.actor("ada"))
    assert "Another result is in review" in shown(team, sign_in, attempt)


def test_one_that_was_taken_up_is_a_try_and_no_card_any_more(team: Team, sign_in: SignIn) -> None:
    attempt = came_late(team)
    adopt(team, attempt)
    text = shown(team, sign_in, attempt)
    assert 'aria-labelledby="late-' not in text
    assert "Its late result of try 1, taken up." in text


@pytest.mark.parametrize("htmx", [False, True])
def test_it_is_taken_up_by_form_and_by_htmx(team: Team, sign_in: SignIn, htmx: bool) -> None:
    attempt = came_late(team)
    address = reverse("adopt-task", args=[team.workspace.pk, attempt.task_id])
    answer = sign_in("bob", htmx=htmx).post(address, {"attempt": str(attempt.pk), "operation": "one"})
    assert answer.status_code == (200 if htmx else 303)
    assert Task.objects.get(pk=attempt.task_id).state == "in_review"


@pytest.mark.parametrize("named", ["", "nonsense"])
def test_a_form_that_names_no_result_says_so(team: Team, sign_in: SignIn, named: str) -> None:
    attempt = came_late(team)
    address = reverse("adopt-task", args=[team.workspace.pk, attempt.task_id])
    assert sign_in("bob").post(address, {"attempt": named}).status_code == 422


def test_what_went_on_after_a_stop_is_said(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    attempt = task.attempt
    assert attempt is not None
    perform(takeover.take_over, task.pk, actor=team.actor("ada"))
    assert "; it has not confirmed yet." in shown(team, sign_in, attempt)
    three = timezone.now() - timedelta(minutes=3)
    Command.objects.filter(attempt=attempt, purpose="cancel").update(created_at=three)
    team.send("scribe")
    answer(team, attempt, "I went on")
    assert "stopped after 3 min" in shown(team, sign_in, attempt)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (7200, "2 h"), (130_000, "2 days")],
)
def test_a_length_of_time_is_said_in_the_unit_that_says_enough(seconds: float, words: str) -> None:
    assert span(seconds) == words
