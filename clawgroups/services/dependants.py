"""Tasks that wait, directly or not, for one that is stuck, paused or has failed: they say so, until it moves again.

Found from rows as they are, so that whatever made a task stuck or moved it on needs to tell nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Fact, Outcome, Update, Write
from clawgroups.core.plan import children_of
from clawgroups.core.task_events import TaskParked
from clawgroups.core.timers import wait_for_parents
from clawgroups.models import Dependency, Run, Task
from clawgroups.permissions import get_run, require
from clawgroups.planned import Planned
from clawgroups.services.deadlines import name_of

LIMIT = 500  # told in one change; the rest follows in the next


@dataclass(frozen=True, slots=True)
class Told:
    """What a waiting task says: why it waits (empty: for nothing but its turn), and who must act."""

    task_id: UUID
    reason: str
    who: str


_PAUSED = Q(state__in=["waiting", "ready"]) & ~Q(paused="")
_blocking_in: Planned[Task] = Planned(
    lambda run_id: Task.objects.filter(Q(state__in=["stuck", "failed"]) | _PAUSED, run=run_id).order_by(
        "level", "position"
    )
)
_marked_in: Planned[Any] = Planned(
    lambda run_id: Task.objects.filter(run=run_id, state="waiting").exclude(reason="").values_list("pk", "reason")
)


def to_tell(run: Run) -> tuple[Told, ...]:
    """The waiting tasks of a run that do not say what they should, at most `LIMIT`."""
    tasks = Task.objects.filter(run=run)
    blocking, marked = _blocking_in(run.pk), dict(_marked_in(run.pk))
    if not blocking:
        return tuple(_nothing(pk) for pk in list(marked)[:LIMIT])
    edges = Dependency.objects.filter(task__run=run, task__state="waiting").values_list("task_id", "parent_id")
    sources = nearest([t.pk for t in blocking], edges)
    author, by_id = name_of(run), {t.pk: t for t in blocking}
    wanted = {pk: _told(pk, by_id[source], author) for pk, source in sources.items()}
    said = dict(tasks.filter(pk__in=wanted).values_list("pk", "reason"))
    told = [one for pk, one in wanted.items() if said.get(pk) != one.reason]
    return tuple([*told, *(_nothing(pk) for pk in marked if pk not in wanted)][:LIMIT])


def nearest(sources: Sequence[UUID], edges: Iterable[tuple[UUID, UUID]]) -> Mapping[UUID, UUID]:
    """For each task behind some of `sources` along (task, parent) edges: the nearest of them, the first of equals."""
    children = children_of(edges)
    found = {pk: pk for pk in sources}
    queue = list(sources)
    for pk in queue:
        for child in children.get(pk, ()):
            if child not in found:
                found[child] = found[pk]
                queue.append(child)
    return {pk: source for pk, source in found.items() if pk != source}


def _told(pk: UUID, source: Task, author: str) -> Told:
    if source.state == "failed":
        return Told(pk, f"It waits for “{source.title}”, which has failed; {author} decides how it goes on.", author)
    if source.paused:
        return Told(pk, f"It waits for “{source.title}”, which {source.paused} paused.", source.paused)
    who = source.next_actor
    return Told(pk, f"It waits for “{source.title}”, which is stuck: {who} must act there.", who)


def _nothing(pk: UUID) -> Told:
    return Told(pk, "", wait_for_parents().next_actor)


def tell_dependants(run_id: UUID, *, told: Sequence[Told], actor: Actor) -> Future[Outcome]:
    """Write down what waiting tasks say. One that waits no longer makes the answer a mismatch."""
    run = get_run(actor, run_id, "task.view")
    expects = require(actor, "task.stick", run.workspace_id)
    writes: list[Write] = []
    facts = []
    for one in told:
        values = {"reason": one.reason, "next_actor": one.who}
        writes.append(Update("clawgroups.Task", one.task_id, values, {"state": "waiting"}))
        facts.append(Fact(run.workspace_id, TaskParked(task_id=one.task_id, reason=one.reason)))
    return commit.submit(
        Change(
            actor,
            run.workspace_id,
            expects,
            tuple(writes),
            tuple(facts),
            verb="task.tell_dependants",
            answer={"id": str(run.pk), "told": len(told)},
        )
    )
