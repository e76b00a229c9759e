"""The life of a process that runs the coordinator and the agents' sockets, on an SQLite file of its own.

Every life is a forked child. It works in a copy of a folder (the database and the agents' own memory) until the
run is over, or until the commit at which it is told to end.
"""

from __future__ import annotations

import os
import shutil
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import tests.environment  # noqa: F401  before Django's settings are read

import django  # isort: skip

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clawgroups.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, connections  # noqa: E402

from clawgroups import bus, commit  # noqa: E402
from clawgroups.commit import batch  # noqa: E402
from clawgroups.coordinator.loop import take_turn  # noqa: E402
from clawgroups.coordinator.watchdog import watch  # noqa: E402
from clawgroups.models import Artifact, Attempt, Entry, Message, Part, Run, Task, Workspace  # noqa: E402
from clawgroups.reactions import react  # noqa: E402
from clawgroups.services.sweep import sweep  # noqa: E402
from tests.chaos.crash_points import AFTER, BEFORE  # noqa: E402
from tests.chaos.far_agents import AGENTS, FarAgents  # noqa: E402
from tests.conftest import make_team, make_users  # noqa: E402

BEGIN = datetime(2026, 5, 4, 8, tzinfo=UTC)
AWAY = timedelta(seconds=20)  # until the process is there again: longer than a turn's lease, shorter than the grace
ROUNDS = 400
STOPPED = 77
LEVELS, WIDTH = 5, 6
# Who was online when, and how often somebody looked, is not what a run comes to.
NOT_OF_THE_RUN = ("agent.online", "agent.offline")


def plan() -> list[dict[str, Any]]:
    """Thirty tasks in five levels; each needs one or two of the level before."""
    return [
        {
            "key": f"t{level}{n}",
            "title": f"Task {level}.{n}",
            "depends_on": sorted({f"t{level - 1}{n}", f"t{level - 1}{(n + level) % WIDTH}"}) if level else [],
        }
        for level in range(LEVELS)
        for n in range(WIDTH)
    ]


@dataclass(frozen=True)
class End:
    """How it ended: the rows that matter, in words that are the same in every life, and what the agents did."""

    commits: int
    run: tuple[Any, ...]
    tasks: dict[str, tuple[Any, ...]]
    attempts: Counter[str]
    journal: Counter[str]
    messages: Counter[str]
    files: Counter[str]
    words: Counter[str]
    did: Counter[str]

    def doubled(self) -> list[str]:
        """Tasks that were given or done more than once."""
        given = [f"{key} had {n} attempts" for key, n in self.attempts.items() if n != 1]
        return given + [f"{what} was done {n} times" for what, n in self.did.items() if n != 1]

    def repeated(self, clean: End) -> list[str]:
        """What is there more often than when nobody was stopped."""
        found = []
        for name in ("journal", "messages", "files", "words"):
            more: Counter[str] = getattr(self, name) - getattr(clean, name)
            found += [f"{name}: {n} more of {what!r}" for what, n in more.items()]
        return found

    def differences(self, clean: End) -> list[str]:
        """What is otherwise than when nobody was stopped, or missing."""
        found = [] if self.run == clean.run else [f"the run is {self.run}, not {clean.run}"]
        found += [
            f"{key} is {self.tasks.get(key)}, not {row}"
            for key, row in clean.tasks.items()
            if self.tasks.get(key) != row
        ]
        for name in ("journal", "messages", "files", "words", "did"):
            less: Counter[str] = getattr(clean, name) - getattr(self, name)
            found += [f"{name}: {n} less of {what!r}" for what, n in less.items()]
        return found


# Lives


def lay_down(folder: Path) -> Path:
    """A folder with the team and its planned run, ready to begin."""
    folder.mkdir()

    def work() -> None:
        call_command("migrate", verbosity=0)
        with commit.inline():
            team = make_team(make_users())
            team.run(plan(), start=True)
            FarAgents(folder, team.links).save()

    assert _child(folder, BEGIN, work) == 0
    return folder


def to_the_end(base: Path, folder: Path) -> End:
    """The run's end when nobody is stopped."""
    _copy(base, folder)
    assert _child(folder, BEGIN, lambda: _live(folder)) == 0
    return _end(folder)


def stopped_at(base: Path, folder: Path, number: int, kind: str) -> End:
    """The run's end when its process was ended at this commit, and another one went on."""
    _copy(base, folder)
    ended = _child(folder, BEGIN, lambda: _live(folder), stop=(number, kind))
    assert ended == STOPPED, f"{kind} commit {number}: it ended with {ended}, before it was stopped"
    went_on = _child(folder, BEGIN + AWAY, lambda: _live(folder, again=True))
    assert went_on == 0, "who came after did not come to the end of the run"
    return _end(folder)


def _copy(base: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base, folder)


def _child(folder: Path, begin: datetime, work: Callable[[], None], stop: tuple[int, str] = (0, AFTER)) -> int:
    """Do `work` in a process of its own; how it ended."""
    connections.close_all()
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status)
    code = 1
    try:
        _use(folder)
        bus.PROCESS = f"life-{os.getpid()}"
        with mock.patch("django.utils.timezone.now", _Clock(begin)), _Boundary(folder, *stop):
            work()
        connections.close_all()
        code = 0
    except BaseException:  # noqa: BLE001  a forked child never returns into its parent's code
        traceback.print_exc()
    finally:
        os._exit(code)


def _use(folder: Path) -> None:
    settings = connection.settings_dict
    settings["NAME"] = str(folder / "claw.sqlite3")
    # It is processes that end here, not machines.
    settings["OPTIONS"]["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA foreign_keys=ON;"


class _Clock:
    """Time that passes by a millisecond whenever somebody looks."""

    def __init__(self, begin: datetime) -> None:
        self._now = begin

    def __call__(self) -> datetime:
        self._now += timedelta(milliseconds=1)
        return self._now


class _Boundary:
    """Counts this life's commits, and ends the process at one of them, before it takes effect or right after."""

    def __init__(self, folder: Path, number: int, kind: str) -> None:
        self._count, self._folder, self._number, self._kind = 0, folder, number, kind
        self._apply_all, self._apply = batch._apply_all, batch.apply
        self._patches: list[Any] = [
            mock.patch.object(batch, "_apply_all", self.written),
            mock.patch("clawgroups.commit.apply", self.committed),
        ]

    def __enter__(self) -> None:
        for patch in self._patches:
            patch.start()

    def __exit__(self, *_: object) -> None:
        for patch in self._patches:
            patch.stop()
        (self._folder / "commits").write_text(str(self._count))

    def written(self, *given: Any) -> None:
        """Everything is written, and COMMIT comes next."""
        self._apply_all(*given)
        self._count += 1
        self._end(BEFORE)

    def committed(self, changes: Sequence[Any]) -> batch.Applied:
        applied = self._apply(changes)
        self._end(AFTER)
        return applied

    def _end(self, kind: str) -> None:
        if (self._count, kind) == (self._number, self._kind):
            os._exit(STOPPED)


def _live(folder: Path, *, again: bool = False) -> None:
    """What the processes of the server do until the run is over."""
    agents = FarAgents.load(folder)
    workspace = Workspace.objects.values_list("pk", flat=True).get()
    run = Run.objects.get()
    with commit.inline():
        if again:
            agents.reconnect()
        for round_ in range(ROUNDS):
            now = django.utils.timezone.now()
            if round_ % 5 == 0:
                sweep(now, quiet=True)
                watch(now, quiet=True)
            react(workspace)
            take_turn(run.pk)
            for name in AGENTS:
                agents.serve(name)
            run.refresh_from_db()
            if run.state == "done":
                return
    raise AssertionError(
        f"the run is {run.state} after {ROUNDS} rounds: {Counter(Task.objects.values_list('state', flat=True))}"
    )


def _end(folder: Path) -> End:
    """Read the end, with a connection of this process's own."""
    before = dict(connection.settings_dict)
    try:
        _use(folder)
        return _read(folder)
    finally:
        connections.close_all()
        connection.settings_dict.update(before)


def _read(folder: Path) -> End:
    run = Run.objects.get()
    tasks = {
        key: (state, epoch, tries, waiting, result)
        for key, state, epoch, tries, waiting, result in Task.objects.order_by("key").values_list(
            "key", "state", "epoch", "tries", "waiting_on", "attempt__result"
        )
    }
    entries = Entry.objects.exclude(type__in=NOT_OF_THE_RUN)
    assert [*Entry.objects.order_by("seq").values_list("seq", flat=True)] == [*range(1, Entry.objects.count() + 1)]
    return End(
        commits=int((folder / "commits").read_text()),
        run=(run.state, run.open_tasks, run.retries, run.turn_owner),
        tasks=tasks,
        attempts=Counter(Attempt.objects.values_list("task__key", flat=True)),
        journal=Counter(f"{e.type} {_about(e.payload, tasks)}".strip() for e in entries),
        messages=Counter(Message.objects.values_list("body", flat=True)),
        files=Counter(f"{a.kind} {a.name} {a.revision}" for a in Artifact.objects.all()),
        words=Counter(
            f"{key} {kind} {text}" for key, kind, text in Part.objects.values_list("attempt__task__key", "kind", "text")
        ),
        did=FarAgents.load(folder).did(),
    )


def _about(payload: dict[str, Any], tasks: dict[str, Any]) -> str:
    """The task that an entry is about, by its key."""
    pk = payload.get("task_id")
    return str(Task.objects.values_list("key", flat=True).get(pk=pk)) if pk else ""
