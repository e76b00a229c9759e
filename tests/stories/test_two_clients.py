"""Two clients of one journal, one of them away for a while: in the end they know the same."""

from __future__ import annotations

from clawgroups.core import fold
from tests.stories import checker
from tests.stories.sales import Sales
from tests.stories.script import Follower, Script, in_full

GOAL = "Which region sells best, and how did revenue develop?"


def test_a_client_that_was_cut_off_ends_up_with_the_same_state(script: Script, sales: Sales) -> None:
    workspace = script.workspace("Two clients")
    # What no entry carries (tasks that still wait) is in the snapshot that a client begins with.
    with Follower(script, workspace) as steady, Follower(script, workspace) as cut_off:
        run = script.give(workspace, GOAL, sales.name, sales.content())
        cut_off.until("task.begun")
        cut_off.cut()
        steady.until("task.submitted")
        begin = script.get(f"/api/v1/workspaces/{workspace}/snapshot")
        for number in range(30):
            script.post(f"/api/v1/workspaces/{workspace}/messages", {"body": f"Message {number}"})
        assert steady.ended(run) == "done"
        missed = steady.last - cut_off.last
        assert missed > 30
        cut_off.back()
        head = script.get(f"/api/v1/workspaces/{workspace}")["head"]
        steady.caught_up(head)
        cut_off.caught_up(head)

        assert (steady.connections, cut_off.connections) == (1, 2)
        assert steady.last == cut_off.last == head
        entries = cut_off.entries.all()
        assert entries == steady.entries.all()
        assert not checker.faults(entries, in_full(script, run))
        assert not [f for f in cut_off.frames if f["type"] == "snapshot"]

        end = script.get(f"/api/v1/workspaces/{workspace}/snapshot")
        folded = fold.fold(begin["state"], [e for e in entries if begin["seq"] < e["seq"] <= end["seq"]])
        assert folded == end["state"]
        assert fold.digest(folded) == end["hash"]


def test_a_client_of_another_generation_or_from_the_future_begins_anew(script: Script) -> None:
    workspace = script.workspace("Anew")
    with Follower(script, workspace, generation=7, after=0) as stale:
        told = stale.frames.until(lambda frame: frame["type"] == "snapshot", seconds=15)
        assert (told["generation"], told["state"]["workspace"]["name"]) == (1, "Anew")
    with Follower(script, workspace, generation=1, after=10_000) as ahead:
        told = ahead.frames.until(lambda frame: frame["type"] == "snapshot", seconds=15)
        assert told["seq"] < 10_000
