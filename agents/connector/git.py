"""git as a program: asks nobody anything, runs no hooks, and is ended when it takes too long."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PATIENCE = 60.0
_SAID = 300
# What a person or a repository may have set that would run programs, open connections or change what we read.
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.pager=cat",
    "core.quotePath=false",
    "color.ui=never",
    "diff.noprefix=false",
    "diff.mnemonicPrefix=false",
    "diff.submodule=short",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
)


class GitFault(Exception):
    """git could not do it; the text says why, and what to do where that is known."""


def run(
    *arguments: str,
    cwd: Path,
    also: Mapping[str, str] | None = None,
    told: bytes = b"",
    out: IO[bytes] | None = None,
    patience: float = PATIENCE,
) -> bytes:
    """What git prints, or b"" where that goes `out`. Raises GitFault, or OSError where `cwd` is no folder."""
    program = shutil.which("git")
    if program is None:
        raise GitFault("git is not installed on this machine; install it, or leave --repo out")
    program = str(Path(program).absolute())  # What is found from here might be something else from `cwd`.
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    with subprocess.Popen(
        [program, "--no-pager", *settings, *arguments],
        cwd=cwd,
        env={**_environment(), **(also or {})},
        stdin=subprocess.PIPE,
        stdout=out or subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Away from the terminal, so that nothing below can ask there; and ended with everything that it started.
        start_new_session=True,
    ) as process:
        try:
            printed, said = process.communicate(told, patience)
        except BaseException as problem:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(problem, subprocess.TimeoutExpired):
                raise GitFault(f"git {arguments[0]} took longer than {patience:.0f} s and was ended") from None
            raise
    if process.returncode != 0:
        raise GitFault(_why(said.decode(errors="replace"), arguments[0]))
    return printed or b""


def names(printed: bytes) -> list[str]:
    """The names of a list that git ended with zeros each."""
    return [os.fsdecode(name) for name in printed.split(b"\0") if name]


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "CLAWGROUPS_"))}
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS_REQUIRE": "never", "GCM_INTERACTIVE": "never"}
    return {**kept, **quiet, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


def _why(said: str, verb: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    wrong = [line for line in lines if line.startswith(("fatal: ", "error: "))] or lines or ["it did not say why"]
    text = wrong[0].removeprefix("fatal: ").removeprefix("error: ")[:_SAID]
    if "dubious ownership" in text:
        return "the repository belongs to somebody else; git works there once it is among your `safe.directory`"
    if "No space left on device" in said:
        return "the disk is full; make room on it"
    return f"git {verb}: {text}"


@dataclass(frozen=True)
class Repository:
    """A repository of the owner. Its own working tree `top` is only looked at, never touched."""

    top: Path
    common: Path

    @property
    def name(self) -> str:
        """What to call it."""
        return self.top.name or "repository"

    @classmethod
    def find(cls, path: Path) -> Repository:
        """The repository that a folder lies in. Raises GitFault with one sentence."""
        path = path.expanduser().absolute()
        if not path.is_dir():
            raise GitFault(f"there is no folder {path}")
        try:
            is_bare = run("rev-parse", "--is-bare-repository", cwd=path).strip() == b"true"
        except GitFault as fault:
            if "not a git repository" in str(fault):
                raise GitFault(f"{path} is not a git repository; make it one with `git init` and a commit") from None
            raise
        if is_bare:
            raise GitFault(f"{path} is a bare repository, without files of its own; name a clone of it")
        try:
            top = _path(run("rev-parse", "--show-toplevel", cwd=path))
        except GitFault:
            raise GitFault(f"{path} is inside the .git folder; name the folder above it") from None
        common = path / _path(run("rev-parse", "--git-common-dir", cwd=path))
        found = cls(top.resolve(), common.resolve())
        found.head()
        return found

    def head(self) -> str:
        """The commit that is checked out; on a branch or not is all the same. Raises GitFault."""
        try:
            return self.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}").decode().strip()
        except GitFault:
            raise GitFault(f"the repository {self.top} has no commit yet; make the first one") from None

    def tip(self, branch: str) -> str | None:
        """Where a branch stands; None where there is none."""
        try:
            return self.run("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}").decode().strip()
        except GitFault:
            return None

    def run(self, *arguments: str, patience: float = PATIENCE) -> bytes:
        """git in this repository."""
        return run(*arguments, cwd=self.top, patience=patience)


def _path(printed: bytes) -> Path:
    return Path(os.fsdecode(printed.removesuffix(b"\n")))
