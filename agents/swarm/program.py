"""The program `clawgroups` where more than the connector is installed: its verbs, and `swarm`."""

from __future__ import annotations

import importlib.util
import signal
import sys
from collections.abc import Sequence

from agents.connector import cli
from agents.connector.console import Console
from agents.connector.exits import Wrong

SWARM = "swarm"
# What sub-agents need beside the connector, which needs almost nothing.
_NEEDED = ("acp", "openai", "httpx2")


def main(arguments: Sequence[str] | None = None) -> int:
    """The program `clawgroups`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    return swarm(given[1:]) if given[:1] == [SWARM] else cli.main(given)


def swarm(arguments: Sequence[str]) -> int:
    """The verb `swarm`; the exit code."""
    console = Console(sys.stderr.buffer)
    try:
        if missing := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
            named = ", ".join(missing)
            raise Wrong(f"sub-agents need more than the connector ({named}): pip install 'clawgroups[swarm]'")
        # Not above: what it imports takes a second, and is not there where only the connector is installed.
        from agents.swarm.command import run  # noqa: PLC0415

        return run(arguments, console)
    except Wrong as wrong:
        console.say(str(wrong))
        return wrong.code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        console.close()
