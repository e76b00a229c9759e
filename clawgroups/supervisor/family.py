"""All processes of one machine: brought up in order, watched, and stopped in order."""

from __future__ import annotations

import contextlib
import http.client
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from types import FrameType
from urllib.parse import urlsplit

from clawgroups.supervisor.child import Child, Spec, how_it_ended
from clawgroups.supervisor.forking import LOADING, Forks
from clawgroups.supervisor.logs import Log
from clawgroups.supervisor.place import Place, python
from clawgroups.supervisor.say import REFUSED, CannotRun, Refused, say

WORKER = (
    "-m", "celery", "-A", "clawgroups", "worker", "--pool", "threads", "--concurrency", "8",
    "-Q", "default,coordinator", "--without-mingle", "--without-gossip", "--without-heartbeat",
    "--loglevel", "WARNING",
)  # fmt: skip
READY_SECONDS = 90.0


class Stopped(Exception):
    """SIGTERM or Ctrl-C came while the family was still coming up."""


class Signals:
    """SIGTERM, SIGINT and SIGCHLD as things to wait for; nothing happens inside a handler."""

    def __init__(self) -> None:
        self.stop = False
        self._read, self._write = socket.socketpair()
        for end in (self._read, self._write):
            end.setblocking(False)
        signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._told_to_stop)
        signal.signal(signal.SIGCHLD, self._woken)
        # A shell starts background jobs with SIGINT ignored; then only SIGTERM stops us.
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._told_to_stop)
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, self._told_to_stop)

    def _told_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stop = True

    def _woken(self, _number: int, _frame: FrameType | None) -> None:
        return

    def wait(self, seconds: float) -> None:
        """Sleep until a signal comes or the time is over."""
        ready, _, _ = select.select([self._read], [], [], max(0.0, seconds))
        if ready:
            with contextlib.suppress(BlockingIOError):
                self._read.recv(4096)


class Family:
    """The children of one supervisor, in the order in which they were started."""

    def __init__(self, place: Place, *, lock: int, signals: Signals) -> None:
        self.place = place
        self.environment = dict(place.environment)
        self._lock = lock
        self._signals = signals
        self.children: list[Child] = []
        self._forks: Forks | None = None

    # Coming up

    def load(self) -> None:
        """From here on children are forked from a process that has loaded everything; wait until it has."""
        self._forks = Forks(self.environment, Log(self.place.logs / "forkserver.log"))
        self._forks.begin()
        until = time.monotonic() + LOADING
        while not self._forks.ready and time.monotonic() < until:
            if self._signals.stop:
                raise Stopped
            self.look_after()
            self._signals.wait(0.1)

    def add(self, spec: Spec) -> Child:
        """Start a child that is to run from now on."""
        child = self._make(spec)
        self.children.append(child)
        child.start()
        return child

    def _make(self, spec: Spec) -> Child:
        log = Log(self.place.logs / f"{spec.name}.log")
        return Child(spec, environment=self.environment, log=log, lock=self._lock, forks=self._forks)

    def run_once(self, spec: Spec) -> str:
        """Run a command to its end and give what it printed; a failure is said in its own last line."""
        child = self._make(spec)
        reading, writing = os.pipe()
        try:
            child.start(stdout=writing)
        finally:
            os.close(writing)
        with open(reading, encoding="utf-8", errors="replace") as pipe:  # noqa: PTH123
            while child.ended() is None:
                if self._signals.stop:
                    child.stop()
                    raise Stopped
                self.look_after()
                self._signals.wait(0.5)
            printed = pipe.read()
        if child.ended() == REFUSED and (refusals := child.log.last_refusals()):
            raise Refused("\n".join(refusals))
        if child.ended() != 0:
            raise CannotRun(f"{spec.name} failed: {child.log.last_line()} (see {child.log.path})")
        return printed

    def wait_until(self, ready: Callable[[], bool], *, what: str, log: Log) -> None:
        """Watch the children until `ready` is true."""
        until = time.monotonic() + READY_SECONDS
        while not ready():
            if self._signals.stop:
                raise Stopped
            if time.monotonic() > until:
                raise CannotRun(f"{what} is not ready after {READY_SECONDS:.0f} s (see {log.path}).")
            self.look_after()
            if any(child.restart_at is not None for child in self.children):
                raise CannotRun(f"{what} did not start: {log.last_line()} (see {log.path})")
            self._signals.wait(0.1)

    # Running

    def watch(self) -> None:
        """Keep everything running until told to stop."""
        while not self._signals.stop:
            self.look_after()
            self._signals.wait(min([0.5, *self._pauses()]))

    def _pauses(self) -> Iterator[float]:
        now = time.monotonic()
        return (child.restart_at - now for child in self.children if child.restart_at is not None)

    def look_after(self) -> None:
        """Restart who has died, and say what went wrong: one line each."""
        for child in self.children:
            error = child.log.news()
            if error is not None:
                say(f"{child.spec.name}: {error}")
            status = child.ended()
            if status is None:
                continue
            if child.restart_at is None:
                pause = child.plan_restart()
                again = "starting it again" if pause < Child.longest_pause else f"trying again in {pause:.0f} s"
                say(f"{child.spec.name} stopped ({how_it_ended(status)}), {again}. Log: {child.log.path}")
            elif time.monotonic() >= child.restart_at:
                child.start()

    # Going down

    def stop(self) -> None:
        """Stop in the order web, agents, worker, Valkey: those who take work before those who carry it."""
        order = {"web": 0, "agents": 1, "worker": 2, "valkey": 3}
        for child in sorted(self.children, key=lambda child: order.get(child.spec.name, 0)):
            child.stop()
        if self._forks is not None:
            self._forks.stop()


def web_spec(place: Place) -> Spec:
    arguments = ("-m", "clawgroups.server", "--host", place.host, "--port", str(place.port), "--drain-seconds", "4")
    return Spec("web", python(*arguments), patience=6.0, forked=True)


def worker_spec() -> Spec:
    return Spec("worker", python(*WORKER), patience=5.0, forked=True)


def agents_spec(place: Place) -> Spec:
    return Spec(
        "agents", python("-m", "agents.builtin", "--serve", "--config", str(place.builtin)), patience=2.0, forked=True
    )


def prepare_spec() -> Spec:
    return Spec("prepare", python("manage.py", "prepare"), patience=5.0, forked=True)


def answers(url: str) -> bool:
    """Whether the web process says that it is up."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=5)
    try:
        connection.request("GET", address.path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
