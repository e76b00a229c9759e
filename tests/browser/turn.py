"""The writer in the middle of its turn, held still for as long as somebody needs to step into it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.browser.people import WORK
from tests.stories.installation import Installation
from tests.stories.script import Script
from tests.stories.waiting import until


@contextmanager
def still(pid: int | None) -> Iterator[None]:
    """A process does nothing meanwhile."""
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def held_at(claw: Installation, script: Script, workspace: str, words: str) -> Iterator[None]:
    """Wait until the report of the newest run has these words; its writer goes on afterwards."""
    until(lambda: words in report_so_far(script, workspace), seconds=WORK / 1000, what=f"“{words}” in the report")
    with still(claw.pid("agents")):
        yield


def report_so_far(script: Script, workspace: str) -> str:
    """What the writer has said of the report; nothing before it works on it."""
    for run in script.get(f"/api/v1/workspaces/{workspace}/runs")["items"][:1]:
        for row in script.tasks(run["id"]):
            if row["key"] == "report" and row["state"] == "working":
                attempt = script.get(f"/api/v1/tasks/{row['id']}")["attempts"][-1]["id"]
                return script.text_so_far(attempt)
    return ""
