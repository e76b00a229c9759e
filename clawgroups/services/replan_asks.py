"""Verbs on asking the coordinator for a change of a running plan. What it thinks of is only ever proposed."""

from __future__ import annotations

from concurrent.futures import Future
from uuid import UUID

from django.utils import timezone

from agents.ids import new_id
from clawgroups import commit
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.changes import Change, Fact, Outcome, Update
from clawgroups.core.coordination_events import ReplanAsked, ReplanRejected
from clawgroups.core.errors import Conflict, Forbidden
from clawgroups.core.replan_asked import Asked, read_asked
from clawgroups.permissions import get_run, require
from clawgroups.services import model_calls
from clawgroups.services.messages import message
from clawgroups.services.replan import none_open, only_running
from clawgroups.services.workspaces import clean_text

MAX_NOTE = 2_000


def ask_replan(run_id: UUID, *, note: str, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Have the coordinator think about a change of a running plan; it proposes one or says why it does not.

    Raises `Invalid` for an empty note, `Conflict`: `replan_open` while a change is asked for or proposed, `no_model`
    where no model may be asked.
    """
    run = get_run(actor, run_id, "run.replan")
    expects = require(actor, "run.replan", run.workspace_id)
    if actor.kind is not ActorKind.PERSON:
        raise Forbidden("Only a person can ask the coordinator for a change of a plan.")
    none_open(only_running(run))
    text = clean_text(note, what="Note", limit=MAX_NOTE, required=True)
    if reason := model_calls.unavailable(run.workspace):
        said = f"The coordinator cannot think about it: {reason.rstrip('.')}. Change the plan by hand."
        raise Conflict(said, code="no_model")
    asked = Asked(str(new_id()), text, actor.as_json(), timezone.now().isoformat(timespec="seconds"))
    values = {"replan": {"asked": asked.as_json()}}
    return commit.submit(
        Change(
            actor,
            run.workspace_id,
            expects,
            (Update("clawgroups.Run", run.pk, values, {"state": run.state, "replan": {}}),),
            (Fact(run.workspace_id, ReplanAsked(run_id=run.pk)),),
            operation,
            verb="run.ask_replan",
            answer={"id": str(run.pk), "replan": asked.id},
        )
    )


def decline_ask(run_id: UUID, *, asked: str, said: str, actor: Actor) -> Future[Outcome]:
    """Propose nothing in answer to the wish of this id, and say why in the chat.

    Raises `Conflict` where nobody waits for it any more.
    """
    run = get_run(actor, run_id, "run.replan")
    expects = require(actor, "run.replan", run.workspace_id)
    wish = read_asked(run.replan)
    if wish is None or wish.id != asked:
        raise Conflict("Nobody waits for this change of the plan any more.", code="not_asked")
    insert, spoken = message(run.workspace_id, body=said, actor=actor, run_id=run.pk)
    return commit.submit(
        Change(
            actor,
            run.workspace_id,
            expects,
            (Update("clawgroups.Run", run.pk, {"replan": {}}, {"replan": run.replan}), insert),
            (spoken, Fact(run.workspace_id, ReplanRejected(run_id=run.pk))),
            verb="run.decline_replan",
            answer={"id": str(run.pk)},
        )
    )
