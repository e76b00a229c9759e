"""`python -m bench.fleet_writer AGENTS TASKS RATE`: gathers a crowd and plays it; its journal grows by RATE a second.

Most of what it writes are steps of agents at work; the rest is what moves cells: plans ticked off, tasks finished,
judged and given to whoever is free, all by the product's own verbs. Its first line is JSON (see `Gathered.paths`). Runs
until it is stopped.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import UUID

import django

from bench.crew import Worker, found_again, recorded
from bench.pages_writer import AT_ONCE, BEAT, READY, WORDS
from clawgroups.core.actors import Actor

if TYPE_CHECKING:
    from clawgroups.models import Command

TICK_EVERY, MOVE_EVERY, SAY_EVERY = 8, 30, 100  # writes
MOVERS = 4  # threads that finish tasks and give others out
PLAN = ("Look through the files", "Work out the figures", "Write it down", "Check it once more")


class Player:
    """Everybody of the crowd, played. `idle`: who may be given the next step to write."""

    def __init__(self, run_id: UUID, owner: Actor) -> None:
        self.run_id, self.owner = run_id, owner
        crew = found_again(run_id)
        self.workspace_id = crew.workspace_id
        self.idle: deque[Worker] = deque(worker for worker in crew.workers if worker.standing.live)
        self.moves, self.refused = 0, 0
        self._pool = ThreadPoolExecutor(MOVERS)
        self._numbers = count(1)

    async def write(self) -> None:
        """One more thing that happens."""
        number = next(self._numbers)
        if number % SAY_EVERY == 0:
            await self._say(number)
        elif number % MOVE_EVERY == 0:
            await asyncio.get_running_loop().run_in_executor(self._pool, self._move)
        elif self.idle:
            await self._work(self.idle.popleft(), number)

    async def _work(self, worker: Worker, number: int) -> None:
        try:
            if number % TICK_EVERY == 0:
                await _ticked(worker, number // TICK_EVERY % (len(PLAN) + 1))
            else:
                await recorded(worker, number)
        except AssertionError:
            self.refused += 1  # its task was finished meanwhile
        else:
            self.idle.append(worker)

    async def _say(self, number: int) -> None:
        from clawgroups.services import messages  # noqa: PLC0415  (Django is set up first)
        from clawgroups.services.perform import perform_async  # noqa: PLC0415

        await perform_async(messages.post_message, self.workspace_id, body=WORDS.format(number), actor=self.owner)

    def _move(self) -> None:
        """An agent finishes its task, the owner accepts it, and somebody who is free begins another one."""
        from clawgroups.core.errors import ClawError  # noqa: PLC0415

        try:
            self._finish(self.idle.popleft())
            self._begin()
        except (ClawError, IndexError):
            self.refused += 1
        else:
            self.moves += 1

    def _finish(self, worker: Worker) -> None:
        from clawgroups.services import review  # noqa: PLC0415
        from clawgroups.services.perform import perform  # noqa: PLC0415

        for command in _owed(worker):
            _answer(command, worker, {"stopReason": "end_turn"}, "It is done.")
        perform(review.accept_task, worker.standing.task_id, actor=self.owner)

    def _begin(self) -> None:
        from agents.models import Connection  # noqa: PLC0415
        from clawgroups.models import Attempt, Member, Session, Task  # noqa: PLC0415
        from clawgroups.services import sessions, tasks, transcript  # noqa: PLC0415
        from clawgroups.services.perform import perform  # noqa: PLC0415

        task = Task.objects.filter(run=self.run_id, state="ready", paused="").order_by("?").first()
        busy = Attempt.objects.filter(state__in=["offered", "working"]).values("member")
        here = Connection.objects.filter(closed_at=None).values("agent")
        free = Member.objects.filter(workspace=self.workspace_id, agent__in=here, agent__breaker="closed")
        seat = free.exclude(pk__in=busy).order_by("?").first()
        if task is None or seat is None or seat.agent_id is None:
            return
        perform(tasks.assign_task, task.pk, member_id=seat.pk, actor=self.owner)
        link = Connection.objects.filter(agent=seat.agent_id, closed_at=None).latest("epoch")
        worker = Worker(link.pk, link.epoch, link.received, None, Actor(_agent(), seat.name, agent_id=seat.agent_id))  # type: ignore[arg-type]
        for _ in range(2):
            for command in sessions.owed_commands(seat.agent_id, link.pk):
                if command.state == "open":
                    perform(sessions.command_sent, command.pk, link=link.pk)
                    if command.purpose == "open":
                        _answer(command, worker, {"sessionId": f"s-{command.pk.hex[-12:]}"})
        session = Session.objects.filter(task=task.pk).latest("opened_at")
        worker.standing = transcript.load([session.pk])[session.pk]
        self.idle.append(worker)


def _agent() -> Any:
    from clawgroups.core.actors import ActorKind  # noqa: PLC0415

    return ActorKind.AGENT


def _owed(worker: Worker) -> list[Command]:
    from clawgroups.models import Command  # noqa: PLC0415

    session = worker.standing.session_id
    return list(Command.objects.filter(session=session, purpose="work", state="sent", link=worker.link))


def _answer(command: Command, worker: Worker, result: dict[str, Any], text: str = "") -> None:
    from clawgroups.services import sessions  # noqa: PLC0415
    from clawgroups.services.perform import perform  # noqa: PLC0415

    told: dict[str, Any] = {"link": worker.link, "epoch": worker.epoch, "received": worker.received}
    perform(sessions.command_answered, command.pk, result=result, text=text, **told)


async def _ticked(worker: Worker, done: int) -> None:
    """The agent's plan as it ticks it off."""
    from agents.protocol.updates import PlanEntry, PlanReplaced  # noqa: PLC0415
    from clawgroups import commit  # noqa: PLC0415
    from clawgroups.services import transcript  # noqa: PLC0415

    lines = [PlanEntry(line, "medium", "completed" if at < done else "pending") for at, line in enumerate(PLAN)]
    batch = transcript.Batch(worker.standing, [PlanReplaced(tuple(lines))])
    since = worker.received
    told: dict[str, Any] = {
        "epoch": worker.epoch,
        "since": since,
        "received": since + 1,
        "batches": [batch],
        "actor": worker.actor,
    }
    outcome = await commit.outcome(transcript.record(worker.link, **told))
    assert outcome.applied, outcome
    assert batch.after is not None
    worker.received, worker.standing = since + 1, batch.after


async def keep_up(player: Player, rate: float) -> None:
    """Write whatever is missing to the rate, until somebody ends this process."""
    from clawgroups.models import Workspace  # noqa: PLC0415
    from clawgroups.services.perform import read_async  # noqa: PLC0415

    writes = set[asyncio.Task[None]]()
    began, first = time.monotonic(), (await read_async(Workspace.objects.get, pk=player.workspace_id)).head
    while True:
        head = (await read_async(Workspace.objects.get, pk=player.workspace_id)).head
        missing = first + rate * (time.monotonic() - began) - head - len(writes)
        for _ in range(min(int(missing), AT_ONCE)):
            write = asyncio.create_task(player.write())
            writes.add(write)
            write.add_done_callback(writes.discard)
        # A backlog is not made up for: what could not be written is a lower rate, not a later flood.
        if missing > AT_ONCE:
            began += (missing - AT_ONCE) / rate
        await asyncio.sleep(BEAT)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clawgroups.settings")
    django.setup()
    from clawgroups.auth import actor_of_user  # noqa: PLC0415  (Django is set up first)
    from clawgroups.services import people  # noqa: PLC0415
    from tests.browser.crowd import gather  # noqa: PLC0415

    made = gather(agents=int(sys.argv[1]), tasks=int(sys.argv[2]))
    player = Player(made.run, actor_of_user(people.ensure_first_person()))
    print(json.dumps({**made.paths(), "id": str(made.workspace), "workers": len(player.idle)}), flush=True)
    print(READY, flush=True)
    asyncio.run(keep_up(player, float(sys.argv[3])))


if __name__ == "__main__":
    main()
