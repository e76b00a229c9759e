"""Read-only links of runs: who makes them, and what ends them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from agents import tokens
from clawgroups.core.errors import ClawError, Conflict, Forbidden, Invalid, NotFound
from clawgroups.models import Run, Share
from clawgroups.services import members, messages, shares
from clawgroups.services.perform import perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db
PLAN = [{"key": "write", "title": "Write it up", "skills": ["writing"]}]


def share(team: Team, run: Run, by: str = "ada", **said: Any) -> str:
    code = tokens.mint_code()
    perform(shares.share_run, run.pk, code=code, actor=team.actor(by), **said)
    return code.secret


def test_the_code_finds_the_run_while_the_link_is_good_and_the_journal_says_so(team: Team) -> None:
    run = team.run(PLAN)
    code = share(team, run, "carol")
    found = shares.find(code.upper())
    assert found.run_id == run.pk
    perform(shares.unshare_run, found.pk, actor=team.actor("ada"))
    with pytest.raises(NotFound):
        shares.find(code)
    with pytest.raises(Conflict):
        perform(shares.unshare_run, found.pk, actor=team.actor("ada"))
    perform(shares.share_again, found.pk, actor=team.actor("ada"))
    assert shares.find(code).pk == found.pk
    assert [kind for kind in team.journal() if kind.startswith("run.") and "share" in kind] == [
        "run.shared",
        "run.unshared",
        "run.shared",
    ]


def test_it_ends_with_its_time_and_with_the_right_of_who_made_it(team: Team) -> None:
    run = team.run(PLAN)
    over, void = share(team, run), share(team, run, "carol")
    Share.objects.filter(pk=shares.find(over).pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    perform(members.set_role, team.seat("carol").pk, role="member", actor=team.actor("ada"))
    for code in (over, void, tokens.mint_code().secret):
        with pytest.raises(NotFound) as fault:
            shares.find(code)
        # What ended and what never was is told alike.
        assert fault.value.message == shares.NONE


@pytest.mark.parametrize(("by", "wanted"), [("bob", Forbidden), ("gus", Forbidden), ("mallory", NotFound)])
def test_only_admins_show_a_run_and_take_a_link_back(team: Team, by: str, wanted: type[ClawError]) -> None:
    run = team.run(PLAN)
    pk = shares.find(share(team, run)).pk
    with pytest.raises(wanted):
        share(team, run, by)
    with pytest.raises(wanted):
        perform(shares.unshare_run, pk, actor=team.actor(by))


def test_a_link_has_an_end_and_talk_is_not_shown(team: Team) -> None:
    run = team.run(PLAN)
    with pytest.raises(Invalid):
        share(team, run, seconds=10**9)
    said = perform(messages.post_message, team.workspace.pk, body="@scribe well?", actor=team.actor("ada"))
    assert UUID(said.answer["id"])
    with pytest.raises(Invalid):
        share(team, Run.objects.get(kind="talk"))


def test_too_many_are_not_open_at_once(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "MOST_OPEN", 1)
    run = team.run(PLAN)
    share(team, run)
    with pytest.raises(Conflict):
        share(team, run)
