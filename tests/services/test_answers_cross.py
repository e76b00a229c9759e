"""One acts between another's decision and its commit: what was decided from an old look does not count."""

from __future__ import annotations

import pytest

from clawgroups.core.errors import Conflict
from clawgroups.models import Approval, Vote
from clawgroups.services import approvals, escalating
from clawgroups.services.perform import perform
from clawgroups.services.takeover import take_over
from tests.conftest import Team
from tests.services.ask_support import NO, YES, asks, decides, now, tells, told
from tests.services.conftest import Clock, fresh
from tests.services.races import between

pytestmark = pytest.mark.django_db


def test_an_agent_that_changes_its_call_before_an_answer_is_committed_is_not_let_go_on(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = team.working()
    question = asks(team, task, "ls")
    between(monkeypatch, lambda: tells(team, task, raw_input={"command": "rm -r x"}))
    with pytest.raises(Conflict) as refused:
        decides(team, "ada", question)
    assert (refused.value.code, told(task)) == ("changed", [(1, NO)])


def test_nor_is_one_of_whose_call_more_becomes_known(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    task = team.working()
    question = asks(team, task, raw_input={})
    between(monkeypatch, lambda: tells(team, task, raw_input={"command": "rm -r x"}))
    with pytest.raises(Conflict) as refused:
        decides(team, "ada", question, digest="")
    assert (refused.value.code, told(task)) == ("changed", [])
    assert Approval.objects.get(state="open").tool_call["raw_input"] == {"command": "rm -r x"}


def test_what_was_answered_before_a_change_is_committed_stands(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    task = team.working()
    question = asks(team, task, "ls")
    between(monkeypatch, lambda: decides(team, "ada", question))
    tells(team, task, raw_input={"command": "rm -r x"})
    assert (now(question).state, told(task)) == ("decided", [(1, YES)])


def test_the_second_of_two_people_is_told_who_was_first(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    task = team.working()
    question = asks(team, task)
    between(monkeypatch, lambda: decides(team, "bob", question, "n"))
    with pytest.raises(Conflict, match="bob answered this already: “Reject”"):
        decides(team, "ada", question)
    assert told(task) == [(1, NO)]


def test_a_vote_between_the_decision_and_the_commit_of_another_is_counted(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = team.working()
    question = asks(team, task)
    Approval.objects.filter(pk=question.pk).update(needed=2)
    between(monkeypatch, lambda: decides(team, "bob", question))
    assert decides(team, "ada", question)["state"] == "decided"
    assert (Vote.objects.count(), now(question).agreed, told(task)) == (2, 2, [(1, YES)])


def test_a_refusal_between_is_the_end_of_it(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    task = team.working()
    question = asks(team, task)
    Approval.objects.filter(pk=question.pk).update(needed=2)
    between(monkeypatch, lambda: decides(team, "bob", question, "n"))
    with pytest.raises(Conflict, match="bob answered this already"):
        decides(team, "ada", question)
    assert (Vote.objects.count(), told(task)) == (0, [(1, NO)])


def test_a_question_that_is_put_to_the_next_ones_while_somebody_answers_is_answered(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = team.working()
    question = asks(team, task)
    between(monkeypatch, lambda: escalating.escalate(question.pk, question.expires_at).result())
    decides(team, "ada", question)
    assert (now(question).state, now(question).asked_of, told(task)) == ("decided", None, [(1, YES)])


def test_who_answers_while_the_task_is_taken_over_lets_nobody_go_on(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = team.working()
    question = asks(team, task)
    between(monkeypatch, lambda: perform(take_over, task.pk, actor=team.actor("bob")))
    with pytest.raises(Conflict, match="bob took the task over"):
        decides(team, "ada", question)
    assert told(task) == [(1, {"outcome": {"outcome": "cancelled"}})]


def test_a_takeover_that_an_answer_crosses_is_decided_again(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    task = team.working()
    question = asks(team, task)
    between(monkeypatch, lambda: decides(team, "ada", question))
    perform(take_over, task.pk, actor=team.actor("bob"))
    assert (fresh(task).state, now(question).state, told(task)) == ("held", "decided", [(1, YES)])


def test_an_answer_in_the_last_moment_counts_and_so_does_its_end(
    clock: Clock, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = team.working()
    one, two = asks(team, task), asks(team, task, "make", request_id=2, call="c2")
    between(monkeypatch, lambda: decides(team, "ada", one))
    clock.sweep(601)
    assert (now(one).state, now(two).state) == ("decided", "expired")
    three = asks(team, task, "cat", request_id=3, call="c3")
    between(monkeypatch, lambda: perform(approvals.expire_approval, three.pk))
    with pytest.raises(Conflict, match="Nobody answered in time"):
        decides(team, "ada", three)
    assert told(task) == [(1, YES), (2, NO), (3, NO)]
