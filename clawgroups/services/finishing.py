"""A person finishes a task by hand; it goes through the same review as an agent's result."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from uuid import UUID

from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Fact, Outcome, Update
from clawgroups.core.errors import Invalid
from clawgroups.core.lifecycle import AttemptVerb, TaskVerb, move_attempt, move_task
from clawgroups.core.task_events import TaskSubmitted
from clawgroups.core.timers import wait_for_review
from clawgroups.permissions import require
from clawgroups.services import draft_files
from clawgroups.services.asked_for import voided
from clawgroups.services.attempts import fence, stop_turns
from clawgroups.services.deadlines import timers_of, waits
from clawgroups.services.drafts import clean_draft, keeps, refuse_moved, typed_row, unsaved
from clawgroups.services.files import StoredFile
from clawgroups.services.hands import check_seen, held


@keeps("result")
def submit_held(
    task_id: UUID,
    *,
    result: str,
    actor: Actor,
    files: Sequence[StoredFile] = (),
    base: int | None = None,
    kept: int | None = None,
    epoch: int | None = None,
    operation: str = "",
) -> Future[Outcome]:
    """Finish a held task by hand: text and files of the draft are its result, with `files` among them.

    It goes through the same review as an agent's. `base` and `kept` as with `save_draft`; `epoch`: the one that
    was looked at. Raises `Invalid` where there is neither a text nor a file.
    """
    task, attempt = held(task_id, actor)
    expects = require(actor, "task.hold", task.workspace_id)
    check_seen(task, epoch)
    typed = clean_draft(result)
    refuse_moved(attempt, typed, base)
    result = typed.strip()
    now = timezone.now()
    given = draft_files.submitted(attempt, files, actor, now)
    if not result and not given.writes:
        raise Invalid("The result is empty. Write at least a word, or add a file.", field="result", code="empty")
    # Whatever the holder had asked of an agent ends with their work on it.
    over, stop = stop_turns(attempt, now)
    submitted = {
        "state": move_attempt(attempt.state, AttemptVerb.SUBMIT).value,
        "result": result,
        "submitted_at": now,
        "progress_at": now,
        **stop,
    }
    values = {
        "state": move_task(task.state, TaskVerb.SUBMIT).value,
        "holder_id": None,
        **waits(task, wait_for_review(now, timers_of(task.workspace)), now),
    }
    # What was typed after it was saved last is a version, too: the history of the draft ends with what was handed in.
    versions = typed_row(attempt, typed, actor, base)
    left = voided(task, now)
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            expects,
            (
                Update("clawgroups.Attempt", attempt.pk, submitted, unsaved(attempt)),
                Update("clawgroups.Task", task.pk, values, fence(task)),
                *versions,
                *given.writes,
                *left.writes,
                *over.writes,
            ),
            (
                *given.facts,
                Fact(task.workspace_id, TaskSubmitted(task_id=task.pk, attempt_id=attempt.pk)),
                *left.facts,
                *over.facts,
            ),
            operation,
            verb="task.submit",
            answer={"id": str(task.pk), "state": "in_review"},
            wakes=tuple(over.wakes),
        )
    )
