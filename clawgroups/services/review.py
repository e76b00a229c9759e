"""Verbs of review: a result is accepted, or goes back with reasons."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from agents.ids import new_id
from clawgroups import commit
from clawgroups.core.acceptance import Finding, Verdict, parse_line
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.changes import Change, Count, Expect, Fact, Insert, Outcome, Update, Write
from clawgroups.core.errors import Conflict, Invalid
from clawgroups.core.failures import Failure
from clawgroups.core.lifecycle import AttemptVerb, TaskVerb, move_attempt, move_task
from clawgroups.core.retries import MAX_TRIES, Course
from clawgroups.core.task_events import TaskDone, TaskReady, TaskReturned, TaskStuck, TaskTakenOver
from clawgroups.core.timers import wait_for_holder
from clawgroups.models import Attempt, Dependency, Member, Task
from clawgroups.permissions import ENDING, get_task, require
from clawgroups.planned import Planned
from clawgroups.services import breakers, draft_files
from clawgroups.services.answers import answer_of
from clawgroups.services.attempts import closed, end_sessions_of, fence, goes_on, retried, what_follows
from clawgroups.services.deadlines import CLOSED, judge_of, timers_of, waits, waits_when_ready
from clawgroups.services.workspaces import clean_text

_children_of: Planned[UUID] = Planned(
    lambda task_id: Dependency.objects.filter(parent=task_id).order_by("task_id").values_list("task_id", flat=True)
)


def accept_task(
    task_id: UUID, *, actor: Actor, verdicts: Sequence[Verdict] = (), operation: str = ""
) -> Future[Outcome]:
    """Accept a result in review: the task is done, and its dependants are one step nearer."""
    task = get_task(actor, task_id, "task.review", *ENDING)
    expects = require(actor, "task.review", task.workspace_id)
    attempt = _in_review(task)
    _check_author(task, attempt, actor)
    now = timezone.now()
    ready = {"state": "ready", "reason": "", **waits_when_ready(task.run, now)}
    done = {
        "state": move_task(task.state, TaskVerb.ACCEPT).value,
        "holder_id": None,
        "ended_at": now,
        **CLOSED,
    }
    accepted = {
        "state": move_attempt(attempt.state, AttemptVerb.ACCEPT).value,
        "ended_at": now,
        "verdicts": [v.as_json() for v in verdicts] or attempt.verdicts,
    }
    health, told = breakers.after_success(attempt)
    over = end_sessions_of(task.pk, now)
    over.add(answer_of(task, attempt))
    # A change of the plan may have linked other tasks behind this one since it was read.
    expects = (*expects, Expect("clawgroups.Run", task.run_id, {"plan_version": task.run.plan_version}))
    children = _children_of(task.pk)
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            expects,
            (
                Update("clawgroups.Task", task.pk, done, fence(task)),
                Update("clawgroups.Attempt", attempt.pk, accepted, {"state": attempt.state}),
                *(
                    Count(
                        "clawgroups.Task",
                        child,
                        "waiting_on",
                        -1,
                        zero_expect={"state": "waiting"},
                        zero_values=ready,
                        zero_facts=(Fact(task.workspace_id, TaskReady(task_id=child, run_id=task.run_id)),),
                    )
                    for child in children
                ),
                *over.writes,
                closed(task),
                Count("clawgroups.Run", task.run_id, "worked_ms", _worked(attempt, now)),
                *health,
            ),
            (Fact(task.workspace_id, TaskDone(task_id=task.pk, attempt_id=attempt.pk)), *told, *over.facts),
            operation,
            verb="task.accept",
            answer={"id": str(task.pk), "state": "done"},
            wakes=tuple(over.wakes),
        )
    )


def _check_author(task: Task, attempt: Attempt, actor: Actor) -> None:
    """Nobody judges their own words: lines that a machine cannot check are another person's, where there is one."""
    if actor.kind is not ActorKind.PERSON or attempt.member.user_id is None or attempt.member.user_id != actor.user_id:
        return
    judge = other_judge(task, attempt)
    if judge is not None:
        lines = _unjudged(task, attempt)
        raise Conflict(
            f"You made this result, so somebody else judges “{lines[0]}”. Ask {judge.name}.",
            code="own_result",
            judge=judge.name,
            lines=lines,
        )


def other_judge(task: Task, attempt: Attempt) -> Member | None:
    """Who judges a person's result in their place; None: they may themselves."""
    judge = judge_of(task) if _unjudged(task, attempt) else None
    return judge if judge is not None and judge.pk != attempt.member_id else None


def _unjudged(task: Task, attempt: Attempt) -> list[str]:
    """The lines that a person still has to judge."""
    found = {str(v.get("line")): v.get("finding") for v in attempt.verdicts}
    unchecked = (None, Finding.FAILED)  # a check of a machine may still come, and then decides
    return [
        line
        for line in map(str, task.acceptance)
        if found.get(line) != Finding.PASSED and not (parse_line(line).check and found.get(line) in unchecked)
    ]


def _worked(attempt: Attempt, now: datetime) -> int:
    """How long an attempt was worked on, in milliseconds: to its result, not to the verdict."""
    ended = attempt.submitted_at or now
    return max(int((ended - (attempt.begun_at or ended)) / timedelta(milliseconds=1)), 0)


def return_task(
    task_id: UUID,
    *,
    reasons: Sequence[str],
    actor: Actor,
    verdicts: Sequence[Verdict] = (),
    denied: Sequence[str] = (),
    operation: str = "",
) -> Future[Outcome]:
    """Send a result back with reasons. A person's result goes back to that person, an agent's to the
    next try; after the last one it is written anew, and once that was done a person must act.

    `denied`: what people said no to meanwhile. Only the next try is told: reasons are read by guests, too.
    """
    task = get_task(actor, task_id, "task.review", *ENDING)
    expects = require(actor, "task.review", task.workspace_id)
    attempt = _in_review(task)
    said = tuple(clean_text(r, what="Reason", limit=2000) for r in reasons if r.strip())
    if not said:
        raise Invalid("Say why it goes back, so that the next try can do better.", field="note")
    now = timezone.now()
    returned = {
        "state": move_attempt(attempt.state, AttemptVerb.RETURN).value,
        "ended_at": now,
        "reason": "; ".join(said),
        "verdicts": [v.as_json() for v in verdicts],
        "failure": Failure.NOT_ACCEPTED.value,
    }
    values, writes, facts = _after_return(task, attempt, said, now, by_person=actor.kind is ActorKind.PERSON)
    if "brief" in values and denied:
        values["brief"]["denied"] = list(denied)
    health, told = breakers.after_failure(attempt, Failure.NOT_ACCEPTED, "; ".join(said), now)
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            expects,
            (
                Update("clawgroups.Attempt", attempt.pk, returned, {"state": attempt.state}),
                Update("clawgroups.Task", task.pk, values, fence(task)),
                *writes,
                *health,
            ),
            (*facts, *told),
            operation,
            verb="task.return",
            answer={"id": str(task.pk), "state": values["state"]},
        )
    )


def _after_return(
    task: Task, attempt: Attempt, said: tuple[str, ...], now: datetime, *, by_person: bool
) -> tuple[dict[str, Any], list[Write], tuple[Fact, ...]]:
    reason, timers = "; ".join(said), timers_of(task.workspace)
    returned = Fact(task.workspace_id, TaskReturned(task_id=task.pk, attempt_id=attempt.pk, reasons=said))
    values: dict[str, Any] = {"epoch": task.epoch + 1}
    if attempt.member.agent_id is None:
        again, draft = person_attempt(task, attempt.member, attempt.result, now)
        values |= {"state": move_task(task.state, TaskVerb.TAKE_OVER).value, "attempt_id": again.pk, "reason": reason}
        values |= {"holder_id": attempt.member_id, "assignee_id": attempt.member_id}
        values |= waits(task, wait_for_holder(now, timers, attempt.member.name), now)
        back = TaskTakenOver(task_id=task.pk, attempt_id=again.pk, member_id=attempt.member_id, epoch=task.epoch + 1)
        files = draft_files.carried(task, attempt, again.pk, now)
        return values, [again, draft, *files.writes], (returned, Fact(task.workspace_id, back))
    failure = Failure.NOT_ACCEPTED
    follows = what_follows(task, failure)
    values |= goes_on(task, follows, now, reason=reason, failure=failure, verb=TaskVerb.RETURN)
    values["brief"] = _returned_brief(task, attempt, said, by_person=by_person)
    if follows.course is not Course.PERSON:
        return values, retried(task, follows), (returned,)
    stuck = TaskStuck(task_id=task.pk, reason=values["reason"], epoch=task.epoch + 1)
    return values, retried(task, follows), (returned, Fact(task.workspace_id, stuck))


def _returned_brief(task: Task, attempt: Attempt, said: tuple[str, ...], *, by_person: bool) -> dict[str, Any]:
    # Whoever made it mends it; after that others are as good, and for a last try better, unless a person spoke to it.
    last = task.tries == MAX_TRIES - 1 and not by_person
    again = last or task.attempts.filter(member=attempt.member_id, state="returned").exists()
    return {
        **task.brief,
        "feedback": list(said),
        "preferred": "" if again else str(attempt.member_id),
        "previous": str(attempt.pk),
    }


def person_attempt(task: Task, seat: Member, text: str, now: datetime) -> tuple[Insert, Insert]:
    """A person's attempt at the task's next epoch, with the first version of their draft."""
    pk = new_id()
    values = {
        "workspace_id": task.workspace_id,
        "task_id": task.pk,
        "member_id": seat.pk,
        "number": task.attempts.count() + 1,
        "epoch": task.epoch + 1,
        "state": "working",
        # What they find handed on to them, as an agent is told it.
        "brief": {key: task.brief[key] for key in ("handback", "given", "feedback") if key in task.brief},
        "offered_at": now,
        "begun_at": now,
        "progress_at": now,
    }
    first = {"attempt_id": pk, "version": 1, "text": text, "actor": {"kind": "system"}, "saved_at": now}
    return Insert("clawgroups.Attempt", pk, values), Insert("clawgroups.Draft", new_id(), first)


def _in_review(task: Task) -> Attempt:
    if task.attempt is None or task.state != "in_review":
        raise Conflict(f"This task is {task.state.replace('_', ' ')}; there is no result to judge now.")
    return task.attempt
