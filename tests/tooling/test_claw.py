"""The bootstrap file: it says in one line why it cannot run, and reinstalls only when a lock has changed."""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def claw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The file as a module, with an environment folder that does not exist."""
    monkeypatch.setenv("CLAW_VENV", str(tmp_path / "venv"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = importlib.machinery.SourceFileLoader("claw", str(ROOT / "claw"))
    spec = importlib.util.spec_from_loader("claw", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


def test_an_old_python_can_read_the_file_and_is_told_its_version(
    claw: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ast.parse((ROOT / "claw").read_text(encoding="utf-8"), feature_version=(3, 6))
    monkeypatch.setattr(sys, "version_info", (3, 8, 10))
    with pytest.raises(SystemExit) as stopped:
        claw.main(["up"])
    assert stopped.value.code == 2
    assert "Python 3.11 or newer is needed, this is Python 3.8" in refusal(capsys)


def test_a_python_without_ensurepip_is_told_which_package_it_lacks(
    claw: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(claw, "has_ensurepip", lambda: False)
    with pytest.raises(SystemExit):
        claw.main(["up"])
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    assert f"apt-get install {package}" in refusal(capsys)


def test_an_unknown_command_is_refused_before_anything_is_made(
    claw: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        claw.main(["fly"])
    assert "'fly'" in refusal(capsys)
    assert list(tmp_path.iterdir()) == []


def test_the_lock_is_installed_once_and_again_only_when_it_has_changed(
    claw: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "requirements").mkdir()
    for name in ("server", "dev"):
        (tmp_path / "requirements" / f"{name}.txt").write_text(f"{name} one")
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").symlink_to(sys.executable)
    installed: list[str] = []

    def installer(lock: str) -> list[str]:
        installed.append(Path(lock).name)
        return [sys.executable, "-c", ""]

    monkeypatch.setattr(claw, "ROOT", str(tmp_path))
    monkeypatch.setattr(claw, "installer", installer)
    monkeypatch.setattr(claw, "add_checkout", lambda: None)
    for developing in (False, False, True, True, False):
        claw.ensure_environment(developing)
    assert installed == ["server.txt", "dev.txt"]
    (tmp_path / "requirements" / "server.txt").write_text("server two")
    (tmp_path / "requirements" / "dev.txt").write_text("dev two")
    claw.ensure_environment(False)
    # Whoever develops keeps what developing needs.
    assert installed == ["server.txt", "dev.txt", "dev.txt"]


def test_the_connectors_command_stands_beside_the_environments_python() -> None:
    command = Path(sys.executable).parent / "clawgroups"
    done = subprocess.run([command, "--help"], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0
    assert "connect" in done.stdout


def test_no_committed_lock_names_where_packages_come_from() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text(encoding="utf-8")
        assert "--hash=sha256:" in text
        assert "://" not in text
        assert "index-url" not in text
