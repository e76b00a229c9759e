"""Whom a question is put to, for how long, and who is asked next."""

from __future__ import annotations

import pytest
from django.utils import timezone

from clawgroups.core.actors import SYSTEM
from clawgroups.models import Approval, Entry, Member, Workspace
from clawgroups.services import escalating, outage, steering
from clawgroups.services.routing import put_to
from tests.conftest import Team
from tests.services.ask_support import asks, decides, now, scribe, told
from tests.services.conftest import Clock, fresh
from tests.services.steer_support import asked, held_by_bob

pytestmark = pytest.mark.django_db


def names(approval: Approval, team: Team) -> set[str]:
    """Whom it is put to."""
    return {name for name, user in team.users.items() if Approval.objects.filter(put_to(user), pk=approval.pk).exists()}


def escalations(approval: Approval) -> list[str | None]:
    rows = Entry.objects.filter(type="approval.escalated", payload__approval_id=str(approval.pk)).order_by("seq")
    return [row.payload.get("to_id") for row in rows]


def test_it_is_put_to_the_agents_owner_first_and_then_to_everybody_who_may_answer(clock: Clock, team: Team) -> None:
    task = team.working()
    asked_now = asks(team, task)
    assert (asked_now.asked_of, asked_now.escalates_at) == (team.seat("ada"), clock.at(120))
    assert names(asked_now, team) == {"ada"}
    assert fresh(task).next_actor == "ada"
    clock.sweep(119)
    assert now(asked_now).asked_of == team.seat("ada")
    clock.sweep(1)
    assert (now(asked_now).asked_of, now(asked_now).escalates_at) == (None, None)
    assert names(asked_now, team) == {"ada", "bob", "carol"}
    assert escalations(asked_now) == [None]
    clock.sweep(300)
    assert escalations(asked_now) == [None]


def test_who_holds_the_task_is_asked_before_the_owner(clock: Clock, team: Team) -> None:
    task = held_by_bob(team)
    asked(team, task)
    question = asks(team, task)
    assert question.asked_of == team.seat("bob")
    assert names(question, team) == {"bob"}
    clock.sweep(121)
    assert now(question).asked_of == team.seat("ada")
    assert names(question, team) == {"ada", "bob"}
    clock.sweep(121)
    assert now(question).asked_of is None
    assert escalations(question) == [str(team.seat("ada").pk), None]
    assert fresh(task).next_actor == "bob"


def test_anybody_who_may_answers_wherever_they_see_it(team: Team) -> None:
    task = team.working()
    question = asks(team, task)
    assert names(question, team) == {"ada"}
    decides(team, "carol", question)
    assert now(question).decided_by == team.seat("carol")


def test_a_question_whose_person_has_left_or_may_not_answer_any_more_goes_on_at_once(clock: Clock, team: Team) -> None:
    question = asks(team, team.working())
    Member.objects.filter(pk=team.seat("ada").pk).update(role="guest")
    assert names(question, team) == set()
    clock.sweep(1)
    assert names(question, team) == {"bob", "carol"}


def test_the_owner_of_an_agent_who_is_no_member_here_is_passed_over(team: Team) -> None:
    task = team.working()
    Member.objects.filter(pk=team.seat("ada").pk).update(left_at=timezone.now())
    question = asks(team, task)
    assert (question.asked_of, question.escalates_at) == (None, None)
    assert names(question, team) == {"bob", "carol"}


def test_where_nobody_else_may_answer_there_is_nobody_to_go_on_to(clock: Clock, team: Team) -> None:
    task = team.working()
    Member.objects.filter(user__in=[team.users["bob"], team.users["carol"]]).update(role="guest")
    question = asks(team, task)
    assert (question.asked_of, question.escalates_at) == (team.seat("ada"), None)
    clock.sweep(500)
    assert escalations(question) == []


def test_others_are_asked_before_it_expires_however_short_that_is(clock: Clock, team: Team) -> None:
    Workspace.objects.filter(pk=team.workspace.pk).update(timers={"approval": 60})
    question = asks(team, team.working())
    assert question.escalates_at == clock.at(20)
    clock.sweep(21)
    assert escalations(question) == [None]
    clock.sweep(40)
    assert now(question).state == "expired"
    assert escalations(question) == [None]


def test_an_outage_of_ours_counts_for_nobody(clock: Clock, team: Team) -> None:
    question = asks(team, team.working())
    clock.go(100)
    outage.make_up(clock.now, clock.at(400))
    assert (now(question).escalates_at, now(question).expires_at) == (clock.at(420), clock.at(900))


def test_a_question_that_was_answered_is_not_put_to_anybody_else(clock: Clock, team: Team) -> None:
    task = team.working()
    question = asks(team, task)
    late = escalating.due(clock.at(121), 10)
    decides(team, "ada", question)
    outcome = late[0]().result()
    assert not outcome.applied
    assert (now(question).state, escalations(question)) == ("decided", [])
    assert len(told(task)) == 1


def test_the_task_waits_for_whoever_is_asked_first_of_several(clock: Clock, team: Team) -> None:
    task = team.working()
    first = asks(team, task)
    clock.go(60)
    second = asks(team, task, "rm x", request_id=2, call="c2")
    assert fresh(task).deadline_at == first.expires_at
    decides(team, "ada", first)
    assert (fresh(task).blocked_on, fresh(task).deadline_at) == ("person", second.expires_at)
    decides(team, "ada", second, "n")
    assert fresh(task).blocked_on == "agent"
    assert [request for request, _ in told(task)] == [1, 2]


def test_who_escalates_is_the_system_and_the_steered_agent_asks_on_behalf_of_its_holder(
    clock: Clock, team: Team
) -> None:
    task = held_by_bob(team)
    asked(team, task)
    question = asks(team, task)
    clock.sweep(121)
    put, gone_on = Entry.objects.filter(type__in=["approval.requested", "approval.escalated"]).order_by("seq")
    assert (put.actor["agent"], put.actor["on_behalf_of"]) == (str(scribe(team).agent_id), team.users["bob"].pk)
    assert gone_on.actor == SYSTEM.as_json()
    assert now(question).state == "open"
    assert steering.running(question.session) is not None
