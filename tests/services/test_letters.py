"""Letters to people about what waits for them: one for all of it, in time, seldom, and never twice for one thing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core import mail
from django.utils import timezone

from clawgroups.core.actors import Actor, ActorKind
from clawgroups.models import Approval, Letter, Notifying, Run, Session, Task
from clawgroups.services import approvals, letters, notifying, putting, takeover
from clawgroups.services.perform import perform
from clawgroups.services.waits_for import waiting_for
from tests.conftest import Team
from tests.services.mail_server import MailServer

pytestmark = pytest.mark.django_db
SECRET = "rm -rf /srv/board-minutes"
OPTIONS = [{"optionId": "y", "kind": "allow_once"}, {"optionId": "n", "kind": "reject_once"}]
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def set_up(settings: Any) -> None:
    """An installation that sends letters, of which the test sees each."""
    settings.SENDS_LETTERS = True


def addressed(team: Team, *names: str) -> None:
    for name in names:
        team.users[name].email = f"{name}@example.org"
        team.users[name].save(update_fields=["email"])


def ask(team: Team, key: str = "write", request_id: int = 1) -> UUID:
    """Scribe asks whether it may run a command."""
    if not Task.objects.filter(key=key).exists():
        team.working(key=key)
    session = Session.objects.get(task__key=key)
    agent = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    call = {"toolCallId": f"c{request_id}", "title": SECRET, "kind": "execute", "rawInput": {"command": SECRET}}
    asked = perform(
        putting.request_approval, session.pk, request_id=request_id, tool_call=call, options=OPTIONS, actor=agent
    )
    # Put to everybody who may answer, as when its owner has not for a while.
    Approval.objects.filter(pk=asked.answer["id"]).update(asked_of=None, escalates_at=None)
    return UUID(str(asked.answer["id"]))


def says(team: Team, name: str, **said: Any) -> None:
    perform(notifying.set_notices, said=said, actor=team.actor(name))


def post(at: datetime) -> Sequence[str]:
    """One look at what is due; to whom letters went."""
    before = len(mail.outbox)
    letters.post(at)
    return [to for letter in mail.outbox[before:] for to in letter.to]


def test_one_letter_tells_of_all_that_waits_and_where_it_is_and_nothing_of_what_is_asked(team: Team) -> None:
    addressed(team, "ada")
    asked = ask(team)
    run = team.run([{"key": "next", "title": "Go on"}], start=False)
    now = timezone.now()
    Run.objects.filter(pk=run.pk).update(created_at=now)
    assert post(now) == [], "nothing has waited for a minute"
    assert post(now + 2 * MINUTE) == ["ada@example.org"]
    (letter,) = mail.outbox
    task = Approval.objects.get(pk=asked).task
    assert letter.subject == "2 things wait for you"
    assert "- Scribe asks for permission: Write it up (Sales)" in letter.body
    assert f"http://127.0.0.1:8000/w/{task.workspace_id}/tasks/{task.pk}/#ask-{asked}" in letter.body
    assert "- A plan waits for a start: Understand the sales (Sales)" in letter.body
    assert "http://127.0.0.1:8000/me/notices/" in letter.body
    assert "board-minutes" not in f"{letter.subject}{letter.body}"
    assert "\n\n\n" not in letter.body
    assert letter.extra_headers["Auto-Submitted"] == "auto-generated"


def test_names_make_no_line_of_their_own_and_no_markup(team: Team) -> None:
    addressed(team, "ada")
    asked = ask(team)
    Task.objects.update(title="One & two\n- A forged line: https://evil.example")
    post(timezone.now() + 2 * MINUTE)
    assert "- Scribe asks for permission: One & two - A forged line" in mail.outbox[0].body
    assert asked


def test_what_was_told_is_not_told_again_and_the_next_letter_waits_a_quarter_of_an_hour(team: Team) -> None:
    addressed(team, "ada")
    ask(team)
    now = timezone.now()
    assert post(now + 2 * MINUTE) == ["ada@example.org"]
    assert post(now + 30 * MINUTE) == [], "nothing new"
    ask(team, request_id=2)
    Approval.objects.filter(request_id=2).update(asked_at=now + 3 * MINUTE)
    assert post(now + 10 * MINUTE) == []
    assert post(now + 16 * MINUTE) == []
    assert post(now + 17 * MINUTE) == ["ada@example.org"]
    assert mail.outbox[-1].body.count("Scribe asks for permission") == 1
    assert "Beside it, 1 thing waits" in mail.outbox[-1].body
    assert Letter.objects.count() == 2


def test_what_was_answered_before_the_time_is_in_no_letter(team: Team) -> None:
    addressed(team, "ada")
    perform(approvals.decide_approval, ask(team), option_id="y", actor=team.actor("bob"))
    assert post(timezone.now() + 5 * MINUTE) == []
    assert not Letter.objects.exists()


def test_the_time_after_which_one_is_told_is_ones_own(team: Team) -> None:
    addressed(team, "ada", "bob")
    says(team, "bob", mail_after=600)
    ask(team)
    now = timezone.now()
    assert post(now + 2 * MINUTE) == ["ada@example.org"]
    assert post(now + 11 * MINUTE) == ["bob@example.org"]


def test_letters_are_held_in_quiet_hours_and_sent_when_they_end(team: Team) -> None:
    addressed(team, "ada")
    ask(team)
    now = datetime(2026, 3, 2, 21, 30, tzinfo=timezone.get_default_timezone())
    Approval.objects.update(asked_at=now)
    everyday = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    says(team, "ada", quiet={"zone": "Europe/Berlin", "days": everyday, "from": "22:00", "to": "07:00"})
    assert post(now + 5 * MINUTE) == [], "it is 22:35 in Berlin"
    assert post(datetime(2026, 3, 3, 5, 59, tzinfo=now.tzinfo)) == []
    assert post(datetime(2026, 3, 3, 6, 0, tzinfo=now.tzinfo)) == ["ada@example.org"]


def test_only_those_are_written_to_who_may_do_something_and_want_it(team: Team) -> None:
    addressed(team, "ada", "bob", "gus", "mallory", "sue")
    says(team, "bob", mail=False)
    ask(team)
    assert post(timezone.now() + 2 * MINUTE) == ["ada@example.org"]


def test_what_is_put_to_somebody_else_is_in_no_letter(team: Team) -> None:
    addressed(team, "ada", "bob")
    ask(team)
    Approval.objects.update(asked_of=team.seat("bob"))
    assert post(timezone.now() + 2 * MINUTE) == ["bob@example.org"]


def test_what_one_holds_is_in_no_letter(team: Team) -> None:
    addressed(team, "bob")
    perform(takeover.take_over, team.working().pk, actor=team.actor("bob"))
    assert post(timezone.now() + timedelta(hours=1)) == []


def test_an_installation_without_a_mail_server_writes_none(team: Team, settings: Any) -> None:
    settings.SENDS_LETTERS = False
    addressed(team, "ada")
    ask(team)
    assert post(timezone.now() + 2 * MINUTE) == []
    assert not Letter.objects.exists()


# A mail server of one's own


@pytest.fixture
def server(settings: Any) -> Any:
    with MailServer() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        yield server


def test_a_letter_that_is_refused_is_tried_again_later_with_what_waits_by_then(team: Team, server: MailServer) -> None:
    addressed(team, "ada")
    first = ask(team)
    ask(team, request_id=2)
    now = timezone.now() + 2 * MINUTE
    server.refuses = 2
    assert letters.post(now) == 0
    letter = Letter.objects.get()
    assert (letter.sent_at, letter.tries) == (None, 1)
    assert letter.problem == "451 not now"
    assert letters.post(now + MINUTE) == 0
    assert server.asked == 1, "not before its time"
    assert letters.post(now + 2 * MINUTE) == 0
    assert letters.post(now + 11 * MINUTE) == 0
    assert server.asked == 2
    perform(approvals.decide_approval, first, option_id="y", actor=team.actor("bob"))
    assert letters.post(now + 12 * MINUTE) == 1
    letter.refresh_from_db()
    assert (letter.tries, letter.problem, len(letter.subjects)) == (3, "", 1)
    assert letter.sent_at is not None
    (received,) = server.letters
    assert "1 thing waits for you" in received
    assert "To: ada@example.org" in received
    assert "From: Claw Groups <claw-groups@127.0.0.1>" in received
    assert letters.post(now + 60 * MINUTE) == 0


def test_a_letter_whose_cause_was_answered_before_it_could_be_sent_is_not_sent(team: Team, server: MailServer) -> None:
    addressed(team, "ada")
    asked = ask(team)
    now = timezone.now() + 2 * MINUTE
    server.refuses = 1
    letters.post(now)
    perform(approvals.decide_approval, asked, option_id="y", actor=team.actor("bob"))
    assert letters.post(now + 10 * MINUTE) == 0
    assert (server.asked, server.letters) == (1, [])
    ask(team, request_id=2)
    Approval.objects.filter(request_id=2).update(asked_at=now + 20 * MINUTE)
    assert letters.post(now + 22 * MINUTE) == 1
    assert Letter.objects.get().tries == 2, "the same row: it was never sent"


def test_a_server_that_is_away_costs_nobody_a_letter(team: Team, settings: Any) -> None:
    addressed(team, "ada", "bob")
    ask(team)
    now = timezone.now() + 2 * MINUTE
    with MailServer() as gone:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", gone.port
    assert letters.post(now) == 0
    assert {letter.problem.partition(":")[0] for letter in Letter.objects.all()} == {"ConnectionRefusedError"}
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert sorted(post(now + 3 * MINUTE)) == ["ada@example.org", "bob@example.org"]


# The settings


def test_settings_are_kept_and_the_rest_of_them_stays(team: Team) -> None:
    says(team, "bob", mail_after=300)
    says(team, "bob", browser=False, quiet={"from": "22:00", "to": "06:00"})
    how = Notifying.objects.get()
    quiet = {"zone": "UTC", "days": ["mon", "tue", "wed", "thu", "fri"], "from": "22:00", "to": "06:00"}
    assert notifying.as_json(how) == {"browser": False, "mail": True, "mail_after": 300, "quiet": quiet}
    says(team, "bob", quiet={})
    assert Notifying.objects.get().quiet == {}


def test_what_waits_is_told_oldest_first_and_once(team: Team) -> None:
    asked = ask(team)
    run = team.run([{"key": "next", "title": "Go on"}], start=False)
    Run.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(hours=1))
    bob = waiting_for(team.users["bob"].pk)
    assert [one.key for one in bob] == [f"plan:{run.pk}", f"approval:{asked}"]
    assert waiting_for(team.users["gus"].pk) == []
    assert waiting_for(team.users["mallory"].pk) == []
