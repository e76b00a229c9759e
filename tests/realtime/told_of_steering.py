"""Stories for `test_verify_action`: the holder of a task asks the agent's live session."""

from __future__ import annotations

from collections.abc import Callable

from clawgroups.models import Session, Task
from clawgroups.services import handback, sessions, steering
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.steer_support import ask, asked, held_by_bob


def steered_and_offered(team: Team) -> None:
    task = held_by_bob(team)
    asked(team, task)
    team.finish("scribe", "Shorter.")
    perform(handback.hand_back, task.pk, note="n", actor=team.actor("bob"))


def steered_and_taken_back(team: Team) -> None:
    task = held_by_bob(team)
    command = ask(team, task, when="after_step")
    perform(steering.withdraw_steer, task.pk, command.pk, actor=team.actor("bob"))


def steered_and_cut_off(team: Team) -> None:
    task = held_by_bob(team)
    asked(team, task)
    perform(sessions.session_lost, Session.objects.get(task=task).pk, reason="the agent's program ended")
    assert Task.objects.get(pk=task.pk).state == "held"


TOLD: list[Callable[[Team], None]] = [steered_and_offered, steered_and_taken_back, steered_and_cut_off]
