"""A program with a time limit: nothing that hangs may take the whole run with it in silence."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

TOO_LONG = 124  # the status of coreutils' `timeout`
TO_END = 10.0


def finish(command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], within: float) -> int:
    """Run a program in a process group of its own and give its exit status; `within` is in seconds.

    Past its time the group is aborted (pytest's processes then print where each thread stands), and the status is
    `TOO_LONG`. When the caller itself is stopped, so is the group.
    """
    process = subprocess.Popen(command, cwd=cwd, env=environment, start_new_session=True)
    end = signal.SIGTERM
    try:
        return process.wait(within)
    except subprocess.TimeoutExpired:
        end = signal.SIGABRT
        print(f"It did not end within {within:.0f} s. This is where it stands:", flush=True)
        return TOO_LONG
    except KeyboardInterrupt:
        end = signal.SIGINT
        raise
    finally:
        stop(process, end)


def stop(process: subprocess.Popen[bytes], number: int) -> None:
    """Signal the group, then kill what is left of it."""
    if process.poll() is None:
        os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(TO_END)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
