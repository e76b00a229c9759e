"""Choosing who does a task: what ends, what is kept, and what the matching learns from it."""

from __future__ import annotations

from typing import Any

import pytest

from agents.models import Agent
from clawgroups.coordinator.loop import take_turn
from clawgroups.core.actors import coordinator_for
from clawgroups.core.errors import Conflict, Forbidden, Invalid, NotFound
from clawgroups.core.retries import MAX_TRIES
from clawgroups.models import Attempt, Member, Override, Task
from clawgroups.reactions import react
from clawgroups.services import choices, members, runs, takeover, tasks
from clawgroups.services.asking import ask_member
from clawgroups.services.perform import perform
from tests.conftest import Team, online_agent
from tests.services.test_replan_races import between

pytestmark = pytest.mark.django_db


@pytest.fixture
def two(team: Team) -> Team:
    """With a second writer, `poet`, who is no worse than scribe."""
    team.agents["poet"] = online_agent(team, "poet", "writing")
    return team


def choose(team: Team, task: Task, name: str, by: str = "ada", **more: Any) -> Task:
    perform(choices.choose_member, task.pk, member_id=team.seat(name).pk, actor=team.actor(by), **more)
    return Task.objects.get(pk=task.pk)


def turn(team: Team, task: Task) -> Task:
    react(team.workspace.pk)
    take_turn(task.run_id)
    return Task.objects.get(pk=task.pk)


def test_a_ready_task_goes_to_whom_a_person_chose_in_the_next_turn(two: Team) -> None:
    task = choose(two, two.one_task(), "scribe")
    assert (task.state, task.proposed, task.proposal["by"]) == ("ready", two.seat("scribe"), "ada")
    assert two.journal()[-1] == "task.assignee_chosen"
    task = turn(two, task)
    assert task.assignee == two.seat("scribe")
    assert "ada proposes it" in task.match["chosen"]["reasons"]
    assert not Override.objects.exists()  # nobody else had been proposed


def test_an_offered_task_moves_to_the_other_and_the_choice_is_learned(two: Team) -> None:
    task = two.assigned("scribe")
    task = choose(two, task, "poet")
    first = Attempt.objects.get(task=task)
    assert (task.state, task.assignee, task.attempt, task.tries) == ("ready", None, None, 0)
    assert (first.state, first.failure) == ("superseded", "")
    override = Override.objects.get()
    assert (override.proposed, override.chosen, override.skills) == (two.seat("scribe"), two.seat("poet"), ["writing"])
    assert override.actor["name"] == "ada"
    assert turn(two, task).assignee == two.seat("poet")


def test_who_is_at_work_is_stopped_only_when_that_is_said(two: Team) -> None:
    task = two.working("scribe")
    with pytest.raises(Conflict) as refused:
        choose(two, task, "poet")
    assert refused.value.code == "at_work"
    task = choose(two, task, "poet", stop=True)
    assert Attempt.objects.get(task=task).stop == "asked"
    assert turn(two, task).assignee == two.seat("poet")


def test_a_stuck_task_gets_another_try_with_whom_was_chosen(two: Team) -> None:
    task = two.one_task()
    perform(tasks.stick_task, task.pk, reason="Nobody can.", who="ada", actor=_coordinator(two))
    Task.objects.filter(pk=task.pk).update(tries=MAX_TRIES, failure="task_timed_out")
    task = choose(two, Task.objects.get(pk=task.pk), "poet")
    assert (task.state, task.tries, task.failure) == ("ready", MAX_TRIES - 1, "")
    assert turn(two, task).assignee == two.seat("poet")


def _coordinator(team: Team) -> Any:
    return coordinator_for(team.users["ada"].pk)


def test_one_that_may_not_have_it_gets_nothing_and_the_task_says_why(two: Team) -> None:
    task = turn(two, choose(two, two.one_task(), "counter"))
    assert (task.state, task.assignee) == ("stuck", None)
    assert task.reason == "Counter was chosen for it and lacks writing. Choose another member, or take it over."
    Agent.objects.filter(handle="poet").update(breaker="quarantined")
    task = turn(two, choose(two, task, "poet"))
    assert task.assignee is None
    assert "Poet could do it and is in quarantine" in task.reason
    assert turn(two, choose(two, task, "scribe")).assignee == two.seat("scribe")


def test_of_several_choices_for_a_task_only_the_last_one_is_learned(two: Team) -> None:
    task = two.assigned("scribe")
    task = choose(two, task, "poet")
    task = choose(two, task, "judge")
    override = Override.objects.get()
    assert (override.proposed, override.chosen) == (two.seat("scribe"), two.seat("judge"))
    choose(two, task, "scribe")
    assert not Override.objects.exists()


def test_a_choice_is_learned_for_the_next_task_of_that_kind_until_it_is_forgotten(two: Team) -> None:
    task = two.assigned("poet")
    choose(two, task, "scribe")
    Task.objects.filter(pk=task.pk).update(state="cancelled")
    again = turn(two, two.one_task())
    assert again.assignee == two.seat("scribe")
    assert "ada chose Scribe over Poet for this kind of work" in again.match["chosen"]["reasons"]
    override = Override.objects.get()
    perform(choices.forget_choice, override.pk, actor=two.actor("bob"))
    assert not Override.objects.exists()
    with pytest.raises(NotFound):
        perform(choices.forget_choice, override.pk, actor=two.actor("bob"))


def test_what_cannot_be_is_refused_and_changes_nothing(two: Team) -> None:
    task = two.assigned("scribe")
    with pytest.raises(Conflict, match="has this task already"):
        choose(two, task, "scribe")
    with pytest.raises(Invalid, match="has not said what they may be asked for"):
        choose(two, task, "bob")
    with pytest.raises(Invalid):
        perform(choices.choose_member, task.pk, member_id=task.pk, actor=two.actor("ada"))
    with pytest.raises(Forbidden):
        choose(two, task, "poet", by="gus")
    with pytest.raises(NotFound):
        choose(two, task, "poet", by="mallory")
    perform(takeover.take_over, task.pk, actor=two.actor("bob"))
    with pytest.raises(Conflict, match="bob holds this task"):
        choose(two, task, "poet")
    proposed = two.run([{"key": "w", "title": "W", "skills": ["writing"]}], start=False)
    with pytest.raises(Conflict, match="plan can be edited"):
        choose(two, Task.objects.get(run=proposed), "poet")
    perform(runs.cancel_run, task.run_id, actor=two.actor("ada"))
    with pytest.raises(Conflict):
        choose(two, task, "poet")
    assert not Override.objects.exists()


def test_a_stranger_learns_nothing_of_choices(two: Team) -> None:
    choose(two, two.assigned("poet"), "scribe")
    pk = Override.objects.get().pk
    for name, error in (("mallory", NotFound), ("gus", Forbidden)):
        with pytest.raises(error):
            perform(choices.forget_choice, pk, actor=two.actor(name))
    with pytest.raises(NotFound):
        choices.overrides_of(two.workspace.pk, two.actor("mallory"))
    assert [one.pk for one in choices.overrides_of(two.workspace.pk, two.actor("gus"))] == [pk]


# A turn that is under way


def test_a_turn_that_looked_before_a_person_chose_gives_the_task_to_nobody_else(two: Team) -> None:
    task = choose(two, two.one_task(), "poet")
    with pytest.raises(Conflict, match="Poet was chosen for it") as refused:
        perform(tasks.assign_task, task.pk, member_id=two.seat("scribe").pk, actor=_coordinator(two))
    assert refused.value.code == "chosen"
    perform(members.set_profile, two.workspace.pk, capacity=1, actor=two.actor("bob"))
    with pytest.raises(Conflict, match="Poet was chosen for it"):
        perform(ask_member, task.pk, member_id=two.seat("bob").pk, match={}, actor=_coordinator(two))
    perform(tasks.assign_task, task.pk, member_id=two.seat("poet").pk, actor=_coordinator(two))
    assert Task.objects.get(pk=task.pk).assignee == two.seat("poet")


def test_a_person_may_still_give_it_to_somebody_else_by_hand(two: Team) -> None:
    task = choose(two, two.one_task(), "poet")
    perform(tasks.assign_task, task.pk, member_id=two.seat("scribe").pk, actor=two.actor("bob"))
    assert Task.objects.get(pk=task.pk).assignee == two.seat("scribe")


@pytest.mark.parametrize("who", ["scribe", "bob"])
def test_a_choice_that_is_committed_before_the_turn_s_step_holds(
    two: Team, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    task = two.one_task()
    perform(members.set_profile, two.workspace.pk, capacity=1, actor=two.actor("bob"))
    between(monkeypatch, lambda: choose(two, task, "poet"))
    give: Any = ask_member if who == "bob" else tasks.assign_task
    with pytest.raises(Conflict, match="Poet was chosen for it"):
        perform(give, task.pk, member_id=two.seat(who).pk, match={}, actor=_coordinator(two))
    assert Task.objects.get(pk=task.pk).brief["only"] == str(two.seat("poet").pk)
    assert turn(two, task).assignee == two.seat("poet")


# What a person may be asked for


def test_a_person_says_what_they_may_be_asked_for_piece_by_piece(team: Team) -> None:
    def say(**said: Any) -> Member:
        perform(members.set_profile, team.workspace.pk, actor=team.actor("bob"), **said)
        return team.seat("bob")

    seat = say(skills=[{"name": "Legal Review", "level": 4}], capacity=2)
    assert (seat.skills, seat.hours, seat.capacity) == ({"legal-review": 4}, {}, 2)
    seat = say(hours={"zone": "Asia/Tokyo", "days": ["fri", "mon"], "from": "8:00", "to": "12:00"})
    assert seat.hours == {"zone": "Asia/Tokyo", "days": ["mon", "fri"], "from": "08:00", "to": "12:00"}
    assert (seat.capacity, team.journal()[-1]) == (2, "member.profile_set")
    assert say(hours={}, capacity=0).hours == {}


@pytest.mark.parametrize(
    "said", [{"capacity": -1}, {"capacity": 21}, {"hours": {"zone": "Nowhere"}}, {"skills": [{"name": "", "level": 3}]}]
)
def test_a_profile_that_cannot_be_is_refused(team: Team, said: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        perform(members.set_profile, team.workspace.pk, actor=team.actor("bob"), **said)
    assert team.seat("bob").capacity == 0


def test_guests_and_strangers_are_not_asked(team: Team) -> None:
    for name, error in (("gus", Forbidden), ("mallory", NotFound)):
        with pytest.raises(error):
            perform(members.set_profile, team.workspace.pk, capacity=1, actor=team.actor(name))
