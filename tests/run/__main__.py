"""Runs the stages, two at a time, and ends with one line: `N passed, N failed`.

    lint      ruff check and ruff format --check
    types     mypy, strict
    unit      everything but the services, the browser tests and the stories, on an SQLite file
    services  the services, and again the writer and the state machine, on a real PostgreSQL and a real Valkey
    chaos     processes and servers are killed under a swarm of agents (reduced; `make chaos` is the full size)
    stories   outside scripts against a real `up`, whose processes are killed in some of them
    bench     each benchmark of the product and each floor once, small: whether it is right, never how fast it is
    browser   a real Chromium against a real `up`
    walks     the same, from the first page to a result

and, where it is asked for by name (`claw test sqlite`):

    sqlite    the services on an SQLite file: all that stands on them runs there every time

`claw test unit services -x` runs some of them, what follows is for pytest; `claw test tests/core -k plan` hands
everything to one pytest run.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from types import FrameType

from clawgroups.supervisor.say import CannotRun
from tests.run import browser, servers
from tests.run.beside import Beside
from tests.run.forked import reports
from tests.run.limited import finish
from tests.run.prepared import prepare
from tests.run.results import Results

ROOT = Path(__file__).resolve().parent.parent.parent
# The tests that must hold on every database; a folder that does not exist is an error of pytest's.
ON_POSTGRES = ("tests/services", "tests/commit", "tests/machine")
CORES = min(os.cpu_count() or 1, 4)
# Most of these wait for a process, a socket or a disk.
SIDE_BY_SIDE = ("-n", "2", "--dist", "loadfile", "-p", "tests.run.together")
# One more than there are cores, since some wait.
IN_PROCESS = ("-p", "tests.run.forked", "--workers", str(CORES + 1))
# What has a stage of its own.
CHAOS = tuple(
    f"tests/chaos/test_{name}.py"
    for name in (
        *("kills", "behaviour", "load", "readers", "offline", "model_away", "takeover", "approvals"),
        "standing",
    )
)
WALKS = tuple(f"tests/browser/test_{name}.py" for name in ("goal_to_report", "strangers_walk", "without_script"))
APART = tuple(f"--ignore=tests/{folder}" for folder in ("browser", "stories", "model"))
# Races are proven on PostgreSQL, by the stage of the services: SQLite has one writer.
RACES = "--ignore-glob=tests/services/test_*_races.py"
LEFT_OUT = (*APART, "--ignore=tests/services", *(f"--ignore={file}" for file in CHAOS))
# Seconds for one stage: about twice what the longest needs on a slow machine. A single test has less (pyproject.toml).
LIMIT = 2400.0
# The caller's own installation. And compiled files are kept: hundreds of processes start in a run, each of which would
# compile everything anew.
LEFT_BEHIND = (
    *("CLAWGROUPS_", "DATABASE_URL", "REDIS_URL", "EMAIL_URL", "PORT", "DJANGO_"),
    "PYTHONDONTWRITEBYTECODE",
)


class Run:
    """One test run: its results, its folder, and the environment without the caller's own installation."""

    def __init__(self, folder: Path, extra: list[str], limit: float = LIMIT) -> None:
        self.folder = folder
        self.extra = extra
        self._limit = limit
        self.results = Results(strict=os.environ.get("CI", "").lower() in ("1", "true"))
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(LEFT_BEHIND)}

    @cached_property
    def prepared(self) -> dict[str, str]:
        """Tells tests where an installation lies that is ready to be copied and started."""
        return prepare(self.folder / "prepared", self.environment)

    def tool(self, *arguments: str) -> None:
        """Run a checker of the environment as a module."""
        done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, env=self.environment, check=False)
        self.results.check(ok=done.returncode == 0)

    def pytest(self, name: str, *arguments: str, **extra: str) -> None:
        """One pytest run of its own, counted from its report."""
        report = self.folder / f"{name}.xml"
        slow = ("--durations=15", "--durations-min=8")
        command = [sys.executable, "-m", "pytest", "-q", f"--junit-xml={report}", *slow, *arguments, *self.extra]
        status = finish(command, cwd=ROOT, environment={**self.environment, **extra}, within=self._limit)
        self.results.read(report, *reports(report), status=status)


def lint(run: Run) -> None:
    run.tool("ruff", "check")
    run.tool("ruff", "format", "--check")


def types(run: Run) -> None:
    run.tool("mypy")


def unit(run: Run) -> None:
    run.pytest("unit", "-p", "no:playwright", *IN_PROCESS, *LEFT_OUT)


def sqlite(run: Run) -> None:
    run.pytest("sqlite", "-p", "no:playwright", *IN_PROCESS, RACES, "tests/services")


def services(run: Run) -> None:
    try:
        with servers.postgres() as database, servers.redis() as redis:
            print("PostgreSQL and Valkey run for these tests, from their wheels, on free ports.", flush=True)
            given = {"DATABASE_URL": database, "REDIS_URL": redis}
            run.pytest("services", "-p", "no:playwright", *IN_PROCESS, *ON_POSTGRES, **given)
    except (servers.Unavailable, CannotRun) as reason:
        print(reason, flush=True)
        run.results.check(ok=False)


def chaos(run: Run) -> None:
    # Two installations side by side: most of this is waiting for what was killed to come back.
    run.pytest("chaos", "-p", "no:playwright", *SIDE_BY_SIDE, *CHAOS, **run.prepared)


def stories(run: Run) -> None:
    # As the kills: most of it is waiting.
    run.pytest("stories", "-p", "no:playwright", *SIDE_BY_SIDE, "tests/stories", **run.prepared)


def bench(run: Run) -> None:
    run.tool("bench", "--smoke")


def in_browser(run: Run) -> None:
    _browse(run, "browser", "tests/browser", *(f"--ignore={file}" for file in WALKS))


def walks(run: Run) -> None:
    _browse(run, "walks", *WALKS)


def _browse(run: Run, name: str, *tests: str) -> None:
    found = browser.find_or_install()
    if found is None:
        print(f"The browser tests need Chromium: install it and run them again (`claw test {name}`).", flush=True)
        run.results.check(ok=False)
        return
    plugins = ("-p", "no:asyncio", "-p", "tests.run.without_asyncio")
    run.pytest(name, *plugins, *tests, CHROMIUM=found, DJANGO_ALLOW_ASYNC_UNSAFE="1", **run.prepared)


STAGES: dict[str, Callable[[Run], None]] = {
    "lint": lint,
    "types": types,
    "unit": unit,
    "sqlite": sqlite,
    "services": services,
    "chaos": chaos,
    "stories": stories,
    "bench": bench,
    "browser": in_browser,
    "walks": walks,
}


# What a whole run leaves to whoever asks for it by name.
BY_NAME = ("sqlite",)
# Two halves, each beside the other. What has one core only, and is not asked how fast, runs beside those that need
# every core; nobody who waits for an answer in time does, and what comes at last mostly waits (two browsers, too).
FIRST = (("unit", "services"), ("lint", "types", "bench"))
AT_LAST = (("chaos", "stories", "walks"), ("browser",))


def terminated(_number: int, _frame: FrameType | None) -> None:
    sys.exit(143)


def side_by_side(run: Run, here: Sequence[str], there: Sequence[str]) -> None:
    """Some stages here, and others in a process of their own, whose words come when both have ended."""
    beside = Beside([*there, *run.extra], cwd=ROOT, said=run.folder / "beside.txt")
    try:
        one_after_the_other(run, here)
        beside.finish(run.results, within=len(there) * LIMIT)
    finally:
        beside.end()


def one_after_the_other(run: Run, names: Sequence[str]) -> None:
    for name in names:
        started = time.monotonic()
        print(f"== {name}", flush=True)
        STAGES[name](run)
        print(f"== {name}: {time.monotonic() - started:.0f} s", flush=True)


def main(arguments: list[str]) -> int:
    if arguments[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    signal.signal(signal.SIGTERM, terminated)
    names: list[str] = []
    while arguments and arguments[0] in STAGES:
        names.append(arguments.pop(0))
    folder = Path(tempfile.mkdtemp(prefix="claw-run-"))
    run = Run(folder, arguments)
    try:
        if arguments and not names:
            run.pytest("chosen", "-p", "no:playwright")
        elif names:
            one_after_the_other(run, names)
        else:
            for halves in (FIRST, AT_LAST):
                side_by_side(run, *halves)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(["", *run.results.summary()]), flush=True)
    return 1 if run.results.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
