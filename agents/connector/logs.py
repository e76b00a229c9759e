"""`clawgroups logs [NAME] [-f]`: what a connector and its agent have said."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from itertools import chain

from agents.connector import log, record
from agents.connector.console import Console
from agents.connector.exits import Wrong
from agents.connector.record import Standing

_LINES = 200


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb `logs`."""
    logs = verbs.add_parser("logs", help="show what a connector and its agent have said")
    logs.add_argument("name", nargs="?", default="", metavar="NAME", help="which one, as `clawgroups status` calls it")
    logs.add_argument("-f", "--follow", action="store_true", help="go on showing what is added, until Ctrl-C")
    logs.add_argument("-n", "--lines", type=int, default=_LINES, metavar="N", help=f"lines to show (default: {_LINES})")
    logs.set_defaults(run=run)


def run(options: argparse.Namespace, command: list[str], console: Console) -> int:
    """Show the end of a log, and what is added to it. Raises Wrong."""
    path = choose(record.known(), options.name).log
    # The place is taken first: a line that comes in between is shown twice rather than never.
    added = log.follow(path) if options.follow else None
    if options.follow:
        # An exception may be raised where nobody hears it, e.g. while an object is taken apart: nothing would end it.
        signal.signal(signal.SIGINT, _leave)
    try:
        for data in chain(log.tail(path, max(0, options.lines)), added or ()):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Who reads it (`| head`) has seen enough; nor shall Python complain when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _leave(number: int, _frame: object) -> None:
    os._exit(128 + number)


def choose(known: list[Standing], name: str) -> Standing:
    """The one that is called so, or the only one there is. Raises Wrong."""
    if not known:
        raise Wrong("no agent has been connected from this machine yet")
    fitting = [one for one in known if name in (one.name, one.id, one.program, one.host)] if name else known
    # Of several with one name, one runs at most; the others are what it was before, with another key.
    running = [one for one in fitting if one.running]
    if len(fitting) == 1 or len(running) == 1:
        return (running or fitting)[0]
    if name and fitting and len({one.name for one in fitting}) == 1:
        return fitting[-1]
    names = ", ".join(dict.fromkeys(one.name or one.program for one in known))
    if name and not fitting:
        raise Wrong(f"no connector here is called {name}; there are: {names}")
    raise Wrong(f"say whose log you want: {names}")
