"""The known agents: which are on a machine, in which version, and whether a login shows. Fake programs on a PATH."""

from __future__ import annotations

import io
import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agents.connector import menu, programs
from agents.connector.cli import main
from agents.connector.exits import Wrong
from agents.connector.launchers import LAUNCHERS, Launcher, launcher
from agents.connector.listing import as_text
from agents.connector.programs import NOT_SIGNED_IN, OPTIONAL, SIGNED_IN, UNSEEN, Found, Machine, find, look
from agents.connector.remembered import Entry

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Puts a program with this shell script onto the PATH of the test's machine."""

    def put(name: str, script: str = "echo 1.2.3", folder: str = "bin") -> Path:
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return put


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine({"PATH": str(tmp_path / "bin")}, tmp_path / "home", "linux")


def known(name: str) -> Launcher:
    found = launcher(name)
    assert found is not None
    return found


def test_the_table_names_each_agent_once_and_says_all_that_a_page_needs() -> None:
    names = [one.name for one in LAUNCHERS]
    assert names == ["kimi", "opencode", "claude", "codex", "gemini", "qwen", "goose", "vibe", "fast-agent"]
    for one in LAUNCHERS:
        assert one.title
        assert one.install
        assert one.login.advice
        assert shlex.split(one.line) == list(one.ways[0].command)
    assert known(" Kimi ").line == "kimi acp"
    assert known("gemini").line == "gemini --acp"
    assert launcher("nobody") is None


def test_an_installed_agent_is_found_with_its_command_and_version(machine: Machine, install: Install) -> None:
    install("kimi", 'test "$1" = --version && test -z "$CLAWGROUPS_KEY" && echo "kimi, version 2.1.0-rc1 (linux)"')
    told = Machine({**machine.environ, "CLAWGROUPS_KEY": "cg_x"}, machine.home, "linux")
    assert find(known("kimi"), told) == Found(known("kimi"), ("kimi", "acp"), "2.1.0-rc1", NOT_SIGNED_IN)
    assert [one.launcher.name for one in look(machine) if one.installed] == ["kimi"]


def test_the_version_of_an_npm_package_is_read_without_starting_it(machine: Machine, tmp_path: Path) -> None:
    package = tmp_path / "lib" / "node_modules" / "@scope" / "codex-acp"
    (package / "dist").mkdir(parents=True)
    (package / "package.json").write_text('{"name": "@scope/codex-acp", "version": "2.6.0"}')
    program = package / "dist" / "index.js"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'started'}\n")
    program.chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "codex-acp").symlink_to(program)
    assert find(known("codex"), machine).version == "2.6.0"
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("script", ["exit 1", "echo hello; exit 3", "exec sleep 60", "sleep 60 & sleep 60"])
def test_a_program_that_does_not_tell_its_version_is_found_all_the_same(
    machine: Machine, install: Install, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setattr(programs, "PATIENCE", 0.2)
    install("goose", f"PATH=/bin:/usr/bin; {script}")
    found = find(known("goose"), machine)
    assert (found.command, found.version) == (("goose", "acp"), "")


def test_an_adapter_is_fetched_where_only_its_program_is_installed(machine: Machine, install: Install) -> None:
    assert not find(known("claude"), machine).installed
    install("npx", "exit 9")
    assert not find(known("claude"), machine).installed
    install("claude")
    fetched = ("npx", "-y", "@agentclientprotocol/claude-agent-acp")
    assert find(known("claude"), machine) == Found(known("claude"), fetched, "", NOT_SIGNED_IN)
    install("claude-agent-acp", "echo 0.101.0")
    assert find(known("claude"), machine).command == ("claude-agent-acp",)


def test_a_program_beside_the_path_is_called_by_its_own(machine: Machine, install: Install) -> None:
    path = install("vibe-acp", "echo vibe-acp 3.0.2", folder="home/.local/bin")
    assert find(known("vibe"), machine) == Found(known("vibe"), (str(path),), "3.0.2", UNSEEN)


TRACES = [
    ("kimi", ".kimi-code/credentials/kimi-code.json", '{"token": "x"}', SIGNED_IN),
    ("kimi", ".kimi-code/credentials/kimi-code.json", "", NOT_SIGNED_IN),
    ("kimi", ".kimi-code/config.toml", '[providers.a]\napi_key = ""\n', NOT_SIGNED_IN),
    ("kimi", ".kimi-code/config.toml", '[providers.a]\napi_key = "sk-x"\n', SIGNED_IN),
    ("opencode", ".local/share/opencode/auth.json", "{}", OPTIONAL),
    ("opencode", ".local/share/opencode/auth.json", '{"zai": {"type": "api"}}', SIGNED_IN),
    ("claude", ".claude/.credentials.json", '{"claudeAiOauth": {}}', SIGNED_IN),
    ("claude", ".claude/settings.json", '{"model": "x"}', NOT_SIGNED_IN),
    ("codex", ".codex/auth.json", '{"tokens": {"id_token": "x"}}', SIGNED_IN),
    ("codex", ".codex/auth.json", "{}", NOT_SIGNED_IN),
    ("gemini", ".gemini/oauth_creds.json", '{"access_token": "x"}', SIGNED_IN),
    ("gemini", ".gemini/settings.json", '{"security": {"auth": {"selectedType": "gemini-api-key"}}}', SIGNED_IN),
    ("qwen", ".qwen/.env", "OPENAI_API_KEY=\n", NOT_SIGNED_IN),
    ("qwen", ".qwen/.env", "export OPENAI_API_KEY=sk-x\n", SIGNED_IN),
    ("goose", ".config/goose/config.yaml", "extensions: {}\nGOOSE_PROVIDER: openai\n", SIGNED_IN),
    ("goose", ".config/goose/config.yaml", "extensions: {}\n", NOT_SIGNED_IN),
    ("vibe", ".vibe/.env", "MISTRAL_API_KEY='x'\n", SIGNED_IN),
    ("fast-agent", ".fast-agent/fastagent.secrets.yaml", "anthropic:\n  api_key: sk-x\n", SIGNED_IN),
    ("fast-agent", ".fast-agent/fastagent.secrets.yaml", "anthropic:\n  api_key: <your key>\n", UNSEEN),
]


@pytest.mark.parametrize(("name", "path", "text", "login"), TRACES)
def test_a_login_shows_by_what_it_left(machine: Machine, name: str, path: str, text: str, login: str) -> None:
    assert programs.login_of(known(name).login, machine) in (NOT_SIGNED_IN, OPTIONAL, UNSEEN)
    file = machine.home / path
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert programs.login_of(known(name).login, machine) == login


def test_a_login_shows_by_a_variable_and_a_folder_may_lie_elsewhere(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / ".credentials.json").write_text("{}")
    for told in ({"ANTHROPIC_API_KEY": "x"}, {"CLAUDE_CONFIG_DIR": str(tmp_path / "other")}):
        assert programs.login_of(known("claude").login, Machine(told, machine.home, "linux")) == SIGNED_IN
    assert programs.login_of(known("claude").login, Machine({}, machine.home, "darwin")) == UNSEEN
    # A file that cannot be read is no login, and no trouble either.
    (machine.home / ".claude" / ".credentials.json").mkdir(parents=True)
    assert programs.login_of(known("claude").login, Machine({}, machine.home, "linux")) == NOT_SIGNED_IN


def test_an_agent_is_made_to_ask_unless_its_owner_has_said_otherwise(machine: Machine) -> None:
    assert machine.environment(known("goose")) == {**machine.environ, "GOOSE_MODE": "approve"}
    assert Machine({"GOOSE_MODE": "auto"}).environment(known("goose")) == {"GOOSE_MODE": "auto"}
    assert json.loads(machine.environment(known("opencode"))["OPENCODE_PERMISSION"])["edit"] == "ask"
    assert machine.environment(known("kimi")) == dict(machine.environ)


HERE = [
    Found(known("kimi"), ("kimi", "acp"), "2.1.0", SIGNED_IN),
    Found(known("claude"), ("claude-agent-acp",), "", NOT_SIGNED_IN),
    Found(known("opencode"), ("opencode", "acp"), "1.18.33", OPTIONAL),
]


def answer(text: str, here: list[Found] = HERE) -> tuple[list[str], str]:
    shown: list[str] = []
    return menu.chosen(here, io.StringIO(text).readline, shown.append, shutil.which), "".join(shown)


@pytest.mark.parametrize(
    ("typed", "picked"),
    [
        ("1\n", ["kimi"]),
        ("2, 1\n", ["claude", "kimi"]),
        ("OpenCode 1 1\n", ["opencode", "kimi"]),
        ("sh -c 'exec agent'\n", ["sh=sh -c 'exec agent'"]),
        ("\n7\nno-such-agent\n'\n3\n", ["opencode"]),
    ],
)
def test_a_choice_is_understood_or_asked_for_again(typed: str, picked: list[str]) -> None:
    assert answer(typed)[0] == picked


def test_the_menu_shows_what_is_here_and_what_its_owner_has_to_do() -> None:
    _, shown = answer("9\n1\n")
    assert "  1  Kimi Code 2.1.0   signed in\n" in shown
    assert "  2  Claude Code       not signed in: run `claude auth login` first\n" in shown
    assert "there is no number 9 in the list\n" in shown
    assert "`clawgroups agents` says how to get one" in answer("sh agent\n", [])[1]
    with pytest.raises(Wrong, match="nothing was started"):
        answer("")


def test_the_list_says_what_is_here_what_is_not_and_what_was_connected() -> None:
    text = as_text([*HERE, Found(known("goose"))], [Entry("https://host", "backend", "kimi")])
    assert "  kimi        Kimi Code 2.1.0   signed in\n" in text
    assert "  goose       Goose: brew install block-goose-cli\n" in text
    assert "  backend     https://host  kimi\n" in text
    assert text.endswith("clawgroups connect https://host --agent kimi\n")
    assert as_text([Found(known("goose"))], []).startswith("None of the agents that are known here is installed.\n")


def test_the_list_is_printed_for_people_and_for_programs(
    tmp_path: Path, install: Install, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install("gemini", "echo 0.61.0")
    for name, value in {"PATH": tmp_path / "bin", "HOME": tmp_path / "home", "XDG_CONFIG_HOME": tmp_path}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("GEMINI_API_KEY", "secret-key")
    assert main(["agents"]) == 0
    assert "Gemini CLI 0.61.0  signed in" in (text := capsys.readouterr().out)
    assert main(["agents", "--json"]) == 0
    told = json.loads(shown := capsys.readouterr().out)
    (gemini,) = [one for one in told["agents"] if one["installed"]]
    assert (gemini["command"], gemini["version"], gemini["login"]) == ("gemini --acp", "0.61.0", SIGNED_IN)
    assert told["remembered"] == []
    assert "secret-key" not in text + shown
