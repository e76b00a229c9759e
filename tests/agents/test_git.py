"""git as the connector calls it: what is no repository, and a git that is missing, slow or somebody else's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from agents.connector import git
from agents.connector.git import GitFault, Repository


def made(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True)


def _bare(folder: Path) -> Path:
    made(folder, "init", "-q", "--bare", "bare.git")
    return folder / "bare.git"


def _empty(folder: Path) -> Path:
    made(folder, "init", "-q", "empty")
    return folder / "empty"


def _inner(folder: Path) -> Path:
    return _empty(folder) / ".git"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder / "nowhere", "there is no folder"),
        (lambda folder: folder, "is not a git repository"),
        (_bare, "is a bare repository"),
        (_empty, "has no commit yet"),
        (_inner, "is inside the .git folder"),
    ],
)
def test_what_is_no_repository_to_work_in_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: object, words: str
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert callable(make)
    with pytest.raises(GitFault, match=words):
        Repository.find(make(tmp_path))


def test_git_that_is_missing_or_takes_too_long_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GitFault, match="took longer than 0 s and was ended"):
        git.run("hash-object", "--stdin", cwd=tmp_path, patience=0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitFault, match="git is not installed"):
        Repository.find(tmp_path)


def test_a_git_that_lies_in_the_folder_it_works_in_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, there, here = "#!/bin/sh\necho {}\n", tmp_path / "there", tmp_path / "here"
    for folder in (there, here):
        folder.mkdir()
        (folder / "git").write_text(program.format(folder.name))
        (folder / "git").chmod(0o755)
    monkeypatch.chdir(here)
    monkeypatch.setenv("PATH", f".{os.pathsep}{os.environ['PATH']}")
    assert git.run("version", cwd=there) == b"here\n"


def test_git_is_asked_quietly_and_without_what_concerns_another_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "evil")
    monkeypatch.setenv("CLAWGROUPS_KEY", "cg_secret")
    said = git.run("-c", "alias.told=!env", "told", cwd=tmp_path).decode().splitlines()
    assert {"GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C"} <= set(said)
    assert not [line for line in said if line.startswith(("GIT_DIR=", "GIT_EXTERNAL", "CLAWGROUPS_"))]
