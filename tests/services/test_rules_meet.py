"""Rules, where a question is routed, agreed to by several, or changed while it is open."""

from __future__ import annotations

import pytest

from clawgroups.core.errors import Conflict
from clawgroups.models import Approval, Entry, Overstep, Rule, Session, Task, Vote
from clawgroups.services import members, rules
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services import ask_support
from tests.services.ask_support import NO, YES, asks, decides, now, tells, told
from tests.services.conftest import Clock, fresh
from tests.services.races import between
from tests.services.rule_support import FOLDER, ask, make, working

pytestmark = pytest.mark.django_db
ALWAYS = [{"optionId": "a", "name": "Always", "kind": "allow_always"}, *ask_support.OPTIONS]


def rule(team: Team, answer: str, *commands: str, needed: int = 1) -> Rule:
    said = perform(
        rules.make_rule, team.workspace.pk, answer=answer, commands=commands, needed=needed, actor=team.actor("ada")
    )
    return Rule.objects.get(pk=said.answer["id"])


def bare(team: Team, task: Task) -> Approval:
    """It asks before it tells what it wants to run."""
    return asks(team, task, raw_input={}, title="", kind="other")


def test_what_several_must_agree_to_is_put_to_everybody_at_once(clock: Clock, team: Team) -> None:
    two = rule(team, "critical", "fly *", needed=2)
    question = asks(team, team.working(), "fly deploy")
    assert (question.rule, question.needed, question.asked_of, question.escalates_at) == (two, 2, None, None)
    clock.sweep(300)
    assert not Entry.objects.filter(type="approval.escalated").exists()


def test_what_one_must_agree_to_is_put_to_one_after_the_other(team: Team) -> None:
    rule(team, "critical", "fly *")
    assert asks(team, team.working(), "fly deploy").asked_of == team.seat("ada")


def test_an_always_of_those_who_agree_to_what_is_critical_holds_this_once(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask_support, "OPTIONS", ALWAYS)
    rule(team, "critical", "fly *", needed=2)
    task = team.working()
    question = asks(team, task, "fly deploy")
    before = Rule.objects.count()
    for name in ("ada", "bob"):
        decides(team, name, question, "a")
    assert told(task) == [(1, YES)]
    assert (now(question).option_id, now(question).sent_option, Rule.objects.count()) == ("a", "y", before)
    again = asks(team, task, "fly deploy", request_id=2, call="c2")
    assert (again.state, again.needed) == ("open", 2)


def test_a_call_that_turns_out_to_be_denied_is_rejected_though_its_question_was_open(team: Team) -> None:
    rule(team, "deny", "fly *")
    task = team.working()
    question = bare(team, task)
    assert question.state == "open"
    tells(team, task, raw_input={"command": "fly deploy"}, kind="execute")
    assert (now(question).state, now(question).why) == ("void", "changed")
    full = Approval.objects.exclude(pk=question.pk).get()
    assert (full.state, full.option_kind, told(task)) == ("decided", "reject_once", [(1, NO)])
    # Nobody is asked any more: the agent's clocks go on.
    assert (fresh(task).blocked_on, fresh(task).resting_since) == ("agent", None)


def test_a_call_that_turns_out_to_be_critical_needs_as_many_as_that_says(team: Team) -> None:
    rule(team, "critical", "fly *", needed=2)
    task = team.working()
    question = bare(team, task)
    tells(team, task, raw_input={"command": "fly deploy"}, kind="execute")
    full = Approval.objects.get(state="open")
    assert (full.needed, full.asked_of) == (2, None)
    with pytest.raises(Conflict, match="wants something else by now"):
        decides(team, "ada", question)
    for name in ("ada", "carol"):
        decides(team, name, full)
    assert (told(task), Vote.objects.filter(approval=full).count()) == ([(1, YES)], 2)


def test_beside_another_question_a_rule_that_answers_leaves_the_task_waiting_for_that(team: Team) -> None:
    rule(team, "allow", "make *")
    task = team.working()
    Session.objects.filter(task=task).update(told={"folder": "/srv/ann/desk"})
    other = asks(team, task, "ls", request_id=7, call="c7")
    bare(team, task)
    tells(team, task, raw_input={"command": "make all"}, kind="execute")
    assert told(task) == [(1, YES)]
    assert (fresh(task).blocked_on, fresh(task).deadline_at) == ("person", now(other).expires_at)


@pytest.mark.parametrize(("done", "oversteps"), [("ls", 0), ("fly deploy", 1)])
def test_what_was_allowed_is_what_its_question_showed_and_nothing_else(team: Team, done: str, oversteps: int) -> None:
    rule(team, "critical", "fly *")
    task = team.working()
    decides(team, "ada", asks(team, task, "ls"))
    tells(team, task, raw_input={"command": done}, status="completed")
    assert Overstep.objects.count() == oversteps


def test_what_was_allowed_as_critical_is_no_overstep(team: Team) -> None:
    rule(team, "critical", "fly *")
    task = team.working()
    decides(team, "ada", asks(team, task, "fly deploy"))
    tells(team, task, status="completed", raw_output={"code": 0})
    assert not Overstep.objects.exists()


# What an answer rests on, when it is committed

BOTH = {"toolCallId": "b", "kind": "edit", "locations": [{"path": f"{FOLDER}/{name}/x.py"} for name in ("a", "b")]}


@pytest.mark.parametrize("revoked", [0, 1])
def test_of_several_rules_that_allow_together_each_is_in_force_when_that_is_committed(
    team: Team, monkeypatch: pytest.MonkeyPatch, revoked: int
) -> None:
    made = [make(team, "allow", kinds=["edit"], paths=[f"{name}/**"]) for name in ("a", "b")]
    task = working(team)
    assert ask(team, task, BOTH, 1).state == "decided"
    between(monkeypatch, lambda: perform(rules.revoke_rule, made[revoked].pk, actor=team.actor("ada")))
    assert ask(team, task, BOTH, 2).state == "open"


def test_nobody_allows_by_a_rule_who_loses_the_right_before_that_is_committed(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(team, "allow", by="carol", kinds=["edit"], paths=["**"])
    task, carol = working(team), team.seat("carol").pk
    between(monkeypatch, lambda: perform(members.set_role, carol, role="guest", actor=team.actor("ada")))
    assert ask(team, task, BOTH).state == "open"
