"""`python -m tests.chaos.appender WORKSPACE RATE SECONDS`: 8 threads that write through the services at a steady pace.

In the end a line of JSON on stdout: {"seconds", "appended": [[seq, id, began, acknowledged], ...], "failures":
{what: how often}}; moments are seconds since 1970. Then it stays until SIGTERM: a process that ends at once may take
its last hint along.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import django

if TYPE_CHECKING:
    from clawgroups.core.actors import Actor
    from clawgroups.core.changes import Outcome

THREADS = 8
RENAME = 10  # Every tenth entry gives the workspace another name: the folded state has to move, too.
PATIENCE = 30.0


class Appended(NamedTuple):
    """One acknowledged append."""

    seq: int
    id: str
    began: float
    acknowledged: float


class Writers:
    """The threads. Each of them has its own share of the moments; one that is late goes on at once."""

    def __init__(self, workspace: UUID, actor: Actor, *, rate: float, seconds: float) -> None:
        self._workspace, self._actor, self._rate = workspace, actor, rate
        self._count = round(rate * seconds)
        self._ready = threading.Barrier(THREADS, action=self._set_off, timeout=PATIENCE)
        self._start = 0.0
        self.appended: list[Appended] = []
        self.failures: Counter[str] = Counter()

    def run(self) -> None:
        """Write everything."""
        # Daemons, so that a process which is told to end does.
        threads = [threading.Thread(target=self._write, args=(first,), daemon=True) for first in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def tally(self) -> dict[str, Any]:
        """What became of it, ready for JSON."""
        ended = max((one.acknowledged for one in self.appended), default=self._start)
        return {"seconds": ended - self._start, "appended": self.appended, "failures": self.failures}

    def _set_off(self) -> None:
        self._start = time.time()

    def _write(self, first: int) -> None:
        # Opens this thread's connection, which is no part of an append.
        self._append(-1)
        self._ready.wait()
        for number in range(first, self._count, THREADS):
            time.sleep(max(0.0, self._start + number / self._rate - time.time()))
            began = time.time()
            try:
                outcome = self._append(number)
            except Exception as fault:  # noqa: BLE001  (counted, whatever it is)
                self.failures[f"{type(fault).__name__}: {fault}"] += 1
            else:
                seq, pk = outcome.seqs[self._workspace], str(outcome.answer["id"])
                self.appended.append(Appended(seq, pk, began, time.time()))

    def _append(self, number: int) -> Outcome:
        from clawgroups.services import messages, workspaces  # noqa: PLC0415  (Django is set up first)
        from clawgroups.services.perform import perform  # noqa: PLC0415

        if number % RENAME == 0:
            return perform(workspaces.rename_workspace, self._workspace, name=f"Room {number}", actor=self._actor)
        body = f"This is entry {number}: {'word ' * (number % 40)}"
        return perform(messages.post_message, self._workspace, body=body, actor=self._actor)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clawgroups.settings")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    django.setup()
    from clawgroups import commit  # noqa: PLC0415
    from clawgroups.auth import actor_of_user  # noqa: PLC0415
    from clawgroups.services import people  # noqa: PLC0415

    owner = actor_of_user(people.ensure_first_person())
    writers = Writers(UUID(sys.argv[1]), owner, rate=float(sys.argv[2]), seconds=float(sys.argv[3]))
    try:
        writers.run()
        print(json.dumps(writers.tally()), flush=True)
        signal.pause()
    finally:
        commit.drain()


if __name__ == "__main__":
    main()
