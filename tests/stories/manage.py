"""`manage.py` many times, with Python and Django started once: a process that is ready, and forks for each command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


class Manager:
    """Runs management commands in an environment, one after the other."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._ready: subprocess.Popen[str] | None = None
        self._turn = threading.Lock()

    def run(self, arguments: Sequence[str], *, seconds: float) -> str:
        """What a command printed; fails where it does, or takes longer."""
        with self._turn, tempfile.TemporaryDirectory(prefix="claw-manage-") as folder:
            printed, said = Path(folder, "out"), Path(folder, "err")
            ready = self._ready = self._ready or self._begun()
            assert ready.stdin is not None
            assert ready.stdout is not None
            ready.stdin.write(json.dumps([list(arguments), str(printed), str(said)]) + "\n")
            ready.stdin.flush()
            watch = threading.Timer(seconds, ready.kill)
            watch.start()
            status = ready.stdout.readline().strip()
            watch.cancel()
            if status != "0":
                self.end()
                why = said.read_text() if said.exists() else "it could not be begun"
                raise AssertionError(f"{' '.join(arguments)[:200]}: {status or 'it took too long'}\n{why}")
            return printed.read_text().strip()

    def end(self) -> None:
        """End the process; a later command starts another one."""
        if self._ready is not None:
            self._ready.kill()
            self._ready.communicate()
            self._ready = None

    def _begun(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.stories.manage"],
            cwd=ROOT,
            env=dict(self._environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


def serve() -> int:
    """Carry out what is asked on standard input, each in a child that has opened nothing yet."""
    import django  # noqa: PLC0415  (only here: nobody else needs it)
    from django.core.management import execute_from_command_line, get_commands  # noqa: PLC0415
    from django.urls import get_resolver  # noqa: PLC0415

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clawgroups.settings")
    django.setup()
    get_commands()
    assert get_resolver().url_patterns  # imports what all commands need
    for line in sys.stdin:
        arguments, printed, said = json.loads(line)
        child = os.fork()
        if not child:
            for number, path in enumerate((os.devnull, printed, said)):
                os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
            # To the usual end of a program, with all that is done there.
            execute_from_command_line(["manage.py", *arguments])
            return 0
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(serve())
