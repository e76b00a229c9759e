"""A session ends with its task: whoever worked on it is not given its files for ever, nor loses it at a restart."""

from __future__ import annotations

import pytest

from agents.ids import new_id
from clawgroups.models import Attempt, Command, Session, Task
from clawgroups.services import contact, finishing, review, runs, takeover, tasks
from clawgroups.services.perform import perform
from clawgroups.services.sessions import links_lost, session_lost
from tests.conftest import Team

pytestmark = pytest.mark.django_db


def states(task: Task) -> list[str]:
    return list(Session.objects.filter(task=task).order_by("opened_at").values_list("state", flat=True))


def test_the_sessions_of_a_task_end_when_its_result_is_accepted(team: Team) -> None:
    task = team.working()
    team.finish("scribe", "Done.")
    assert states(task) == ["open"]
    perform(review.accept_task, task.pk, actor=team.actor("ada"))
    assert states(task) == ["closed"]
    assert Session.objects.get(task=task).closed_at is not None
    assert links_lost(team.agents["scribe"].pk, team.workspace.pk) == []


def test_the_sessions_of_a_task_end_when_it_is_cancelled(team: Team) -> None:
    task = team.working()
    perform(tasks.cancel_task, task.pk, actor=team.actor("ada"))
    assert states(task) == ["closed"]


def test_the_sessions_of_a_run_end_with_it(team: Team) -> None:
    task = team.working()
    perform(runs.cancel_run, task.run_id, actor=team.actor("ada"))
    assert states(task) == ["closed"]


def test_a_session_that_is_opened_after_the_end_of_its_task_stays_closed(team: Team) -> None:
    task = team.assigned()
    team.send("scribe")
    perform(takeover.take_over, task.pk, actor=team.actor("ada"))
    perform(finishing.submit_held, task.pk, result="By hand.", actor=team.actor("ada"))
    perform(review.accept_task, task.pk, actor=team.actor("ada"))
    team.answer("scribe", {"sessionId": "acp-1"})
    assert states(task) == ["closed"]
    assert not Command.objects.filter(attempt__task=task, state__in=["open", "sent"]).exists()


def test_a_turn_that_was_out_when_its_task_ended_is_over_with_its_program(team: Team) -> None:
    """Else an agent whose program died before it confirmed the stop would be waited for, and get no work, for ever."""
    task = team.working()
    agent = team.agents["scribe"]
    perform(tasks.cancel_task, task.pk, actor=team.actor("ada"))
    assert states(task) == ["closed"]
    Attempt.objects.filter(task=task).update(stop="unconfirmed")
    assert contact.unconfirmed([agent.pk])
    for session, attempt in links_lost(agent.pk, new_id()):
        perform(session_lost, session, attempt_id=attempt, reason="the agent was restarted")
    assert not contact.unconfirmed([agent.pk])
    assert Attempt.objects.get(task=task).stop == "done"
    assert states(task) == ["closed"]
