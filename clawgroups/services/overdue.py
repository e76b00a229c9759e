"""What happens when a task's deadline is reached: never nothing. A person is named, reminded, or asked again.

The verbs are the system's own; each is fenced by what was read, so that two sweepers do no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from typing import Any

from django.db.models import Q, QuerySet

from clawgroups import commit
from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Change, Fact, Outcome, Update
from clawgroups.core.durations import say_duration
from clawgroups.core.failures import Failure
from clawgroups.core.lifecycle import AttemptVerb, TaskVerb, move_task
from clawgroups.core.task_events import TaskParked, TaskReady, TaskStuck
from clawgroups.core.timers import (
    Wait,
    wait_for_coordinator,
    wait_for_help,
    wait_for_idle_holder,
    wait_for_judge,
    wait_for_review,
    wait_for_taker,
)
from clawgroups.models import Attempt, Member, Task
from clawgroups.planned import Planned
from clawgroups.services import acknowledging, passing
from clawgroups.services.attempts import Decision, end_attempt, fence
from clawgroups.services.deadlines import judge_name, name_of, person_of, timers_of, waits
from clawgroups.services.messages import message

Verb = Callable[[], Future[Outcome]]
SHOWN = 5
WAITING_FOR_A_PERSON = ("stuck", "in_review")


def due_tasks(now: datetime, limit: int, *, expire: bool) -> list[Verb]:
    """A verb for each task whose own deadline is reached. Without `expire` nothing is taken from an agent."""
    late = _spent(now, expire=expire, most=limit)
    verbs: list[Verb] = [partial(_judge if t.state == "in_review" else time_out, t, now) for t in late]
    people: list[Task] = []
    for task in _shown(now, most=limit):
        if task.state == "held":
            verbs.append(partial(_idle, task, now))
        elif task.state == "ready" and task.blocked_on == "person":
            verbs.append(partial(_let_pass, task, now))
        elif task.blocked_on == "person":
            people.append(task)
        elif task.state == "in_review":
            verbs.append(partial(_review_again, task, now))
        elif task.state == "ready" and task.resting_since is None and not (task.run.paused or task.run.budget_stop):
            verbs.append(partial(_unassigned, task, now))
    return [*verbs, *_reminders(people, now)]


def _rows(wanted: Q, most: int) -> QuerySet[Task]:
    # One that a person paused has no deadline but its run's.
    rows = Task.objects.filter(wanted, run__state="running", paused="").exclude(
        state__in=["done", "failed", "cancelled"]
    )
    return rows.select_related("run", "workspace", "attempt__member", "holder").order_by("deadline_at")[:most]


def _used_up(now: datetime) -> Q:
    return Q(close_by__lte=now, resting_since=None)


def _late(now: datetime, *, expire: bool, most: int) -> QuerySet[Task]:
    states = ["ready", "in_review", *(["assigned", "working"] if expire else [])]
    return _rows(_used_up(now) & Q(state__in=states, run__paused=False, run__budget_stop=""), most)


_spent: Planned[Task] = Planned(_late)
_shown: Planned[Task] = Planned(
    lambda now, most: _rows(
        Q(deadline_at__lte=now, state__in=["ready", "in_review", "held", "stuck"]) & ~_used_up(now), most
    )
)


def time_out(task: Task, now: datetime) -> Future[Outcome]:
    """All the time a task may take is used up: its attempt ends, and a person decides how it goes on."""
    total = say_duration(timers_of(task.workspace).task_total)
    reason = f"It was not done within {total} of becoming ready; decide whether to go on, to take it over or to drop it"
    return _give_to(task, name_of(task.run), reason, now, Failure.TASK_TIMED_OUT)


def not_acknowledged(task: Task, now: datetime) -> Future[Outcome]:
    """An agent did not say that it understood a hand-back: whoever handed it back is asked."""
    assert task.attempt is not None
    decision = acknowledging.silent(task, task.attempt, now)
    return _submit(task, "task.give_to_person", decision.writes, decision.facts, decision.wakes)


def _unassigned(task: Task, now: datetime) -> Future[Outcome]:
    waited = say_duration(timers_of(task.workspace).unassigned)
    reason = f"Nobody has begun it for {waited}. {task.reason}".strip()
    return _give_to(task, name_of(task.run), reason, now)


def _give_to(task: Task, who: str, reason: str, now: datetime, failure: Failure | None = None) -> Future[Outcome]:
    """The task is stuck until this person acts; an attempt that goes on is ended, and its writes refused."""
    decision = Decision()
    values: dict[str, Any] = {"state": move_task(task.state, TaskVerb.STICK).value, "reason": reason}
    if failure is not None:
        values["failure"] = failure.value
    if task.attempt is not None and task.attempt.ended_at is None:
        decision = end_attempt(task.attempt, AttemptVerb.EXPIRE, now, reason=reason, failure=failure)
        values |= {"epoch": task.epoch + 1, "attempt_id": None, "assignee_id": None}
    values |= waits(task, wait_for_help(now, timers_of(task.workspace), who), now)
    stuck = TaskStuck(task_id=task.pk, reason=reason, epoch=values.get("epoch", task.epoch))
    fact = Fact(task.workspace_id, stuck)
    return _submit(
        task,
        "task.give_to_person",
        [Update("clawgroups.Task", task.pk, values, fence(task)), *decision.writes],
        [fact, *decision.facts],
        decision.wakes,
    )


def _judge(task: Task, now: datetime) -> Future[Outcome]:
    """A result that nothing has checked in all the task's time: a person judges it."""
    who = judge_name(task)
    reason = f"It was not checked in time; {who} is asked to judge it."
    values = {"reason": reason, **waits(task, wait_for_judge(now, timers_of(task.workspace), who), now)}
    fact = Fact(task.workspace_id, TaskParked(task_id=task.pk, reason=reason))
    return _submit(task, "task.ask_person", [Update("clawgroups.Task", task.pk, values, fence(task))], [fact])


def _review_again(task: Task, now: datetime) -> Future[Outcome]:
    """The sweep wakes the coordinator as long as nobody has begun the review; this is until when it has now."""
    values = waits(task, wait_for_review(now, timers_of(task.workspace)), now)
    return _submit(task, "task.review_again", [Update("clawgroups.Task", task.pk, values, fence(task))], [])


def _let_pass(task: Task, now: datetime) -> Future[Outcome]:
    """Who was asked whether they would do it did not answer: it goes back, or the next one is looked for."""
    expects = {**fence(task), "not_before": task.not_before, "brief": task.brief}
    asked = Member.objects.filter(pk__in=task.brief.get("asked", [])[-1:]).first()
    if asked is None:
        values = waits(task, wait_for_coordinator(now, timers_of(task.workspace)), now)
        fact = Fact(task.workspace_id, TaskReady(task_id=task.pk, run_id=task.run_id))
        return _submit(
            task, "task.let_pass", [Update("clawgroups.Task", task.pk, {**values, "not_before": None}, expects)], [fact]
        )
    back = passing.goes_back(task, asked, now, silent=True)
    writes = [Update("clawgroups.Task", task.pk, back.values, expects), *back.decision.writes]
    return _submit(task, "task.let_pass", writes, back.decision.facts)


def _idle(task: Task, now: datetime) -> Future[Outcome]:
    """A holder does nothing: first they are reminded, then the others are told that they may take over."""
    attempt, holder, timers = task.attempt, task.holder, timers_of(task.workspace)
    assert attempt is not None
    assert holder is not None
    since = attempt.progress_at or attempt.offered_at
    idle = say_duration((now - since).total_seconds())
    if attempt.quiet_since is None:
        body = (
            f"@{holder.handle}: “{task.title}” is in your hands and has not changed for {idle}. "
            "Finish it, hand it back, or give it to somebody else."
        )
        wait = wait_for_idle_holder(since, timers, holder.name)
    else:
        body = (
            f"“{task.title}” is in the hands of {holder.name} and has not changed for {idle}. "
            "Whoever can go on with it may take it over."
        )
        wait = wait_for_taker(now, timers, holder.name)
    said, spoken = message(task.workspace_id, body=body, actor=SYSTEM)
    unmoved = {"state": attempt.state, "progress_at": attempt.progress_at}
    writes = [
        Update("clawgroups.Task", task.pk, waits(task, wait, now), fence(task)),
        Update("clawgroups.Attempt", attempt.pk, {"quiet_since": since}, unmoved),
        said,
    ]
    return _submit(task, "task.remind_holder", writes, [spoken])


def _reminders(tasks: Iterable[Task], now: datetime) -> list[Verb]:
    """One message per run and person, however many tasks wait for them."""
    groups: dict[tuple[Any, str], list[Task]] = {}
    for task in tasks:
        if task.state in WAITING_FOR_A_PERSON:
            groups.setdefault((task.run_id, task.next_actor), []).append(task)
    return [partial(_remind, group, now) for group in groups.values()]


def _remind(tasks: Sequence[Task], now: datetime) -> Future[Outcome]:
    first, who = tasks[0], tasks[0].next_actor
    titles = ", ".join(f"“{t.title}”" for t in tasks[:SHOWN])
    more = f" and {len(tasks) - SHOWN} more" if len(tasks) > SHOWN else ""
    waits_still = f"{titles} still waits for you." if len(tasks) == 1 else f"{titles}{more} still wait for you."
    body = f"{_address(first, who)}: {waits_still}"
    said, spoken = message(first.workspace_id, body=body, actor=SYSTEM)
    updates = [Update("clawgroups.Task", t.pk, waits(t, _again(t, now), now), fence(t)) for t in tasks]
    return _submit(first, "task.remind", [*updates, said], [spoken])


def _again(task: Task, now: datetime) -> Wait:
    timers = timers_of(task.workspace)
    wait = wait_for_judge if task.state == "in_review" else wait_for_help
    return wait(now, timers, task.next_actor)


def _address(task: Task, who: str) -> str:
    """How to call a named person in the chat; somebody who is not here is called through the run's person."""
    here = Member.objects.filter(workspace=task.workspace_id, left_at=None, user__isnull=False)
    member = here.filter(name=who).first() or person_of(task.run)
    return f"@{member.handle}" if member is not None else who


def _submit(
    task: Task, verb: str, writes: Sequence[Any], facts: Sequence[Fact], wakes: Sequence[str] = ()
) -> Future[Outcome]:
    return commit.submit(
        Change(SYSTEM, task.workspace_id, writes=tuple(writes), facts=tuple(facts), verb=verb, wakes=tuple(wakes))
    )


def is_offered(task: Task, attempt: Attempt | None, now: datetime) -> bool:
    """Whether a held task has lain with its holder for so long that others may take it over."""
    if task.state != "held" or attempt is None or attempt.progress_at is None:
        return False
    idle = (now - attempt.progress_at).total_seconds()
    return idle >= timers_of(task.workspace).holder_offer
