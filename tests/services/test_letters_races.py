"""Two sweepers send letters at the same moment, on real connections: each letter goes out once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from clawgroups.jobs import Sweeper
from clawgroups.models import Approval, Letter
from clawgroups.services import letters
from tests.conftest import Team
from tests.services.mail_server import MailServer
from tests.services.races import at_once
from tests.services.test_letters import MINUTE, addressed, ask

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 8


@pytest.fixture(autouse=True)
def set_up(settings: Any) -> None:
    settings.SENDS_LETTERS = True


def test_of_sweepers_at_once_one_sends_each_letter(team: Team) -> None:
    names = ("ada", "bob", "carol")
    addressed(team, *names)
    now = timezone.now()
    for n in range(ROUNDS):
        asked = ask(team, request_id=n + 1)
        at = now + n * timedelta(minutes=20)
        Approval.objects.filter(pk=asked).update(asked_at=at)
        sent = at_once(*[lambda at=at: letters.post(at + 2 * MINUTE)] * 4)
        assert sum(int(str(each)) for each in sent) == len(names), sent
        assert len(mail.outbox) == len(names) * (n + 1)
    assert Letter.objects.count() == len(names) * ROUNDS
    for name in names:
        told = [key for letter in letters.letters_of(team.users[name].pk) for key in letter.subjects]
        assert len(told) == len(set(told)) == ROUNDS


def test_of_sweepers_at_once_one_tries_a_letter_again(team: Team, settings: Any) -> None:
    addressed(team, "ada")
    ask(team)
    now = timezone.now() + 2 * MINUTE
    with MailServer() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        server.refuses = 3
        for n in range(4):
            at_once(*[lambda at=now + n * timedelta(hours=3): letters.post(at)] * 4)
            assert server.asked == n + 1
            assert Letter.objects.get().tries == n + 1
        assert len(server.letters) == 1


def test_who_sweeps_sends_letters_beside_it(team: Team, settings: Any) -> None:
    addressed(team, "ada")
    ask(team)
    sweeper = Sweeper()
    assert sweeper.once(timezone.now() + 2 * MINUTE)
    assert sweeper.rest(20)
    assert [letter.to for letter in mail.outbox] == [["ada@example.org"]]
    settings.SENDS_LETTERS = False
    assert sweeper.once(timezone.now() + 3 * MINUTE)
    assert Letter.objects.count() == 1
