"""All agents in one process over the connector, and the command line."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from agents.builtin.__main__ import main
from agents.builtin.roster import SPECS, pace_from_environment
from agents.builtin.serve import BadConfig, Config, bridges, read_config, scale_from_environment, serve
from tests.agents.builtin.conftest import SalesFile
from tests.agents.support import PATIENCE, SCALE, FakeServer, Frame, file_store

SESSION = "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"


async def asked(server: FakeServer, frame_id: str, method: str, params: Frame) -> Frame:
    await server.send({"id": frame_id, "method": method, "params": params})
    await server.until(lambda: server.answers(frame_id))
    return server.answers(frame_id)[0]


async def test_a_served_agent_takes_its_inputs_from_the_server_and_brings_its_results(
    sales: SalesFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAWGROUPS_BUILTIN_PACE", "0")
    said: list[str] = []
    with file_store() as store:
        store.files["sales.csv"] = sales[0].read_bytes()
        async with FakeServer() as server:
            config = Config(server.url, {"analyst": "cg_test"}, tmp_path / "work")
            made = bridges(config, said.append, SCALE)
            running = asyncio.create_task(made["analyst"].run())
            await server.until(lambda: server.connection)
            hello = await asked(server, "i", "initialize", {"protocolVersion": 1})
            assert hello["result"]["agentInfo"]["name"] == "analyst"
            meta = {"clawgroups": {"session": SESSION, "files": store.url, "key": "session-key"}}
            fresh = await asked(server, "n", "session/new", {"cwd": "/", "mcpServers": [], "_meta": meta})
            prompt: dict[str, Any] = {
                "sessionId": fresh["result"]["sessionId"],
                "prompt": [{"type": "text", "text": "Profile it."}],
                "_meta": {"clawgroups": {"task": {"kind": "profile", "inputs": [{"name": "sales.csv"}]}}},
            }
            answer = await asked(server, "p", "session/prompt", prompt)
            assert answer["result"]["stopReason"] == "end_turn"
            made["analyst"].stop()
            async with asyncio.timeout(PATIENCE):
                assert await running == 0
        delivered = {name for name, _, _ in store.puts}
        profile = json.loads(store.files["sales.profile.json"])
    assert delivered == {"sales.profile.json", "sales.summary.md", "sales.workbook.xlsx", "sales.chart.svg"}
    assert profile["rows"] == len(sales[1])


async def test_all_agents_are_connected_each_with_its_key_and_a_refused_one_leaves_the_others(tmp_path: Path) -> None:
    said: list[str] = []
    async with FakeServer() as server:
        config = Config(server.url, {name: f"cg_{name}" for name in SPECS}, tmp_path)
        made = bridges(config, said.append, SCALE)
        running = [asyncio.create_task(bridge.run()) for bridge in made.values()]
        await server.until(lambda: len(server.links) == len(SPECS))
        assert {told["Authorization"] for told in server.upgrades} == {f"Bearer cg_{name}" for name in SPECS}
        for bridge in made.values():
            bridge.stop()
        async with asyncio.timeout(PATIENCE):
            assert await asyncio.gather(*running) == [0, 0, 0]


async def test_serving_ends_with_the_code_of_a_refusal_when_no_agent_is_left(tmp_path: Path) -> None:
    said: list[str] = []
    async with FakeServer() as server:
        server.refuse = ("The key was revoked.", 4401)
        async with asyncio.timeout(PATIENCE):
            assert await serve(Config(server.url, {"writer": "cg_x"}, tmp_path), said.append, SCALE) == 3
    assert any(text.startswith("writer: ") and "revoked" in text for text in said)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("not json", "cannot be read"),
        ("[]", 'no "url"'),
        ('{"url": "http://x"}', 'names no "agents"'),
        ('{"url": "http://x", "agents": {"cook": {"key": "k"}}}', "'cook'"),
        ('{"url": "http://x", "agents": {"writer": {}}}', "no key"),
    ],
)
def test_a_config_that_cannot_be_used_is_told_in_one_line(
    tmp_path: Path, content: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "builtin.json"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(BadConfig, match=words):
        read_config(file)
    assert main(["--serve", "--config", str(file)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("agents: ")
    assert told.count("\n") == 1


def test_a_config_names_server_keys_and_folder_and_never_shows_a_key(tmp_path: Path) -> None:
    file = tmp_path / "builtin.json"
    file.write_text(json.dumps({"url": "http://127.0.0.1:1", "agents": {"writer": {"key": " cg_secret "}}}))
    config = read_config(file)
    assert (config.url, dict(config.keys), config.root) == (
        "http://127.0.0.1:1",
        {"writer": "cg_secret"},
        tmp_path / "agents",
    )
    assert "cg_secret" not in repr(config)


def test_keys_that_others_can_read_are_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "builtin.json"
    file.write_text(json.dumps({"url": "ftp://nowhere", "agents": {"writer": {"key": "cg_x"}}}))
    file.chmod(0o644)
    assert main(["--serve", "--config", str(file)]) == 2
    assert "mode 0600" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--serve"], ["analyst", "--serve"], ["cook"]])
def test_a_command_line_that_names_nothing_to_run_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    assert refused.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_settings_of_the_environment_are_read_with_care(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAWGROUPS_BUILTIN_PACE", "soon")
    assert pace_from_environment() == 0.15
    monkeypatch.setenv("CLAWGROUPS_BUILTIN_PACE", "-3")
    assert pace_from_environment() == 0.0
    monkeypatch.setenv("CLAWGROUPS_CLOCK_SCALE", "0")
    with pytest.raises(BadConfig):
        scale_from_environment()
