"""`python -m bench.pages_writer WORKSPACE RUN RATE`: keeps a workspace's journal growing by RATE entries a second.

What agents on real sockets write counts; the rest comes from here, through the services: steps of agents at work on the
tasks that nobody else can do (`bench.pages`), and now and then something said in the chat. Runs until it is stopped.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from uuid import UUID

import django

from bench.crew import Worker, recorded
from clawgroups.core.actors import Actor

SKILL = "phoning"  # nobody's: tasks that ask for it are for the workers here
BEAT = 0.05  # seconds between two looks at the head
RENEW = 10.0  # seconds between two signs of life of the workers' links
SAY_EVERY = 20  # entries of ours
AT_ONCE = 60
AT_A_TIME = 8  # workers that are hired side by side, so that they share commits
READY = "at work"  # is said when it begins to write
WORDS = "Number {} is on its way; whoever looks into the totals of the north should wait for *the second count*."


def hired(workspace: UUID, run: UUID, owner: Actor) -> list[Worker]:
    """An agent at work on each of the run's tasks that ask for `SKILL`."""
    from bench.crew import at_work  # noqa: PLC0415  (Django is set up first)
    from clawgroups.models import Task  # noqa: PLC0415

    tasks = Task.objects.filter(run_id=run, skills__icontains=SKILL).order_by("position").values_list("pk", flat=True)
    with ThreadPoolExecutor(AT_A_TIME) as together:
        return list(together.map(lambda told: at_work(workspace, told[0], told[1], owner), enumerate(tasks)))


async def keep_up(workspace: UUID, owner: Actor, workers: list[Worker], rate: float) -> None:
    """Write whatever is missing to the rate, until somebody ends this process."""
    from clawgroups.models import Workspace  # noqa: PLC0415
    from clawgroups.services.perform import read_async  # noqa: PLC0415

    async def head() -> int:
        return int((await read_async(Workspace.objects.get, pk=workspace)).head)

    idle: asyncio.Queue[Worker] = asyncio.Queue()
    for worker in workers:
        idle.put_nowait(worker)
    numbers, writes = count(1), set[asyncio.Task[None]]()
    renewed, began, first = 0.0, time.monotonic(), await head()
    while True:
        now = time.monotonic()
        if now - renewed > RENEW:
            renewed = now
            await _renew(workers)
        missing = first + rate * (now - began) - await head() - len(writes)
        for _ in range(min(int(missing), AT_ONCE)):
            write = asyncio.create_task(_write(workspace, owner, next(numbers), idle))
            writes.add(write)
            write.add_done_callback(writes.discard)
        # A backlog is not made up for: what could not be written is a lower rate, not a later flood.
        if missing > AT_ONCE:
            began += (missing - AT_ONCE) / rate
        await asyncio.sleep(BEAT)


async def _write(workspace: UUID, owner: Actor, number: int, idle: asyncio.Queue[Worker]) -> None:
    from clawgroups.services import messages  # noqa: PLC0415
    from clawgroups.services.perform import perform_async  # noqa: PLC0415

    if number % SAY_EVERY == 0:
        await perform_async(messages.post_message, workspace, body=WORDS.format(number), actor=owner)
        return
    worker = await idle.get()
    try:
        await recorded(worker, number)
    finally:
        idle.put_nowait(worker)


async def _renew(workers: list[Worker]) -> None:
    from clawgroups.services import contact  # noqa: PLC0415
    from clawgroups.services.perform import perform_async  # noqa: PLC0415

    await perform_async(contact.renew_connections, {worker.link: worker.epoch for worker in workers})


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clawgroups.settings")
    django.setup()
    from clawgroups.auth import actor_of_user  # noqa: PLC0415  (Django is set up first)
    from clawgroups.services import people  # noqa: PLC0415

    workspace, run, rate = UUID(sys.argv[1]), UUID(sys.argv[2]), float(sys.argv[3])
    owner = actor_of_user(people.ensure_first_person())
    workers = hired(workspace, run, owner)
    print(f"{len(workers)} {READY}", flush=True)
    asyncio.run(keep_up(workspace, owner, workers, rate))


if __name__ == "__main__":
    main()
