"""Small worlds for the writer's tests, other processes with a writer of their own, and a way to fill one batch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from agents.ids import new_id
from agents.models import Agent
from clawgroups import bus, commit
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.changes import Change, Fact, Outcome, Update
from clawgroups.core.events import GoalSet
from clawgroups.models import Entry, Run, Task, Workspace

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 30.0
WORKSPACE, TASK, AGENT = "clawgroups.Workspace", "clawgroups.Task", "agents.Agent"


@dataclass(frozen=True)
class World:
    """One person with a workspace."""

    user: User
    workspace: Workspace

    @property
    def actor(self) -> Actor:
        return Actor(ActorKind.PERSON, self.user.username, user_id=self.user.pk)

    def said(self, text: str = "goal") -> Fact:
        return Fact(self.workspace.pk, GoalSet(goal=text))

    def change(self, *writes: Any, **more: Any) -> Change:
        """A change of this person's that says one thing in the journal."""
        more.setdefault("facts", (self.said(),))
        return Change(self.actor, self.workspace.pk, writes=writes, **more)

    def goal(self, text: str, **more: Any) -> Change:
        """A change that sets the workspace's goal."""
        return self.change(Update(WORKSPACE, self.workspace.pk, {"goal": text}), facts=(self.said(text),), **more)

    def task(self, *, waiting_on: int = 0, state: str = "waiting") -> Task:
        run = Run.objects.filter(workspace=self.workspace).first() or Run.objects.create(
            workspace=self.workspace, goal="g", state="running", created_by=self.user, created_at=timezone.now()
        )
        number = Task.objects.filter(run=run).count()
        return Task.objects.create(
            workspace=self.workspace,
            run=run,
            key=f"t{number}",
            position=number,
            title=f"Task {number}",
            state=state,
            waiting_on=waiting_on,
            created_at=timezone.now(),
        )

    def seqs(self) -> list[int]:
        return list(Entry.objects.filter(workspace=self.workspace).order_by("seq").values_list("seq", flat=True))

    def types(self) -> list[str]:
        return list(Entry.objects.filter(workspace=self.workspace).order_by("seq").values_list("type", flat=True))


def world(name: str = "ada") -> World:
    """A person with a workspace, made without the writer."""
    user, _ = User.objects.get_or_create(username=name)
    made = Workspace.objects.create(name=name, created_by=user, created_at=timezone.now())
    return World(user, made)


def agent_of(user: User, handle: str) -> Agent:
    return Agent.objects.create(owner=user, name=handle, handle=handle, created_at=timezone.now())


def done(change: Change) -> Outcome:
    """Submit and wait."""
    return commit.wait(commit.submit(change), PATIENCE)


@contextmanager
def one_batch(world: World) -> Iterator[None]:
    """What is submitted inside reaches the writer as one batch: it is kept in the hint of a change before."""
    held, go = threading.Event(), threading.Event()

    def hold(_topic: str, _head: Any) -> None:
        held.set()
        go.wait(PATIENCE)

    leave = bus.subscribe(bus.workspace_topic(world.workspace.pk), hold)
    try:
        commit.wait(commit.submit(world.change()), PATIENCE)
        assert held.wait(PATIENCE)
        yield
    finally:
        leave()
        go.set()


class Process:
    """Another process with a writer of its own on the same database; see tests/commit/process.py."""

    def __init__(self) -> None:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "clawgroups.settings",
            "DATABASE_URL": test_database_url(),
            "REDIS_URL": "",
        }
        command = [sys.executable, "-m", "tests.commit.process"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def wait(self) -> None:
        """Wait until it has come up."""
        assert self._read() == "ready"

    def begin(self, job: str, **arguments: Any) -> None:
        """Let it do a job."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([job, arguments], default=str) + "\n")
        self._process.stdin.flush()

    def result(self) -> dict[str, Any]:
        """What its job came to."""
        found: dict[str, Any] = json.loads(self._read())
        return found

    def end(self) -> None:
        """Let it commit what waits and end."""
        watchdog = threading.Timer(PATIENCE, self._process.kill)
        watchdog.start()
        self._process.communicate()
        watchdog.cancel()

    def _read(self) -> str:
        watchdog = threading.Timer(2 * PATIENCE, self._process.kill)
        watchdog.start()
        assert self._process.stdout is not None
        try:
            return self._process.stdout.readline().strip()
        finally:
            watchdog.cancel()


def test_database_url() -> str:
    """The address of the database that this test run made."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{settings['NAME']}"
    return f"postgres://{settings['USER']}@{settings['HOST']}:{settings['PORT']}/{settings['NAME']}"


def some_id() -> UUID:
    return new_id()
