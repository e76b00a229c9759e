"""Ten sub-agents in one process work on ten tasks at once, with the workspace's tools, through the whole server."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.llm.fake_server import FakeServer
from tests.stories.script import Follower, Script
from tests.swarm.server import SKILL, Swarm, at_once, scripted

TASKS = 10
STEPS = 9
ROOM = 100 * 1024 * 1024


def test_ten_sub_agents_do_ten_tasks_at_once_and_every_step_is_in_the_journal_once(
    script: Script, tmp_path: Path
) -> None:
    workspace = script.workspace("Swarm")
    skills = [{"name": SKILL, "level": 3}]
    told = {"name": "Diggers", "skills": skills, "workspace": workspace, "max_sessions": TASKS}
    key = script.post("/api/v1/agents", told)["key"]
    plan = [
        {"key": f"t{n}", "title": f"Question {n}", "skills": [SKILL], "acceptance": ["not_empty"]} for n in range(TASKS)
    ]
    with (
        FakeServer("sglang", scripted(STEPS)) as model,
        Follower(script, workspace) as journal,
        Swarm(script.url, key, model.url, tmp_path, sessions=TASKS) as swarm,
    ):
        started = {"goal": "Ten questions", "plan": plan, "start": True}
        run = str(script.post(f"/api/v1/workspaces/{workspace}/runs", started)["id"])
        assert journal.ended(run) == "done"
        turns = swarm.turns()
        memory = swarm.memory()
    told_of = [one["payload"] for one in script.journal(workspace) if one["type"] == "step.recorded"]
    assert set(Counter((one["step_id"], one["status"]) for one in told_of).values()) == {1}
    ended = [one for one in told_of if one["status"] == "completed"]
    assert Counter(one["task_id"] for one in ended) == {task["id"]: STEPS for task in script.tasks(run)}
    assert [one["end"] for one in turns] == ["done"] * TASKS
    assert len({one["session"] for one in turns}) == TASKS
    assert at_once(turns) > TASKS // 2
    files = script.files(run, "result")
    assert {f"question-{n}.md" for n in range(TASKS)} <= files.keys()
    print(f"{memory / 2**20:.0f} MiB")
    assert memory < ROOM
