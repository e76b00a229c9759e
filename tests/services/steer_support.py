"""Short ways to a task that bob holds and asks its agent about."""

from __future__ import annotations

from clawgroups.models import Attempt, Command, Task
from clawgroups.services import steering, takeover
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.conftest import fresh


def held_by_bob(team: Team) -> Task:
    """A task that bob has taken from Scribe, who was stopped and has said so."""
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    team.send("scribe")
    team.answer("scribe", {"stopReason": "cancelled"})
    return fresh(task)


def attempt_of(task: Task) -> Attempt:
    """Its holder's attempt, as it is now, also when the task has gone on."""
    assert task.attempt_id is not None
    return Attempt.objects.select_related("member").get(pk=task.attempt_id)


def ask(team: Team, task: Task, text: str = "Shorten it.", when: str = "now", who: str = "bob") -> Command:
    """It waits to be asked."""
    outcome = perform(steering.steer, task.pk, text=text, when=when, actor=team.actor(who))
    return Command.objects.get(pk=outcome.answer["id"])


def asked(team: Team, task: Task, text: str = "Shorten it.") -> Command:
    """It was asked, and the agent is at it."""
    command = ask(team, task, text)
    team.send("scribe")
    command.refresh_from_db()
    return command
