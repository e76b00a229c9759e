"""Stories for `test_verify_action`: the model: its calls, limits and fallback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from agents.llm.base import FaultKind
from clawgroups import commit
from clawgroups.core.actors import SYSTEM, coordinator_for
from clawgroups.core.changes import Change
from clawgroups.models import Run
from clawgroups.services import budgets, coordination, goal_questions, runs, usage
from clawgroups.services.perform import perform
from clawgroups.services.sweep import sweep
from tests.conftest import Team
from tests.services import model_support


def coordination_set(team: Team) -> None:
    said = {"use_model": False, "modes": {"plan": "instant"}, "run": {"tokens": 500_000}}
    perform(coordination.set_coordination, team.workspace.pk, coordination=said, actor=team.actor("carol"))


def asked_about_a_goal(team: Team) -> UUID:
    drafted = perform(runs.draft_run, team.workspace.pk, goal="Report", actor=team.actor("ada"))
    run_id = UUID(drafted.answer["id"])
    actor = coordinator_for(team.users["ada"].pk)
    perform(goal_questions.ask_about_goal, run_id, question="What about?", actor=actor)
    return run_id


def question_about_a_goal(team: Team) -> None:
    asked_about_a_goal(team)


def question_about_a_goal_answered(team: Team) -> None:
    perform(goal_questions.answer_question, asked_about_a_goal(team), answer="Bees.", actor=team.actor("bob"))


def asked(team: Team, run: Run, round_: int, *says: Any) -> None:
    """A question about a run, and what the model says to it."""
    with pytest.MonkeyPatch.context() as patch:
        model_support.model(patch, *says)
        model_support.carried_out(model_support.ask(team, run, "judge", round=round_))


def model_away_and_back(team: Team) -> None:
    run = Run.objects.get(pk=team.working().run_id)
    model_support.server()
    asked(team, run, 0, model_support.away(FaultKind.REQUEST, "no such field"))
    assert Run.objects.get(pk=run.pk).fallback
    asked(team, run, 1, model_support.reply())
    assert not Run.objects.get(pk=run.pk).fallback


def limit_reached_and_raised(team: Team) -> None:
    run = Run.objects.get(pk=team.one_task().run_id)
    perform(budgets.set_budget, run.pk, limits={"steps": 10}, actor=team.actor("ada"))
    for steps in (8, 2):
        writes = usage.used(team.workspace.pk, run_id=run.pk, at=timezone.now(), steps=steps)
        commit.submit(Change(SYSTEM, team.workspace.pk, writes=tuple(writes), verb="use")).result()
        sweep(timezone.now(), quiet=False)
    assert Run.objects.get(pk=run.pk).budget_stop
    perform(budgets.set_budget, run.pk, limits={"steps": 100}, actor=team.actor("ada"))


TOLD: list[Callable[[Team], None]] = [
    coordination_set,
    question_about_a_goal,
    question_about_a_goal_answered,
    model_away_and_back,
    limit_reached_and_raised,
]
