"""The coordinator's question before it plans, and the answer of whoever may give one."""

from __future__ import annotations

from concurrent.futures import Future
from uuid import UUID

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Fact, Outcome, Update
from clawgroups.core.coordination_events import RunAnswered, RunAsked
from clawgroups.core.errors import Conflict
from clawgroups.permissions import get_run, require
from clawgroups.services.deadlines import person_of
from clawgroups.services.messages import message
from clawgroups.services.workspaces import clean_text

MAX_QUESTION = 1000
MAX_ANSWER = 4000
# After so many the coordinator plans with what it knows.
MAX_QUESTIONS = 3


def ask_about_goal(run_id: UUID, *, question: str, actor: Actor) -> Future[Outcome]:
    """Ask whoever gave the goal before a plan is made; the run waits for the answer until its own deadline.

    Raises `Conflict` where nothing is planned any more, or something is asked already.
    """
    run = get_run(actor, run_id, "run.plan")
    expects = require(actor, "run.plan", run.workspace_id)
    if run.state != "planning" or run.question:
        raise Conflict(f"The run is {run.state}; nothing is asked before a plan now.", code="not_planning")
    text = clean_text(question, what="Question", limit=MAX_QUESTION, required=True)
    who = person_of(run)
    said, spoken = message(run.workspace_id, body=f"@{who.handle}: {text}" if who else text, actor=actor, run_id=run.pk)
    asked = Update("clawgroups.Run", run.pk, {"question": text}, {"state": run.state, "question": ""})
    return commit.submit(
        Change(
            actor,
            run.workspace_id,
            expects,
            (asked, said),
            (spoken, Fact(run.workspace_id, RunAsked(run_id=run.pk))),
            verb="run.ask",
            answer={"id": str(run.pk), "question": text},
        )
    )


def answer_question(run_id: UUID, *, answer: str, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Answer what the coordinator asks about a goal; it plans again with the answer.

    Raises `Invalid` for an empty answer, `Conflict` where nothing is asked now.
    """
    run = get_run(actor, run_id, "run.answer")
    expects = require(actor, "run.answer", run.workspace_id)
    text = clean_text(answer, what="Answer", limit=MAX_ANSWER, required=True)
    if run.state != "planning" or not run.question:
        raise Conflict("The coordinator asks nothing about this run now.", code="not_asked")
    answers = [*run.answers, {"question": run.question, "answer": text, "by": actor.name}]
    said, spoken = message(run.workspace_id, body=text, actor=actor, run_id=run.pk)
    values = {"question": "", "answers": answers}
    return commit.submit(
        Change(
            actor,
            run.workspace_id,
            expects,
            (Update("clawgroups.Run", run.pk, values, {"state": run.state, "question": run.question}), said),
            (spoken, Fact(run.workspace_id, RunAnswered(run_id=run.pk))),
            operation,
            verb="run.answer",
            answer={"id": str(run.pk), "answers": len(answers)},
        )
    )
