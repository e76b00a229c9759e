"""Several people must agree to what is critical; one of them is enough to refuse it."""

from __future__ import annotations

import pytest
from django.utils import timezone

from clawgroups.core.errors import Conflict, Forbidden
from clawgroups.models import Approval, Entry, Member, Task, Vote
from clawgroups.services.perform import perform
from clawgroups.services.routing import put_to
from clawgroups.services.takeover import take_over
from tests.conftest import Team
from tests.services.ask_support import NO, YES, asks, decides, now, told
from tests.services.conftest import Clock, fresh

pytestmark = pytest.mark.django_db


def critical(team: Team, task: Task, needed: int = 2) -> Approval:
    """A rule calls it critical."""
    question = asks(team, task)
    Approval.objects.filter(pk=question.pk).update(needed=needed, asked_of=None, escalates_at=None)
    return now(question)


def told_of(question: Approval) -> list[str]:
    rows = Entry.objects.filter(payload__approval_id=str(question.pk)).order_by("seq")
    return list(rows.values_list("type", flat=True))


def test_it_passes_once_so_many_have_agreed(team: Team) -> None:
    task = team.working()
    question = critical(team, task)
    assert decides(team, "ada", question) == {"id": str(question.pk), "state": "open", "have": 1, "needed": 2}
    assert (now(question).state, told(task), fresh(task).blocked_on) == ("open", [], "person")
    assert decides(team, "bob", question)["state"] == "decided"
    assert told(task) == [(1, YES)]
    assert now(question).decided_by == team.seat("bob")
    assert list(Vote.objects.values_list("member__name", flat=True)) == ["ada", "bob"]
    assert told_of(question) == ["approval.requested", "approval.voted", "approval.voted", "approval.decided"]
    assert fresh(task).blocked_on == "agent"


def test_the_same_person_twice_changes_nothing(team: Team) -> None:
    task = team.working()
    question = critical(team, task)
    decides(team, "ada", question)
    assert decides(team, "ada", question) == {"id": str(question.pk), "state": "open", "have": 1, "needed": 2}
    assert (now(question).agreed, Vote.objects.count(), told(task)) == (1, 1, [])
    assert told_of(question).count("approval.voted") == 1


def test_one_who_refuses_decides_at_once(team: Team) -> None:
    task = team.working()
    question = critical(team, task, 3)
    decides(team, "ada", question)
    assert decides(team, "carol", question, "n")["state"] == "decided"
    assert told(task) == [(1, NO)]
    with pytest.raises(Conflict, match="carol answered this already: “Reject”"):
        decides(team, "bob", question)
    assert Vote.objects.count() == 1


def test_who_has_agreed_is_not_asked_again_and_the_others_are(team: Team) -> None:
    question = critical(team, team.working())
    decides(team, "ada", question)
    mine = {
        name: Approval.objects.filter(put_to(team.users[name]), pk=question.pk).exists()
        for name in ("ada", "bob", "carol", "gus", "mallory")
    }
    assert mine == {"ada": False, "bob": True, "carol": True, "gus": False, "mallory": False}


def test_the_vote_of_somebody_who_has_left_does_not_count(team: Team) -> None:
    task = team.working()
    question = critical(team, task)
    decides(team, "carol", question)
    Member.objects.filter(pk=team.seat("carol").pk).update(left_at=timezone.now())
    assert decides(team, "ada", question)["have"] == 1
    assert told(task) == []
    assert decides(team, "bob", question)["state"] == "decided"


def test_who_may_not_answer_may_not_agree(team: Team) -> None:
    question = critical(team, team.working())
    with pytest.raises(Forbidden):
        decides(team, "gus", question)
    assert not Vote.objects.exists()


def test_without_enough_of_them_it_ends_as_a_refusal(clock: Clock, team: Team) -> None:
    task = team.working()
    question = critical(team, task)
    decides(team, "ada", question)
    clock.sweep(601)
    assert (now(question).state, told(task)) == ("expired", [(1, NO)])


def test_whoever_takes_the_task_over_makes_their_agreement_void(team: Team) -> None:
    task = team.working()
    question = critical(team, task)
    decides(team, "ada", question)
    perform(take_over, task.pk, actor=team.actor("bob"))
    assert (now(question).state, now(question).why) == ("void", "taken_over")
    with pytest.raises(Conflict, match="bob took the task over"):
        decides(team, "carol", question)
