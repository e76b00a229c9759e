"""A laptop is shut in the middle of a turn and opened again when others have done the work.

`CLAW_ASLEEP=600` has it sleep for ten minutes at least; else until the others are done.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path

from tests.stories import checker
from tests.stories.conftest import SCALE
from tests.stories.installation import Installation
from tests.stories.laptop import opened
from tests.stories.script import Follower, Json, Script, in_full

ASLEEP = float(os.environ.get("CLAW_ASLEEP", "0"))  # seconds
PLAN = [{"key": "poem", "title": "Write a poem", "skills": ["poetry"]}]


def register(script: Script, workspace: str, name: str) -> Json:
    skills = [{"name": "poetry", "level": 4}]
    made: Json = script.post("/api/v1/agents", {"name": name, "skills": skills, "workspace": workspace})
    return made


def settled(script: Script, run: str) -> Json:
    """What the work came to: what nobody who comes later may change."""
    task = script.task(run, "poem")
    return {
        **{name: task[name] for name in ("state", "epoch", "attempt")},
        "accepted": [(one["id"], one["result"]) for one in task["attempts"] if one["state"] == "accepted"],
        "files": script.files(run, "result"),
        "report": script.files(run, "deliverable"),
    }


def test_an_agent_that_slept_past_every_deadline_is_back_and_what_it_brings_is_kept_beside_what_others_did(
    other: Installation, tmp_path: Path
) -> None:
    script = Script(other.url, other.token())
    workspace = script.workspace("Sleepers")
    bard, poet = register(script, workspace, "Bard"), register(script, workspace, "Poet")
    with Follower(script, workspace) as journal, ExitStack() as machines:
        asleep = opened(bard, other.url, tmp_path / "bard", ["stranger.py", "stubborn"], CLAWGROUPS_CLOCK_SCALE=SCALE)
        laptop = machines.enter_context(asleep)
        run = str(
            script.post(f"/api/v1/workspaces/{workspace}/runs", {"goal": "A poem", "plan": PLAN, "start": True})["id"]
        )
        begun = journal.until("task.begun", seconds=30)["payload"]
        script.first_text(begun["attempt_id"])
        laptop.sleep()
        until_then = time.monotonic() + ASLEEP
        machines.enter_context(opened(poet, other.url, tmp_path / "poet", ["stranger.py", "other"]))
        journal.until("agent.offline", agent_id=bard["id"], seconds=30)
        assert journal.ended(run) == "done"
        before = settled(script, run)
        assert before["files"] == {"poem.txt": b"Roses are red, violets are blue.\n"}
        time.sleep(max(0.0, until_then - time.monotonic()))  # As long as whoever runs the test says.
        asleep_until = journal.last

        laptop.wake()
        journal.until("agent.online", agent_id=bard["id"], after=asleep_until, seconds=30)
        journal.until("attempt.late_result_kept", attempt_id=begun["attempt_id"], seconds=30)
        laptop.said.until(lambda line: "came too late" in line and "session" in line, seconds=20)
        assert settled(script, run) == before
        task = script.task(run, "poem")
        first = next(one for one in task["attempts"] if one["id"] == begun["attempt_id"])
        assert (first["state"], first["result"]) == ("expired", "")
        assert "sales are up." in first["late_result"]
        assert {file["name"]: file["kind"] for file in task["artifacts"] if file["kind"] == "late"} == {
            "poem.txt": "late"
        }
        assert script.get(f"/api/v1/agents/{bard['id']}")["online"]
        assert not checker.faults(script.journal(workspace), in_full(script, run))
