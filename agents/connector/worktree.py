"""A git worktree and a branch for each session, beside the owner's own working tree, which is never touched.

    ROOT/shop.tasks/<session>/          the worktree
    ROOT/shop.tasks/.<session>.json     what it belongs to, and where it began
    ROOT/shop.tasks/.<session>.lock     held by whoever works with it
    ROOT/shop.tasks/.<session>.patch    what the agent has changed since
    ROOT/shop.tasks/.<session>.index-*  for the moment in which that is found out

git is never asked by way of the worktree's own `.git` file: an agent that may write only there could lead it to other
settings, and with them to programs of its choice.
"""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO

from agents.connector import git
from agents.connector.git import GitFault, Repository
from agents.connector.holding import Hold
from agents.connector.inside import Folder

FILES = "claw-files"
"""The folder of the task's files in a worktree; git does not see it."""
CHECKOUT = 110.0
"""Seconds that a checkout may take: the server waits for two minutes."""
_FULL = 1024 * 1024
_NOT_IN_BRANCHES = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Record:
    """What is known of a worktree: written before it is made, and whenever work in it begins or is delivered."""

    repository: str
    branch: str
    base: str
    git_dir: str = ""
    """Empty while it is not there yet."""
    is_settled: bool = True
    """Whether all that lies in its folder of files is with the server."""
    sent: dict[str, str] = field(default_factory=dict)
    """What the server was last given of the repository: name -> SHA-256."""


@dataclass
class Worktree:
    """One session's working tree. Everything here raises GitFault or OSError."""

    repository: Repository
    path: Path
    record: Record
    hold: Hold = field(repr=False)

    @property
    def patch_file(self) -> Path:
        """Where `write_patch` writes."""
        return _beside(self.path, "patch")

    def make_ready(self) -> None:
        """The folder of files is there, and git does not see it, whatever the agent did."""
        name = f"{FILES}/.gitignore"
        if Folder(self.path).status(name) is None:
            with Folder(self.path).replacing(name, ".gitignore.part") as out:
                out.write(b"# Files of the task: not part of the repository.\n*\n")

    def mark(self, *, is_settled: bool, sent: dict[str, str]) -> None:
        """Remember whether there is work in the folder of files that the server does not have, and what it has."""
        record = replace(self.record, is_settled=is_settled, sent=dict(sent))
        if record != self.record:
            _write(self.path, record)
            self.record = record

    def changed(self) -> list[str]:
        """All names that differ from where the branch began, committed or not, gone ones too; what git ignores is not
        among them. One that ends with `/` is a repository of its own."""
        since = ("--no-ext-diff", "--no-renames", "-z", self.record.base, "--")
        known = git.names(self._git("diff", "--name-only", *since))
        known = [f"{name}/" if os.path.lexists(self.path / name / ".git") else name for name in known]
        new = git.names(self._git("ls-files", "-z", "--others", "--exclude-standard", f"--exclude=/{FILES}/"))
        return sorted({name for name in (*known, *new) if not name.startswith(f"{FILES}/")})

    def write_patch(self, names: Sequence[str]) -> set[str]:
        """Write what has changed in these files to `patch_file`; those that are no text are left out, and returned."""
        with self._index() as there:
            self._put(there, names)
            counted = self._git(
                "diff", "--cached", "--numstat", "--no-renames", "-z", self.record.base, "--", also=there
            )
            pieces = [line.split("\t", 2) for line in git.names(counted)]
            binary = {name for added, _, name in pieces if added == "-" and os.path.lexists(self.path / name)}
            if binary:
                self._put(there, [name for name in names if name not in binary])
            shown = ("--no-ext-diff", "--no-textconv", "--full-index", "-M", "-O/dev/null", "-U3")
            with self.patch_file.open("wb") as out:
                self._git("diff", "--cached", *shown, self.record.base, "--", also=there, out=out)
        return binary

    def is_clean(self) -> bool:
        """Whether the agent has left nothing here: no commit, no change, no file that the server does not have."""
        stands = {self._git("rev-parse", "HEAD").decode().strip(), self.repository.tip(self.record.branch)}
        return self.record.is_settled and stands <= {self.record.base, None} and not self.changed()

    def left(self) -> str:
        """What there is of it, for its owner."""
        commits = int(self._git("rev-list", "--count", f"{self.record.base}..HEAD"))
        what = f"{_many(commits, 'commit')}, {_many(len(self.changed()), 'changed file')}"
        return f"branch {self.record.branch} ({what}), in {self.path}"

    def remove(self) -> None:
        """Take the worktree and its branch away; a branch that has moved stays, and what its owner has locked."""
        force = ["--force"]
        if not self.record.git_dir:
            # Half made, no agent has seen it: git has not unlocked it yet, and may not know it for a worktree.
            shutil.rmtree(self.path, ignore_errors=True)
            force *= 2
        with suppress(GitFault):
            self.repository.run("worktree", "remove", *force, str(self.path))
        if os.path.lexists(self.path):
            raise GitFault(f"the folder {self.path} could not be removed")
        if self.repository.tip(self.record.branch) == self.record.base:
            # Refused where its owner has checked it out meanwhile.
            with suppress(GitFault):
                self.repository.run("branch", "-D", self.record.branch)
        self.forget_moments()
        for kind in ("patch", "json"):
            _beside(self.path, kind).unlink(missing_ok=True)

    def forget_moments(self) -> None:
        """Remove what a program that was killed had just in use; for whoever has the worktree alone."""
        for folder in self.path.parent.glob(f"{glob.escape(_beside(self.path, 'index-').name)}*"):
            shutil.rmtree(folder, ignore_errors=True)

    def _git(
        self, *arguments: str, also: dict[str, str] | None = None, told: bytes = b"", out: IO[bytes] | None = None
    ) -> bytes:
        ours = {"GIT_DIR": self.record.git_dir, "GIT_WORK_TREE": str(self.path), **(also or {})}
        return git.run(*arguments, cwd=self.path, also=ours, told=told, out=out)

    @contextmanager
    def _index(self) -> Iterator[dict[str, str]]:
        """An index and a store of objects for a moment: the agent's own index and the repository stay as they are."""
        with tempfile.TemporaryDirectory(prefix=_beside(self.path, "index-").name, dir=self.path.parent) as folder:
            objects = Path(folder, "objects")
            (objects / "info").mkdir(parents=True)
            (objects / "info" / "alternates").write_text(f"{self.repository.common / 'objects'}\n")
            yield {"GIT_INDEX_FILE": f"{folder}/index", "GIT_OBJECT_DIRECTORY": str(objects)}

    def _put(self, there: dict[str, str], names: Sequence[str]) -> None:
        """Have the index hold the base, with these files as they are now."""
        self._git("read-tree", self.record.base, also=there)
        gone = [name for name in names if not self._is_here(name)]
        here = [name for name in names if self._is_here(name)]
        for how, which in (("--force-remove",), gone), (("--add", "--replace"), here):
            if which:
                told = b"".join(os.fsencode(name) + b"\0" for name in which)
                self._git("update-index", *how, "-z", "--stdin", also=there, told=told)

    def _is_here(self, name: str) -> bool:
        """Whether a file (or link) of this name is in the worktree itself, not somewhere a link leads to."""
        path = self.path / name
        above = [folder for folder in path.parents if folder != self.path and folder.is_relative_to(self.path)]
        return (path.is_symlink() or path.is_file()) and not any(folder.is_symlink() for folder in above)


def open_worktree(repository: Repository, folder: Path, session: str, handle: str) -> Worktree:
    """The session's worktree, found again or made with a branch that begins at what is checked out now."""
    path = folder / session
    path.parent.mkdir(mode=0o700, exist_ok=True)
    hold = Hold.share(_beside(path, "lock"))
    try:
        found = _read(path)
        if found is not None and found.repository != str(repository.common):
            raise GitFault(f"this task was begun in another repository, {found.repository}")
        if found is not None and found.git_dir and path.is_dir() and Path(found.git_dir, "gitdir").is_file():
            return Worktree(repository, path, found, hold)
        if found is not None and not found.git_dir:
            # By a program that ended while it made it.
            Worktree(repository, path, found, hold).remove()
        return _make(repository, path, _free_branch(repository, handle, session), hold)
    except BaseException:
        if not os.path.lexists(path) and hold.become_alone():
            hold.discard()
        hold.release()
        raise


def _make(repository: Repository, path: Path, branch: str, hold: Hold) -> Worktree:
    if os.path.lexists(path):
        raise GitFault(f"{path} is in the way; move it elsewhere")
    # One whose folder was deleted by hand is still registered.
    with suppress(GitFault):
        repository.run("worktree", "remove", "--force", str(path))
    record = Record(str(repository.common), branch, repository.head())
    _write(path, record)
    made = Worktree(repository, path, record, hold)
    try:
        more = ("--quiet", "--no-track", "-b", branch, str(path), record.base)
        repository.run("worktree", "add", *more, patience=CHECKOUT)
        git_dir = git.run("rev-parse", "--absolute-git-dir", cwd=path)
        made.record = replace(record, git_dir=os.fsdecode(git_dir.removesuffix(b"\n")))
        if made._git("ls-files", "--", FILES):
            raise GitFault(f"the repository has a folder {FILES}, where the task's files would lie; rename it")
        made.make_ready()
        _write(path, made.record)
    except BaseException as problem:
        # git says which file it could not write, not why.
        is_full = isinstance(problem, GitFault) and shutil.disk_usage(path.parent).free < _FULL
        with suppress(GitFault, OSError):
            made.remove()
        if is_full:
            raise GitFault("the disk is full; make room on it") from problem
        raise
    return made


def _free_branch(repository: Repository, handle: str, session: str) -> str:
    """`claw/HANDLE`, and where that is taken by another session, with the end of the session's name."""
    handle = _NOT_IN_BRANCHES.sub("-", handle.lower()).strip("-")[:60].strip("-")
    tail = _NOT_IN_BRANCHES.sub("", session.lower())[-8:]
    if repository.tip("claw") is not None:
        raise GitFault("the repository has a branch named claw, so that none can be named claw/…; rename it")
    for branch in (f"claw/{handle or tail}", f"claw/{handle}-{tail}"):
        if repository.tip(branch) is None:
            return branch
    raise GitFault(f"the branches claw/{handle} and claw/{handle}-{tail} are taken; rename or delete one of them")


def sweep(repository: Repository, folder: Path) -> list[str]:
    """Remove what nobody uses and nobody has left anything in; what stays, each as a line for its owner."""
    stays = []
    for file in sorted(folder.glob(".*.json")):
        path = folder / file.name[1 : -len(".json")]
        record = _read(path)
        if record is None or record.repository != str(repository.common):
            continue
        hold = Hold.alone(_beside(path, "lock"))
        if hold is None:
            continue
        tree = Worktree(repository, path, record, hold)
        tree.forget_moments()
        try:
            if not path.is_dir() or not record.git_dir or tree.is_clean():
                tree.remove()
                hold.discard()
            else:
                stays.append(tree.left())
        except (GitFault, OSError) as problem:
            stays.append(f"branch {record.branch}, in {path}, which cannot be looked at: {problem}")
        finally:
            hold.release()
    return stays


def _beside(path: Path, kind: str) -> Path:
    return path.with_name(f".{path.name}.{kind}")


def _read(path: Path) -> Record | None:
    with suppress(OSError, ValueError, TypeError):
        return Record(**json.loads(_beside(path, "json").read_text("utf-8")))
    return None


def _write(path: Path, record: Record) -> None:
    target, part = _beside(path, "json"), _beside(path, "part")
    part.write_text(json.dumps(asdict(record)), "utf-8")
    part.replace(target)


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
