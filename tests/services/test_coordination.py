"""A workspace's settings of its coordinator, and what follows from them."""

from __future__ import annotations

from typing import Any

import pytest

from clawgroups.core.coordination import read_coordination
from clawgroups.core.coordination_settings import clean_coordination
from clawgroups.core.errors import Forbidden, Invalid, NotFound
from clawgroups.models import Entry, Run, Workspace
from clawgroups.services import coordination, runs
from clawgroups.services.perform import perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db

PLAN = [{"key": "a", "title": "A", "skills": ["writing"]}]


def set_to(team: Team, who: str = "carol", **said: Any) -> dict[str, Any]:
    perform(coordination.set_coordination, team.workspace.pk, coordination=said, actor=team.actor(who))
    stored = Workspace.objects.get(pk=team.workspace.pk).coordination
    assert isinstance(stored, dict)
    return stored


def draft(team: Team, **said: Any) -> Run:
    outcome = perform(runs.draft_run, team.workspace.pk, goal="Look", actor=team.actor("bob"), **said)
    return Run.objects.get(pk=outcome.answer["id"])


def test_an_admin_replaces_the_settings_and_everybody_is_told(team: Team) -> None:
    assert set_to(team, use_model=False, run={"tokens": 5000}) == {"use_model": False, "run": {"tokens": 5000}}
    assert set_to(team, modes={"plan": "instant"}) == {"modes": {"plan": "instant"}}
    assert team.journal()[-2:] == ["workspace.coordination_set"] * 2
    payload = Entry.objects.filter(type="workspace.coordination_set").latest("seq").payload
    assert "tokens" not in payload


def test_two_who_change_different_settings_at_once_both_have_their_way(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean, others = clean_coordination, [{"use_model": False}]

    def meanwhile(given: Any) -> dict[str, Any]:
        if others:
            patch(others.pop())
        return clean(given)

    def patch(changes: dict[str, Any]) -> None:
        actor = team.actor("carol")
        perform(coordination.set_coordination, team.workspace.pk, coordination=changes, actor=actor, keeps_rest=True)

    monkeypatch.setattr(coordination, "clean_coordination", meanwhile)
    patch({"start_at_once": True})
    assert Workspace.objects.get(pk=team.workspace.pk).coordination == {"use_model": False, "start_at_once": True}


@pytest.mark.parametrize("who", ["bob", "gus"])
def test_members_and_guests_may_not(team: Team, who: str) -> None:
    with pytest.raises(Forbidden):
        set_to(team, who, use_model=False)


def test_a_stranger_finds_no_such_workspace(team: Team) -> None:
    with pytest.raises(NotFound):
        set_to(team, "mallory", use_model=False)


def test_what_cannot_be_changes_nothing(team: Team) -> None:
    set_to(team, start_at_once=True)
    with pytest.raises(Invalid):
        set_to(team, run={"tokens": -1})
    assert Workspace.objects.get(pk=team.workspace.pk).coordination == {"start_at_once": True}


def test_what_is_stored_reads_back_as_it_was_set(team: Team) -> None:
    said: dict[str, Any] = {
        "start_at_once": True,
        "modes": {"judge": "thinking"},
        "run": {"seconds": 60},
        "month": {"cost_micro": 7},
    }
    found = read_coordination(set_to(team, **said))
    assert (found.use_model, found.start_at_once) == (True, True)
    assert (found.mode("judge"), found.mode("plan")) == ("thinking", "")
    assert (found.run.seconds, found.run.tokens, found.month.cost_micro) == (60, None, 7)


def test_a_plan_starts_at_once_where_the_workspace_says_so(team: Team) -> None:
    assert not draft(team).start_when_planned
    set_to(team, start_at_once=True)
    assert draft(team).start_when_planned
    assert draft(team, plan=PLAN).start_when_planned


def test_whoever_says_explicitly_whether_to_start_has_the_last_word(team: Team) -> None:
    assert draft(team, plan=PLAN, start=True).start_when_planned
    set_to(team, start_at_once=True)
    assert not draft(team, plan=PLAN, start=False).start_when_planned


def test_who_judges_and_whether_messages_are_heard_are_settings(team: Team) -> None:
    own: dict[str, Any] = {"judge": "agent", "judge_same_owner": True, "hears": False}
    assert set_to(team, **own) == own
    read = read_coordination(own)
    assert (read.judge, read.judge_same_owner, read.hears) == ("agent", True, False)
    assert set_to(team, judge="model", judge_same_owner=False, hears=True) == {}
    with pytest.raises(Invalid):
        set_to(team, judge="the worker")
