"""`python -m clawgroups.server --host 127.0.0.1 --port 8000`: one ASGI process."""

from __future__ import annotations

# Installs the asyncio reactor: it must come before anything else of Twisted.
from clawgroups.server.daphne import BoundedServer, twisted_loop  # isort:skip

import argparse
import dataclasses
import os
import signal
import sys
import threading

from django.conf import settings
from django.utils.module_loading import import_string
from twisted.internet.error import CannotListenError

from clawgroups import draining
from clawgroups.core.garbage import settle
from clawgroups.server.limits import Limits


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m clawgroups.server", description="Serve Claw Groups.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")))
    parser.add_argument("--app", default="clawgroups.asgi.application", help="dotted path of the ASGI application")
    parser.add_argument("--drain-seconds", type=float, default=Limits.drain_seconds, help="how long leaving may take")
    parser.add_argument(
        "--handshake-seconds", type=float, default=Limits.handshake_seconds, help="how long coming in may take"
    )
    parser.add_argument(
        "--linger-seconds", type=float, default=Limits.linger_seconds, help="how long a refused upload is still read"
    )
    parser.add_argument(
        "--proxy-headers",
        action="store_true",
        default=os.environ.get("CLAWGROUPS_BEHIND_PROXY", "").lower() in ("1", "true", "yes", "on"),
        help="trust X-Forwarded-For and -Proto of a proxy (default: CLAWGROUPS_BEHIND_PROXY)",
    )
    return parser.parse_args()


def exit_hard(status: int) -> None:
    """Leave although threads still run: a view that never ends must not keep the process."""
    os._exit(status)


def main() -> int:
    """Serve until SIGTERM or SIGINT; the exit status is 2 when the address is taken."""
    given = arguments()
    limits = dataclasses.replace(
        Limits(),
        drain_seconds=given.drain_seconds,
        handshake_seconds=given.handshake_seconds,
        linger_seconds=given.linger_seconds,
    )
    application = import_string(given.app)
    limits = limits.scaled(settings.CLOCK_SCALE if settings.configured else 1.0)
    settle()
    if (before := getattr(application, "before_serving", None)) is not None:
        before()
    server = BoundedServer(application, limits=limits, proxy_headers=given.proxy_headers)

    def leave() -> None:
        watchdog = threading.Timer(limits.exit_seconds, exit_hard, [1])
        watchdog.daemon = True
        watchdog.start()
        server.leave()

    for number in (signal.SIGTERM, signal.SIGINT):
        twisted_loop.add_signal_handler(number, leave)
    address = f"http://{given.host}:{given.port}"
    try:
        server.run(given.host, given.port, ready=lambda: print(f"listening on {address}", flush=True))
    except CannotListenError:
        print(f"Port {given.port} is taken on {given.host}: choose another with PORT.", file=sys.stderr)
        return 2
    draining.process.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
