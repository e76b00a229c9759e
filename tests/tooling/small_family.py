"""A supervisor of small children, run as a process: `python -m tests.tooling.small_family` with CLAWGROUPS_DATA."""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType

from clawgroups.supervisor.__main__ import start_valkey
from clawgroups.supervisor.child import Spec
from clawgroups.supervisor.family import Family, Signals
from clawgroups.supervisor.place import make_folders, read_place, take_lock
from clawgroups.supervisor.say import say


def note(line: str) -> None:
    with open(os.path.join(os.environ["CLAWGROUPS_DATA"], "events"), "a", encoding="ascii") as file:  # noqa: PTH118, PTH123
        file.write(line + "\n")


def child(name: str, manner: str) -> None:
    """Live until SIGTERM, and note both ends."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        note(f"{name} stop")
        if manner != "stubborn":
            sys.exit(0)

    signal.signal(signal.SIGTERM, leave)
    note(f"{name} start {os.getpid()}")
    if manner == "failing":
        print("an ERROR that a person should see", flush=True)
    while True:
        time.sleep(60)


def supervise() -> None:
    place = read_place(os.environ)
    make_folders(place)
    family = Family(place, lock=take_lock(place), signals=Signals())
    start_valkey(family)
    for name, manner in (("worker", "failing"), ("agents", "plain"), ("web", "stubborn")):
        command = [sys.executable, "-m", "tests.tooling.small_family", name, manner]
        family.add(Spec(name, command, patience=0.5))
    say("up")
    family.watch()
    family.stop()
    say("stopped")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        child(*sys.argv[1:])
    else:
        supervise()
