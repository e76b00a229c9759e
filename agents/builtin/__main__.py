"""`python -m agents.builtin NAME` is one agent on stdio; `--serve --config FILE` is all of them, connected."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from agents.builtin.roster import SPECS
from agents.builtin.serve import (
    BadConfig,
    read_config,
    run_stdio,
    scale_from_environment,
    serve,
    warn_if_open,
)

_USAGE = 2


def parser() -> argparse.ArgumentParser:
    """The command line."""
    about = "; ".join(f"{name}: {spec.description}" for name, spec in SPECS.items())
    top = argparse.ArgumentParser(
        prog="python -m agents.builtin",
        description="The built-in agents. With a name: that agent speaks ACP on standard input and output.",
        epilog=about,
    )
    top.add_argument("name", nargs="?", choices=sorted(SPECS), help="the agent to run on standard input and output")
    top.add_argument("--serve", action="store_true", help="connect all agents of --config to their server")
    top.add_argument("--config", type=Path, metavar="FILE", help='{"url", "agents": {name: {"key"}}, "dir"}')
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; its exit code."""
    top = parser()
    options = top.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if options.serve == bool(options.name) or (options.serve and options.config is None):
        top.error("give the name of one agent, or --serve with --config FILE")
    try:
        if options.name:
            asyncio.run(run_stdio(options.name))
            return 0
        config = read_config(options.config)
        warn_if_open(options.config, say)
        return asyncio.run(serve(config, say, scale_from_environment()))
    except BadConfig as bad:
        say(str(bad))
        return _USAGE
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def say(text: str) -> None:
    """Tell the person at the machine, on standard error: standard output may carry the protocol."""
    sys.stderr.write(f"agents: {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
