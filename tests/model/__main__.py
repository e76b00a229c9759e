"""`python -m tests.model [pytest's arguments]`: everything that we ask of a model, from a real SGLang server.

Installs the server's environment and makes its tiny model where they are missing, starts the server, runs the tests of
this folder against it, and leaves nothing running.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from clawgroups.supervisor.say import CannotRun
from tests.model.conftest import SLOWEST
from tests.model.serving import install
from tests.run.__main__ import Run, terminated

# Seconds for all of it: it takes three minutes where the machine has nothing else to do.
LIMIT = 2400.0


def main(arguments: list[str]) -> int:
    if arguments[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    signal.signal(signal.SIGTERM, terminated)
    begun = time.monotonic()
    try:
        install.check_machine()
        install.make_environment()
        install.make_model()
    except CannotRun as reason:
        print(reason, file=sys.stderr)
        return 1
    print(f"The server and its model are there after {time.monotonic() - begun:.0f} s.", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="claw-run-"))
    run = Run(folder, arguments, LIMIT)
    try:
        options = ("-p", "no:playwright", "-o", f"faulthandler_timeout={SLOWEST - 60}")
        run.pytest("model", *options, "tests/model")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(["", *run.results.summary()]), flush=True)
    return 1 if run.results.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
