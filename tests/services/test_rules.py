"""Rules that answer agents: at the moment of the question, by what a person chose for good, while in force."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from clawgroups.core.actors import Actor, ActorKind
from clawgroups.models import Approval, AuditRow, Command, Entry, Rule, Session, Task
from clawgroups.services import members, putting, rules, workspaces
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.rule_support import FOLDER, MAKE, OPTIONS, PUSH, ask, chose, decide, make, told, working

pytestmark = pytest.mark.django_db


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
    # Whoever asks has decided nothing.
    assert entry.actor["kind"] == "system"
    assert Task.objects.get(pk=task.pk).blocked_on == "agent"
    assert AuditRow.objects.get(action="approval.decided").who == "Claw Groups"


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
