"""Stories for `test_verify_action`: the model: its calls, limits and fallback."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from clawgroups.core.actors import coordinator_for
from clawgroups.services import goal_questions, runs
from clawgroups.services.perform import perform
from tests.conftest import Team


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


TOLD: list[Callable[[Team], None]] = [question_about_a_goal, question_about_a_goal_answered]
