"""What stays inside a work directory, what its owner keeps back, and how much of it is looked at."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from agents.connector import inside
from agents.connector.files import Store
from agents.connector.inside import BadName
from agents.connector.workdir import FetchFailed, Workdir
from agents.connector.workplace import NoPlace, Workplace
from tests.agents.folders import SESSION, SYNC
from tests.agents.support import FileStore


def test_a_folder_that_is_a_link_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / SESSION).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NoPlace, match="leads elsewhere"):
        Workplace(tmp_path).open(SESSION, "", Store("http://127.0.0.1/", "k"))


async def test_a_link_inside_the_folder_does_not_lead_out(workdir: Workdir, store: FileStore, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (workdir.path / "way").symlink_to(outside)
    store.files = {"way/a.csv": b"1"}
    with pytest.raises(FetchFailed, match="leads out"):
        await SYNC.fetch(workdir)
    assert list(outside.iterdir()) == []


async def test_a_file_that_becomes_a_link_while_it_is_looked_at_is_not_sent(
    workdir: Workdir, store: FileStore, tmp_path: Path
) -> None:
    (tmp_path / "passwd").write_bytes(b"root")
    (workdir.path / "a").write_bytes(b"mine")
    (found,) = workdir.outgoing().files
    (workdir.path / "a").unlink()
    (workdir.path / "a").symlink_to(tmp_path / "passwd")
    workdir.give(found)
    with pytest.raises(BadName, match="leads out"):
        found.folder.open("a")
    assert store.puts == []


async def test_what_the_owner_keeps_back_is_not_sent(tmp_path: Path, store: FileStore) -> None:
    (tmp_path / ".clawignore").write_text("# mine\n*.log\n!.github\n/private/\n")
    workdir = Workplace(tmp_path, patterns=("!keep.log",)).open(SESSION, "", Store(store.url, "session-key"))
    for name in ("a.log", "keep.log", "private/a.md", "sub/private/b.md", ".github/c.yml", ".env"):
        (workdir.path / name).parent.mkdir(parents=True, exist_ok=True)
        (workdir.path / name).write_text(name)
    assert (await SYNC.deliver(workdir)).failed == []
    assert set(store.files) == {"keep.log", "sub/private/b.md", ".github/c.yml"}


class _Full:
    """A disk on which nothing more can be written."""

    def write(self, _: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


async def test_a_full_disk_is_said_at_once_and_leaves_nothing_half(
    workdir: Workdir, store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    download = Store.download
    monkeypatch.setattr(Store, "download", lambda self, remote, out: download(self, remote, _Full()))  # type: ignore[arg-type]
    store.files = {"a.csv": b"1,2"}
    with pytest.raises(FetchFailed, match=r"a.csv: the disk is full; make room on it$"):
        await SYNC.fetch(workdir)
    assert store.gets == ["", "a.csv"]
    assert list(workdir.path.iterdir()) == []


async def test_a_name_that_the_server_cannot_have_is_said(workdir: Workdir, store: FileStore) -> None:
    for name in ("a\nb", "a\\b", "ok"):
        (workdir.path / name).write_text("x")
    assert (await SYNC.deliver(workdir)).failed == ["a?b", "a\\b"]
    assert set(store.files) == {"ok"}


async def test_a_folder_in_the_place_of_a_file_is_said(workdir: Workdir, store: FileStore) -> None:
    (workdir.path / "a" / "b").mkdir(parents=True)
    store.files = {"a": b"1"}
    with pytest.raises(FetchFailed, match="a: a folder is where a file should be"):
        await SYNC.fetch(workdir)


async def test_a_huge_or_deep_tree_is_not_walked_to_its_end(
    workdir: Workdir, store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = workdir.path.joinpath(*["d"] * 60)
    deep.mkdir(parents=True)
    (deep / "lost.md").write_text("x")
    (workdir.path / "a.md").write_text("x")
    (failed,) = (await SYNC.deliver(workdir)).failed
    assert "very deep" in failed
    assert set(store.files) == {"a.md"}
    monkeypatch.setattr(inside, "MOST_SEEN", 5)
    for number in range(9):
        (workdir.path / f"{number}.md").write_text("x")
    assert len(Workdir(workdir.path, workdir.store).outgoing().files) == 5
