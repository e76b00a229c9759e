"""What the stories of kills share: a run in the middle of its work, and what is true of one that is over."""

from __future__ import annotations

from tests.stories import checker
from tests.stories.sales import Sales, cited, differences
from tests.stories.script import Follower, Script, in_full

GOAL = "Which region sells best, and how did revenue develop?"


def writing(script: Script, journal: Follower, run: str) -> tuple[str, str]:
    """Wait until the writer of a run has said something; its task and attempt."""
    journal.until("run.started", run_id=run)
    task = next(t["id"] for t in script.tasks(run) if t["key"] == "report")
    attempt = str(journal.until("task.begun", task_id=task)["payload"]["attempt_id"])
    script.first_text(attempt)
    return task, attempt


def assert_whole(script: Script, journal: Follower, run: str, sales: Sales) -> None:
    """The run is over, its history is sound, and what it hands over is right."""
    assert journal.ended(run, seconds=120) == "done"
    entries = script.journal(journal.workspace)
    assert not checker.faults(entries, in_full(script, run))
    journal.caught_up(entries[-1]["seq"])
    # What came after the reading, an agent that is back, say, is heard all the same.
    assert journal.entries.all()[: len(entries)] == entries
    compared, wrong = differences(sales, cited(script.files(run, "deliverable")["report.html"].decode()))
    assert not wrong, wrong
    assert compared >= 25
