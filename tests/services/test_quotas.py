"""An agent whose provider gives it no more for now: it rests and comes back by itself, and nothing is burned."""

from __future__ import annotations

from typing import Any

import pytest

from agents.models import Agent
from clawgroups.coordinator.decide import Assign, Explain, decide
from clawgroups.coordinator.situation import situation_of
from clawgroups.core.quotas import is_quota
from clawgroups.models import Run, Task
from clawgroups.services import tasks
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.conftest import Clock, beat, fresh, latest

pytestmark = pytest.mark.django_db
LIMIT = {"code": -32603, "message": "429 Too Many Requests: you have reached your usage limit"}


@pytest.mark.parametrize(
    "error",
    [
        LIMIT,
        {"code": -32603, "message": "Internal error", "data": {"error": {"type": "insufficient_quota"}}},
        {"code": -32603, "message": "Your credit balance is too low to access the API."},
        {"code": -32603, "message": "request failed", "data": "rate_limit_error"},
    ],
)
def test_a_quota_is_known_by_the_words_of_providers(error: dict[str, Any]) -> None:
    assert is_quota(error)


@pytest.mark.parametrize("message", ["the tool fell over", "no model", "port 4290 is taken", ""])
def test_other_errors_are_none(message: str) -> None:
    assert not is_quota({"code": -32603, "message": message})


def given(team: Team, task: Task, clock: Clock) -> list[Assign | Explain]:
    """What the coordinator does about a task now."""
    beat(team)
    run = Run.objects.select_related("workspace").get(pk=task.run_id)
    return [step for step in decide(situation_of(run, clock.now)) if isinstance(step, Assign | Explain)]


def test_its_task_waits_without_a_try_lost_and_goes_on_when_there_is_quota_again(clock: Clock, team: Team) -> None:
    task = team.working()
    team.answer("scribe", {}, error=LIMIT)
    task = fresh(task)
    assert (task.state, task.tries, task.failure, task.run.retries) == ("ready", 0, "over_quota", 0)
    assert latest(task).failure == "over_quota"
    assert Agent.objects.get(pk=team.agents["scribe"].pk).breaker == "closed"
    clock.go(61)
    (told,) = given(team, task, clock)
    assert isinstance(told, Explain)
    assert "has used up the quota of its provider; it is tried again at" in told.reason
    assert (told.who, told.stuck) == ("ada, who owns Scribe", False)
    clock.go(240)
    (step,) = given(team, task, clock)
    assert isinstance(step, Assign)
    perform(tasks.assign_task, task.pk, member_id=step.member_id, actor=team.actor("ada"))
    assert fresh(task).tries == 1


def test_it_rests_as_long_as_its_provider_says(clock: Clock, team: Team) -> None:
    task = team.working()
    team.answer("scribe", {}, error={**LIMIT, "data": {"retryAfter": 3600}})
    clock.go(3599)
    assert isinstance(given(team, fresh(task), clock)[0], Explain)
    clock.go(2)
    assert isinstance(given(team, fresh(task), clock)[0], Assign)


def test_another_member_that_can_do_it_gets_it_meanwhile(clock: Clock, team: Team) -> None:
    Agent.objects.get(pk=team.agents["counter"].pk).skills.create(name="writing", level=1)
    task = team.working()
    team.answer("scribe", {}, error=LIMIT)
    clock.go(61)
    (step,) = given(team, fresh(task), clock)
    assert isinstance(step, Assign)
    assert step.member_id == team.seat("counter").pk
