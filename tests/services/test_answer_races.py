"""Two act on one question at the same moment: one of them ends it, the agent is told once, the other is told why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from clawgroups.core.errors import ClawError, Conflict
from clawgroups.models import Approval, Entry, Session, Task, Vote
from clawgroups.services import approvals, escalating
from clawgroups.services.perform import perform
from clawgroups.services.sweep import sweep
from clawgroups.services.takeover import take_over
from tests.conftest import Team
from tests.services.ask_support import NO, YES, asks, decides, now, scribe, tells, told
from tests.services.conftest import fresh
from tests.services.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
CANCELLED = {"outcome": {"outcome": "cancelled"}}
ANSWERED = {"y": YES, "n": NO}


@pytest.fixture(autouse=True, params=range(4))
def played_again() -> None:
    """Who comes first is chance: each of these is played four times."""


def critical(team: Team, task: Task, needed: int = 2) -> Approval:
    question = asks(team, task)
    Approval.objects.filter(pk=question.pk).update(needed=needed, asked_of=None, escalates_at=None)
    return now(question)


def ends(question: Approval) -> list[str]:
    """How a question was ended, as the journal tells it."""
    kinds = ("approval.decided", "approval.expired", "approval.voided")
    rows = Entry.objects.filter(type__in=kinds, payload__approval_id=str(question.pk))
    return list(rows.values_list("type", flat=True))


def refused(results: list[object]) -> list[ClawError]:
    return [one for one in results if isinstance(one, ClawError)]


def at_rest(task: Task) -> None:
    """The task waits as its open questions ask for, at the latest after a sweep."""
    sweep(fresh(task).created_at, quiet=True)
    waits = Approval.objects.filter(task=task, state="open").exists()
    assert fresh(task).blocked_on == ("person" if waits else "agent")


def test_of_two_people_who_answer_one_decides(team: Team) -> None:
    task = team.working()
    question = asks(team, task)
    results = at_once(lambda: decides(team, "ada", question, "y"), lambda: decides(team, "bob", question, "n"))
    (late,) = refused(results)
    row = now(question)
    assert row.decided_by is not None
    assert f"{row.decided_by.name} answered this already" in str(late)
    assert row.decided_by.name == ("ada", "bob")[results.index(late) == 0]
    assert told(task) == [(1, ANSWERED[row.option_id])]
    assert ends(question) == ["approval.decided"]
    at_rest(task)


def test_an_answer_and_its_expiry(team: Team) -> None:
    task = team.working()
    question = asks(team, task)
    results = at_once(
        lambda: decides(team, "ada", question, "y"),
        lambda: perform(approvals.expire_approval, question.pk, at=question.expires_at),
    )
    (late,) = refused(results)
    state = now(question).state
    assert (state, told(task)) in (("decided", [(1, YES)]), ("expired", [(1, NO)]))
    assert late is results[0 if state == "expired" else 1]
    assert len(ends(question)) == 1
    at_rest(task)


def test_an_answer_and_the_agents_change(team: Team) -> None:
    task = team.working()
    question = asks(team, task, "ls")
    results = at_once(
        lambda: decides(team, "ada", question, "y"), lambda: tells(team, task, raw_input={"command": "rm -r x"})
    )
    if now(question).state == "decided":
        assert (refused(results), told(task)) == ([], [(1, YES)])
    else:
        (late,) = refused(results)
        assert (late.code, now(question).why, told(task)) == ("changed", "changed", [(1, NO)])
    assert len(ends(question)) == 1
    at_rest(task)


def test_an_answer_and_more_that_becomes_known(team: Team) -> None:
    task = team.working()
    question = asks(team, task, raw_input={})
    results = at_once(
        lambda: decides(team, "ada", question, "y"), lambda: tells(team, task, raw_input={"command": "rm -r x"})
    )
    if now(question).state == "decided":
        assert (refused(results), told(task)) == ([], [(1, YES)])
    else:
        (late,) = refused(results)
        assert (late.code, told(task)) == ("changed", [])
        assert Approval.objects.get(state="open").tool_call["raw_input"] == {"command": "rm -r x"}
    at_rest(task)


def test_an_answer_and_the_same_request_with_other_arguments(team: Team) -> None:
    task = team.working()
    question = asks(team, task, "ls", call="c1")
    at_once(lambda: decides(team, "ada", question, "y"), lambda: asks(team, task, "rm -r x", call="c2"))
    first, others = now(question), Approval.objects.exclude(pk=question.pk)
    if first.state == "decided":
        # Its id was free again: the agent asks for something else now.
        assert (told(task), others.get().state) == ([(1, YES)], "open")
    else:
        assert (first.why, told(task), others.exists()) == ("changed", [(1, NO)], False)
    at_rest(task)


def test_two_votes(team: Team) -> None:
    task = team.working()
    question = critical(team, task)
    results = at_once(lambda: decides(team, "ada", question), lambda: decides(team, "bob", question))
    assert refused(results) == []
    row = now(question)
    assert (row.state, row.agreed, told(task)) == ("decided", 2, [(1, YES)])
    assert set(Vote.objects.values_list("member__name", flat=True)) == {"ada", "bob"}
    voted = Entry.objects.filter(type="approval.voted").order_by("seq")
    assert [one.payload["have"] for one in voted] == [1, 2]
    at_rest(task)


def test_the_same_person_in_two_windows(team: Team) -> None:
    task = team.working()
    question = critical(team, task)
    results = at_once(lambda: decides(team, "ada", question), lambda: decides(team, "ada", question))
    assert refused(results) == []
    assert (now(question).state, now(question).agreed, Vote.objects.count(), told(task)) == ("open", 1, 1, [])


def test_three_votes_where_two_are_enough(team: Team) -> None:
    task = team.working()
    question = critical(team, task)
    acts = [lambda who=who: decides(team, who, question) for who in ("ada", "bob", "carol")]
    late = refused(at_once(*acts))
    assert len(late) == 1
    assert (now(question).state, Vote.objects.count(), told(task)) == ("decided", 2, [(1, YES)])


def test_a_vote_and_a_refusal(team: Team) -> None:
    task = team.working()
    question = critical(team, task)
    results = at_once(lambda: decides(team, "ada", question), lambda: decides(team, "bob", question, "n"))
    assert all(one is results[0] for one in refused(results))
    assert (now(question).state, now(question).option_id, told(task)) == ("decided", "n", [(1, NO)])
    at_rest(task)


def test_the_last_vote_and_a_refusal(team: Team) -> None:
    task = team.working()
    question = critical(team, task)
    decides(team, "carol", question)
    results = at_once(lambda: decides(team, "ada", question), lambda: decides(team, "bob", question, "n"))
    (late,) = refused(results)
    assert isinstance(late, Conflict)
    assert told(task) == [(1, ANSWERED[now(question).option_id])]
    assert ends(question) == ["approval.decided"]
    at_rest(task)


def test_an_escalation_and_an_answer(team: Team) -> None:
    task = team.working()
    question = asks(team, task)
    results = at_once(
        lambda: decides(team, "ada", question),
        lambda: escalating.escalate(question.pk, question.asked_at + timedelta(seconds=121)).result(),
    )
    assert refused(results) == []
    assert (now(question).state, told(task)) == ("decided", [(1, YES)])
    order = Entry.objects.filter(type__in=["approval.escalated", "approval.decided"]).order_by("seq")
    assert list(order.values_list("type", flat=True))[-1] == "approval.decided"
    at_rest(task)


def test_an_escalation_and_a_vote(team: Team) -> None:
    task = team.working()
    question = asks(team, task)
    Approval.objects.filter(pk=question.pk).update(needed=2)
    results = at_once(
        lambda: decides(team, "ada", question),
        lambda: escalating.escalate(question.pk, question.asked_at + timedelta(seconds=121)).result(),
    )
    assert refused(results) == []
    assert (now(question).agreed, now(question).asked_of) == (1, None)


@pytest.mark.parametrize("needed", [1, 2])
def test_a_takeover_and_an_answer(team: Team, needed: int) -> None:
    task = team.working()
    question = critical(team, task, needed)
    results = at_once(
        lambda: decides(team, "ada", question), lambda: perform(take_over, task.pk, actor=team.actor("bob"))
    )
    assert fresh(task).state == "held"
    row = now(question)
    if row.state == "decided":
        assert (needed, refused(results), told(task)) == (1, [], [(1, YES)])
    else:
        assert (row.state, row.why, told(task)) == ("void", "taken_over", [(1, CANCELLED)])
        assert all("bob took the task over" in str(one) for one in refused(results))
    assert len(ends(question)) == 1


def test_an_answer_and_the_agents_withdrawal(team: Team) -> None:
    task = team.working()
    question = asks(team, task)
    session = Session.objects.get(task=task)
    results = at_once(
        lambda: decides(team, "ada", question),
        lambda: perform(approvals.withdraw_approval, session.pk, request_id=1, actor=scribe(team)),
    )
    (late,) = refused(results)
    decided = now(question).state == "decided"
    assert late is results[1 if decided else 0]
    assert told(task) == ([(1, YES)] if decided else [])
    at_rest(task)


def test_two_questions_of_one_turn_answered_at_once(team: Team) -> None:
    task = team.working()
    one, two = asks(team, task, "ls"), asks(team, task, "make", request_id=2, call="c2")
    results: list[Any] = at_once(lambda: decides(team, "ada", one), lambda: decides(team, "bob", two, "n"))
    assert refused(results) == []
    assert sorted(told(task)) == [(1, YES), (2, NO)]
    at_rest(task)
    assert fresh(task).blocked_on == "agent"
