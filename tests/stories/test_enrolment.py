"""One copied line where there is nothing but Python: the file comes from the server, the key from the machine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stories.connectors import Connected, connectors
from tests.stories.installation import command_of
from tests.stories.script import Follower, Json, Script
from tests.stories.test_strangers_agent import AGENT
from tests.stories.waiting import until

SECONDS = 60.0
Machine = Callable[..., Connected]


@pytest.fixture
def file(script: Script, tmp_path: Path) -> Path:
    """What the first half of the line saves."""
    path = tmp_path / "connect.pyz"
    path.write_bytes(script.ask("GET", "/connect.pyz").bytes)
    return path


@pytest.fixture
def machine(file: Path, tmp_path: Path) -> Iterator[Machine]:
    """Run the file as on a machine with a home and nothing else; all of them end with the test."""
    with connectors() as begin:

        def start(home: str, *arguments: str) -> Connected:
            folder = tmp_path / home
            folder.mkdir(exist_ok=True)
            command = [sys.executable, "-S", "-E", "-I", str(file), "connect", *arguments]
            return begin(command, cwd=folder, env={"HOME": str(folder), "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"})

        yield start


def test_a_machine_with_nothing_but_python_joins_by_the_line_and_remembers(
    script: Script, machine: Machine, tmp_path: Path
) -> None:
    workspace = script.workspace("Enrolment")
    made: Json = script.post("/api/v1/agents", {"name": "Newcomer", "workspace": workspace})
    agent = made["id"]
    offered: Json = script.post(f"/api/v1/agents/{agent}/enrolment", {})
    assert offered["fetch_command"].startswith(f"curl -fsSL {script.url}/connect.pyz -o connect.pyz && ")
    line = offered["fetch_command"].split("python3 connect.pyz connect ")[1].split()
    program = ["--", sys.executable, str(AGENT), "obliging"]

    def online() -> bool:
        return bool(script.get(f"/api/v1/agents/{agent}")["online"])

    with Follower(script, workspace) as journal:
        first = machine("laptop", *line, *program)
        first.said.until(lambda said: "let in as Newcomer" in said, seconds=SECONDS)
        journal.until("agent.online", agent_id=agent, seconds=SECONDS)
    kept = tmp_path / "laptop" / ".config" / "clawgroups" / "keys.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "cg_" not in command_of(first.process.pid)
    first.process.terminate()
    assert first.process.wait(20) == 128 + 15
    until(lambda: not online(), seconds=SECONDS, what="the agent's absence")

    # The code is used up, for every other machine.
    other = machine("elsewhere", *line, *program)
    assert other.process.wait(SECONDS) == 3
    other.said.until(lambda said: "This code has been used already. Make a new line" in said, seconds=60)
    assert not list((tmp_path / "elsewhere").rglob("*.json"))

    # This machine comes back by the same line as by the address alone.
    again = machine("laptop", *line, *program)
    until(online, seconds=SECONDS, what="the agent's return by its line")
    again.process.terminate()
    again.process.wait(20)
    until(lambda: not online(), seconds=SECONDS, what="the agent's absence")
    machine("laptop", script.url, *program)
    until(online, seconds=SECONDS, what="the agent's return by the address")


def test_the_line_without_a_command_starts_the_program_that_was_chosen_on_the_page(
    script: Script, machine: Machine, tmp_path: Path
) -> None:
    workspace = script.workspace("Chosen")
    made: Json = script.post("/api/v1/agents", {"name": "Chosen one", "workspace": workspace})
    offered: Json = script.post(f"/api/v1/agents/{made['id']}/enrolment", {"launcher": "kimi"})
    kimi = tmp_path / "bin" / "kimi"
    kimi.parent.mkdir()
    kimi.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{AGENT}" obliging\n')
    kimi.chmod(0o755)
    with Follower(script, workspace) as journal:
        running = machine("desk", *offered["connect_command"].removeprefix("clawgroups connect ").split())
        running.said.until(lambda said: "let in as Chosen one" in said, seconds=SECONDS)
        journal.until("agent.online", agent_id=made["id"], seconds=SECONDS)
        # From now on it is one of those that are remembered.
        running.process.terminate()
        assert running.process.wait(20) == 128 + 15
        machine("desk", "--all").said.until(lambda said: "connected as Chosen one" in said, seconds=SECONDS)
    assert script.get(f"/api/v1/agents/{made['id']}")["announced"]["title"] == "A stranger"
