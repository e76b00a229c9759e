"""Checks of files in a child process with a limit of time and memory: what an agent delivers is never trusted.

A file that hangs or breaks its reader, or a pattern that searches for ever, costs one check, not the thread or the
worker that asked for it: a search holds the interpreter's lock, and so everything else in its process.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict

from clawgroups.core import deadline
from clawgroups.core.acceptance import Finding, Verdict
from clawgroups.services import checks
from clawgroups.services.checks import Result

log = logging.getLogger(__name__)

CHILD = "clawgroups.services.file_checks"  # named, not imported: what reads workbooks takes 15 MiB
LIMIT = 60.0  # seconds
MEMORY = 512 * 1024 * 1024
# Every thread of a numeric library would take its share of the memory.
_QUIET = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def judge(lines: Sequence[str], result: Result) -> list[Verdict]:
    """A verdict per acceptance line. One that needs files which cannot be read in time is left to a person."""
    if not any(map(checks.needs_child, lines)):
        return checks.judge(lines, result)
    # The processor's time is bounded, too, for the case that nobody is left to look at the clock.
    bounds = {"parent": os.getpid(), "memory": MEMORY, "seconds": int(LIMIT) + 5}
    question = {**bounds, "lines": list(lines), "result": asdict(result)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", CHILD],
            input=json.dumps(question, default=str),
            capture_output=True,
            text=True,
            check=False,
            timeout=deadline.left(LIMIT),
            env={**os.environ, **_QUIET},
        )
    except subprocess.TimeoutExpired:
        deadline.check()
        return _without_files(lines, result, f"it could not be checked within {LIMIT:.0f} seconds")
    if done.returncode:
        log.warning("a check of files ended with %d: %s", done.returncode, done.stderr[-500:])
        return _without_files(lines, result, "it could not be checked: reading it ended the check")
    return [Verdict(v["line"], Finding(v["finding"]), v["reason"], v["by"]) for v in json.loads(done.stdout)]


def _without_files(lines: Sequence[str], result: Result, reason: str) -> list[Verdict]:
    return [
        Verdict(line, Finding.OPEN, reason, "nobody yet")
        if checks.needs_child(line)
        else checks.judge([line], result)[0]
        for line in lines
    ]
