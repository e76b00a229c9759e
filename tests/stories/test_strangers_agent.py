"""Somebody else's agent joins by the command that registration gives, and works, or is told why it may not."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stories import checker
from tests.stories.connectors import Connected, connectors
from tests.stories.installation import OURS, ROOT
from tests.stories.script import Follower, Json, Script, in_full

AGENT = Path(__file__).parent / "agents" / "stranger.py"
PLAN = [{"key": "poem", "title": "Write a poem", "skills": ["poetry"], "acceptance": ["not_empty", "file_type: .txt"]}]


Connect = Callable[..., Connected]


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Connect]:
    """Carry out a connect command as its reader would; all of them end with the test."""
    with connectors() as begin:

        def start(command: str, manner: str = "obliging", *options: str) -> Connected:
            given = shlex.split(command.replace("YOUR-AGENT acp", ""))
            given[given.index("--") : given.index("--")] = options
            assert given[1:3] == ["clawgroups", "connect"]
            name, _, key = given[0].partition("=")
            kept = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
            # A person of their own: what others have connected from here is not remembered for them.
            home = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
            program = [sys.executable, "-m", "agents.connector", *given[2:], sys.executable, str(AGENT), manner]
            return begin(program, cwd=ROOT, env={**kept, **home, name: key})

        yield start


@pytest.fixture
def workspace(script: Script) -> str:
    return script.workspace("Strangers")


def register(script: Script, workspace: str) -> Json:
    skills = [{"name": "poetry", "description": "Short poems", "level": 4}]
    made: Json = script.post("/api/v1/agents", {"name": "Bard", "skills": skills, "workspace": workspace})
    assert made["key"] in made["connect_command"]
    return made


def start_run(script: Script, workspace: str) -> str:
    run = script.post(f"/api/v1/workspaces/{workspace}/runs", {"goal": "A poem", "plan": PLAN, "start": True})
    return str(run["id"])


def test_it_joins_by_the_copied_command_and_finishes_a_task(script: Script, workspace: str, connect: Connect) -> None:
    made = register(script, workspace)
    with Follower(script, workspace) as journal:
        run = start_run(script, workspace)
        # Until it is there the task says for whom it waits.
        parked = journal.until("task.parked", seconds=15)["payload"]
        assert "Bard" in parked["reason"]
        task = script.get(f"/api/v1/tasks/{parked['task_id']}")
        assert (task["blocked_on"], "Bard" in task["next_actor"]) == ("outside", True)
        connect(made["connect_command"])
        journal.until("agent.online", agent_id=made["id"], seconds=20)
        shown = script.get(f"/api/v1/agents/{made['id']}")
        assert (shown["online"], shown["announced"]["title"]) == (True, "A stranger")
        assert journal.ended(run) == "done"
        assert script.files(run, "result") == {"poem.txt": b"Roses are red, sales are up.\n"}
        assert b"Roses are red, sales are up." in script.files(run, "deliverable")["report.html"]
        assert not checker.faults(script.journal(workspace), in_full(script, run))


def test_its_work_in_a_repository_comes_back_as_files_and_a_patch_and_stays_on_a_branch(
    script: Script, workspace: str, connect: Connect, tmp_path: Path
) -> None:
    def git(*words: str) -> str:
        who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgSign=false"]
        return subprocess.run(["git", *who, *words], cwd=top, check=True, capture_output=True, text=True).stdout

    top = tmp_path / "verses"
    top.mkdir()
    git("init", "-q", "-b", "main")
    (top / "poem.txt").write_text("Roses are red.\n")
    git("add", "poem.txt")
    git("commit", "-q", "-m", "first")
    made = register(script, workspace)
    with Follower(script, workspace) as journal:
        run = start_run(script, workspace)
        connect(made["connect_command"], "obliging", "--repo", str(top), "--dir", str(tmp_path / "work"))
        assert journal.ended(run) == "done"
    found = script.files(run, "result")
    assert set(found) == {"poem.txt", "changes.patch"}
    assert b"-Roses are red.\n+Roses are red, sales are up.\n" in found["changes.patch"]
    (tree,) = (path for path in (tmp_path / "work" / "verses.tasks").iterdir() if path.name[0] != ".")
    assert (tree / "poem.txt").read_bytes() == found["poem.txt"]
    assert git("for-each-ref", "--format=%(refname:short)", "refs/heads") == "claw/poem\nmain\n"
    assert (git("status", "--porcelain"), (top / "poem.txt").read_text()) == ("", "Roses are red.\n")


def test_what_it_says_after_it_was_told_to_stop_is_kept_and_counts_for_nothing(
    script: Script, workspace: str, connect: Connect
) -> None:
    made = register(script, workspace)
    connect(made["connect_command"], "stubborn")
    with Follower(script, workspace) as journal:
        run = start_run(script, workspace)
        begun = journal.until("task.begun", seconds=30)["payload"]
        path = f"/api/v1/tasks/{begun['task_id']}"
        assert script.first_text(begun["attempt_id"]) == "Roses are red, "
        held = script.post(f"{path}/takeover")
        late = journal.until("attempt.late_result_kept", attempt_id=begun["attempt_id"])
        task = script.get(path)
        first = next(a for a in task["attempts"] if a["id"] == begun["attempt_id"])
        assert (task["state"], task["epoch"], task["attempt"]) == ("held", held["epoch"], held["attempt"])
        assert task["draft"]["text"].strip() == "Roses are red,"
        assert (first["state"], first["result"]) == ("superseded", "")
        assert "sales are up." in first["late_result"]
        assert [f["kind"] for f in task["artifacts"]] == ["late"]
        moved = [e["type"] for e in journal.entries if e["seq"] > late["seq"] and e["type"].startswith("task.")]
        assert moved == []
        script.post(f"/api/v1/runs/{run}/cancel")
        assert journal.ended(run) == "cancelled"


def test_a_wrong_key_is_said_once_and_for_good(script: Script, workspace: str, connect: Connect) -> None:
    made = register(script, workspace)
    wrong = made["key"][:-6] + ("aaaaaa" if made["key"][-6:] != "aaaaaa" else "bbbbbb")
    running = connect(made["connect_command"].replace(made["key"], wrong))
    assert running.process.wait(20) == 3
    line = running.said.until(lambda said: "refused" in said, seconds=60)
    assert "key" in line
    assert not any("Traceback" in said for said in running.said)


def test_a_key_that_is_revoked_while_it_works_ends_it_within_seconds(
    script: Script, workspace: str, connect: Connect
) -> None:
    made = register(script, workspace)
    running = connect(made["connect_command"], "stubborn")
    with Follower(script, workspace) as journal:
        run = start_run(script, workspace)
        begun = journal.until("task.begun", seconds=30)["payload"]
        script.first_text(begun["attempt_id"])
        key = script.get(f"/api/v1/agents/{made['id']}")["keys"][0]["id"]
        answer = script.send("DELETE", f"/api/v1/agents/{made['id']}/keys/{key}")
        assert answer.status == 200
        assert running.process.wait(8) == 3
        running.said.until(lambda said: "refused" in said and "no longer valid" in said, seconds=60)
        journal.until("agent.offline", agent_id=made["id"], seconds=60)
        assert not script.get(f"/api/v1/agents/{made['id']}")["online"]
        script.post(f"/api/v1/runs/{run}/cancel")
        assert journal.ended(run) == "cancelled"
