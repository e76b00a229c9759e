"""Serving a model: the command for a GPU host, and the life of the server that `make test-model` starts."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from agents.llm import serving
from agents.llm.providers import PRESETS
from clawgroups.supervisor.say import CannotRun
from tests.model.serving import install, launch
from tests.run.__main__ import LEFT_OUT
from tests.stories.waiting import until

ROOT = Path(__file__).resolve().parent.parent.parent
KEYS = {serving.KEY: "key-of-requests", serving.ADMIN_KEY: "key-of-the-administration"}


def served(capsys: pytest.CaptureFixture[str], *arguments: str, **environ: str) -> list[str]:
    """The command that would be run, word by word, without what is set before it."""
    serving.serve(["--dry-run", *arguments], environ)
    words = shlex.split(capsys.readouterr().out)
    assert words.pop(0) == "SGLANG_TOOL_STRICT_LEVEL=2"
    return words


def test_the_command_for_a_gpu_host_is_the_one_that_the_model_needs(capsys: pytest.CaptureFixture[str]) -> None:
    words = served(capsys)
    assert words[0] == str(ROOT / ".venv-serve" / "bin" / "sglang")
    assert " ".join(words[1:]) == (
        "serve --model-path moonshotai/Kimi-K2.6 --tp 8 --trust-remote-code "
        "--tool-call-parser kimi_k2 --reasoning-parser kimi_k2 "
        "--enable-cache-report --enable-metrics --enable-priority-scheduling "
        "--constrained-json-disable-any-whitespace --host 127.0.0.1 --port 30000"
    )
    assert PRESETS["sglang"].default_model == serving.MODEL
    assert PRESETS["sglang"].url == "http://127.0.0.1:30000/v1"


def test_what_was_asked_for_is_in_the_command_and_the_rest_goes_on_to_sglang(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ("--model-path", "/models/k2.6", "--tp", "4", "--context-length", "128000", "--port", "31000")
    words = served(capsys, *asked, "--dp", "2", "--enable-dp-attention")
    assert words[2:6] == list(asked[:4])
    assert words[-5:] == ["--context-length", "128000", "--dp", "2", "--enable-dp-attention"]


def test_keys_are_in_a_file_of_this_account_and_never_on_the_command_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = served(capsys, "--host", "0.0.0.0", CLAWGROUPS_DATA=str(tmp_path), **KEYS)
    file = tmp_path / "model-keys.yaml"
    assert words[-2:] == ["--config", str(file)]
    assert not any(key in word for key in KEYS.values() for word in words)
    assert not file.exists()
    for _ in range(2):
        serving.write_keys(file, serving.keys_of(KEYS))
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text() == '{"api-key": "key-of-requests", "admin-api-key": "key-of-the-administration"}'


def test_a_server_that_others_reach_needs_a_key() -> None:
    with pytest.raises(serving.CannotServe, match="set CLAWGROUPS_COORDINATOR_API_KEY first"):
        serving.serve(["--dry-run", "--host", "0.0.0.0"], {})


def test_a_machine_without_a_gpu_is_told_so_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "claw", "serve-model"]
    done = subprocess.run(command, cwd=ROOT, env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "nvidia-smi is missing" in done.stderr or "Linux only" in done.stderr


def test_sglang_is_an_extra_and_in_no_lock_but_that_of_its_own_tests() -> None:
    assert serving.requirement() == "sglang==0.5.23"
    naming = [lock.name for lock in (ROOT / "requirements").glob("*.txt") if "\nsglang==" in f"\n{lock.read_text()}"]
    assert naming == ["model-nodeps.txt"]
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    assert serving.requirement() in groups["model-nodeps"]
    # No lock has torch: its file for the CPU has a hash of its own, so it is installed apart.
    assert not any("\ntorch==" in lock.read_text() for lock in (ROOT / "requirements").glob("*.txt"))


def test_compose_serves_with_the_same_flags() -> None:
    compose = (ROOT / "compose.yaml").read_text()
    service = compose.split("\n  model:\n", 1)[1].split("\nconfigs:", 1)[0]
    assert all(flag in service for flag in serving.FOR_A_COORDINATOR)
    assert f"sglang:v{serving.requirement().partition('==')[2]}\n" in service
    assert all(f'{name}: "{value}"' in service for name, value in serving.ENVIRONMENT.items())
    assert "API_KEY" not in service


# The server of `make test-model`


def small(how: str) -> list[str]:
    return [sys.executable, str(Path(__file__).with_name("small_model_server.py")), how]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_its_tests_are_not_among_the_ordinary_ones() -> None:
    assert "--ignore=tests/model" in LEFT_OUT


@pytest.mark.skipif(sys.platform != "linux", reason="It runs on Linux only.")
def test_a_server_is_gone_with_everything_that_it_started() -> None:
    with launch.running(small("runs"), key="key-of-requests") as server:
        pids = server.processes()
        assert len(pids) == 2
        assert server.get("/health")[0] == 200
        assert server.metric("counted") == 5.0
        assert server.memory() > 0
        lines = [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids]
        assert not any("key-of-requests" in line for line in lines)
        assert (server.folder / "keys.yaml").stat().st_mode & 0o777 == 0o600
    until(lambda: not any(map(alive, pids)), seconds=20, what="the end of what was killed")
    assert not server.folder.exists()
    assert server.get("/health") == (0, "")


def test_a_server_that_ends_at_its_start_says_why() -> None:
    with pytest.raises(CannotRun, match="no room for the model"), launch.running(small("fails")):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="The kernel's signal at a parent's death is Linux's.")
def test_a_server_does_not_outlive_tests_that_are_killed(tmp_path: Path) -> None:
    code = (
        "import pathlib, signal, sys\n"
        "from tests.model.serving import launch\n"
        f"with launch.running({small('alone')!r}) as server:\n"
        "    print(server.pid, server.folder, flush=True)\n"
        "    signal.pause()\n"
    )
    tests = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert tests.stdout is not None
    with tests.stdout as told:
        pid, _, folder = told.readline().strip().partition(" ")
    os.kill(tests.pid, signal.SIGKILL)
    tests.wait()
    until(lambda: not alive(int(pid)), seconds=20, what="the end of the server")
    shutil.rmtree(folder)


@pytest.mark.parametrize(("system", "machine"), [("Darwin", "arm64"), ("Linux", "aarch64")])
def test_another_kind_of_machine_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(CannotRun, match=f"this is {system} on {machine}") as refused:
        install.check_machine()
    assert "\n" not in str(refused.value)


def test_a_full_disk_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(install, "ready", lambda: False)
    monkeypatch.setattr(install, "NEEDED", 2**80)
    with pytest.raises(CannotRun, match="needs 5 GB of disk"):
        install.check_machine()
