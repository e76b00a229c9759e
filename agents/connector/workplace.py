"""Where the agent works on this machine, as its owner chose it: a root, a git repository maybe, what is kept back."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agents.connector.exits import Wrong
from agents.connector.files import Store
from agents.connector.git import GitFault, Repository
from agents.connector.ignoring import FILE, patterns_of
from agents.connector.inside import BadName
from agents.connector.machine import check_root, sentence
from agents.connector.workdir import Workdir
from agents.connector.worktree import FILES, open_worktree, sweep

_SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")


class NoPlace(Exception):
    """A session cannot have its folder; the text says why."""


@dataclass(frozen=True)
class Workplace:
    """The owner's choice. Each session works in a folder of its own below `root`, with `repository` in a worktree."""

    root: Path
    repository: Repository | None = None
    patterns: tuple[str, ...] = ()

    def open(self, session: str, task: str, store: Store) -> Workdir:
        """The folder of a session, found again or made. Raises BadName or NoPlace."""
        if not _SESSION.fullmatch(session):
            raise BadName(f"{session!r} is not a session")
        try:
            if self.repository is not None:
                tree = open_worktree(self.repository, self._trees(self.repository), session, task)
                return Workdir(tree.path / FILES, store, self._kept_back(), tree, sent=dict(tree.record.sent))
            path = self.root / session
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.resolve() != self.root.resolve() / session:
                raise NoPlace(f"{path} leads elsewhere")
            return Workdir(path.resolve(), store, self._kept_back())
        except (GitFault, OSError, ValueError) as problem:
            raise NoPlace(sentence(problem)) from problem

    def close(self, workdir: Workdir) -> str | None:
        """A session is over: a worktree in which nothing was left is removed. What stays, as a line for its owner."""
        tree = workdir.tree
        if tree is None:
            return None
        try:
            if tree.hold.become_alone() and tree.is_clean():
                tree.remove()
                tree.hold.discard()
                return None
            return tree.left()
        except (GitFault, OSError) as problem:
            return f"branch {tree.record.branch}, in {tree.path}, which cannot be looked at: {sentence(problem)}"
        finally:
            tree.hold.release()

    def kept(self) -> list[str]:
        """Remove worktrees of earlier tasks in which nothing was left; the others, each as a line for their owner."""
        if self.repository is None or not self._trees(self.repository).is_dir():
            return []
        return sweep(self.repository, self._trees(self.repository))

    def _trees(self, repository: Repository) -> Path:
        # The point keeps it apart from every session's name.
        return self.root / f"{repository.name}.tasks"

    def _kept_back(self) -> tuple[str, ...]:
        """Read where only the owner writes: an agent in a worktree cannot change it."""
        above = [self.root] if self.repository is None else [self.root, self.repository.top]
        return (*(pattern for folder in above for pattern in patterns_of(folder)), *self.patterns)


def add_options(connect: argparse.ArgumentParser) -> None:
    """What an owner may say about folders."""
    connect.add_argument("--dir", type=Path, metavar="ROOT", help="where the agent's work directories are made")
    connect.add_argument("--repo", type=Path, metavar="PATH", help="a git repository: each task gets a worktree and a "
                         "branch of it below ROOT, and its changes come back as a patch")  # fmt: skip
    connect.add_argument("--ignore", action="append", default=[], metavar="PATTERN", help="files that are never sent "
                         f"to the server, as in .gitignore; also read from {FILE} in ROOT and PATH")  # fmt: skip


def chosen(options: argparse.Namespace, usual: Path, say: Callable[[str], None]) -> Workplace:
    """What the owner said, looked at before anything is started. Raises Wrong."""
    root = check_root(options.dir or usual)
    repository = None
    if options.repo is not None:
        try:
            repository = Repository.find(options.repo)
        except (GitFault, OSError) as fault:
            raise Wrong(f"--repo: {sentence(fault)}") from None
        if root.is_relative_to(repository.top):
            raise Wrong(f"{root} lies inside the repository, which is never written to; choose another with --dir")
    place = Workplace(root, repository, tuple(options.ignore))
    try:
        place._kept_back()
    except (OSError, ValueError) as problem:
        raise Wrong(f"{FILE} cannot be read: {sentence(problem)}") from None
    for line in place.kept():
        say(f"left from an earlier task: {line}")
    return place
