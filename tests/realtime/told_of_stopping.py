"""Stories for `test_verify_action`: agents are stopped, tasks are paused and go on."""

from __future__ import annotations

from collections.abc import Callable

from clawgroups.coordinator.loop import take_turn
from clawgroups.models import Task
from clawgroups.reactions import react
from clawgroups.services import pausing, runs, stopping, takeover
from clawgroups.services.perform import perform
from tests.conftest import Team


def stopped_and_resumed(team: Team) -> None:
    """The agent is stopped, confirms it, and goes on."""
    task, ada = team.working(), team.actor("ada")
    perform(stopping.stop_task, task.pk, reason="Wrong file", actor=ada)
    team.send("scribe")
    team.answer("scribe", {"stopReason": "cancelled"})
    perform(pausing.resume_task, task.pk, actor=ada)
    _turn(team, task)
    assert Task.objects.get(pk=task.pk).state == "assigned"


def paused_in_hand_and_resumed(team: Team) -> None:
    task = team.working()
    perform(pausing.pause_task, task.pk, actor=team.actor("bob"))
    perform(pausing.resume_task, task.pk, actor=team.actor("ada"))


def paused_while_ready_and_taken_over(team: Team) -> None:
    task = team.one_task()
    perform(pausing.pause_task, task.pk, actor=team.actor("bob"))
    perform(takeover.take_over, task.pk, actor=team.actor("ada"))


def everything_stopped_and_resumed(team: Team) -> None:
    task, ada = team.working(), team.actor("ada")
    perform(stopping.stop_run, task.run_id, actor=ada)
    perform(runs.resume_run, task.run_id, actor=ada)
    _turn(team, task)


def _turn(team: Team, task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(not_before=None)
    react(team.workspace.pk)
    take_turn(task.run_id)


TOLD: list[Callable[[Team], None]] = [
    stopped_and_resumed,
    paused_in_hand_and_resumed,
    paused_while_ready_and_taken_over,
    everything_stopped_and_resumed,
]
