"""Who makes and revokes rules, what a rule may say, and what it would have answered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.errors import ClawError, Conflict, Forbidden, Invalid, NotFound
from clawgroups.models import Approval, Rule
from clawgroups.services import rules, workspaces
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.rule_support import MAKE, PUSH, ask, decide, make, working

pytestmark = pytest.mark.django_db


# Making and revoking


@pytest.mark.parametrize("who", ["bob", "gus"])
def test_only_admins_make_and_revoke_rules(team: Team, who: str) -> None:
    with pytest.raises(Forbidden):
        make(team, "deny", by=who, kinds=["execute"])
    rule = make(team, "deny", kinds=["execute"])
    with pytest.raises(Forbidden):
        perform(rules.revoke_rule, rule.pk, actor=team.actor(who))


def test_who_answered_for_good_may_take_that_back(team: Team) -> None:
    task = working(team)
    decide(team, ask(team, task, MAKE), "always", by="bob")
    rule = Rule.objects.get(workspace=team.workspace, answer="allow")
    perform(rules.revoke_rule, rule.pk, actor=team.actor("bob"))
    assert ask(team, task, MAKE, 2).state == "open"


def test_strangers_and_agents_make_and_see_none(team: Team) -> None:
    rule = make(team, "deny", kinds=["execute"])
    me = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    for actor, fault in ((team.actor("mallory"), NotFound), (me, Forbidden)):
        with pytest.raises(fault):
            perform(rules.make_rule, team.workspace.pk, answer="allow", kinds=["execute"], actor=actor)
        with pytest.raises(fault):
            perform(rules.revoke_rule, rule.pk, actor=actor)


def test_a_rule_is_revoked_once(team: Team) -> None:
    rule = make(team, "deny", kinds=["execute"])
    perform(rules.revoke_rule, rule.pk, actor=team.actor("ada"))
    with pytest.raises(Conflict, match="already"):
        perform(rules.revoke_rule, rule.pk, actor=team.actor("ada"))


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"answer": "maybe", "kinds": ["execute"]}, "answer"),
        ({"answer": "allow"}, "kinds"),
        ({"answer": "deny"}, "kinds"),
        ({"answer": "deny", "kinds": ["run"]}, "kinds"),
        ({"answer": "deny", "paths": ["a"], "commands": ["b"]}, "commands"),
        ({"answer": "deny", "kinds": ["read"], "commands": ["b"]}, "kinds"),
        ({"answer": "allow", "paths": ["/etc"]}, "paths"),
        ({"answer": "allow", "paths": ["~/x"]}, "paths"),
        ({"answer": "allow", "paths": ["../x"]}, "paths"),
        ({"answer": "deny", "paths": ["!x"]}, "paths"),
        ({"answer": "allow", "commands": ["git log | sh"]}, "commands"),
        ({"answer": "allow", "commands": ["*"]}, "commands"),
        ({"answer": "deny", "commands": ["x"] * 101 + [str(n) for n in range(101)]}, "commands"),
        ({"answer": "deny", "commands": ["x" * 400]}, "commands"),
        ({"answer": "critical", "kinds": ["edit"], "needed": 0}, "needed"),
        ({"answer": "critical", "kinds": ["edit"], "needed": 10}, "needed"),
        ({"answer": "allow", "kinds": ["edit"], "seconds": 1}, "expires"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_the_field(team: Team, said: dict[str, Any], field: str) -> None:
    with pytest.raises(ClawError) as fault:
        make(team, said.pop("answer"), **said)
    assert isinstance(fault.value, Invalid)
    assert fault.value.fields["field"] == field


def test_a_rule_is_for_an_agent_and_a_run_of_the_workspace(team: Team) -> None:
    stranger = perform(workspaces.create_workspace, name="Other", actor=team.actor("ada")).answer["id"]
    with pytest.raises(Invalid, match="no such agent"):
        perform(
            rules.make_rule,
            UUID(stranger),
            answer="deny",
            kinds=["edit"],
            agent_id=team.agents["scribe"].pk,
            actor=team.actor("ada"),
        )


def test_a_new_workspace_begins_with_critical_operations_that_its_admins_may_revoke(team: Team) -> None:
    found = Rule.objects.filter(workspace=team.workspace)
    assert {one.answer for one in found} == {"critical"}
    assert {one.made_by for one in found} == {None}
    for one in found:
        perform(rules.revoke_rule, one.pk, actor=team.actor("carol"))
    assert ask(team, working(team), PUSH).rule is None


# What it would have answered


def test_a_dry_run_says_what_a_rule_would_have_answered_and_what_people_did(team: Team) -> None:
    task = working(team)
    allowed, rejected = (decide(team, ask(team, task, MAKE, n), option) for n, option in ((1, "yes"), (2, "no")))
    ask(team, task, PUSH, 3)
    unclear = ask(team, task, {**MAKE, "raw_input": {"command": "sh run.sh"}}, 4)
    old = ask(team, task, MAKE, 5)
    Approval.objects.filter(pk=old.pk).update(asked_at=timezone.now() - timedelta(days=8))
    tried = rules.try_rule(team.workspace.pk, answer="allow", kinds=["execute"], actor=team.actor("ada"))
    assert tried.looked_at == 4
    assert {(one.question.pk, one.differs) for one in tried.fits} == {(allowed.pk, False), (rejected.pk, True)}
    assert unclear.pk not in {one.question.pk for one in tried.fits}
    assert Rule.objects.filter(workspace=team.workspace, answer="allow").count() == 0


def test_a_dry_run_counts_what_a_rule_would_allow_were_it_clear(team: Team) -> None:
    task = working(team)
    make(team, "deny", commands=["make deploy"])
    ask(team, task, {**MAKE, "raw_input": {"command": "env make all"}})
    tried = rules.try_rule(team.workspace.pk, answer="allow", kinds=["execute"], actor=team.actor("ada"))
    assert (tried.looked_at, tried.fits, tried.doubtful) == (1, (), 1)


def test_a_dry_run_counts_what_no_rule_allows_since_nobody_knows_where_the_agent_works(team: Team) -> None:
    ask(team, team.working(), MAKE)
    tried = rules.try_rule(team.workspace.pk, answer="allow", commands=["make *"], actor=team.actor("ada"))
    assert (tried.fits, tried.unplaced) == ((), 1)


def test_a_dry_run_of_others_questions_is_for_the_team(team: Team) -> None:
    for who, fault in (("gus", Forbidden), ("mallory", NotFound)):
        with pytest.raises(fault):
            rules.try_rule(team.workspace.pk, answer="deny", kinds=["edit"], actor=team.actor(who))
