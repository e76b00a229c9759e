"""A git worktree and a branch for each task: real git, and the owner's own working tree never touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.connector import workdir as workdir_module
from agents.connector.files import Store
from agents.connector.git import Repository
from agents.connector.workdir import PATCH, Outgoing, Sync, Workdir
from agents.connector.workplace import NoPlace, Workplace
from tests.agents.support import FakeServer, FileStore, Frame, bridged, file_store

SESSION = "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"
OTHER = "0190aaaa-bbbb-7ccc-8ddd-ffffffffffff"


async def always_online() -> None:
    return None


SYNC = Sync(always_online, scale=0.001)


def git(folder: Path, *arguments: str, told: bytes | None = None) -> str:
    """git as somebody else calls it: the owner, or the agent."""
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgSign=false"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, input=told, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@dataclass
class Shop:
    """A repository of the owner, a root, and what the server has."""

    top: Path
    root: Path
    store: FileStore

    def place(self, *patterns: str) -> Workplace:
        return Workplace(self.root, Repository.find(self.top), patterns)

    def open(self, session: str = SESSION, task: str = "Fix it") -> Workdir:
        return self.place().open(session, task, Store(self.store.url, "session-key"))

    def state(self) -> tuple[str, ...]:
        """All that the owner sees of the repository, but for branches of tasks."""
        asked = (("status", "--porcelain"), ("rev-parse", "HEAD"), ("symbolic-ref", "-q", "HEAD"), ("stash", "list"))
        files = sorted(str(path) for path in self.top.rglob("*") if ".git" not in path.parts)
        return (*(git(self.top, *one) for one in asked), *files, (self.top / ".git" / "config").read_text())

    def branches(self) -> list[str]:
        return git(self.top, "for-each-ref", "--format=%(refname:short)", "refs/heads").split()


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    top, root = tmp_path / "shop", tmp_path / "work"
    top.mkdir()
    root.mkdir()
    git(top, "init", "-q", "-b", "main")
    for name, words in {
        "app.py": "print(1)\n",
        "README.md": "# Shop\n",
        "old.txt": "old\n",
        ".gitignore": "*.tmp\n",
    }.items():
        (top / name).write_text(words)
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "first")
    (top / "README.md").write_text("# Shop, being written\n")
    with file_store() as store:
        yield Shop(top, root, store)


async def test_committed_and_uncommitted_changes_come_back_as_files_and_as_one_patch(shop: Shop) -> None:
    before = shop.state()
    shop.store.files = {"in.csv": b"1,2"}
    workdir = shop.open()
    await SYNC.fetch(workdir)
    tree = workdir.cwd
    assert (tree / "claw-files" / "in.csv").read_bytes() == b"1,2"
    assert (tree / "README.md").read_text() == "# Shop\n"  # what is committed, not what is being written
    assert git(tree, "status", "--porcelain") == ""
    assert git(tree, "rev-parse", "--abbrev-ref", "HEAD") == "claw/fix-it\n"
    (tree / "app.py").write_text("print(2)\n")
    git(tree, "commit", "-q", "-a", "-m", "mine")
    (tree / "sub").mkdir()
    (tree / "sub" / "new ü.py").write_text("print(3)\n")
    (tree / "logo.png").write_bytes(b"\x89PNG\0\1")
    (tree / "old.txt").unlink()
    (tree / "cache.tmp").write_text("ignored")
    (tree / "claw-files" / "report.md").write_text("done")
    delivery = await SYNC.deliver(workdir)
    assert (delivery.failed, delivery.why) == ([], [])
    assert set(shop.store.files) == {"in.csv", "app.py", "sub/new ü.py", "logo.png", "report.md", PATCH}
    # The patch alone makes of the base what the agent has made of it, but for what is no text.
    check = shop.root / "check"
    git(shop.top, "worktree", "add", "-q", "--detach", str(check), "HEAD")
    git(check, "apply", "--index", "-", told=shop.store.files[PATCH])
    (check / "logo.png").write_bytes(shop.store.files["logo.png"])
    git(check, "add", "-A")
    assert git(check, "diff", "--cached", "--name-status", "HEAD").split("\n")[:-1] == [
        "M\tapp.py", "A\tlogo.png", "D\told.txt", 'A\t"sub/new \\303\\274.py"',
    ]  # fmt: skip
    assert (check / "app.py").read_text() == "print(2)\n"
    git(shop.top, "worktree", "remove", "--force", str(check))
    assert shop.state() == before
    # Nothing of it lies in the agent's index, and it is sent once.
    assert "new" not in git(tree, "ls-files")
    sent = len(shop.store.puts)
    await SYNC.fetch(workdir)
    assert (await SYNC.deliver(workdir)).failed == []
    assert len(shop.store.puts) == sent
    assert sorted(path.name for path in (tree / "claw-files").iterdir()) == [".gitignore", "in.csv", "report.md"]


async def test_what_is_taken_back_is_sent_as_it_was(shop: Shop) -> None:
    workdir = shop.open()
    (workdir.cwd / "app.py").write_text("print(2)\n")
    await SYNC.deliver(workdir)
    (workdir.cwd / "app.py").write_text("print(1)\n")
    await SYNC.deliver(workdir)
    assert shop.store.files == {"app.py": b"print(1)\n", PATCH: b""}
    assert (await SYNC.deliver(workdir), workdir.outgoing()) == (await SYNC.deliver(workdir), Outgoing())


async def test_a_session_finds_its_worktree_again_and_another_works_beside_it(shop: Shop) -> None:
    first = shop.open()
    (first.cwd / "app.py").write_text("print(2)\n")
    git(first.cwd, "commit", "-q", "-a", "-m", "mine")
    git(shop.top, "commit", "-q", "-a", "-m", "the owner goes on")
    first.leave()
    second = shop.open(OTHER)
    again = shop.open()
    assert again.cwd == first.cwd
    assert second.cwd != first.cwd
    assert (second.cwd / "README.md").read_text() == "# Shop, being written\n"
    # The name of its task is taken: it has a name of its own.
    assert shop.branches() == ["claw/fix-it", "claw/fix-it-ffffffff", "main"]
    await SYNC.deliver(again)
    assert b"+print(2)" in shop.store.files[PATCH]
    assert b"being written" not in shop.store.files[PATCH]
    # Found again once more, it knows what the server has of it.
    again.leave()
    third = shop.open()
    await SYNC.fetch(third)
    assert third.outgoing() == Outgoing()
    assert [path.name for path in (third.cwd / "claw-files").iterdir()] == [".gitignore"]


def test_a_worktree_in_which_nothing_was_left_goes_with_its_branch_when_its_session_is_over(shop: Shop) -> None:
    before, workdir = shop.state(), shop.open()
    assert shop.place().close(workdir) is None
    assert (shop.branches(), list((shop.root / "shop.tasks").iterdir())) == (["main"], [])
    assert git(shop.top, "worktree", "list").count("\n") == 1
    assert shop.state() == before


@pytest.mark.parametrize("what", ["commit", "change", "file", "undelivered"])
async def test_a_worktree_with_work_in_it_stays_and_is_listed(shop: Shop, what: str) -> None:
    workdir = shop.open()
    if what in ("commit", "change"):
        (workdir.cwd / "app.py").write_text("print(2)\n")
    if what == "commit":
        git(workdir.cwd, "commit", "-q", "-a", "-m", "mine")
    if what == "file":
        (workdir.cwd / "new.py").write_text("x")
    if what == "undelivered":
        workdir.mark(is_settled=False)
    left = shop.place().close(workdir)
    said = {"commit": "1 commit, 1 changed file", "undelivered": "0 commits, 0 changed files"}
    assert left is not None
    assert f"branch claw/fix-it ({said.get(what, '0 commits, 1 changed file')}), in {workdir.cwd}" == left
    assert shop.place().kept() == [left]
    assert workdir.cwd.is_dir()


async def test_the_next_start_removes_what_is_clean_and_not_in_use(shop: Shop) -> None:
    clean, used, dirty = shop.open(task="clean"), shop.open(OTHER, "used"), shop.open("0-3", "dirty")
    shop.store.files = {"in.csv": b"1"}
    await SYNC.fetch(clean)
    await SYNC.deliver(clean)
    (dirty.cwd / "app.py").write_text("print(2)\n")
    gone = shop.open("0-4", "gone")
    shutil.rmtree(gone.cwd)
    for one in (clean, dirty, gone):
        one.leave()
    (line,) = shop.place().kept()
    assert "branch claw/dirty" in line
    assert shop.branches() == ["claw/dirty", "claw/used", "main"]
    assert [one.cwd.exists() for one in (clean, used, dirty)] == [False, True, True]


async def test_the_next_start_sweeps_what_a_killed_one_had_in_use(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    killed, lives = shop.open(), shop.open(OTHER, "Other")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        for workdir in (killed, lives):
            (workdir.cwd / "app.py").write_text("print(2)\n")
            await SYNC.deliver(workdir)
    folder = shop.root / "shop.tasks"
    assert len([*folder.glob(".*.index-*")]) == 2
    killed.leave()
    assert len(shop.place().kept()) == 1
    assert [one.name[1:37] for one in folder.glob(".*.index-*")] == [OTHER]
    lives.leave()
    assert (len(shop.place().kept()), [*folder.glob(".*.index-*")]) == (2, [])


def test_what_a_crash_left_half_made_is_made_anew(shop: Shop) -> None:
    workdir = shop.open()
    workdir.leave()
    record = shop.root / "shop.tasks" / f".{SESSION}.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "git_dir": ""}))
    git(shop.top, "worktree", "lock", str(workdir.cwd))
    (workdir.cwd / ".git").unlink()
    assert shop.open().cwd == workdir.cwd
    assert shop.branches() == ["claw/fix-it", "main"]


async def test_hooks_and_a_forged_worktree_run_nothing(shop: Shop, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    hook = shop.top / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
    hook.chmod(0o755)
    workdir = shop.open()
    # An agent that may write in its worktree only leads git to settings of its own.
    forged = workdir.cwd / "forged"
    git(workdir.cwd, "init", "-q", "--bare", str(forged))
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n")
    evil.chmod(0o755)
    for setting in ("filter.x.clean", "core.fsmonitor", "diff.external", "diff.x.textconv"):
        git(forged, "config", setting, str(evil))
    (workdir.cwd / ".git").write_text(f"gitdir: {forged}\n")
    (workdir.cwd / ".gitattributes").write_text("* filter=x diff=x\n")
    (workdir.cwd / "app.py").write_text("print(2)\n")
    await SYNC.deliver(workdir)
    assert b"+print(2)" in shop.store.files[PATCH]
    assert not ran.exists()


async def test_links_lead_nowhere_and_what_is_no_plain_file_is_named(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("hidden words")
    (shop.top / "dir").mkdir()
    (shop.top / "dir" / "key").write_text("plain")
    git(shop.top, "add", "dir")
    git(shop.top, "commit", "-q", "-m", "a folder")
    workdir = shop.open()
    tree = workdir.cwd
    (tree / "dir" / "key").unlink()
    (tree / "dir").rmdir()
    (tree / "dir").symlink_to(tmp_path / "secret")
    (tree / "app.py").unlink()
    (tree / "app.py").symlink_to(tmp_path / "secret" / "key")
    (tree / "old.txt").unlink()
    (tree / "old.txt").mkdir()
    (tree / "old.txt" / "inner").write_text("a folder now")
    git(tree, "init", "-q", "nested")
    (tree / "nested" / "x").write_text("x")
    delivery = await SYNC.deliver(workdir)
    assert delivery.failed == ["nested/"]
    assert set(shop.store.files) == {"old.txt/inner", PATCH}
    assert b"hidden words" not in shop.store.files[PATCH]
    assert b"new file mode 120000" in shop.store.files[PATCH]


async def test_what_the_owner_keeps_back_is_in_no_patch_and_no_agent_can_say_otherwise(shop: Shop) -> None:
    (shop.top / ".clawignore").write_text("secret*\n")
    workdir = shop.place("/gen/").open(SESSION, "t", Store(shop.store.url, "session-key"))
    (workdir.cwd / ".clawignore").write_text("!secret*\n")
    (workdir.cwd / "secret.txt").write_text("hidden words")
    (workdir.cwd / "gen").mkdir()
    (workdir.cwd / "gen" / "a.py").write_text("hidden words")
    git(workdir.cwd, "add", "-f", "secret.txt")
    assert (await SYNC.deliver(workdir)).failed == []
    assert set(shop.store.files) == {".clawignore", PATCH}
    assert b"hidden words" not in shop.store.files[PATCH]


async def test_more_files_than_are_carried_are_in_the_patch_all_the_same(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workdir_module, "MAX_FILES", 3)
    workdir = shop.open()
    for name in "abcd":
        (workdir.cwd / f"{name}.py").write_text(name)
    (workdir.cwd / "z.bin").write_bytes(b"\0")
    assert (await SYNC.deliver(workdir)).failed == []
    assert set(shop.store.files) == {"a.py", "z.bin", PATCH}
    assert shop.store.files[PATCH].count(b"new file mode") == 4
    with (shop.open(OTHER).cwd / "big.bin").open("wb") as big:
        big.truncate(workdir_module.MAX_FILE + 1)
    assert (await SYNC.deliver(shop.open(OTHER))).failed == ["big.bin"]


async def test_a_folder_of_files_that_the_agent_deleted_is_there_again_and_still_unseen_by_git(shop: Shop) -> None:
    shop.store.files = {"in.csv": b"1"}
    workdir = shop.open()
    await SYNC.fetch(workdir)
    shutil.rmtree(workdir.path)
    (workdir.cwd / "app.py").write_text("print(2)\n")
    assert (await SYNC.deliver(workdir)).failed == []
    assert b"+print(2)" in shop.store.files[PATCH]
    await SYNC.fetch(workdir)
    assert (workdir.path / "in.csv").read_bytes() == b"1"
    assert git(workdir.cwd, "status", "--porcelain") == " M app.py\n"
    shutil.rmtree(workdir.cwd)
    delivery = await SYNC.deliver(workdir)
    assert (delivery.failed, len(delivery.why)) == ([PATCH], 1)
    assert "could not be collected" in delivery.why[0]


def test_a_detached_head_will_do(shop: Shop) -> None:
    git(shop.top, "checkout", "-q", "--detach")
    assert (shop.open().cwd / "app.py").is_file()


def test_names_of_branches_that_cannot_be_had_are_said(shop: Shop) -> None:
    for taken in ("claw/fix-it", "claw/fix-it-eeeeeeee"):
        git(shop.top, "branch", taken)
    with pytest.raises(NoPlace, match="are taken; rename or delete one of them"):
        shop.open()
    git(shop.top, "branch", "-D", "claw/fix-it", "claw/fix-it-eeeeeeee")
    git(shop.top, "branch", "claw")
    with pytest.raises(NoPlace, match="a branch named claw"):
        shop.open()
    git(shop.top, "branch", "-m", "claw", "paw")
    (shop.root / "shop.tasks" / SESSION).mkdir()
    with pytest.raises(NoPlace, match="is in the way"):
        shop.open()
    assert shop.branches() == ["main", "paw"]
    assert shop.open(OTHER, "../..//").tree is not None
    assert shop.branches() == ["claw/ffffffff", "main", "paw"]


def test_a_disk_that_is_full_is_said_and_nothing_half_made_stays(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    place = shop.place()
    smudge = f"head -c 9 >/dev/null; test -e {shop.root}/room"  # like a disk, it takes nothing until there is room
    (shop.top / ".git" / "info").mkdir(exist_ok=True)
    (shop.top / ".git" / "info" / "attributes").write_text("* filter=full\n")
    for setting, value in (("smudge", smudge), ("required", "true")):
        git(shop.top, "config", f"filter.full.{setting}", value)
    store = Store(shop.store.url, "session-key")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 0))
        with pytest.raises(NoPlace, match=r"^the disk is full; make room on it$"):
            place.open(SESSION, "t", store)
    with pytest.raises(NoPlace, match=r"^git worktree: external filter .* failed"):
        place.open(SESSION, "t", store)
    assert (shop.branches(), list((shop.root / "shop.tasks").iterdir())) == (["main"], [])
    (shop.root / "room").touch()
    assert place.open(SESSION, "t", store).cwd.is_dir()


async def test_an_agent_works_in_a_worktree_and_is_told_where_its_files_lie(shop: Shop) -> None:
    shop.store.files = {"in.csv": b"1,2"}
    place = shop.place()
    async with FakeServer() as server, bridged(server, shop.root, repository=place.repository) as running:
        await server.until(lambda: running.children)
        ours = {"session": SESSION, "files": shop.store.url, "key": "session-key", "task": "T1"}
        opening: Frame = {"cwd": "/", "mcpServers": [], "_meta": {"clawgroups": ours}}
        await server.send({"id": "n", "method": "session/new", "params": opening})
        await running.child.until(lambda: running.child.asked("session/new"))
        tree = Path(running.child.asked("session/new")[0]["params"]["cwd"])
        # Where it works is the connector's to say, whatever the agent says.
        running.child.say({"id": "n", "result": {"sessionId": "s", "_meta": {"clawgroups": {"cwd": "/", "x": 1}}}})
        await server.until(lambda: server.answers("n"))
        assert server.answers("n")[0]["result"]["_meta"] == {"clawgroups": {"cwd": str(tree), "x": 1}}
        blocks = [{"type": "text", "text": "Do it."}, {"type": "resource_link", "name": "in.csv", "uri": "in.csv"}]
        await server.send({"id": "p", "method": "session/prompt", "params": {"sessionId": "s", "prompt": blocks}})
        await running.child.until(lambda: running.child.asked("session/prompt"))
        _, link, words = running.child.asked("session/prompt")[0]["params"]["prompt"]
        assert (tree / link["uri"]).read_bytes() == b"1,2"
        assert "on the branch claw/t1" in words["text"]
        (tree / "app.py").write_text("print(2)\n")
        running.child.say({"id": "p", "result": {"stopReason": "end_turn"}})
        await server.until(lambda: server.answers("p"))
        assert b"+print(2)" in shop.store.files[PATCH]
        git(tree, "checkout", "-q", "--", ".")
        await server.send({"id": "c", "method": "session/close", "params": {"sessionId": "s"}})
        await running.child.until(lambda: running.child.asked("session/close"))
        running.child.say({"id": "c", "result": {}})
        await server.send({"id": "l", "method": "session/set_mode", "params": {"sessionId": "s"}})
        await running.child.until(lambda: running.child.asked("session/set_mode"))
    assert list((shop.root / "shop.tasks").iterdir()) == []
    assert shop.branches() == ["main"]
