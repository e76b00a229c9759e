"""Checks of files in a child process with a limit of time and memory: what an agent delivers is never trusted.

A file that hangs or breaks its reader, or a pattern that searches for ever, costs one check, not the thread or the
worker that asked for it: a search holds the interpreter's lock, and so everything else in its process.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clawgroups.core import deadline
from clawgroups.core.acceptance import Finding, Verdict
from clawgroups.core.parent import die_with
from clawgroups.services import checks
from clawgroups.services.checks import Result, ResultFile

log = logging.getLogger(__name__)

LIMIT = 60.0  # seconds
MEMORY = 512 * 1024 * 1024
# Every thread of a numeric library would take its share of the memory.
_QUIET = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def judge(lines: Sequence[str], result: Result) -> list[Verdict]:
    """A verdict per acceptance line. One that needs files which cannot be read in time is left to a person."""
    if not any(map(checks.needs_child, lines)):
        return checks.judge(lines, result)
    question = {"parent": os.getpid(), "memory": MEMORY, "lines": list(lines), "result": asdict(result)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__],
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


def main() -> None:
    """The child: one question on standard input, the verdicts on standard output."""
    asked = json.load(sys.stdin)
    die_with(asked["parent"])
    resource.setrlimit(resource.RLIMIT_AS, (asked["memory"], asked["memory"]))
    resource.setrlimit(resource.RLIMIT_CPU, (int(LIMIT), int(LIMIT) + 5))
    verdicts = checks.judge(asked["lines"], _result(asked["result"]))
    json.dump([verdict.as_json() for verdict in verdicts], sys.stdout)


def _result(said: dict[str, Any]) -> Result:
    files, data = (
        tuple(ResultFile(file["name"], Path(file["path"]), file["size"]) for file in said[kind])
        for kind in ("files", "data")
    )
    return Result(said["text"], files, data)


if __name__ == "__main__":
    main()
