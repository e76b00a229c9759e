"""A goal becomes the model's plan, a question, or the built-in coordinator's plan, and never anything else."""

from __future__ import annotations

import pytest

from agents.llm.base import Fault, FaultKind
from clawgroups.core.errors import Conflict, Forbidden, Invalid
from clawgroups.models import Message, ModelCall, ModelServer, Run, Task, Workspace
from clawgroups.services import goal_questions, plans
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.coordinator.model import GOOD, Model, keys, plan

pytestmark = pytest.mark.django_db


def test_a_plan_of_the_model_is_proposed_with_its_reasons(team: Team) -> None:
    model = Model(team, [plan()])
    run = model.draft()
    assert (run.state, run.planner, run.rationale) == ("proposed", "kimi-k2.6", "First look, then write.")
    look, report = Task.objects.filter(run=run).order_by("position")
    assert (look.proposed, look.minutes) == (None, 0)
    assert report.proposed == team.seat("scribe")
    assert report.proposal == {"reason": "It writes.", "by": "kimi-k2.6"}
    assert (report.minutes, report.output, report.waiting_on) == (30, "document", 1)
    assert report.acceptance == ["not_empty", "min_words: 20"]
    call = ModelCall.objects.get(kind="plan")
    assert call.decision is not None
    assert call.decision["tasks"][1]["key"] == "report"
    assert call.problems == []
    assert len(call.digest) == 64


def test_it_starts_by_itself_where_that_was_asked_for(team: Team) -> None:
    model = Model(team, [plan()])
    assert model.draft(start=True).state == "running"


def test_it_starts_by_itself_where_the_workspace_says_so(team: Team) -> None:
    Workspace.objects.filter(pk=team.workspace.pk).update(coordination={"start_at_once": True})
    model = Model(team, [plan(), plan()])
    assert model.draft().state == "running"
    # Whoever says that it is not to start has the last word.
    assert model.draft(start=False).state == "proposed"


def test_without_a_model_everything_is_as_ever(team: Team) -> None:
    model = Model(team, [])
    ModelServer.objects.update(enabled=False)
    run = model.draft(start=True)
    assert (run.state, run.planner, run.fallback) == ("running", "built-in coordinator", "")
    assert "model" not in run.rationale
    assert not ModelCall.objects.exists()


def test_where_the_workspace_wants_no_model_none_is_asked(team: Team) -> None:
    Workspace.objects.filter(pk=team.workspace.pk).update(coordination={"use_model": False})
    run = Model(team, [plan()]).draft()
    assert run.planner == "built-in coordinator"
    assert not ModelCall.objects.exists()


def test_a_model_that_is_down_is_stood_in_for_and_the_run_says_why(team: Team) -> None:
    model = Model(team, [Fault(FaultKind.UNREACHABLE, "no connection")])
    run = model.draft(start=True)
    assert (run.state, run.planner) == ("running", "built-in coordinator")
    assert run.fallback.startswith("K2 does not answer; ")
    assert f"the model could not be asked: {run.fallback}" in run.rationale
    assert "run.fell_back" in team.journal()
    # It is known by now: the next goal is planned at once.
    asked = len(model.asked)
    assert model.draft().state == "proposed"
    assert len(model.asked) == asked


BAD = {
    "a circle": (
        plan({**GOOD[0], "depends_on": ["report"]}, GOOD[1]),
        "wait for each other in a circle",
    ),
    "a key twice": (plan(GOOD[0], {**GOOD[0], "title": "Again"}), "the key 'look' is used twice"),
    "an unknown parent": (plan({**GOOD[0], "depends_on": ["nothing"]}), "'nothing', which is not in the plan"),
    "the same task twice": (plan(GOOD[0], {**GOOD[0], "key": "other"}), "'look' and 'other' are the same"),
    "a bad check": (plan({**GOOD[0], "acceptance": ["min_words: many"]}), "min_words needs a number"),
    "a bad key": (plan({**GOOD[0], "key": "das ist falsch"}), "a key is up to 60"),
    "too many tasks": (
        plan(*({**GOOD[0], "key": f"t{n}", "title": f"T {n}"} for n in range(90))),
        "the plan has 90 tasks; for this goal 30 are the most",
    ),
    "far too many tasks": (plan(*({**GOOD[0], "key": f"t{n}"} for n in range(10_000))), "at most 300 items"),
    "nothing at all": ({"question": "", "rationale": "", "tasks": []}, "either one question or the tasks"),
    "both at once": (plan(question="Why?"), "either one question or the tasks"),
    "done already": ({"status": "done", "result": "All finished."}, "status: there is no such field"),
    "a verb of its own": (plan(approve=["everything"]), "approve: there is no such field"),
    "a verb in a task": (plan({**GOOD[0], "grant": "admin"}), "tasks.0.grant: there is no such field"),
    "words instead": ("I will get right to it!", "not one whole JSON object"),
    "a cut answer": ('{"question": "", "tasks": [{"key": "a", "ti', "not one whole JSON object"),
    "a list": ([1, 2], "not one JSON object"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_named_in_a_repair_ask_and_mended(team: Team, name: str) -> None:
    bad, problem = BAD[name]
    model = Model(team, [bad if isinstance(bad, str | dict) else str(bad), plan()])
    run = model.draft(start=True)
    assert (run.state, run.planner, len(model.asked)) == ("running", "kimi-k2.6", 2)
    first, second = model.asked
    assert second.startswith(first)
    assert problem in second.removeprefix(first)
    assert ModelCall.objects.get(kind="plan", round=0).problems
    assert ModelCall.objects.get(kind="plan", round=1).decision


def test_the_bad_answer_itself_is_never_shown_again(team: Team) -> None:
    model = Model(team, [plan({**GOOD[0], "instructions": "SECRET-WORDS", "depends_on": ["x"]}), plan()])
    model.draft()
    assert len(model.scripted.asked) == 2
    assert not any("SECRET-WORDS" in m.text for m in model.scripted.asked[1].messages)


def test_after_two_repairs_the_built_in_plan_waits_for_a_person(team: Team) -> None:
    model = Model(team, ["no"])
    run = model.draft(start=True)
    assert len(model.asked) == 3
    assert (run.state, run.planner, run.start_when_planned) == ("proposed", "built-in coordinator", False)
    assert "none of its plans could be used" in run.rationale
    assert "does not start by itself" in run.rationale


def test_who_is_unknown_or_not_able_is_not_proposed(team: Team) -> None:
    tasks = [
        {**GOOD[0], "assignee": "@nobody"},
        {**GOOD[1], "skills": ["review"], "assignee": "scribe"},
        {**GOOD[1], "key": "third", "title": "T", "assignee": "Scribe"},
    ]
    run = Model(team, [plan(*tasks)]).draft()
    proposed = list(Task.objects.filter(run=run).order_by("position").values_list("proposed__handle", flat=True))
    assert proposed == [None, None, "scribe"]
    assert "@nobody is not proposed for “Look into it”: no such member can take work here." in run.rationale
    assert "it lacks review" in run.rationale


def test_a_plan_that_needs_more_than_the_run_may_use_is_refused(team: Team) -> None:
    Workspace.objects.filter(pk=team.workspace.pk).update(coordination={"run": {"seconds": 1200, "steps": 50}})
    model = Model(team, [plan(), plan({**GOOD[0], "minutes": 10})])
    run = model.draft()
    assert "The run may use at most 20 minutes and 50 steps." in model.asked[0]
    assert "longest path takes 30 minutes" in model.asked[1]
    assert keys(run) == ["look"]


def test_the_model_asks_and_plans_with_the_answer(team: Team) -> None:
    question = {"question": "For which year?", "rationale": "Two are known.", "tasks": []}
    model = Model(team, [question, plan()])
    run = model.draft(start=True)
    assert (run.state, run.question) == ("planning", "For which year?")
    assert Message.objects.filter(run=run, body="@ada: For which year?").exists()
    assert "run.asked" in team.journal()
    run = model.reply(run, "For 2026.")
    assert run.answers == [{"question": "For which year?", "answer": "For 2026.", "by": "bob"}]
    assert (run.state, run.question) == ("running", "")
    assert "For 2026." in model.asked[1]
    assert set(ModelCall.objects.values_list("kind", "subject")) == {("plan", ""), ("plan", "answer-1")}


def test_after_three_questions_it_has_to_plan(team: Team) -> None:
    question = {"question": "And what else?", "rationale": "", "tasks": []}
    model = Model(team, [question, question, question, question, plan()])
    run = model.draft()
    for _ in range(3):
        run = model.reply(run, "Nothing else.")
    assert run.state == "proposed"
    assert "no more questions" in model.asked[-1]
    assert len(run.answers) == 3


def test_only_the_team_answers_and_only_what_is_asked(team: Team) -> None:
    run = Model(team, [{"question": "Why?", "rationale": "", "tasks": []}, plan()]).draft()
    with pytest.raises(Forbidden):
        perform(goal_questions.answer_question, run.pk, answer="x", actor=team.actor("gus"))
    with pytest.raises(Invalid):
        perform(goal_questions.answer_question, run.pk, answer="  ", actor=team.actor("ada"))
    perform(goal_questions.answer_question, run.pk, answer="Because.", actor=team.actor("ada"))
    with pytest.raises(Conflict):
        perform(goal_questions.answer_question, run.pk, answer="Because.", actor=team.actor("ada"))


def test_the_built_in_coordinator_asks_about_a_goal_of_one_word(team: Team) -> None:
    model = Model(team, [])
    ModelServer.objects.update(enabled=False)
    run = model.draft("Report!", start=True)
    assert run.state == "planning"
    assert "What shall come out of it?" in run.question
    run = model.reply(run, "A page about our sales in May, from what you know.")
    assert run.state == "running"
    task = Task.objects.get(run=run)
    assert "sales in May" in task.instructions


def test_a_turn_that_is_repeated_asks_nothing_twice(team: Team) -> None:
    model = Model(team, [plan()])
    run = model.draft()
    before = ModelCall.objects.count()
    Run.objects.filter(pk=run.pk).update(wanted=run.wanted + 3)
    model.turns()
    assert ModelCall.objects.count() == before
    assert keys(run) == ["look", "report"]


def test_a_plan_that_is_thrown_away_is_made_anew_with_what_a_person_says(team: Team) -> None:
    model = Model(team, [plan(), plan({**GOOD[0], "key": "only", "title": "Write it at once"})])
    run = model.draft()
    perform(plans.plan_anew, run.pk, note="One task is enough.", actor=team.actor("bob"))
    model.turns()
    run.refresh_from_db()
    assert (run.state, keys(run)) == ("proposed", ["only"])
    assert "| One task is enough." in model.asked[-1]
