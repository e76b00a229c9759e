"""`clawgroups status`: how the connectors of this machine are."""

from __future__ import annotations

import argparse
import time

from agents.connector import record
from agents.connector.console import Console
from agents.connector.exits import UNWELL
from agents.connector.record import Standing

_DAY = 24 * 3600


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb `status`."""
    status = verbs.add_parser("status", help="show how the connectors on this machine are")
    status.set_defaults(run=run)


def run(options: argparse.Namespace, command: list[str], console: Console) -> int:
    """Show every connector that runs or has run here; 0 when at least one runs and all that do are connected."""
    known = record.known()
    if not known:
        print("No agent has been connected from this machine yet.")
        return UNWELL
    running = [one for one in known if one.running]
    for one in known:
        print(line(one, one in running, time.time()))
    return 0 if running and all(one.connected is not None for one in running) else UNWELL


def line(one: Standing, running: bool, now: float) -> str:
    """How one of them is, in a line."""
    who = f"{one.name or one.program}: "
    with_what = f"(process {one.pid}, {one.program})"
    if running and one.connected is not None:
        return f"{who}connected to {one.host} since {_when(one.connected, now)} {with_what}"
    if running:
        return f"{who}not connected to {one.host}: {one.said or 'it is about to connect'} {with_what}"
    if one.code is not None:
        return f"{who}ended {_when(one.seen, now)} with code {one.code}{f': {one.said}' if one.said else ''}"
    return (
        f"{who}gone without a word: its process was killed, or this machine went down; last seen {_when(one.seen, now)}"
    )


def _when(moment: float, now: float) -> str:
    form = "%H:%M:%S" if now - moment < _DAY else "%Y-%m-%d %H:%M"
    return time.strftime(form, time.localtime(moment))
