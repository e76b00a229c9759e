"""Asking the coordinator for a change of a running plan: one at a time, by people, withdrawn by people."""

from __future__ import annotations

from typing import Any

import pytest

from clawgroups.core.actors import Actor, ActorKind, coordinator_for
from clawgroups.core.errors import Conflict, Forbidden, Invalid
from clawgroups.models import Message, Run
from clawgroups.services import replan, replan_asks
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.model_support import server

pytestmark = pytest.mark.django_db

PLAN: list[dict[str, Any]] = [
    {"key": "north", "title": "North", "skills": ["data-analysis"]},
    {"key": "write", "title": "Write", "skills": ["writing"], "depends_on": ["north"]},
]
NOTE = "The east is missing."
TAIL = [{"key": "north"}, {"key": "write"}, {"key": "east", "title": "East"}]


@pytest.fixture
def run(team: Team) -> Run:
    server("K2")
    return team.run(PLAN)


def ask(team: Team, run: Run, note: str = NOTE) -> str:
    return str(perform(replan_asks.ask_replan, run.pk, note=note, actor=team.actor("bob")).answer["replan"])


def coordinator(team: Team) -> Actor:
    return coordinator_for(team.users["ada"].pk)


def propose(team: Team, run: Run, asked: str, actor: Actor | None = None) -> Any:
    actor = actor or coordinator(team)
    return perform(replan.propose_replan, run.pk, tasks=TAIL, rationale="Now it is there", asked=asked, actor=actor)


def test_a_wish_is_kept_with_who_asked_and_wakes_the_run(team: Team, run: Run) -> None:
    asked = ask(team, run, f"  {NOTE}\x00 ")
    run.refresh_from_db()
    kept = run.replan["asked"]
    assert (kept["id"], kept["note"], kept["by"]["name"]) == (asked, NOTE, team.actor("bob").name)
    assert team.journal()[-1] == "run.replan_asked"


def test_only_one_change_is_asked_for_or_proposed_at_a_time(team: Team, run: Run) -> None:
    asked = ask(team, run)
    with pytest.raises(Conflict, match="is thinking about a change") as open_one:
        ask(team, run)
    assert open_one.value.code == "replan_open"
    with pytest.raises(Conflict, match="is thinking about a change"):
        propose(team, run, asked, team.actor("bob"))
    propose(team, run, asked)
    with pytest.raises(Conflict, match="proposed already"):
        ask(team, run)


def test_the_coordinators_proposal_takes_the_place_of_the_wish_it_answers(team: Team, run: Run) -> None:
    first = ask(team, run)
    perform(replan.reject_replan, run.pk, replan=first, actor=team.actor("carol"))
    second = ask(team, run, "Something else")
    with pytest.raises(Conflict, match="is thinking about a change"):
        propose(team, run, first)
    proposal = propose(team, run, second).answer["replan"]
    run.refresh_from_db()
    assert "asked" not in run.replan
    assert (run.replan["id"], run.replan["wish"]["note"]) == (proposal, "Something else")
    perform(replan.accept_replan, run.pk, replan=proposal, actor=team.actor("carol"))
    run.refresh_from_db()
    assert run.replan == {}


def test_a_wish_is_withdrawn_like_a_proposal_and_never_accepted(team: Team, run: Run) -> None:
    asked = ask(team, run)
    with pytest.raises(Conflict, match="still thinking"):
        perform(replan.accept_replan, run.pk, actor=team.actor("bob"))
    with pytest.raises(Conflict, match="Another change"):
        perform(replan.reject_replan, run.pk, replan="other", actor=team.actor("bob"))
    perform(replan.reject_replan, run.pk, replan=asked, actor=team.actor("carol"))
    run.refresh_from_db()
    assert run.replan == {}
    assert team.journal()[-1] == "run.replan_rejected"


def test_what_is_declined_is_said_in_the_chat(team: Team, run: Run) -> None:
    asked = ask(team, run)
    with pytest.raises(Conflict, match="Nobody waits for this"):
        perform(replan_asks.decline_ask, run.pk, asked="other", said="No.", actor=coordinator(team))
    perform(replan_asks.decline_ask, run.pk, asked=asked, said="It cannot be.", actor=coordinator(team))
    run.refresh_from_db()
    assert run.replan == {}
    said = Message.objects.get(body="It cannot be.")
    assert (said.run, said.actor["kind"]) == (run, "coordinator")


def test_only_people_of_the_team_ask(team: Team, run: Run) -> None:
    agent = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    for actor in (coordinator(team), agent, team.actor("gus")):
        with pytest.raises(Forbidden):
            perform(replan_asks.ask_replan, run.pk, note=NOTE, actor=actor)


@pytest.mark.parametrize("note", ["", "  \x00 ", "x" * 2001])
def test_a_note_has_words_and_an_end(team: Team, run: Run, note: str) -> None:
    with pytest.raises(Invalid, match="Note"):
        ask(team, run, note)


def test_where_no_model_may_be_asked_it_is_said_at_once(team: Team) -> None:
    run = team.run(PLAN)
    with pytest.raises(Conflict, match="Change the plan by hand") as refused:
        ask(team, run)
    assert refused.value.code == "no_model"
    assert Run.objects.get(pk=run.pk).replan == {}


def test_only_a_running_plan_is_asked_about(team: Team) -> None:
    server("K2")
    run = team.run(PLAN, start=False)
    with pytest.raises(Conflict, match="This run is proposed"):
        ask(team, run)
