"""The program `clawgroups`: its verbs, each in a module of its own, and how it ends."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from agents.connector import __version__, checking, connecting, doctor, listing, logs, service, shim, status
from agents.connector.console import Console
from agents.connector.exits import Wrong

# Each has `add(verbs)`, which sets `run(options, command, console) -> int` as a default of its parser.
VERBS = (connecting, listing, checking, status, logs, doctor, service, shim)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="clawgroups", description="Let an agent join a Claw Groups server.")
    top.add_argument("--version", action="version", version=f"clawgroups {__version__}")
    verbs = top.add_subparsers(dest="verb", required=True)
    for module in VERBS:
        module.add(verbs)
    return top


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Our arguments, and the agent's command after `--`."""
    arguments = list(arguments)
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def main(arguments: Sequence[str] | None = None) -> int:
    """The program `clawgroups`."""
    ours, command = split(sys.argv[1:] if arguments is None else arguments)
    options = parser().parse_args(ours)
    console = Console(sys.stderr.buffer)
    try:
        return service.told(int(options.run(options, command, console)))
    except Wrong as wrong:
        console.say(str(wrong))
        return service.told(wrong.code)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        console.close()
