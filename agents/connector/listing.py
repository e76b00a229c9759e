"""`clawgroups agents`: which known agents are on this machine, and which have been connected from it."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence

from agents.connector.console import Console
from agents.connector.exits import Wrong
from agents.connector.menu import login_words
from agents.connector.programs import Found, Machine, look
from agents.connector.remembered import Entry, Remembered


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb `agents`."""
    agents = verbs.add_parser(
        "agents",
        help="list the known agents that are on this machine, and those that were connected from it",
        usage="clawgroups agents [--json | --forget NAME]",
    )
    what = agents.add_mutually_exclusive_group()
    what.add_argument("--json", action="store_true", help="the same for programs")
    what.add_argument("--forget", metavar="NAME", help="no longer start this one with `clawgroups connect --all`")
    agents.set_defaults(run=run)


def run(options: argparse.Namespace, command: list[str], console: Console) -> int:
    """List them on standard output, or forget one. Raises Wrong."""
    if command:
        raise Wrong("`clawgroups agents` starts nothing; that is `clawgroups connect`")
    if options.forget is not None:
        return _forget(options.forget, console)
    found, entries = look(Machine()), Remembered().all()
    sys.stdout.write(as_json(found, entries) if options.json else as_text(found, entries))
    return 0


def as_text(found: Sequence[Found], entries: Sequence[Entry]) -> str:
    """The list as people read it."""
    here = [one for one in found if one.installed]
    lines = ["On this machine:"] if here else ["None of the agents that are known here is installed."]
    width = max((len(_title(one)) for one in here), default=0)
    lines += [f"  {one.launcher.name:<11} {_title(one):<{width}}  {login_words(one)}" for one in here]
    missing = [one.launcher for one in found if not one.installed]
    if missing:
        lines += ["", "Not installed:"]
        lines += [f"  {one.name:<11} {one.title}: {one.install}" for one in missing]
    if entries:
        lines += ["", "Connected from here before (`clawgroups connect --all` starts them):"]
        lines += [f"  {one.name or '-':<11} {one.url}  {one.start}" for one in entries]
    if here:
        lines += ["", f"Start one with: clawgroups connect https://host --agent {here[0].launcher.name}"]
    return "\n".join(lines) + "\n"


def as_json(found: Sequence[Found], entries: Sequence[Entry]) -> str:
    """The same for programs."""
    agents = [
        {
            "name": one.launcher.name,
            "title": one.launcher.title,
            "installed": one.installed,
            "command": shlex.join(one.command) or one.launcher.line,
            "version": one.version,
            "login": one.login if one.installed else "",
            "advice": one.launcher.login.advice,
            "install": one.launcher.install,
        }
        for one in found
    ]
    remembered = [{"url": one.url, "name": one.name, "start": one.start} for one in entries]
    return json.dumps({"agents": agents, "remembered": remembered}, indent=1) + "\n"


def _title(found: Found) -> str:
    return f"{found.launcher.title} {found.version}".rstrip()


def _forget(name: str, console: Console) -> int:
    try:
        gone = Remembered().forget(name)
    except OSError as problem:
        raise Wrong(f"what is remembered cannot be changed: {problem}") from None
    if not gone:
        raise Wrong(f"no agent called {name} has been connected from here")
    for entry in gone:
        console.say(f"{name} at {entry.host} is forgotten; its key still stands in keys.json, and can be revoked "
                    "on the agent's page")  # fmt: skip
    return 0
