"""How one is told, as a script reads and sets it."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail

from tests.api.conftest import As, problem
from tests.conftest import Team
from tests.services.test_letters import addressed, ask

pytestmark = pytest.mark.django_db
QUIET = {"zone": "Europe/Berlin", "days": ["mon", "sun"], "from": "22:00", "to": "07:00"}


@pytest.fixture(autouse=True)
def set_up(settings: Any) -> None:
    settings.SENDS_LETTERS = True


def test_a_script_reads_what_waits_and_changes_how_it_is_told(team: Team, as_: As) -> None:
    asked, bob = ask(team), as_("bob")
    said = bob.get("/me/notices").json()
    assert (said["browser"], said["mail"], said["mail_after"], said["quiet"]) == (True, True, 60, {})
    assert (said["letters"], said["address"], said["quiet_now"]) == (True, "", False)
    (one,) = said["waiting"]
    assert (one["key"], one["what"], one["about"]) == (f"approval:{asked}", "Scribe asks for permission", "Write it up")
    assert bob.call("PATCH", "/me/notices", {"mail_after": 3600, "quiet": QUIET}).status_code == 200
    said = bob.get("/me/notices").json()
    assert (said["browser"], said["mail_after"], said["quiet"]) == (True, 3600, QUIET)
    assert as_("ada").get("/me/notices").json()["mail_after"] == 60


@pytest.mark.parametrize(
    "said", [{}, {"mail_after": 5}, {"mail_after": 10**9}, {"quiet": {"zone": "Nowhere"}}, {"quiet": {"days": [1]}}]
)
def test_what_cannot_be_is_refused(team: Team, as_: As, said: dict[str, Any]) -> None:
    assert problem(as_("bob").call("PATCH", "/me/notices", said)) == (422, "invalid")


def test_a_test_letter_is_sent_where_there_is_an_address(team: Team, as_: As) -> None:
    assert problem(as_("ada").post("/me/notices/test")) == (422, "invalid")
    addressed(team, "ada")
    assert as_("ada").post("/me/notices/test").json() == {"address": "ada@example.org"}
    assert [letter.to for letter in mail.outbox] == [["ada@example.org"]]
    assert problem(as_("ada").post("/me/notices/test")) == (429, "rate_limited")
