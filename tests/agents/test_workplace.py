"""What an owner says about folders is looked at before anything is started, and what is wrong is one sentence."""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from agents.connector import machine
from agents.connector.cli import main
from agents.connector.exits import Wrong
from agents.connector.holding import Hold
from agents.connector.inside import BadName, Folder
from agents.connector.machine import check_root, sentence
from agents.connector.workplace import Workplace, add_options, chosen


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args(words)


def committed(folder: Path) -> Path:
    subprocess.run(["git", "init", "-q", folder], check=True)
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgSign=false"]
    subprocess.run(["git", *who, "commit", "-q", "--allow-empty", "-m", "x"], cwd=folder, check=True)
    return folder


def test_the_usual_root_is_made_private_and_another_is_taken_as_it_is(tmp_path: Path) -> None:
    place = chosen(options(), tmp_path / "state" / "work", print)
    assert (place, place.root.stat().st_mode & 0o777) == (Workplace(tmp_path / "state" / "work"), 0o700)
    (tmp_path / "link").symlink_to(tmp_path / "state")
    assert chosen(options("--dir", str(tmp_path / "link")), tmp_path, print).root == tmp_path / "state"


def test_a_repository_and_patterns_are_taken(tmp_path: Path) -> None:
    top = committed(tmp_path / "shop")
    (top / "sub").mkdir()
    words = ("--dir", str(tmp_path / "work"), "--repo", str(top / "sub"), "--ignore", "*.log", "--ignore", "/a")
    place = chosen(options(*words), tmp_path, print)
    assert place.repository is not None
    assert (place.repository.top, place.patterns) == (top, ("*.log", "/a"))


def refused(function: Any, *arguments: Any) -> str:
    with pytest.raises(Wrong) as wrong:
        function(*arguments)
    return str(wrong.value)


def test_a_root_that_cannot_be_one_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    assert (
        refused(check_root, tmp_path / "file") == f"{tmp_path}/file is a file, not a folder; choose another with --dir"
    )
    assert "a file is where a folder should be" in refused(check_root, tmp_path / "file" / "below")
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 12345)
        assert "belongs to somebody else; choose one of your own with --dir" in refused(check_root, tmp_path)
    for number, words in ((errno.EACCES, "may not write there"), (errno.EROFS, "only be read"), (errno.ENOSPC, "full")):

        def fails(number: int = number, **_: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(tempfile, "TemporaryFile", fails)
        said = refused(check_root, tmp_path)
        assert said.startswith(f"the agent's work cannot be kept in {tmp_path}: ")
        assert words in said


def test_a_root_inside_the_repository_and_patterns_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    top = committed(tmp_path / "shop")
    words = ("--repo", str(top), "--dir")
    assert "lies inside the repository" in refused(chosen, options(*words, str(top / "work")), tmp_path, print)
    (top / ".clawignore").write_bytes(b"\xff")
    assert ".clawignore cannot be read" in refused(chosen, options(*words, str(tmp_path / "work")), tmp_path, print)
    (top / ".clawignore").unlink()
    (top / ".clawignore").mkdir()
    assert ".clawignore cannot be read: a folder is" in refused(
        chosen, options(*words, str(tmp_path / "work")), tmp_path, print
    )


def test_the_command_says_in_one_sentence_what_is_wrong_with_its_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("CLAWGROUPS_KEY", "cg_x")
    (tmp_path / "file").write_text("x")
    program = shutil.which("true") or "true"
    for words, said in (
        (("--repo", str(tmp_path)), f"clawgroups: --repo: {tmp_path} is not a git repository"),
        (("--dir", str(tmp_path / "file")), f"clawgroups: {tmp_path}/file is a file, not a folder"),
    ):
        assert main(["connect", "https://host", *words, "--", program]) == 2
        shown = capfd.readouterr().err
        assert shown.startswith(said)
        assert shown.count("\n") == 1


def test_what_is_left_from_an_earlier_task_is_listed_at_the_start(tmp_path: Path) -> None:
    top = committed(tmp_path / "shop")
    words = options("--repo", str(top), "--dir", str(tmp_path / "work"))
    said: list[str] = []
    place = chosen(words, tmp_path, said.append)
    store: Any = None
    workdir, clean = place.open("0-1", "Count", store), place.open("0-2", "Look", store)
    (workdir.cwd / "new.py").write_text("x")
    workdir.leave()
    clean.leave()
    chosen(words, tmp_path, said.append)
    where = tmp_path / "work" / "shop.tasks" / "0-1"
    assert said == [f"left from an earlier task: branch claw/count (0 commits, 1 changed file), in {where}"]


def test_every_fault_of_the_machine_has_words(tmp_path: Path) -> None:
    for number in (*machine._WHY, errno.EIO):
        said = sentence(OSError(number, os.strerror(number), str(tmp_path)))
        assert said[0].islower() or number == errno.EIO
        assert "Errno" not in said
    assert sentence(ValueError()) == "ValueError"


def test_a_lock_is_shared_by_users_had_alone_by_one_and_gone_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    one, other = Hold.share(path), Hold.share(path)
    assert Hold.alone(path) is None
    other.release()
    assert one.become_alone()
    one.discard()
    one.release()
    one.release()
    again = Hold.share(path)
    assert path.exists()
    again.release()


def test_nothing_but_plain_files_is_read(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dir").mkdir()
    (tmp_path / "out").symlink_to(tmp_path)
    for name in ("pipe", "dir", "out/a", "../a", "out"):
        with pytest.raises(BadName):
            folder.open(name)
    assert [folder.status(name) for name in ("pipe", "dir", "none", "out")] == [None] * 4
    (tmp_path / "a").write_text("x")
    with folder.open("a") as file:
        assert file.read() == b"x"
    assert set(folder.listing(lambda *_: False).files) == {"a"}
