"""Several runs at once, on real rows: what each leaves to the others, and what a plan's tasks know of their path."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from agents.models import Agent
from clawgroups.coordinator.situation import situation_of
from clawgroups.models import Attempt, Run, Task
from clawgroups.services import runs, tasks
from clawgroups.services.perform import perform
from clawgroups.services.regenerate import regenerate_task
from tests.conftest import Team

pytestmark = pytest.mark.django_db


def writings(number: int) -> list[dict[str, object]]:
    return [{"key": f"t{n}", "title": f"Write {n}", "skills": ["writing"]} for n in range(number)]


def allowed(run: Run) -> int | None:
    return situation_of(Run.objects.get(pk=run.pk), timezone.now()).allowance


@pytest.fixture
def four_sessions(team: Team) -> Team:
    Agent.objects.filter(pk=team.agents["scribe"].pk).update(max_sessions=4)
    return team


def test_a_run_alone_takes_all_it_can_get(four_sessions: Team) -> None:
    assert allowed(four_sessions.run(writings(9))) is None


def test_two_runs_get_half_each_and_one_that_is_paused_or_waits_wants_nothing(four_sessions: Team) -> None:
    team = four_sessions
    first, second = team.run(writings(9)), team.run(writings(9))
    others = 2  # of whom nobody wants anything: one session each of counter and judge
    assert allowed(first) == allowed(second) == 2 + others
    for task in Task.objects.filter(run=first)[:2]:
        perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    assert Attempt.objects.count() == 2
    assert allowed(first) == 2 + others - 2
    perform(runs.pause_run, second.pk, actor=team.actor("ada"))
    assert allowed(first) is None
    perform(runs.resume_run, second.pk, actor=team.actor("ada"))
    Task.objects.filter(run=second).update(not_before=timezone.now() + timedelta(seconds=9))
    assert allowed(first) is None


def test_a_task_knows_the_longest_path_to_the_end_and_its_parts_stand_before_it(team: Team) -> None:
    lines = [
        {"key": "a", "title": "A", "skills": ["writing"]},
        {"key": "b", "title": "B", "skills": ["writing"], "depends_on": ["a"]},
        {"key": "c", "title": "C", "skills": ["writing"], "depends_on": ["b"]},
        {"key": "d", "title": "D", "skills": ["writing"], "depends_on": ["a"]},
    ]
    run = team.run(lines)
    assert dict(Task.objects.filter(run=run).values_list("key", "bottom_level")) == {"a": 3, "b": 2, "c": 1, "d": 1}
    assert run.path_length == 3
    first = Task.objects.get(run=run, key="a")
    Task.objects.filter(pk=first.pk).update(tries=3)
    parts = [{"title": "One", "instructions": "1"}, {"title": "Two", "instructions": "2"}]
    perform(regenerate_task, first.pk, instructions="Put it together.", parts=parts, actor=team.actor("ada"))
    assert set(Task.objects.filter(run=run, key__startswith="a-").values_list("level", "bottom_level")) == {(0, 4)}
    assert Run.objects.get(pk=run.pk).path_length == 4
