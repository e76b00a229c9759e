"""Switches and limits: kept in rows, in force at once, bounded by the environment, changed by staff alone, and told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError

from agents import tokens
from clawgroups import commit
from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Change
from clawgroups.core.errors import Conflict, Forbidden, Invalid
from clawgroups.models import AuditRow, Run, Setting
from clawgroups.services import (
    agents,
    audit_trail,
    dialling,
    files,
    installation,
    letters,
    model_calls,
    runs,
    shares,
    usage,
    workspaces,
)
from clawgroups.services.deadlines import database_now
from clawgroups.services.perform import perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db


def say(team: Team, **said: Any) -> dict[str, Any]:
    return dict(perform(installation.set_values, said=said, actor=team.actor("sue")).answer["changed"])


def test_what_nobody_has_set_is_as_the_environment_says(team: Team, settings: Any) -> None:
    settings.SIGNUP_OPEN, settings.SENDS_LETTERS = True, False
    assert installation.is_on("signup")
    assert not installation.is_on("mail")
    assert installation.upload_bytes() == settings.MAX_UPLOAD_BYTES
    assert installation.limit("agents_each") is None
    say(team, signup=False)
    assert not installation.is_on("signup")
    perform(installation.unset, names=["signup"], actor=team.actor("sue"))
    assert installation.is_on("signup")
    assert not Setting.objects.exists()
    with pytest.raises(Invalid):
        perform(installation.unset, names=["signup"], actor=team.actor("sue"))


def test_a_change_is_told_once_with_what_it_was(team: Team) -> None:
    assert say(team, sharing=False, templates=True) == {"sharing": False}
    row = AuditRow.objects.get(action="setting.set")
    assert row.who == "sue"
    assert audit_trail.said(row)["detail"] == {"setting": "sharing", "was": True, "is": False}
    assert say(team, sharing=False) == {}
    assert Setting.objects.get().set_by == team.users["sue"]


def test_only_staff_change_anything(team: Team) -> None:
    with pytest.raises(Forbidden):
        perform(installation.set_values, said={"model": False}, actor=team.actor("ada"))
    with pytest.raises(Forbidden):
        perform(installation.unset, names=["model"], actor=team.actor("ada"))
    assert not Setting.objects.exists()


@pytest.mark.parametrize(
    "said",
    [{"upload_mb": 101}, {"upload_mb": 0}, {"agents_each": "many"}, {"model": 1}, {"mail": True}, {"nonsense": True},
     {"keep_drafts": 6}, {"agents_each": True}],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_is_refused_and_changes_nothing(team: Team, said: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        say(team, sharing=False, **said)
    assert installation.is_on("sharing")


def test_what_the_environment_forbids_stays_forbidden(team: Team, settings: Any) -> None:
    settings.SENDS_LETTERS = True
    say(team, upload_mb=50)
    assert installation.upload_bytes() == 50 * installation.MB
    settings.MAX_UPLOAD_BYTES, settings.SENDS_LETTERS = 5 * installation.MB, False
    assert installation.upload_bytes() == 5 * installation.MB
    assert not letters.is_set_up()


def test_a_row_is_read_again_soon_and_not_each_time(team: Team, django_assert_num_queries: Any) -> None:
    installation.kept.forget()
    with django_assert_num_queries(1):
        assert installation.is_on("model")
        assert installation.is_on("sharing")
    Setting.objects.create(name="model", value=False, set_at=database_now())
    assert installation.is_on("model")
    installation.kept.forget()
    assert not installation.is_on("model")


def test_without_a_database_what_was_read_last_stands(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    say(team, model=False)
    assert not installation.is_on("model")

    def away(*_given: object) -> None:
        raise DatabaseError("away")

    monkeypatch.setattr(Setting.objects, "values_list", away)
    installation.kept.forget()
    assert not installation.is_on("model")


def test_switched_off_models_are_not_asked_and_nobody_is_dialled(team: Team) -> None:
    say(team, model=False, dialling=False)
    assert "switched models off" in model_calls.unavailable(team.workspace)
    found = dialling.look({team.agents["scribe"].pk: 1}, 5)
    assert (found.moved, found.due) == ((team.agents["scribe"].pk,), ())


def test_a_month_s_money_stops_models_everywhere(team: Team) -> None:
    now = database_now()
    run = team.one_task().run
    writes = usage.used(team.workspace.pk, run_id=run.pk, at=now, calls=1, cost_micro=2_000_000)
    commit.wait(commit.submit(Change(SYSTEM, writes=tuple(writes))))
    say(team, month_usd=3)
    assert installation.model_stop(now) == ""
    say(team, month_usd=2)
    assert "$2 of $2" in installation.model_stop(now).replace(".00", "")
    assert installation.model_stop(now + timedelta(days=32)) == ""


def test_a_switched_off_link_shows_nothing_until_it_is_on_again(team: Team) -> None:
    run, code = team.one_task().run, tokens.mint_code()
    perform(shares.share_run, run.pk, code=code, actor=team.actor("ada"))
    say(team, sharing=False)
    row = run.shares.get()
    assert shares.is_void(row)
    with pytest.raises(Conflict, match="switched read-only links off"):
        perform(shares.share_run, run.pk, code=tokens.mint_code(), actor=team.actor("ada"))
    say(team, sharing=True)
    assert not shares.is_void(row)


def test_limits_say_how_many_are_allowed_and_what_to_do(team: Team) -> None:
    say(team, workspaces_each=1, agents_each=3, open_runs_each=1, upload_mb=1)
    ada = team.actor("ada")
    with pytest.raises(Conflict, match="1 workspaces of one person"):
        perform(workspaces.create_workspace, name="Second", actor=ada)
    perform(workspaces.create_workspace, name="First of bob", actor=team.actor("bob"))
    with pytest.raises(Conflict, match="3 agents of one person"):
        perform(agents.register_agent, name="Fourth", actor=ada)
    run = team.one_task().run
    with pytest.raises(Conflict, match="1 open runs"):
        team.one_task()
    perform(runs.cancel_run, run.pk, actor=ada)
    assert Run.objects.get(pk=team.one_task().run_id).state == "running"
    with pytest.raises(Exception, match="larger than 1 MB"):
        files.store([b"x" * (installation.MB + 1)], name="large.bin")
