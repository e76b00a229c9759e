"""The page on which admins set a workspace's deadlines, and what tasks say of theirs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from clawgroups.models import Attempt, Task
from clawgroups.services import takeover
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db


def test_an_admin_is_led_to_the_deadlines_and_a_member_is_not(team: Team, sign_in: SignIn) -> None:
    room, there = (reverse(name, args=[team.workspace.pk]) for name in ("workspace", "deadlines"))
    assert there in sign_in("carol").get(room).content.decode()
    assert there not in sign_in("bob").get(room).content.decode()
    assert sign_in("bob").get(there).status_code == 403


def test_each_deadline_says_what_it_does_and_its_usual_value(team: Team, sign_in: SignIn) -> None:
    page = sign_in("carol").get(reverse("deadlines", args=[team.workspace.pk])).content.decode()
    assert "answered with no. Usually 10 min." in page
    assert 'placeholder="2 h"' in page
    assert page.count("_helptext") >= 15 * 2


def test_deadlines_are_saved_as_people_write_them_and_shown_again(team: Team, sign_in: SignIn) -> None:
    client, there = sign_in("carol"), reverse("deadlines", args=[team.workspace.pk])
    answer = client.post(reverse("set-timers", args=[team.workspace.pk]), {"approval": "1h30m", "review": ""})
    assert (answer.status_code, answer["Location"]) == (303, there)
    team.workspace.refresh_from_db()
    assert team.workspace.timers == {"approval": 5400.0}
    page = client.get(there).content.decode()
    assert 'value="1 h 30 min"' in page
    assert "The deadlines are saved." in page
    assert team.journal()[-1] == "workspace.timers_set"
    client.post(reverse("set-timers", args=[team.workspace.pk]), {"approval": ""})
    team.workspace.refresh_from_db()
    assert team.workspace.timers == {}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"approval": "soon"}, "“soon” is no duration."),
        ({"approval": "2 s"}, "can be 30 s to 7 days; this is 2 s."),
        ({"soft_stall": "10 min"}, "must be shorter than “Without progress” (5 min)"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field_and_nothing_is_lost(
    team: Team, sign_in: SignIn, typed: dict[str, str], said: str
) -> None:
    answer = sign_in("carol").post(reverse("set-timers", args=[team.workspace.pk]), {**typed, "review": "2 days"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert said in page
    assert 'value="2 days"' in page
    assert 'aria-invalid="true"' in page
    team.workspace.refresh_from_db()
    assert team.workspace.timers == {}


def test_a_card_says_that_contact_is_lost_and_until_when_it_may_come_back(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    back_by = timezone.now() + timedelta(seconds=60)
    Attempt.objects.filter(task=task).update(contact="lost", back_by=back_by)
    page = sign_in("bob").get(reverse("task", args=[team.workspace.pk, task.pk])).content.decode()
    assert "Contact lost; it may come back until" in page
    assert back_by.isoformat(timespec="seconds") in page


def test_a_card_says_since_when_there_is_no_sign_of_progress(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    Attempt.objects.filter(task=task).update(quiet_since=timezone.now())
    page = sign_in("bob").get(reverse("run", args=[team.workspace.pk, task.run_id])).content.decode()
    assert "No sign of progress since" in page


def test_a_task_that_lay_too_long_with_its_holder_may_be_taken_by_any_member(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("ada"))
    client, there = sign_in("bob"), reverse("task", args=[team.workspace.pk, task.pk])
    take = reverse("take-over-task", args=[team.workspace.pk, task.pk])
    assert f'action="{take}"' not in client.get(there).content.decode()
    Attempt.objects.filter(task=task, state="working").update(progress_at=timezone.now() - timedelta(hours=1))
    assert f'action="{take}"' in client.get(there).content.decode()
    client.post(take)
    assert Task.objects.get(pk=task.pk).holder == team.seat("bob")
