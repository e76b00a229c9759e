"""A process with a writer of its own: `python -m tests.commit.process`.

It says "ready"; then each line `[job, arguments]` is answered by a line that says what came of it.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any
from uuid import UUID

import django

django.setup()

from clawgroups import commit  # noqa: E402
from clawgroups.core.actors import Actor, ActorKind  # noqa: E402
from clawgroups.core.changes import Change, Count, Fact, OperationId, Outcome, Update  # noqa: E402
from clawgroups.core.events import GoalSet  # noqa: E402
from clawgroups.core.task_events import TaskReady  # noqa: E402

PATIENCE = 30.0


class Repeats(logging.Handler):
    """Counts the batches that had to be repeated."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        if "is repeated" in record.getMessage():
            self.count += 1


def actor(user: int) -> Actor:
    return Actor(ActorKind.PERSON, "somebody", user_id=user)


def goals(user: int, workspace: str, threads: int, each: int) -> dict[str, Any]:
    """Many threads, each with many changes that say one thing."""
    pk = UUID(workspace)
    made = Change(actor(user), pk, facts=(Fact(pk, GoalSet(goal="g")),))
    seqs: list[int] = []

    def write() -> None:
        waiting = [commit.submit(made) for _ in range(each)]
        seqs.extend(commit.wait(future, PATIENCE).seqs[pk] for future in waiting)

    workers = [threading.Thread(target=write) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(PATIENCE)
    return {"seqs": seqs}


def finish_parent(user: int, workspace: str, task: str, child: str, run: str) -> dict[str, Any]:
    """What accepting a task does: it is done, and its child waits for one task less."""
    return said(commit.wait(commit.submit(parent_done(actor(user), *map(UUID, (workspace, task, child, run))))))


def parent_done(who: Actor, workspace: UUID, task: UUID, child: UUID, run: UUID) -> Change:
    """A parent ends; the last one makes the child ready."""
    ready = Fact(workspace, TaskReady(task_id=child, run_id=run))
    return Change(
        who,
        workspace,
        writes=(
            Update("clawgroups.Task", task, {"state": "done"}, {"state": "in_review"}),
            Count("clawgroups.Task", child, "waiting_on", -1, {"state": "waiting"}, {"state": "ready"}, (ready,)),
        ),
    )


def lower(user: int, workspace: str, task: str, times: int) -> dict[str, Any]:
    """Lower one counter many times, each in a change of its own."""
    who, pk = actor(user), UUID(workspace)
    ready = Fact(pk, TaskReady(task_id=UUID(task), run_id=pk))
    count = Count("clawgroups.Task", UUID(task), "waiting_on", -1, {"state": "waiting"}, {"state": "ready"}, (ready,))
    waiting = [commit.submit(Change(who, pk, writes=(count,))) for _ in range(times)]
    return {"applied": sum(commit.wait(future, PATIENCE).applied for future in waiting)}


def operate(user: int, workspace: str, goal: str, operation: str, digest: str) -> dict[str, Any]:
    """One change under an operation id."""
    pk = UUID(workspace)
    change = Change(
        actor(user),
        pk,
        writes=(Update("clawgroups.Workspace", pk, {"goal": goal}),),
        facts=(Fact(pk, GoalSet(goal=goal)),),
        operation=OperationId(operation, digest),
        answer={"goal": goal},
    )
    return said(commit.wait(commit.submit(change), PATIENCE))


def share(user: int, workspace: str, agents: list[str], times: int) -> dict[str, Any]:
    """Changes of one workspace that touch the same agents as those of another, in the given order."""
    pk = UUID(workspace)
    writes = tuple(Count("agents.Agent", UUID(agent), "connection_epoch", 1) for agent in agents)
    change = Change(actor(user), pk, writes=writes, facts=(Fact(pk, GoalSet(goal="g")),))
    futures: list[Future[Outcome]] = [commit.submit(change) for _ in range(times)]
    return {"applied": sum(commit.wait(future, PATIENCE).applied for future in futures)}


def fork(user: int, workspace: str) -> dict[str, Any]:
    """A change, one by a child that is forked while this process has its writer, and another one: their numbers."""
    pk = UUID(workspace)
    seqs = [number(user, pk)]
    reader, ender = os.pipe()
    child = os.fork()
    if child == 0:
        _write_and_end(user, pk, ender)
    os.close(ender)
    with os.fdopen(reader) as told:
        seqs.append(int(told.read() or 0))
    _, status = os.waitpid(child, 0)
    return {"seqs": [*seqs, number(user, pk)], "status": os.waitstatus_to_exitcode(status)}


def number(user: int, workspace: UUID) -> int:
    change = Change(actor(user), workspace, facts=(Fact(workspace, GoalSet(goal="g")),))
    return commit.wait(commit.submit(change), PATIENCE).seqs[workspace]


def _write_and_end(user: int, workspace: UUID, ender: int) -> None:
    signal.alarm(int(PATIENCE))  # whatever it inherited, it does not hang for ever
    code = 1
    try:
        os.write(ender, str(number(user, workspace)).encode())
        commit.drain(PATIENCE)
        code = 0
    finally:
        os._exit(code)  # nothing of the parent's may run on in the child


def said(outcome: Outcome) -> dict[str, Any]:
    return {"applied": outcome.applied, "repeated": outcome.repeated, "answer": dict(outcome.answer)}


JOBS: dict[str, Callable[..., dict[str, Any]]] = {
    job.__name__: job for job in (goals, finish_parent, fork, lower, operate, share)
}


def main() -> None:
    repeats = Repeats()
    logging.getLogger("clawgroups.commit.writer").addHandler(repeats)
    print("ready", flush=True)
    for line in sys.stdin:
        name, arguments = json.loads(line)
        repeats.count = 0
        result = JOBS[name](**arguments)
        print(json.dumps({**result, "repeats": repeats.count}), flush=True)
    commit.drain()


if __name__ == "__main__":
    main()
