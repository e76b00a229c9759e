"""The process that forks: what its forks may not share, whose children they are, and what is done without it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawgroups.core.parent import adopt
from clawgroups.supervisor.child import Child, Spec
from clawgroups.supervisor.forking import Fork, Forks
from clawgroups.supervisor.logs import Log
from clawgroups.supervisor.place import python
from tests.tooling.processes import alive, eventually

LOADED = """
import glob, json, os, sys, threading
from clawgroups import forkserver
forkserver.load()
from django.db import connections
print(json.dumps({
    "threads": threading.active_count(),
    "reactor": "twisted.internet.reactor" in sys.modules,
    "databases": [one.alias for one in connections.all(initialized_only=True) if one.connection is not None],
    "open": [os.readlink(one) for one in glob.glob("/proc/self/fd/*") if os.path.exists(one)],
}))
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    data = tmp_path_factory.mktemp("data")
    return {**os.environ, "CLAWGROUPS_DATA": str(data), "CLAWGROUPS_SECRET_KEY": "k3y-of-the-tests-" * 3}


@pytest.fixture(scope="module")
def loaded(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    forks = Forks(settings, Log(tmp_path_factory.mktemp("log") / "forkserver.log"))
    forks.begin()
    eventually(lambda: forks.ready, seconds=60)
    yield forks
    forks.stop()
    adopt(orphans=False)


@pytest.fixture
def child(loaded: Forks, settings: dict[str, str], tmp_path: Path) -> Iterator[Child]:
    command = python("-m", "tests.tooling.small_fork", "stay")
    spec = Spec("small", command, patience=2.0, forked=True)
    lock = os.open(tmp_path, os.O_RDONLY)
    child = Child(spec, environment=settings, log=Log(tmp_path / "small.log"), lock=lock, forks=loaded)
    yield child
    child.stop()
    os.close(lock)


def said(child: Child) -> str:
    eventually(lambda: "\n" in child.log.path.read_text(), seconds=20)
    return child.log.path.read_text().splitlines()[-1]


def is_forked(child: Child) -> bool:
    return isinstance(child._process, Fork)


def test_what_is_loaded_holds_nothing_that_forks_may_not_share(settings: dict[str, str]) -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], env=settings, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert (found["threads"], found["reactor"], found["databases"]) == (1, False, [])
    assert not [one for one in found["open"] if one.startswith(("socket:", "anon_inode:")) or "sqlite" in one]


def test_a_fork_is_the_supervisors_child_in_a_session_of_its_own_and_says_how_it_ended(child: Child) -> None:
    child.start()
    assert is_forked(child)
    assert said(child) == f"['stay'] {os.getpid()} True"
    assert child.pid is not None
    title = Path(f"/proc/{child.pid}/cmdline").read_bytes().rstrip(b"\0").decode()
    assert title.endswith("-m tests.tooling.small_fork stay")
    os.kill(child.pid, signal.SIGKILL)
    eventually(lambda: child.ended() is not None, seconds=20)
    assert child.ended() == -signal.SIGKILL


def test_a_status_is_told_and_a_stop_waits_for_the_end(child: Child) -> None:
    child.spec = Spec("small", python("-m", "tests.tooling.small_fork", "leave"), patience=2.0, forked=True)
    child.start()
    eventually(lambda: child.ended() is not None, seconds=20)
    assert child.ended() == 3
    child.spec = Spec("small", python("-m", "tests.tooling.small_fork", "stay"), patience=2.0, forked=True)
    child.start()
    pid = child.pid
    assert pid is not None
    child.stop()
    assert not alive(pid)
    assert child.ended() == -signal.SIGTERM


def test_without_it_a_child_starts_from_nothing_and_the_next_is_forked_again(loaded: Forks, child: Child) -> None:
    child.start()
    first = child.pid
    assert first is not None
    assert loaded._process is not None
    loaded._process.kill()
    loaded._process.wait()
    assert alive(first), "what was forked does not fall with it"
    child.stop()
    child.start()
    assert not is_forked(child)
    assert said(child) == f"['stay'] {os.getpid()} True"
    child.stop()
    eventually(lambda: loaded.ready, seconds=60)
    child.start()
    assert is_forked(child)


def test_a_fork_that_nobody_waits_for_any_more_ends(loaded: Forks, tmp_path: Path) -> None:
    eventually(lambda: loaded.ready, seconds=60)
    assert loaded._door is not None
    order = {"command": ["-m", "tests.tooling.small_fork", "stay"], "parent": os.getpid(), "death": signal.SIGKILL}
    out, (reading, writing) = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT), os.pipe()
    socket.send_fds(loaded._door, [json.dumps(order).encode()], [out, out, out, reading])
    os.close(reading)
    os.close(out)
    fork = Fork(int(loaded._heard(20)))
    assert alive(fork.pid)
    os.close(writing)  # and no word that it may go on
    assert fork.wait(20) == 1
    assert (tmp_path / "out").read_text() == ""
