"""The choice that a person at a terminal gets when no agent was named."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from agents.connector.exits import Wrong
from agents.connector.launchers import LAUNCHERS
from agents.connector.programs import NOT_SIGNED_IN, OPTIONAL, SIGNED_IN, UNSEEN, Found, Machine, look

_NOTHING = "none of the agents that are known here is installed; `clawgroups agents` says how to get one"


def login_words(found: Found) -> str:
    """What is seen of a login, and what to do about it."""
    advice = found.launcher.login.advice
    return {
        SIGNED_IN: "signed in",
        NOT_SIGNED_IN: f"not signed in: run `{advice}` first",
        OPTIONAL: f"works without a login; `{advice}` adds your models",
        UNSEEN: f"its login cannot be seen from here; if it is missing: `{advice}`",
    }[found.login]


def choose(machine: Machine) -> list[str]:
    """What was chosen, as values of `--agent`. Raises Wrong when nothing is."""
    here = [found for found in look(machine, LAUNCHERS) if found.installed]
    return chosen(here, _read, _show, machine.which)


def chosen(
    here: Sequence[Found],
    read: Callable[[], str],
    show: Callable[[str], None],
    which: Callable[[str], str | None],
) -> list[str]:
    """Ask until the answer can be understood; `read` gives one line, empty at the end of the input."""
    if not here:
        show(f"{_NOTHING}.\n")
    else:
        show("Agents on this machine:\n")
    width = max((len(found.launcher.title) + len(found.version) for found in here), default=0) + 1
    for number, found in enumerate(here, 1):
        title = f"{found.launcher.title} {found.version}".ljust(width)
        show(f"  {number}  {title}  {login_words(found)}\n")
    hint = f"Which one? A number{', several with commas' if len(here) > 1 else ''}, or " if here else "Type "
    while True:
        show(f"{hint}the command of your own agent: ")
        line = read()
        if not line:
            show("\n")
            raise Wrong("no agent was chosen; nothing was started")
        try:
            if picked := _understood(line.strip(), here, which):
                return picked
        except ValueError as problem:
            show(f"{problem}\n")


def _understood(line: str, here: Sequence[Found], which: Callable[[str], str | None]) -> list[str]:
    """The agents that a line names. Raises ValueError saying what is wrong with it."""
    names = [found.launcher.name for found in here]
    words = [word for word in line.replace(",", " ").split() if word]
    if words and all(word.isdigit() or word.lower() in names for word in words):
        if wrong := [word for word in words if word.isdigit() and not 1 <= int(word) <= len(names)]:
            raise ValueError(f"there is no number {wrong[0]} in the list")
        picked = [names[int(word) - 1] if word.isdigit() else word.lower() for word in words]
        return list(dict.fromkeys(picked))
    command = shlex.split(line)
    if command and which(command[0]) is None:
        raise ValueError(f"there is no program {command[0]} on this machine")
    return [f"{Path(command[0]).stem}={line}"] if command else []


def code_for(label: str) -> str:
    """The code of an agent that has no key here yet, empty where none is typed."""
    _show(f"The code for {label}, from the agent's page: ")
    return _read().strip()


def _read() -> str:
    return sys.stdin.readline()


def _show(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
