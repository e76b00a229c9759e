"""Stories for `test_verify_action`: tasks that are given to people, passed on, declined and taken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from clawgroups.models import Task
from clawgroups.services import handback, takeover, tasks
from clawgroups.services.asking import decline_task
from clawgroups.services.delegating import delegate_task
from clawgroups.services.perform import perform
from clawgroups.services.sweep import sweep
from tests.conftest import Team


def given(team: Team) -> Task:
    """Bob held a task and gave it to carol."""
    task = team.one_task()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    carol = team.seat("carol").pk
    perform(handback.reassign_task, task.pk, member_id=carol, note="n", anyway=True, actor=team.actor("bob"))
    return task


def given_and_taken(team: Team) -> None:
    perform(takeover.take_over, given(team).pk, actor=team.actor("carol"))


def given_passed_on_and_declined(team: Team) -> None:
    task = given(team)
    ada = team.seat("ada").pk
    perform(delegate_task, task.pk, member_id=ada, note="n", anyway=True, actor=team.actor("carol"))
    for name in ("ada", "carol", "bob"):
        perform(decline_task, task.pk, reason="r", actor=team.actor(name))
    assert Task.objects.get(pk=task.pk).next_actor == "coordinator"


def given_and_not_answered(team: Team) -> None:
    task = given(team)
    Task.objects.filter(pk=task.pk).update(deadline_at=timezone.now() - timedelta(seconds=1))
    sweep(timezone.now(), quiet=False)
    assert Task.objects.get(pk=task.pk).next_actor == "bob"


def handed_back_and_not_understood(team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    team.send("scribe")
    team.answer("scribe", {"stopReason": "cancelled"})
    perform(handback.hand_back, task.pk, actor=team.actor("bob"))
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    team.send("scribe")
    team.finish("scribe", "")
    assert Task.objects.get(pk=task.pk).state == "stuck"


TOLD: list[Callable[[Team], None]] = [
    given_and_taken,
    given_passed_on_and_declined,
    given_and_not_answered,
    handed_back_and_not_understood,
]
