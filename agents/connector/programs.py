"""Which known agents are on this machine: where their programs are, which version, and whether a login shows."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from agents.connector.launchers import LAUNCHERS, Launcher, Login, Trace, Way

SIGNED_IN = "signed in"
NOT_SIGNED_IN = "not signed in"
OPTIONAL = "optional"
UNSEEN = "unseen"

PATIENCE = 5.0
"""Seconds that a program may take to say its version."""
_LARGEST = 1024 * 1024
_VERSION = re.compile(r"\d+(?:\.\d+)+[\w.+-]*")
# Where installers put programs whose terminal has to be opened anew before it finds them.
_BESIDE_PATH = (".local/bin", ".opencode/bin", ".bun/bin", ".npm-global/bin", ".kimi-code/bin")


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        # A service may have no home; nothing is found there.
        return Path("/nonexistent")


@dataclass(frozen=True)
class Machine:
    """Where to look: the variables, the home and the platform of whoever runs us."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    home: Path = field(default_factory=_home)
    platform: str = sys.platform

    @property
    def _path(self) -> str:
        return self.environ.get("PATH", os.defpath)

    def which(self, program: str) -> str | None:
        """How to call a program: its name, its path where the name alone does not find it, None if it is not here."""
        if shutil.which(program, path=self._path):
            return program
        return shutil.which(program, path=os.pathsep.join(str(self.home / one) for one in _BESIDE_PATH))

    def path(self, program: str) -> str:
        """Where a program is that `which` has named."""
        return shutil.which(program, path=self._path) or program

    def environment(self, launcher: Launcher) -> dict[str, str]:
        """What a known agent is started with: everything that is set here, and what makes it ask before it acts."""
        return {**launcher.asks, **self.environ}


@dataclass(frozen=True)
class Found:
    """What is known of an agent on this machine; `command` is empty where it is not installed."""

    launcher: Launcher
    command: tuple[str, ...] = ()
    version: str = ""
    login: str = NOT_SIGNED_IN

    @property
    def installed(self) -> bool:
        """Whether it can be started here."""
        return bool(self.command)


def look(machine: Machine, launchers: Sequence[Launcher] = LAUNCHERS) -> list[Found]:
    """All of these agents, those that are not here too. Takes `PATIENCE` seconds at most."""
    with ThreadPoolExecutor(max_workers=len(launchers) or 1) as pool:
        return list(pool.map(lambda launcher: find(launcher, machine), launchers))


def find(launcher: Launcher, machine: Machine) -> Found:
    """One of them."""
    for way in launcher.ways:
        if command := _usable(way, machine):
            # Of one that is fetched when it is started nobody knows yet which version that will be.
            version = "" if way.beside else version_of(machine.path(command[0]), machine)
            return Found(launcher, command, version, login_of(launcher.login, machine))
    return Found(launcher)


def command_of(launcher: Launcher, machine: Machine) -> tuple[str, ...]:
    """The command that starts it here, empty where it is not installed."""
    for way in launcher.ways:
        if command := _usable(way, machine):
            return command
    return ()


def _usable(way: Way, machine: Machine) -> tuple[str, ...]:
    program = machine.which(way.command[0])
    if program is None or (way.beside and machine.which(way.beside) is None):
        return ()
    return (program, *way.command[1:])


def login_of(login: Login, machine: Machine) -> str:
    """Whether its owner seems to be signed in: one of the words above. Only the agent itself knows for certain."""
    variable, folder = login.folder
    base = Path(machine.environ.get(variable) or machine.home / folder)
    if any(machine.environ.get(name) for name in login.variables) or any(_shows(base, one) for one in login.traces):
        return SIGNED_IN
    if login.optional:
        return OPTIONAL
    return UNSEEN if machine.platform in login.hidden else NOT_SIGNED_IN


def _shows(base: Path, trace: Trace) -> bool:
    with contextlib.suppress(OSError):
        return any(
            re.search(trace.holding, path.read_text("utf-8", "replace"))
            for path in base.glob(trace.path)
            if path.is_file() and path.stat().st_size < _LARGEST
        )
    return False


def version_of(program: str, machine: Machine) -> str:
    """The version of a program, empty if it cannot be told."""
    return _packaged(Path(program).resolve()) or _told(program, machine)


def _packaged(path: Path) -> str:
    """As its npm package says: that takes no start of the program, which may be a second of Node."""
    if "node_modules" not in path.parts:
        return ""
    for folder in path.parents:
        with contextlib.suppress(OSError, ValueError):
            package = json.loads((folder / "package.json").read_text("utf-8"))
            if isinstance(package, dict) and isinstance(package.get("version"), str) and package.get("name"):
                return str(package["version"])
        if folder.parent.name == "node_modules":
            break
    return ""


def _told(program: str, machine: Machine) -> str:
    # An agent's key for some server is not the business of whatever has the name of a known agent.
    environ = {name: value for name, value in machine.environ.items() if not name.startswith("CLAWGROUPS_")}
    try:
        process = subprocess.Popen(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environ,
            start_new_session=True,
        )
    except OSError:
        return ""
    with process:
        try:
            said, _ = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            said = b""
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    found = _VERSION.search(said[:_LARGEST].decode("utf-8", "replace"))
    return found.group() if found else ""
