"""An agent that knows no MCP over HTTP uses the workspace's tools by a program that its connector gives it."""

from __future__ import annotations

from pathlib import Path

from tests.stories.laptop import opened
from tests.stories.script import Follower, Script

PLAN = [{"key": "poem", "title": "Write a poem", "skills": ["poetry"]}]


def test_it_starts_the_program_with_the_official_client_and_the_tools_are_the_same(
    script: Script, tmp_path: Path
) -> None:
    workspace = script.workspace("Programs")
    skills = [{"name": "poetry", "level": 4}]
    made = script.post("/api/v1/agents", {"name": "Toolbearer", "skills": skills, "workspace": workspace})
    with (
        Follower(script, workspace) as journal,
        opened(made, script.url, tmp_path / "home", ["toolbearer.py"]) as laptop,
    ):
        started = {"goal": "A poem", "plan": PLAN, "start": True}
        run = str(script.post(f"/api/v1/workspaces/{workspace}/runs", started)["id"])
        assert journal.ended(run) == "done"
        task = script.task(run, "poem")
        (attempt,) = task["attempts"]
        assert attempt["result"] == "11 tools, 1 task."
        said = script.get(f"/api/v1/workspaces/{workspace}/messages?task={task['id']}")["items"]
        assert {one["body"] for one in said} >= {"Hello by legacy.", "Hello by auto."}
        assert script.files(run, "result") == {f"{mode}.txt": b"Roses are red.\n" for mode in ("legacy", "auto")}
        (file,) = (tmp_path / "home" / "clawgroups" / "tools").rglob("*.json")
        laptop.process.terminate()
        laptop.process.wait(20)
        assert not file.exists()
