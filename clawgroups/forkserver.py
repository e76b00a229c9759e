"""`python -m clawgroups.forkserver FD`: has everything loaded, and forks children for the supervisor at that socket.

It opens no connection, starts no thread and asks for no random number: forks would share what comes of it.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import socket
import sys
import time
from importlib import import_module
from typing import Any

import django
import setproctitle

from clawgroups import startup
from clawgroups.core.garbage import loading, settle
from clawgroups.core.parent import die_with
from clawgroups.supervisor.forking import READY

LARGEST = 65_536
FDS = 4  # of its output, its errors, the lock of the data folder, and the word that it may go on
# What web, worker and built-in agents load as they start. Not Twisted's reactor, which opens what no fork may share.
MODULES = (
    "acp.schema",
    "autobahn.twisted.websocket",
    "celery.bin.celery",
    "celery.worker.worker",
    "celery.concurrency.thread",
    "clawgroups.celery",
    "clawgroups.jobs",
    "clawgroups.routing",
    "clawgroups.urls",
    "clawgroups.gateway.lifespan",
    "clawgroups.gateway.mcp",
    "clawgroups.api.bodies",
    "clawgroups.assets",
    "agents.builtin.serve",
)


def load() -> None:
    """Load all that a child will want. Ends this process where the settings cannot be read."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clawgroups.settings")
    startup.read_settings()
    with loading():
        django.setup()
        for name in MODULES:
            import_module(name)
        import_module("clawgroups.realtime.renderer").load()
    settle()


def serve(door: socket.socket) -> list[str]:
    """Fork for as long as anybody may ask; gives the command that a fork has to do, in the fork."""
    door.send(READY)
    while True:
        said, given, _, _ = socket.recv_fds(door, LARGEST, FDS)
        if not said:
            os._exit(0)  # the supervisor is gone, and with it all that was forked
        order = json.loads(said)
        if not (between := os.fork()):
            if os.fork():
                os._exit(0)
            become(order, given, door)
            return list(order["command"])
        os.waitpid(between, 0)
        for one in given:
            os.close(one)


def become(order: dict[str, Any], given: list[int], door: socket.socket) -> None:
    """Be a child of the supervisor's; ends where it is gone, or has given up waiting for us."""
    parent, (out, err, lock, word) = int(order["parent"]), given
    for _ in range(5000):
        if os.getppid() == parent:
            break
        time.sleep(0.001)
    die_with(parent, signal.Signals(order["death"]))
    os.setsid()
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.set_inheritable(lock, True)
    door.send(str(os.getpid()).encode())
    door.close()
    if not os.read(word, 1):
        os._exit(1)
    for one in (out, err, word):
        os.close(one)


def main() -> None:
    door = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(door.fileno(), False)
    load()
    command = serve(door)
    setproctitle.setproctitle(" ".join([sys.executable, *command]))
    if command[0] == "-m":
        sys.argv = command[1:]
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = command
        runpy.run_path(command[0], run_name="__main__")


if __name__ == "__main__":
    main()
