"""People as workers: given a task by name, asked, declining, passing it on; with their hours and what they can take."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from clawgroups.core.errors import Conflict, Invalid
from clawgroups.fragments.story import story_of
from clawgroups.models import Attempt, Member, Message, Task
from clawgroups.queries import asked_now
from clawgroups.services import drafts, handback, takeover, tasks, texts
from clawgroups.services.asking import ask_member, decline_task
from clawgroups.services.delegating import delegate_task
from clawgroups.services.perform import perform
from clawgroups.services.sweep import sweep
from tests.conftest import Team
from tests.coordinator.test_people import may_be_asked, turn

pytestmark = pytest.mark.django_db


def fresh(task: Task) -> Task:
    return Task.objects.select_related("run", "workspace").get(pk=task.pk)


def asked(task: Task) -> UUID | None:
    return asked_now(fresh(task), timezone.now())


def held(team: Team, who: str = "bob", **more: Any) -> Task:
    task = team.one_task(**more)
    perform(takeover.take_over, task.pk, actor=team.actor(who))
    perform(drafts.save_draft, task.pk, text="Half of it", actor=team.actor(who))
    return fresh(task)


def give(team: Team, task: Task, to: str, by: str = "bob", **more: Any) -> None:
    perform(handback.reassign_task, task.pk, member_id=team.seat(to).pk, actor=team.actor(by), **more)


def silent(task: Task) -> None:
    """The time in which whoever is asked could have answered is over."""
    Task.objects.filter(pk=task.pk).update(deadline_at=timezone.now() - timedelta(seconds=1))
    sweep(timezone.now(), quiet=False)


def test_a_person_who_is_given_a_held_task_is_asked_and_goes_on_from_the_givers_work(team: Team) -> None:
    may_be_asked(team, "carol", "writing")
    task = held(team)
    give(team, task, "carol", note="The north is done")
    task = fresh(task)
    assert (task.state, task.holder, task.next_actor, task.blocked_on) == ("ready", None, "carol", "person")
    assert asked(task) == team.seat("carol").pk
    assert "bob asks carol to go on with it" in task.reason
    # The coordinator leaves it to carol.
    assert turn(team, task).next_actor == "carol"
    made = perform(takeover.take_over, task.pk, actor=team.actor("carol"))
    attempt = Attempt.objects.get(pk=made.answer["attempt"])
    assert texts.text_so_far(attempt) == "Half of it"
    assert attempt.brief["handback"]["note"] == "The north is done"
    assert "task.handed_back" in team.journal()


def test_who_says_no_sends_it_back_to_the_giver_who_is_told_why(team: Team) -> None:
    may_be_asked(team, "carol", "writing")
    task = held(team)
    give(team, task, "carol")
    perform(decline_task, task.pk, reason="I know nothing of the north", actor=team.actor("carol"))
    assert asked(task) == team.seat("bob").pk
    assert fresh(task).brief["returned"]["reason"] == "I know nothing of the north"
    said = Message.objects.get(task=task).body
    assert said.startswith("@bob: “Write it up”: carol said “not this one”: I know nothing of the north.")
    # Bob may have it after all, with what he had done; or let somebody else be looked for.
    perform(decline_task, task.pk, actor=team.actor("bob"))
    task = turn(team, task)
    assert task.assignee == team.seat("scribe")


def test_who_does_not_answer_sends_it_back_too(team: Team) -> None:
    may_be_asked(team, "carol", "writing")
    task = held(team)
    give(team, task, "carol")
    silent(task)
    assert asked(task) == team.seat("bob").pk
    assert fresh(task).brief["returned"]["silent"] is True
    silent(task)
    assert asked(task) is None
    assert turn(team, task).assignee == team.seat("scribe")


def test_it_does_not_go_back_to_somebody_who_has_left(team: Team) -> None:
    may_be_asked(team, "carol", "writing")
    task = held(team)
    give(team, task, "carol")
    Member.objects.filter(name="bob").update(left_at=timezone.now())
    perform(decline_task, task.pk, actor=team.actor("carol"))
    assert asked(task) is None
    assert turn(team, task).assignee == team.seat("scribe")


@pytest.mark.parametrize("capacity", [0, 1])
def test_nobody_is_given_more_than_they_said_unless_the_giver_says_so(team: Team, capacity: int) -> None:
    may_be_asked(team, "carol", "writing", capacity=capacity)
    first = held(team, "carol", key="first")
    task = held(team)
    said = "carol has 1 of 1" if capacity else "carol has not said that they may be asked"
    with pytest.raises(Conflict, match=said) as refused:
        give(team, task, "carol")
    assert refused.value.code == "at_capacity"
    assert fresh(task).holder == team.seat("bob")
    give(team, task, "carol", anyway=True)
    assert asked(task) == team.seat("carol").pk
    assert fresh(first).holder == team.seat("carol")


def test_a_persons_choice_may_pass_over_hours_and_says_which_skill_is_missing(team: Team) -> None:
    far = {"zone": "UTC", "days": [(timezone.now() + timedelta(days=3)).strftime("%a").lower()], "from": "12:00"}
    may_be_asked(team, "carol", "writing", hours={**far, "to": "12:30"})
    task = team.one_task()
    perform(tasks.assign_task, task.pk, member_id=team.seat("carol").pk, actor=team.actor("ada"))
    assert asked(task) == team.seat("carol").pk
    other = team.one_task(key="law", skills=["law"])
    may_be_asked(team, "bob", "writing")
    with pytest.raises(Conflict, match="bob has not said that they can do law"):
        perform(ask_member, other.pk, member_id=team.seat("bob").pk, actor=team.actor("ada"))


def test_a_task_that_nobody_holds_is_given_through_the_same_door(team: Team) -> None:
    may_be_asked(team, "carol", "writing")
    ready, working = team.one_task(key="ready"), team.working()
    give(team, ready, "carol", "ada", note="You know them")
    assert asked(ready) == team.seat("carol").pk
    perform(decline_task, ready.pk, reason="No time", actor=team.actor("carol"))
    # It was never in ada's hands: she is told, and the next one is looked for.
    assert asked(ready) is None
    assert "@ada:" in Message.objects.get(task=ready).body
    with pytest.raises(Conflict, match="Scribe is at work on it"):
        give(team, working, "carol", "ada")
    give(team, working, "carol", "ada", stop=True)
    assert turn(team, working).next_actor == "carol"
    mine = held(team, "bob", key="held")
    with pytest.raises(Conflict, match="bob holds it now"):
        give(team, mine, "carol", "ada")


def test_an_agent_that_is_chosen_is_told_the_note(team: Team) -> None:
    task = team.one_task()
    give(team, task, "scribe", "ada", note="Mind the commas")
    assert turn(team, task).assignee == team.seat("scribe")
    team.send("scribe")
    team.answer("scribe", {"sessionId": "s"})
    (work,) = team.send("scribe")
    assert "Note of ada, who chose you for it\n> Mind the commas" in work.params["prompt"][0]["text"]


# Passing the question on


def way(task: Task) -> list[str]:
    return [f"{one['from_name']} {one['to_name']}" for one in fresh(task).brief.get("given", [])]


def test_the_question_is_passed_on_comes_back_step_by_step_and_shows_its_way(team: Team) -> None:
    may_be_asked(team, "carol", "writing")
    may_be_asked(team, "ada", "writing")
    task = held(team)
    give(team, task, "carol", note="The north is done")
    perform(delegate_task, task.pk, member_id=team.seat("ada").pk, note="You know it", actor=team.actor("carol"))
    assert asked(task) == team.seat("ada").pk
    assert way(task) == ["bob carol", "carol ada"]
    for name, code in (("bob", "had_it_before"), ("carol", "had_it_before"), ("ada", "had_it_before")):
        with pytest.raises(Conflict) as refused:
            perform(delegate_task, task.pk, member_id=team.seat(name).pk, actor=team.actor("ada"))
        assert refused.value.code == code
    with pytest.raises(Conflict, match="not asked for this task any more"):
        perform(delegate_task, task.pk, member_id=team.seat("ada").pk, actor=team.actor("carol"))
    perform(decline_task, task.pk, actor=team.actor("ada"))
    assert (asked(task), way(task)) == (team.seat("carol").pk, ["bob carol"])
    perform(decline_task, task.pk, actor=team.actor("carol"))
    assert (asked(task), way(task)) == (team.seat("bob").pk, [])


def test_it_is_passed_on_three_times_at_most(team: Team) -> None:
    may_be_asked(team, "carol", "writing")
    task = held(team)
    give(team, task, "carol")
    hops = [{**hop, "how": "passed"} for hop in fresh(task).brief["given"]] * 3
    Task.objects.filter(pk=task.pk).update(brief={**fresh(task).brief, "given": hops})
    with pytest.raises(Conflict, match="passed on 3 times already") as refused:
        perform(delegate_task, task.pk, member_id=team.seat("ada").pk, actor=team.actor("carol"))
    assert refused.value.code == "too_many_hops"


def test_what_the_coordinator_asks_can_be_passed_on_too(team: Team) -> None:
    may_be_asked(team, "bob")
    may_be_asked(team, "carol", "cooking")
    task = turn(team, team.one_task(skills=["law"]))
    assert asked(task) == team.seat("bob").pk
    with pytest.raises(Invalid, match="gus is a guest"):
        perform(delegate_task, task.pk, member_id=team.seat("gus").pk, actor=team.actor("bob"))
    with pytest.raises(Conflict, match="carol has not said that they can do law"):
        perform(delegate_task, task.pk, member_id=team.seat("carol").pk, actor=team.actor("bob"))
    perform(delegate_task, task.pk, member_id=team.seat("carol").pk, anyway=True, actor=team.actor("bob"))
    silent(task)
    assert asked(task) == team.seat("bob").pk


def test_a_person_who_alone_could_do_it_and_is_full_is_named(team: Team) -> None:
    may_be_asked(team, "bob")
    perform(takeover.take_over, team.one_task(key="held", skills=["nothing"]).pk, actor=team.actor("bob"))
    task = turn(team, team.one_task(skills=["law"]))
    assert task.reason == "bob could do it and is busy with 1 of 1."
    assert (task.state, task.next_actor) == ("ready", "bob")


def test_whom_a_person_chose_is_asked_at_any_hour(team: Team) -> None:
    far = {"zone": "UTC", "days": [(timezone.now() + timedelta(days=3)).strftime("%a").lower()], "from": "12:00"}
    may_be_asked(team, "carol", "writing", hours={**far, "to": "12:30"})
    task = team.working()
    give(team, task, "carol", "ada", stop=True)
    assert turn(team, task).next_actor == "carol"


def test_the_story_says_who_was_asked_passed_it_on_and_said_no(team: Team) -> None:
    may_be_asked(team, "carol", "writing")
    may_be_asked(team, "ada", "writing")
    task = held(team)
    give(team, task, "carol", note="The north is done")
    perform(delegate_task, task.pk, member_id=team.seat("ada").pk, note="You know it", actor=team.actor("carol"))
    perform(decline_task, task.pk, reason="No time", actor=team.actor("ada"))
    perform(takeover.take_over, task.pk, actor=team.actor("carol"))
    told = [(line.sentence, line.details) for one in story_of(fresh(task), "member").chapters for line in one.lines]
    assert ("bob handed it back, for carol.", ("The north is done",)) in told
    assert ("carol asked ada instead.", ("You know it",)) in told
    assert ("ada was asked and said “not this one”; it is back with carol.", ("No time",)) in told
    assert ("carol was asked to do it, and took it.", ()) in told
