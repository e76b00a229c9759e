"""The page on which one says how one is told, and what browsers ask to tell it by themselves."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clawgroups.models import Approval, Letter, Notifying
from clawgroups.services import approvals, letters, takeover
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.test_letters import addressed, ask
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db
EVERYDAY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def read(client: Client) -> str:
    return re.sub(r"\s+", " ", client.get(reverse("notices")).content.decode())


def waits(client: Client) -> dict[str, Any]:
    said: dict[str, Any] = client.get(reverse("notices-waiting")).json()
    return said


def keys(client: Client) -> list[str]:
    return [one["key"] for one in waits(client)["items"]]


def test_what_waits_is_told_with_where_it_is_and_without_what_is_asked(team: Team, sign_in: SignIn) -> None:
    asked = ask(team)
    answer = sign_in("ada").get(reverse("notices-waiting"))
    assert answer["Cache-Control"] == "private, no-store"
    task = Approval.objects.get(pk=asked).task
    path = f"{reverse('task', args=[task.workspace_id, task.pk])}#ask-{asked}"
    item = {"key": f"approval:{asked}", "title": "Scribe asks for permission", "body": "Write it up\nSales"}
    assert answer.json() == {"wanted": True, "quiet": False, "items": [{**item, "path": path}]}
    assert f'id="ask-{asked}"' in sign_in("ada").get(path).content.decode()
    assert b"board-minutes" not in answer.content


def test_nothing_is_told_of_what_waits_for_others(team: Team, sign_in: SignIn) -> None:
    asked = ask(team)
    Approval.objects.update(asked_of=team.seat("bob"))
    assert keys(sign_in("bob")) == [f"approval:{asked}"]
    for name in ("ada", "carol", "gus", "mallory", "sue"):
        assert keys(sign_in(name)) == [], name
    Approval.objects.update(asked_of=None)
    assert keys(sign_in("ada")) == [f"approval:{asked}"], "it was put to everybody"
    perform(approvals.decide_approval, asked, option_id="y", actor=team.actor("bob"))
    assert keys(sign_in("ada")) == []


def test_one_is_not_told_of_what_one_holds(team: Team, sign_in: SignIn) -> None:
    perform(takeover.take_over, team.working().pk, actor=team.actor("bob"))
    assert keys(sign_in("bob")) == []


def test_a_page_says_what_is_usual_and_keeps_what_is_said(team: Team, sign_in: SignIn) -> None:
    bob = sign_in("bob")
    page = read(bob)
    assert 'name="browser" id="id_browser" checked' in page
    assert 'name="after" value="1"' in page
    assert 'name="quiet_on" id="id_quiet_on"' in page
    said = {"mail": "on", "after": "10", "quiet_on": "on", "days": ["sat", "sun"], "begin": "20:00", "end": "9:00"}
    answer = bob.post(reverse("set-notices"), {**said, "zone": "Europe/Berlin"}, follow=True)
    assert "Saved." in answer.content.decode()
    how = Notifying.objects.get()
    assert (how.user, how.browser, how.mail, how.mail_after) == (team.users["bob"], False, True, 600)
    assert how.quiet == {"zone": "Europe/Berlin", "days": ["sat", "sun"], "from": "20:00", "to": "09:00"}
    assert 'value="Europe/Berlin"' in read(bob)
    assert 'value="Europe/Berlin"' not in read(sign_in("ada")), "it is bob's alone"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"quiet_on": "on", "days": ["mon"], "zone": "Europe/Nowhere"}, "There is no time zone"),
        ({"quiet_on": "on", "days": ["mon"], "begin": "25"}, "Write a time of day like 09:00."),
        ({"quiet_on": "on"}, "Name at least one day"),
        ({"after": "0"}, "greater than or equal to 1"),
        ({"after": "9999"}, "less than or equal to 1440"),
    ],
)
def test_what_cannot_be_is_refused_beside_its_field_and_stays_typed(
    team: Team, sign_in: SignIn, said: dict[str, Any], why: str
) -> None:
    answer = sign_in("bob").post(reverse("set-notices"), said)
    text = answer.content.decode()
    assert answer.status_code == 422
    assert why in text
    assert "Nothing was saved yet" in text
    assert str(said.get("zone", "")) in text
    assert not Notifying.objects.exists()


def test_quiet_hours_are_told_to_the_browser_and_on_the_page(team: Team, sign_in: SignIn) -> None:
    ask(team)
    bob = sign_in("bob")
    always = {"quiet_on": "on", "days": EVERYDAY, "begin": "00:00", "end": "00:00", "browser": "on"}
    bob.post(reverse("set-notices"), always)
    said = waits(bob)
    assert (said["wanted"], said["quiet"], len(said["items"])) == (True, True, 1)
    assert "These are your quiet hours" in read(bob)


def test_the_page_says_why_no_letters_come(team: Team, sign_in: SignIn, settings: Any) -> None:
    assert "This installation sends no letters yet" in read(sign_in("ada"))
    settings.SENDS_LETTERS = True
    assert "You have given no address." in read(sign_in("ada"))
    addressed(team, "ada")
    page = read(sign_in("ada"))
    assert "To ada@example.org." in page
    assert "None was written so far." in page


def test_a_test_letter_comes_at_once_and_once_a_minute(team: Team, sign_in: SignIn, settings: Any) -> None:
    settings.SENDS_LETTERS = True
    addressed(team, "ada")
    ada = sign_in("ada")
    page = ada.post(reverse("send-test-letter"), follow=True).content.decode()
    assert "A test letter is on its way to ada@example.org." in page
    (letter,) = mail.outbox
    assert (letter.to, letter.subject) == (["ada@example.org"], "A test letter")
    assert "/me/notices/" in letter.body
    assert ada.post(reverse("send-test-letter")).status_code == 429
    ask(team)
    assert letters.post(timezone.now() + timedelta(minutes=2)) == 1, "it does not count among the others"
    assert read(ada).count("Sent") == 2


def test_a_mail_server_that_does_not_take_it_is_quoted(team: Team, sign_in: SignIn, settings: Any) -> None:
    settings.SENDS_LETTERS, settings.EMAIL_BACKEND = True, "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    addressed(team, "ada")
    answer = sign_in("ada").post(reverse("send-test-letter"))
    assert answer.status_code == 409
    assert "ConnectionRefusedError" in answer.content.decode()
    assert "ConnectionRefusedError" in read(sign_in("ada"))
    assert Letter.objects.get().sent_at is None


def test_an_address_is_given_on_a_page_of_its_own_and_another_one_may_count(team: Team, sign_in: SignIn) -> None:
    ada, page = sign_in("ada"), reverse("account_email")
    assert "You have given none yet." in ada.get(page).content.decode()
    for address in ("ada@example.org", "ada@example.com"):
        ada.post(page, {"action_add": "", "email": address})
        assert team.users["ada"].email != address, "not before one says so"
        ada.post(page, {"action_primary": "", "email": address})
        team.users["ada"].refresh_from_db()
        assert team.users["ada"].email == address
    shown = ada.get(page).content.decode()
    assert "ada@example.org" in shown
    assert shown.count(">counts<") == 1
