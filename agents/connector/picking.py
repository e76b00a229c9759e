"""Which agents one `connect` starts: those that were named, one's own command, the remembered ones, or a choice."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from agents.connector import menu, remembered, startable
from agents.connector.exits import NOT_STARTED, Wrong
from agents.connector.keys import KeyFile
from agents.connector.launchers import LAUNCHERS, Launcher, launcher, started_by
from agents.connector.programs import Machine, command_of
from agents.connector.remembered import Entry, Remembered

_EXAMPLE = "clawgroups connect https://host --code abcd-efgh-jkmn-pqrs -- kimi acp"
_OF_ONE = ("code", "key", "key_file")


@dataclass(frozen=True)
class Wanted:
    """One agent to start: the options as for a `connect` of its own, its command, and what it is called here.

    Where it cannot be started, `problem` says why.
    """

    options: argparse.Namespace
    command: list[str]
    label: str
    problem: str = ""

    def check(self) -> None:
        """Raise Wrong where its program is not on this machine."""
        if self.problem:
            raise Wrong(self.problem, NOT_STARTED)
        startable.check(self.command[0])


def add(connect: argparse.ArgumentParser) -> None:
    """The options by which agents are named."""
    which = connect.add_mutually_exclusive_group()
    which.add_argument(
        "--agent", action="append", dest="agents", default=[], metavar="A",
        help="a known agent to start (see `clawgroups agents`), or NAME=COMMAND; may be given several times",
    )  # fmt: skip
    which.add_argument("--all", action="store_true", help="start every agent that was connected from here before")
    connect.set_defaults(launcher="", environment=None)


def pick(options: argparse.Namespace, command: list[str], *, proposed: str = "") -> list[Wanted]:
    """The agents to start. `proposed` is the known agent that was chosen on the server, if it was. Raises Wrong.

    Without any word of which, a person at a terminal is asked.
    """
    if command and (options.agents or options.all):
        raise Wrong("name the agent with --agent or by a command after two dashes, not both")
    if options.all:
        return _labelled(_remembered(options))
    if not options.url:
        raise Wrong(f"say which server to connect to. For example: {_EXAMPLE}")
    if command:
        return [_own(options, command, options.name or Path(command[0]).name)]
    named = list(options.agents)
    if not named and (known := launcher(proposed)) is not None:
        return [_known(options, known, options.name)]
    if not named:
        named = menu.choose(Machine()) if at_a_terminal() else _nobody_to_ask()
    if len(named) > 1:
        _check_several(options)
    return _labelled([_named(options, one) for one in named])


def at_a_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def _nobody_to_ask() -> list[str]:
    machine = Machine()
    here = [f"--agent {one.name}" for one in LAUNCHERS if command_of(one, machine)]
    known = f"{' or '.join(here)} (installed here), or your own command" if here else "its command"
    raise Wrong(f"say which agent to start: {known} after two dashes. For example: {_EXAMPLE}")


def _check_several(options: argparse.Namespace) -> None:
    given = [f"--{name.replace('_', '-')}" for name in _OF_ONE if getattr(options, name, None)]
    if options.name:
        raise Wrong("--name is for one agent; call several ones as in --agent backend=kimi --agent frontend=opencode")
    if os.environ.get("CLAWGROUPS_KEY"):
        given.append("CLAWGROUPS_KEY")
    if given:
        raise Wrong(f"{given[0]} is for one agent: connect each once by its own line, then start them together")


def _named(options: argparse.Namespace, spec: str) -> Wanted:
    """An agent named as `kimi`, `backend=kimi` or `backend=python3 agent.py`."""
    name, equals, what = spec.partition("=")
    if not equals:
        name, what = options.name or spec, spec
    known = launcher(what)
    if known is not None:
        return _known(options, known, name)
    if not equals:
        names = ", ".join(one.name for one in LAUNCHERS)
        raise Wrong(f"{spec} is no agent that is known here ({names}); start it by its command after two dashes, "
                    f"or as --agent {spec}=COMMAND")  # fmt: skip
    try:
        command = shlex.split(what)
    except ValueError:
        command = []
    if not name or not command:
        raise Wrong(f"--agent {spec} is not like NAME=COMMAND")
    return _own(argparse.Namespace(**{**vars(options), "name": name}), command, name)


def _own(options: argparse.Namespace, command: list[str], label: str) -> Wanted:
    # A known agent that is started by its command asks before it acts like one that is started by its name.
    known = started_by(command)
    environment = Machine().environment(known) if known is not None else None
    return Wanted(argparse.Namespace(**{**vars(options), "environment": environment}), command, label)


def _known(options: argparse.Namespace, known: Launcher, name: str) -> Wanted:
    machine = Machine()
    told = {"name": name, "launcher": known.name, "environment": machine.environment(known)}
    command = list(command_of(known, machine))
    missing = "" if command else f"{known.title} is not installed on this machine; install it with: {known.install}"
    return Wanted(argparse.Namespace(**{**vars(options), **told}), command, name or known.name, missing)


def _remembered(options: argparse.Namespace) -> list[Wanted]:
    entries = _single(Remembered().all(options.url))
    if not entries:
        there = f" at {remembered.host_of(options.url)}" if options.url else ""
        raise Wrong(f"no agent has been connected from here{there} yet; connect one by its line first")
    if len(entries) > 1:
        _check_several(options)
    wanted = []
    for entry in entries:
        told = remembered.restored(entry, options)
        known = launcher(entry.launcher)
        if known is not None:
            wanted.append(_known(told, known, entry.name))
        else:
            label = entry.name or Path(entry.start).name
            unknown = "" if entry.command else f"{entry.launcher} is not known to this version of clawgroups"
            wanted.append(replace(_own(told, list(entry.command), label), problem=unknown))
    return wanted


def _single(entries: list[Entry]) -> list[Entry]:
    """The same, each agent once: one key under two names would be two connections that replace each other."""
    keys, kept = KeyFile(), dict[tuple[str, str], Entry]()
    for entry in entries:
        mark = (entry.host, keys.find(entry.url, entry.name) or f"no key: {entry.name}")
        if mark not in kept or not kept[mark].name:
            kept[mark] = entry
    return list(kept.values())


def _labelled(wanted: list[Wanted]) -> list[Wanted]:
    """The same, called so that no two are called alike. Raises Wrong where two would be one agent."""
    twice = Counter((remembered.host_of(one.options.url), one.options.name) for one in wanted)
    if double := [name for (_host, name), times in twice.items() if times > 1]:
        raise Wrong(f"two agents cannot both be called {double[0]}; call them as in --agent second={double[0]}")
    labels = Counter(one.label for one in wanted)
    return [
        one if labels[one.label] == 1
        else replace(one, label=f"{one.label}@{remembered.host_of(one.options.url)}")
        for one in wanted
    ]  # fmt: skip
