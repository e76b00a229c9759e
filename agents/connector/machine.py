"""What can be wrong with the agent's own machine, each said as one plain sentence."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from agents.connector.exits import Wrong

_NOT_ALLOWED = "this user may not write there; change its permissions, or choose another folder with --dir"
_WHY = {
    errno.ENOSPC: "the disk is full; make room on it",
    errno.EDQUOT: "your share of the disk is used up; make room on it",
    errno.EROFS: "the disk can only be read; choose another folder with --dir",
    errno.EACCES: _NOT_ALLOWED,
    errno.EPERM: _NOT_ALLOWED,
    errno.ENOTDIR: "a file is where a folder should be",
    errno.EISDIR: "a folder is where a file should be",
    errno.ENOTEMPTY: "a folder is where a file should be",
    errno.ENAMETOOLONG: "the name is too long for this disk",
    errno.EFBIG: "the file is too large for this disk",
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open",
}


def is_ours(problem: OSError) -> bool:
    """Whether it comes from this machine's files, so that trying again at once would not help."""
    return problem.errno in _WHY


def sentence(problem: BaseException) -> str:
    """Why something could not be done, for a person."""
    if isinstance(problem, OSError) and problem.errno in _WHY:
        return _WHY[problem.errno]
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return str(problem) or type(problem).__name__


def check_root(root: Path) -> Path:
    """The folder below which all work is done, made where it is missing. Raises Wrong."""
    root = root.expanduser().absolute()
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        root = root.resolve(strict=True)
        # Whoever owns a folder can put another in its place. Root owns all, as in a container with a mounted folder.
        if os.geteuid() not in (0, root.stat().st_uid):
            raise Wrong(f"the folder {root} belongs to somebody else; choose one of your own with --dir")
        with tempfile.TemporaryFile(dir=root) as probe:
            probe.write(b"x")
    except FileExistsError:
        raise Wrong(f"{root} is a file, not a folder; choose another with --dir") from None
    except (OSError, RuntimeError) as problem:
        raise Wrong(f"the agent's work cannot be kept in {root}: {sentence(problem)}") from None
    return root
