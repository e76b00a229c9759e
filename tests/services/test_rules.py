"""Rules that answer agents: at the moment of the question, by what a person chose for good, and only while in force."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.errors import ClawError, Conflict, Forbidden, Invalid, NotFound
from clawgroups.models import Approval, AuditRow, Command, Entry, Rule, Session, Task
from clawgroups.services import approvals, members, putting, rules, workspaces
from clawgroups.services.perform import perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db

FOLDER = "/home/ann/work"
OPTIONS = [
    {"optionId": "always", "kind": "allow_always", "name": "Always"},
    {"optionId": "yes", "kind": "allow_once", "name": "Yes"},
    {"optionId": "no", "kind": "reject_once", "name": "No"},
    {"optionId": "never", "kind": "reject_always", "name": "Never"},
]
MAKE = {"toolCallId": "c1", "kind": "execute", "title": "Build", "raw_input": {"command": "make all"}}
PUSH = {"toolCallId": "c2", "kind": "execute", "title": "Publish", "raw_input": {"command": "git push"}}


def working(team: Team, name: str = "scribe") -> Task:
    """A task in the middle of a turn, in a folder that the connector has told."""
    task = team.assigned(name)
    team.send(name)
    team.answer(name, {"sessionId": f"acp-{task.pk}", "_meta": {"clawgroups": {"cwd": FOLDER}}})
    team.send(name)
    return Task.objects.get(pk=task.pk)


def ask(team: Team, task: Task, call: dict[str, Any], number: int = 1, **more: Any) -> Approval:
    """The agent asks in the middle of its turn."""
    session = Session.objects.get(attempt=task.attempt)
    me = Actor(ActorKind.AGENT, "Scribe", agent_id=session.agent_id)
    options: Sequence[dict[str, str]] = more.pop("options", OPTIONS)
    said = {"request_id": number, "tool_call": call, "options": options, "actor": me, **more}
    return Approval.objects.get(pk=perform(putting.request_approval, session.pk, **said).answer["id"])


def make(team: Team, answer: str, *, by: str = "ada", **about: Any) -> Rule:
    outcome = perform(rules.make_rule, team.workspace.pk, answer=answer, actor=team.actor(by), **about)
    return Rule.objects.get(pk=outcome.answer["id"])


def told(number: int = 1) -> dict[str, Any] | None:
    """What the agent is answered."""
    found = [one for one in Command.objects.filter(purpose="reply") if one.params["id"] == number]
    return found[0].params["result"]["outcome"] if found else None


def chose(option: str) -> dict[str, str]:
    return {"outcome": "selected", "optionId": option}


def decide(team: Team, question: Approval, option: str, by: str = "bob") -> Approval:
    perform(approvals.decide_approval, question.pk, option_id=option, actor=team.actor(by))
    question.refresh_from_db()
    return question


# At the moment of the question


def test_a_rule_answers_before_anybody_is_asked_and_says_so(team: Team) -> None:
    task, rule = working(team), make(team, "allow", kinds=["execute"])
    question = ask(team, task, MAKE)
    assert (question.state, question.option_kind, question.rule, question.decided_by) == (
        "decided",
        "allow_once",
        rule,
        None,
    )
    assert told() == chose("yes")
    types = team.journal()
    assert "approval.requested" not in types
    entry = Entry.objects.get(workspace=team.workspace, type="approval.decided")
    assert entry.payload["rule_id"] == str(rule.pk)
    assert Task.objects.get(pk=task.pk).blocked_on == "agent"
    assert AuditRow.objects.filter(action="approval.decided").exists()


def test_a_question_that_is_put_again_is_answered_once(team: Team) -> None:
    task = working(team)
    make(team, "allow", kinds=["execute"])
    ask(team, task, MAKE)
    ask(team, task, MAKE)
    assert Approval.objects.count() == 1
    assert Command.objects.filter(purpose="reply").count() == 1


def test_what_is_denied_is_rejected_at_once(team: Team) -> None:
    make(team, "deny", commands=["make *"])
    task = working(team)
    assert ask(team, task, MAKE).option_kind == "reject_once"
    assert told() == chose("no")
    only_yes = [{"optionId": "yes", "kind": "allow_once"}]
    question = ask(team, task, MAKE, 2, options=only_yes)
    assert (question.state, question.option_kind, question.option_id) == ("decided", "reject_once", "")
    assert told(2) == {"outcome": "cancelled"}


def test_where_no_option_allows_beyond_doubt_people_are_asked(team: Team) -> None:
    make(team, "allow", kinds=["execute"])
    two = [{"optionId": "a", "kind": "allow_once"}, {"optionId": "b", "kind": "allow_once"}]
    assert ask(team, working(team), MAKE, options=two).state == "open"


def test_where_only_an_always_is_offered_that_is_what_is_allowed(team: Team) -> None:
    make(team, "allow", kinds=["execute"])
    ask(team, working(team), MAKE, options=OPTIONS[:1])
    assert told() == chose("always")


def test_what_is_critical_is_asked_of_as_many_as_its_rule_says(team: Team) -> None:
    make(team, "allow", kinds=["execute"])
    rule = make(team, "critical", commands=["git push *"], needed=2)
    question = ask(team, working(team), PUSH)
    assert (question.state, question.rule, question.needed) == ("open", rule, 2)
    assert told() is None


def test_forms_and_questions_are_never_answered_by_a_rule(team: Team) -> None:
    Rule.objects.filter(workspace=team.workspace).delete()
    make(team, "deny", kinds=["other"])
    session = Session.objects.get(attempt=working(team).attempt)
    me = Actor(ActorKind.AGENT, "Scribe", agent_id=session.agent_id)
    form = {"type": "object", "properties": {"name": {"type": "string"}}}
    perform(putting.request_form, session.pk, request_id=1, message="?", form=form, tool_call_id="", actor=me)
    question = Approval.objects.get()
    assert (question.state, question.rule) == ("open", None)


def test_a_question_of_an_attempt_that_is_over_is_answered_by_no_rule(team: Team) -> None:
    make(team, "allow", kinds=["execute"])
    task = working(team)
    attempt = task.attempt
    team.finish("scribe", "Done.")
    session = Session.objects.get(attempt=attempt)
    me = Actor(ActorKind.AGENT, "Scribe", agent_id=session.agent_id)
    perform(putting.request_approval, session.pk, request_id=1, tool_call=MAKE, options=OPTIONS, actor=me)
    assert Approval.objects.get().state == "void"


@pytest.mark.parametrize("about", ["agent", "run"])
def test_a_rule_for_another_agent_or_run_does_not_count(team: Team, about: str) -> None:
    other = team.run([{"key": "x", "title": "X"}], start=False)
    said: dict[str, Any] = {"agent_id": team.agents["counter"].pk} if about == "agent" else {"run_id": other.pk}
    make(team, "deny", kinds=["execute"], **said)
    task = working(team)
    assert ask(team, task, MAKE).state == "open"
    said = {"agent_id": team.agents["scribe"].pk} if about == "agent" else {"run_id": task.run_id}
    make(team, "deny", kinds=["execute"], **said)
    assert ask(team, task, MAKE, 2).state == "decided"


def test_a_rule_counts_while_it_is_in_force(team: Team) -> None:
    task = working(team)
    rule = make(team, "allow", kinds=["execute"], seconds=3600)
    assert ask(team, task, MAKE, 1).state == "decided"
    Rule.objects.filter(pk=rule.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert ask(team, task, MAKE, 2).state == "open"
    Rule.objects.filter(pk=rule.pk).update(expires_at=None)
    perform(rules.revoke_rule, rule.pk, actor=team.actor("ada"))
    assert ask(team, task, MAKE, 3).state == "open"
    perform(rules.restore_rule, rule.pk, actor=team.actor("ada"))
    assert ask(team, task, MAKE, 4).state == "decided"
    assert team.journal().count("rule.made") == 2
    assert team.journal().count("rule.revoked") == 1


def test_nobody_allows_anything_by_a_rule_who_may_not_answer_any_more(team: Team) -> None:
    task = working(team)
    make(team, "allow", by="carol", kinds=["execute"])
    deny = make(team, "deny", by="carol", commands=["make deploy"])
    assert ask(team, task, MAKE, 1).state == "decided"
    perform(members.set_role, team.seat("carol").pk, role="guest", actor=team.actor("ada"))
    assert ask(team, task, MAKE, 2).state == "open"
    # What was denied stays denied.
    assert ask(team, task, {**MAKE, "raw_input": {"command": "make deploy"}}, 3).rule == deny


def test_a_rule_of_another_workspace_says_nothing_here(team: Team) -> None:
    ada = team.actor("ada")
    other = perform(workspaces.create_workspace, name="Other", actor=ada).answer["id"]
    perform(rules.make_rule, UUID(other), answer="allow", kinds=["execute"], actor=ada)
    assert ask(team, working(team), MAKE).state == "open"


def test_a_path_is_allowed_in_the_folder_that_the_connector_has_told(team: Team) -> None:
    make(team, "allow", kinds=["edit"], paths=["**"])
    task = working(team)
    edit = {"toolCallId": "e", "kind": "edit", "locations": [{"path": f"{FOLDER}/a.py"}]}
    assert ask(team, task, edit, 1).state == "decided"
    assert ask(team, task, {**edit, "locations": [{"path": "/etc/passwd"}]}, 2).state == "open"


def test_without_a_folder_that_is_known_no_path_is_allowed(team: Team) -> None:
    make(team, "allow", kinds=["edit"], paths=["**"])
    edit = {"toolCallId": "e", "kind": "edit", "locations": [{"path": f"{FOLDER}/a.py"}]}
    assert ask(team, team.working(), edit).state == "open"


# What a person chose for good


def test_an_always_becomes_a_rule_and_the_agent_is_told_once(team: Team) -> None:
    task = working(team)
    question = decide(team, ask(team, task, MAKE), "always")
    assert (question.option_id, question.option_kind, question.sent_option) == ("always", "allow_always", "yes")
    assert told() == chose("yes")
    rule = Rule.objects.get(workspace=team.workspace, answer="allow")
    assert (rule.exactly, rule.agent, rule.run) == (question.sameness, team.agents["scribe"], None)
    assert (rule.made_from, rule.made_by, rule.note) == (question.pk, team.seat("bob"), "Build")
    assert rule.expires_at is not None
    assert timedelta(days=29) < rule.expires_at - timezone.now() <= timedelta(days=30)
    again = ask(team, task, {**MAKE, "toolCallId": "c9", "title": "Something else"}, 2)
    assert (again.state, again.rule, told(2)) == ("decided", rule, chose("yes"))
    # Only exactly that.
    assert ask(team, task, {**MAKE, "raw_input": {"command": "make all2"}}, 3).state == "open"


def test_a_never_becomes_a_rule_as_well(team: Team) -> None:
    task = working(team)
    decide(team, ask(team, task, MAKE), "never")
    assert told() == chose("no")
    assert ask(team, task, MAKE, 2).option_kind == "reject_once"


def test_an_always_is_for_the_agent_that_asked(team: Team) -> None:
    decide(team, ask(team, working(team), MAKE), "always")
    assert ask(team, working(team, "counter"), MAKE, 7).state == "open"


def test_an_always_that_is_chosen_twice_is_one_rule(team: Team) -> None:
    task = working(team)
    two = [ask(team, task, MAKE, number) for number in (1, 2)]
    for one in two:
        decide(team, one, "always")
    assert Rule.objects.filter(workspace=team.workspace, answer="allow").count() == 1


def test_a_once_is_no_rule(team: Team) -> None:
    task = working(team)
    assert decide(team, ask(team, task, MAKE), "yes").sent_option == ""
    assert ask(team, task, MAKE, 2).state == "open"


def test_what_is_critical_is_asked_for_ever(team: Team) -> None:
    task = working(team)
    question = decide(team, ask(team, task, PUSH), "always")
    assert (question.sent_option, told()) == ("yes", chose("yes"))
    assert not Rule.objects.filter(workspace=team.workspace, answer="allow").exists()
    assert ask(team, task, PUSH, 2).state == "open"
    # Also where it was called so only after it was asked.
    later = ask(team, task, MAKE, 3)
    make(team, "critical", commands=["make *"])
    decide(team, later, "always")
    assert not Rule.objects.filter(workspace=team.workspace, answer="allow").exists()


def test_what_was_allowed_for_good_before_it_was_called_critical_is_asked_again(team: Team) -> None:
    task = working(team)
    decide(team, ask(team, task, MAKE), "always")
    make(team, "critical", commands=["make *"])
    assert ask(team, task, MAKE, 2).state == "open"


def test_what_does_not_say_what_it_does_is_allowed_once_only(team: Team) -> None:
    task = working(team)
    question = decide(team, ask(team, task, {"toolCallId": "x", "kind": "other", "title": "Do it"}), "always")
    assert (question.sameness, question.sent_option) == ("", "yes")
    assert not Rule.objects.filter(workspace=team.workspace, answer="allow").exists()


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


def test_a_dry_run_of_others_questions_is_for_the_team(team: Team) -> None:
    for who, fault in (("gus", Forbidden), ("mallory", NotFound)):
        with pytest.raises(fault):
            rules.try_rule(team.workspace.pk, answer="deny", kinds=["edit"], actor=team.actor(who))
