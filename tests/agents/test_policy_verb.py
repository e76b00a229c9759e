"""`clawgroups policy`: what rules would do, said before any agent asks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agents.connector.checking import EXAMPLE
from agents.connector.cli import main


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def checked(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["policy", "check", *arguments]) == 0
    return capsys.readouterr().out


def test_the_example_is_a_policy_and_does_what_it_says(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "example"]) == 0
    example = capsys.readouterr().out
    assert example == EXAMPLE
    path = home / "p.toml"
    path.write_text(example)
    said = {line.strip().split("  ")[0]: line for line in checked(capsys, str(path)).splitlines()}
    assert "asked on this terminal" in said["run: git status; rm -rf ."]
    for words, answer in (
        ("read notes.md", "allowed (by"),
        ("read ~/.ssh/id_ed25519", "rejected at once"),
        ("edit ../other/main.py", "asked in the workspace"),
        ("run: git status", "allowed (by"),
        ("run: sudo reboot", "rejected at once"),
        ("something without a kind", "asked in the workspace (no rule speaks of it)"),
    ):
        assert answer in said[words]


def test_one_request_is_asked_about(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = home / "config" / "clawgroups" / "policy.toml"
    path.parent.mkdir(parents=True)
    path.write_text(EXAMPLE)
    assert checked(capsys, "--kind", "edit", "--path", "a", "--path", ".git/x").startswith("asked in the workspace")
    assert checked(capsys, "--command", "git diff --stat").startswith("allowed (by allow: command git status")
    assert checked(capsys, "--command", "x; sudo y").startswith("rejected at once (by never: command sudo *")
    assert "may be meant as well" in checked(capsys, "--allow", "all", "--command", "bash x.sh")


def test_rules_that_allow_more_than_they_seem_to_are_pointed_out(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home / "p.toml"
    path.write_text(
        '[[rule]]\nanswer = "allow"\ncommand = ["find *", "git log *", "make *"]\n'
        '[[rule]]\nanswer = "allow"\nkind = "edit"\n[[rule]]\nanswer = "allow"\nagent = "kimi"\n'
    )
    said = checked(capsys, str(path), "--agent", "kimi")
    assert [line.strip() for line in said.splitlines() if "careful" in line] == [
        "careful: “find *” runs whatever its arguments say",
        "careful: “make *” runs whatever its arguments say",
        'careful: this allows it everywhere on the machine; path = "**" would keep it to the work directory',
        "careful: this allows every command",
    ]
    assert "Requests to do anything by kimi: allowed." in said
    assert "by kimi" not in checked(capsys, str(path), "--agent", "other")
    assert "everything is asked in the workspace" in checked(capsys)


@pytest.mark.parametrize(
    ("text", "words"), [("[[rule]]", "rule 1 has no answer"), ("\xff", "policy.toml"), (None, "cannot be read")]
)
def test_a_policy_that_is_none_starts_nothing(
    text: str | None, words: str, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = home / "config" / "clawgroups" / "policy.toml"
    path.parent.mkdir(parents=True)
    if text is None:
        path.mkdir()
    else:
        path.write_bytes(text.encode("latin-1"))
    for arguments in (["policy", "check"], ["connect", "https://host", "--key", "cg_x", "--", sys.executable]):
        assert main(arguments) == 2
        said = capfd.readouterr().err
        assert words in said
        assert said.count("\n") == 1


def test_a_policy_that_was_named_must_be_there(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    named = ["--policy", str(home / "none.toml")]
    assert main(["connect", "https://host", "--key", "cg_x", *named, "--", sys.executable]) == 2
    assert "cannot be read" in capfd.readouterr().err
