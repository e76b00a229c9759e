"""Processes of T21, each with a writer of its own: `python -m tests.chaos.takeover_sides READ:WRITE ...`, one for
each pair of pipes.

It holds agents' sockets behind the real gateway, does what people do, and takes the coordinator's turns. Each line
`[number, job, arguments]` is answered by a line `[number, result]`, in whatever order they end. Its gate keeps
a change back that was decided and not yet handed to the writer, so that both sides of a race have
decided before either of them commits.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.utils import timezone  # noqa: E402

from clawgroups import commit, ingest  # noqa: E402
from clawgroups.auth import actor_of_user  # noqa: E402
from clawgroups.coordinator.loop import take_turn  # noqa: E402
from clawgroups.core.actors import SYSTEM, Actor, ActorKind, coordinator_for  # noqa: E402
from clawgroups.core.changes import Change, Insert, Outcome  # noqa: E402
from clawgroups.core.errors import ClawError  # noqa: E402
from clawgroups.core.failures import Failure  # noqa: E402
from clawgroups.core.parent import die_with  # noqa: E402
from clawgroups.models import Session  # noqa: E402
from clawgroups.reactions import react  # noqa: E402
from clawgroups.services import (  # noqa: E402
    approvals,
    artifacts,
    breakers,
    drafts,
    finishing,
    handback,
    late,
    review,
    runs,
    sessions,
    takeover,
    tasks,
)
from clawgroups.services.files import StoredFile  # noqa: E402
from clawgroups.services.perform import perform, read_async  # noqa: E402
from clawgroups.services.sweep import sweep  # noqa: E402
from tests.gateway.support import Socket  # noqa: E402

Json = dict[str, Any]
PATIENCE = 20.0
# Of what an agent says, each piece is stored at once: a round takes a blink, and waits for no record.
ingest.TEXT_EVERY = ingest.EDGE_EVERY = 0.02


@dataclass
class Kept:
    """A change that is waited for, and once it was decided kept back: the first of this verb that touches this row."""

    verb: str
    row: str
    change: Change | None = None
    future: Future[Outcome] = field(default_factory=Future)
    decided: threading.Event = field(default_factory=threading.Event)


class Gate:
    """In front of the writer: what is kept back is decided, and has no lock yet."""

    def __init__(self) -> None:
        self._submit = commit.submit
        self._kept: dict[str, Kept] = {}
        self._lock = threading.Lock()
        commit.submit = self.submit

    def keep(self, name: str, verb: str, row: str) -> None:
        """From now on wait for such a change."""
        with self._lock:
            self._kept[name] = Kept(verb, row)

    def submit(self, change: Change) -> Future[Outcome]:
        with self._lock:
            rows = touched(change)
            for kept in self._kept.values():
                if kept.change is None and kept.verb == change.verb and kept.row in rows:
                    kept.change = change
                    kept.decided.set()
                    return kept.future
        return self._submit(change)

    def decided(self, name: str) -> bool:
        """Wait until it was decided; False when it never was."""
        return self._kept[name].decided.wait(PATIENCE)

    def release(self, name: str) -> bool:
        """Hand it to the writer; whether it was applied."""
        with self._lock:
            kept = self._kept.pop(name)
        if kept.change is None:
            return False
        real = self._submit(kept.change)
        try:
            outcome = real.result(PATIENCE)
        except Exception as fault:
            kept.future.set_exception(fault)
            raise
        kept.future.set_result(outcome)
        return outcome.applied


def touched(change: Change) -> set[str]:
    """The rows that a change expects to find, or writes in."""
    writes = {str(write.pk) for write in change.writes if not isinstance(write, Insert)}
    return writes | {str(expect.pk) for expect in change.expects}


GATE = Gate()
AGENTS: dict[str, Socket] = {}
VERBS: dict[str, Callable[..., Future[Outcome]]] = {
    "draft_run": runs.draft_run,
    "start": runs.start_run,
    "assign": tasks.assign_task,
    "release": tasks.release_task,
    "take_over": takeover.take_over,
    "save": drafts.save_draft,
    "submit": finishing.submit_held,
    "hand_back": handback.hand_back,
    "accept": review.accept_task,
    "adopt": late.adopt_late,
    "decide": approvals.decide_approval,
    "lose": sessions.session_lost,
    "deliver": artifacts.deliver_file,
    "vouch": breakers.clear_breaker,
}


def who(name: Any) -> Actor:
    """A person by number, an agent by id, the system, or the coordinator of a person."""
    match name:
        case {"agent": pk}:
            return Actor(ActorKind.AGENT, "Agent", agent_id=UUID(pk))
        case {"coordinator": user}:
            return coordinator_for(user)
        case {"person": user}:
            return actor_of_user(User.objects.get(pk=user))
        case _:
            return SYSTEM


# What can be asked of a process: first what threads do


def keep(name: str, verb: str, row: str) -> None:
    GATE.keep(name, verb, row)


def verb(name: str, target: str, actor: Any, given: Mapping[str, Any]) -> Json:
    """Carry a verb out as a door does: what it answers, or why it was refused."""
    more = dict(given)
    if "failure" in more:
        more["failure"] = Failure(more["failure"])
    if "stored" in more:
        more["stored"] = StoredFile(**more["stored"])
    if name != "lose":
        more["actor"] = who(actor)
    try:
        # As the doors do it.
        verb = takeover.Insistent() if name == "take_over" else VERBS[name]
        return {"answer": dict(perform(verb, *map(UUID, target.split()), **more).answer)}
    except ClawError as refused:
        return {"refused": refused.code, "message": refused.message, **refused.fields}


def bring_in(task: str, actor: Any) -> None:
    takeover.bring_in(UUID(task), actor=who(actor))


def turn(workspace: str, run: str) -> bool:
    """The coordinator of a run looks, and does what is next."""
    react(UUID(workspace))
    return take_turn(UUID(run))


def look() -> None:
    """What the sweep does every few seconds, where nothing is overdue."""
    sweep(timezone.now(), quiet=True)


def session_of(task: str) -> str:
    return str(Session.objects.filter(task_id=task).latest("opened_at").pk)


# Then what agents do, in the loop


async def connect(agent: str, key: str, link: str) -> None:
    """An agent comes in on its link, or comes back on it."""
    before = AGENTS.get(agent)
    AGENTS[agent] = Socket(UUID(link), sessions=before.sessions if before else 0).open(key)
    await AGENTS[agent].asked("initialize")


async def hang_up(agent: str) -> None:
    await AGENTS[agent].hang_up()


async def is_up(agent: str) -> bool:
    task = AGENTS[agent].task
    return task is not None and not task.done()


async def forget(agent: str) -> None:
    """What it was sent so far is of no interest any more."""
    AGENTS[agent].heard.clear()


async def chunk(agent: str, session: str, text: str) -> None:
    AGENTS[agent].chunk(session, text)


async def update(agent: str, session: str, tag: str, fields: Mapping[str, Any]) -> None:
    AGENTS[agent].update(session, tag, **fields)


async def ask(agent: str, session: str, request: int) -> None:
    AGENTS[agent].ask(session, request, f"c{request}")


async def withdraw(agent: str, request: int) -> None:
    AGENTS[agent].say({"method": "$/cancel_request", "params": {"requestId": request}})


async def end_turn(agent: str, prompt: str, reason: str) -> None:
    AGENTS[agent].end_turn({"id": prompt}, reason)


async def heard(agent: str, method: str, number: int) -> Json:
    """The `number`th frame of this kind that it was sent, once it is there."""
    return await AGENTS[agent].asked(method, number)


async def count(agent: str, method: str) -> int:
    return sum(1 for frame in AGENTS[agent].heard if frame.get("method") == method)


async def answered(agent: str, request: int) -> list[Json]:
    """What it was answered to its question, once it was."""
    await AGENTS[agent].answered(request)
    return [frame for frame in AGENTS[agent].heard if "method" not in frame and frame.get("id") == request]


async def drain() -> None:
    for agent in AGENTS.values():
        if agent.task is not None and not agent.task.done():
            await agent.hang_up()


IN_THREADS: tuple[Callable[..., Any], ...] = (keep, verb, bring_in, turn, look, session_of)
IN_LOOP: tuple[Callable[..., Awaitable[Any]], ...] = (
    connect, hang_up, is_up, forget, chunk, update, ask, withdraw, end_turn, heard, count, answered, drain
)  # fmt: skip
AT_THE_GATE: tuple[Callable[..., Any], ...] = (GATE.decided, GATE.release)
THREADS = {job.__name__: job for job in IN_THREADS}
LOOP = {job.__name__: job for job in IN_LOOP}
WAITING = {job.__name__: job for job in AT_THE_GATE}


async def serve(number: int, name: str, given: Json) -> None:
    try:
        if name in LOOP:
            result = await LOOP[name](**given)
        elif name in WAITING:
            result = await asyncio.to_thread(WAITING[name], **given)
        else:
            result = await read_async(THREADS[name], **given)
        said = [number, result, ""]
    except Exception as fault:  # noqa: BLE001  told to whoever asked
        said = [number, None, f"{name}: {fault!r}"]
    print(json.dumps(said, default=str), flush=True)


async def main() -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    running: set[asyncio.Task[None]] = set()

    def begin(line: str) -> None:
        job = loop.create_task(serve(*json.loads(line)))
        running.add(job)
        job.add_done_callback(running.discard)

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(begin, line)
        loop.call_soon_threadsafe(over.set)

    threading.Thread(target=read, daemon=True).start()
    print("ready", flush=True)
    await over.wait()


def forked(asked: int, answers: int) -> int:
    """A process that is asked, and answers, by these pipes; its id."""
    parent = os.getpid()
    if pid := os.fork():
        return pid
    die_with(parent)
    os.dup2(asked, sys.stdin.fileno())
    os.dup2(answers, sys.stdout.fileno())
    asyncio.run(main())
    commit.drain()
    sys.exit()


if __name__ == "__main__":
    for child in [forked(*map(int, pair.split(":"))) for pair in sys.argv[1:]]:
        os.waitpid(child, 0)
