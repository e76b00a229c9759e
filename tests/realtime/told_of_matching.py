"""Stories for `test_verify_action`: who is chosen for a task, and why."""

from __future__ import annotations

from collections.abc import Callable

from clawgroups.coordinator.loop import take_turn
from clawgroups.models import Task
from clawgroups.reactions import react
from clawgroups.services import choices, members
from clawgroups.services.asking import decline_task
from clawgroups.services.perform import perform
from tests.conftest import Team, online_agent


def said_what_one_may_be_asked_for(team: Team) -> None:
    skills = [{"name": "law", "level": 4}]
    perform(members.set_profile, team.workspace.pk, skills=skills, capacity=1, actor=team.actor("bob"))


def chosen_instead(team: Team) -> None:
    """One that has it in hand is stopped, and the task goes to the other."""
    team.agents["poet"] = online_agent(team, "poet", "writing")
    task = team.working("scribe")
    poet = team.seat("poet").pk
    perform(choices.choose_member, task.pk, member_id=poet, stop=True, actor=team.actor("ada"))
    _turn(team, task)
    assert Task.objects.get(pk=task.pk).assignee_id == poet


def chosen_while_stuck(team: Team) -> None:
    task = team.one_task(skills=["law"])
    _turn(team, task)
    assert Task.objects.get(pk=task.pk).state == "stuck"
    perform(choices.choose_member, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))


def asked_and_declined(team: Team) -> None:
    said_what_one_may_be_asked_for(team)
    task = team.one_task(skills=["law"])
    _turn(team, task)
    perform(decline_task, task.pk, actor=team.actor("bob"))
    _turn(team, task)


def asked_for_what_was_stuck(team: Team) -> None:
    task = team.one_task(skills=["law"])
    _turn(team, task)
    said_what_one_may_be_asked_for(team)
    _turn(team, task)
    assert Task.objects.get(pk=task.pk).next_actor == "bob"


def _turn(team: Team, task: Task) -> None:
    react(team.workspace.pk)
    take_turn(task.run_id)


TOLD: list[Callable[[Team], None]] = [
    said_what_one_may_be_asked_for,
    chosen_instead,
    chosen_while_stuck,
    asked_and_declined,
    asked_for_what_was_stuck,
]
