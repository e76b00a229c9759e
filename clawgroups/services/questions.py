"""Verbs on questions that an agent asks a person by a tool, in the middle of its turn.

A question is an approval of kind "question": it stands where permissions stand, the task's other deadlines rest
while it is open, and it expires like one. No frame answers it; the agent reads the answer when it likes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any
from uuid import UUID, uuid5

from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Outcome
from clawgroups.core.errors import Conflict, Invalid, NotFound
from clawgroups.models import Approval, Session, Task
from clawgroups.permissions import require
from clawgroups.services.approvals import ANSWER
from clawgroups.services.artifacts import live_session, session_of, while_live
from clawgroups.services.hands import on_behalf
from clawgroups.services.putting import new_question, put
from clawgroups.services.workspaces import clean_text

MAX_QUESTION = 2000
MAX_CHOICES = 8
MAX_CHOICE = 200
MAX_OPEN = 5
MAX_ASKED = 50


def ask_person(
    session_id: UUID, *, question: str, choices: Sequence[str] = (), key: str = "", actor: Actor
) -> Future[Outcome]:
    """Put a question to the people of the workspace. Answer: {"id", "state", "answer", "expires_at"}.

    The same `key` in a session is the same question; without one, the same words are while the question is open.
    Raises `StaleAttempt`, `Invalid`, and `Conflict` for a key that was used for another question or too many questions.
    """
    session = live_session(session_id, actor)
    actor = on_behalf(actor, session.attempt)
    expects = require(actor, "approval.ask", session.workspace_id)
    words = clean_text(question, what="Question", limit=MAX_QUESTION, required=True)
    options = _options(choices)
    digest = hashlib.sha256(json.dumps([words, options], sort_keys=True).encode()).hexdigest()
    known = Approval.objects.filter(session=session, kind="question")
    asked_before = known.filter(digest=digest).exclude(state="open").count()
    request_id = f"ask:{key}" if key else f"ask:{digest}:{asked_before}"
    pk = uuid5(session.pk, json.dumps(request_id))
    row = Approval.objects.filter(pk=pk).first()
    if row is not None:
        if row.digest != digest:
            raise Conflict("This key was used for another question. Choose a new one.", code="idempotency_key_reused")
        return commit.submit(Change(actor, session.workspace_id, expects, verb="question.ask", answer=answer_of(row)))
    if known.count() >= MAX_ASKED or known.filter(state="open").count() >= MAX_OPEN:
        raise Conflict(
            f"At most {MAX_OPEN} questions may be open at once, and {MAX_ASKED} asked in all. Read the answers first.",
            code="too_many_questions",
        )
    task = Task.objects.select_related("workspace", "run").get(pk=session.attempt.task_id)
    now = timezone.now()
    values = {**new_question(task, session, "question", request_id, {"title": words}, options, now), "digest": digest}
    decision = put(task, session, pk, values, now)
    return commit.submit(
        Change(
            actor,
            session.workspace_id,
            (*expects, *while_live(session)),
            tuple(decision.writes),
            tuple(decision.facts),
            # Two calls with one key at once: the second gets what the first got.
            f"ask:{pk}",
            verb="question.ask",
            answer=answer_of(Approval(pk=pk, **values)),
        )
    )


def _options(choices: Sequence[str]) -> list[dict[str, str]]:
    if len(choices) > MAX_CHOICES:
        raise Invalid(f"At most {MAX_CHOICES} choices can be shown; people may answer in their own words, too.")
    names = [clean_text(one, what="Choice", limit=MAX_CHOICE, required=True) for one in choices]
    return [{"optionId": f"choice-{n}", "name": name, "kind": ANSWER} for n, name in enumerate(dict.fromkeys(names), 1)]


def read_question(session_id: UUID, approval_id: UUID, *, actor: Actor) -> dict[str, Any]:
    """A question that this agent asked for the session's task, with its answer; see `answer_of`.

    Raises `NotFound` for any other. It may be read when the attempt is over, too.
    """
    session: Session = session_of(session_id, actor)
    mine = Approval.objects.filter(task=session.task_id, session__agent=session.agent_id, kind="question")
    row = mine.select_related("decided_by").filter(pk=approval_id).first()
    if row is None:
        raise NotFound("There is no such question of yours.")
    return answer_of(row)


def answer_of(row: Approval) -> dict[str, Any]:
    """Where a question stands: {"id", "state": open, decided, expired or void, "answer", "by", "expires_at"}."""
    return {
        "id": str(row.pk),
        "state": row.state,
        "answer": row.answer,
        "by": row.decided_by.name if row.decided_by_id is not None and row.decided_by is not None else "",
        "expires_at": row.expires_at.isoformat().replace("+00:00", "Z"),
    }
