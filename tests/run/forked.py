"""A pytest plugin (`-p tests.run.forked --workers N`): what was collected once is run by N forks of that process.

Each fork takes one file after the other, has a test database of its own and writes a report of its own beside the one
that was asked for. Processes that collect for themselves took a minute of CPU each, and compiled every test anew.
"""

from __future__ import annotations

import gc
import logging
import os
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from traceback import print_exc
from typing import NoReturn

import pytest

from clawgroups.core.parent import die_with

NUMBER = 4  # bytes of one file's number in the pipe that all forks read
# How a fork says that it came to its end, without or with failures: no test that ends the process says so.
WELL, FAILED = 64, 65


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--workers", type=int, default=0, help="forks that run the tests; 0: none")


def reports(report: Path) -> list[Path]:
    """The reports of the forks that ran beside the one that was asked for."""
    return sorted(report.parent.glob(f"{report.stem}.fork*{report.suffix}"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """In the parent: wait for the forks. In a fork: run files until none is left. None: run as pytest does."""
    workers: int = session.config.option.workers
    files = [list(items) for _, items in groupby(sorted(session.items, key=_order(session.items)), _file)]
    if session.testsfailed or session.config.option.collectonly or workers < 2 or len(files) < 2:
        return None
    queue = _filled(len(files))
    gc.collect()
    gc.freeze()  # what was collected is not looked through again, nor copied for it
    sys.stdout.flush()
    sys.stderr.flush()
    parent, forks = os.getpid(), []
    for number in range(min(workers, len(files))):
        if not (fork := os.fork()):
            die_with(parent)
            _run(session, files, queue, f"fork{number}")
        forks.append(fork)
    os.close(queue)
    statuses = [os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1]) for fork in forks]
    for status in statuses:
        if status not in (WELL, FAILED):
            print(f"A fork of the tests ended in the midst of them, with {status}.", flush=True)
    session.testsfailed = sum(status != WELL for status in statuses)
    session.testscollected = max(session.testscollected, 1)
    return True


def _file(item: pytest.Item) -> Path:
    return item.path


def _order(items: Sequence[pytest.Item]) -> Callable[[pytest.Item], int]:
    first: dict[Path, int] = {}
    for number, item in enumerate(items):
        first.setdefault(item.path, number)
    return lambda item: first[item.path]


def _filled(count: int) -> int:
    """The end to read from of a pipe with a number for each file; who reads takes it from the others."""
    out, into = os.pipe()
    os.write(into, b"".join(number.to_bytes(NUMBER, "big") for number in range(count)))
    os.close(into)
    return out


def _taken(queue: int) -> Iterator[int]:
    while number := os.read(queue, NUMBER):
        yield int.from_bytes(number, "big")


def _run(session: pytest.Session, files: Sequence[list[pytest.Item]], queue: int, name: str) -> NoReturn:
    """Be a fork, to its end: nothing of the parent's is to be ended or removed by us."""
    status = int(pytest.ExitCode.INTERNAL_ERROR)
    try:
        _begin(session.config, name)
        for number in _taken(queue):
            _run_file(session, files[number])
            if session.shouldstop or session.shouldfail:
                break
        session.exitstatus = int(bool(session.testsfailed))
        session.config.hook.pytest_sessionfinish(session=session, exitstatus=session.exitstatus)
        status = FAILED if session.testsfailed else WELL
    except BaseException:  # noqa: BLE001  (nothing of a fork may run on as the parent does)
        print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _begin(config: pytest.Config, name: str) -> None:
    random.seed()
    # As pytest-xdist tells its workers apart, which pytest-django knows.
    config.workerinput = {"workerid": name}  # type: ignore[attr-defined]
    # The file that takes what is printed was the same one for all.
    capture = config.pluginmanager.getplugin("capturemanager")
    capture.stop_global_capturing()
    capture.start_global_capturing()
    # What was set up while tests were collected writes to that file, too; else each line of a log told of its failure.
    for logger in (logging.root, *logging.root.manager.loggerDict.values()):
        for handler in getattr(logger, "handlers", ()):
            if type(handler) is logging.StreamHandler:
                handler.stream = sys.stderr  # what it wrote to is closed
    capture.suspend_global_capture()
    for plugin in config.pluginmanager.get_plugins():
        if type(plugin).__name__ == "LogXML":
            plugin.logfile = str(_own(Path(plugin.logfile), name))


def _own(report: Path, name: str) -> Path:
    return report.with_name(f"{report.stem}.{name}{report.suffix}")


def _run_file(session: pytest.Session, items: Sequence[pytest.Item]) -> None:
    """Run the tests of a file; with its last one ends whatever is not for the whole session."""
    for item, following in zip(items, [*items[1:], session], strict=True):
        # Only what stands above the one that follows is asked for, and the session has that, too.
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldstop or session.shouldfail:
            return
