"""Who keeps a service running: systemd for a person on Linux, launchd on macOS. How each is told, and asked."""

from __future__ import annotations

import os
import plistlib
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agents.connector import exits, private
from agents.connector.exits import Wrong

PATIENCE = 30.0
PAUSE = 15
"""Seconds before a connector that ended is started again."""
FINAL = (exits.USAGE, exits.REFUSED, exits.REPLACED)
"""Ends that starting it again would not change."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""What no unit can hold; the last are bytes of a name that are no text."""
_NO_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True)
class Service:
    """A connector as a service: its name, what is started, where, and with which variables."""

    name: str
    about: str
    program: Sequence[str]
    folder: Path
    variables: Mapping[str, str]


class Manager(Protocol):
    """Keeps services running."""

    def path(self, name: str) -> Path:
        """Where the file of a service is."""
        ...

    def names(self) -> list[str]:
        """The services that there are."""
        ...

    def write(self, service: Service) -> Path:
        """Put the file in place. Raises OSError or Wrong."""
        ...

    def start(self, name: str) -> str:
        """Start it, anew if it runs, and at every login; empty, or the command line by which a person can do so."""
        ...

    def stop(self, name: str) -> None:
        """End it and do not start it again."""
        ...

    def state(self, name: str) -> str:
        """How it is, in a word or two."""
        ...


def manager(platform: str = sys.platform) -> Manager:
    """The one of this machine. Raises Wrong."""
    if platform == "darwin":
        return Launchd()
    if platform.startswith("linux"):
        return Systemd()
    raise Wrong("services can be set up on Linux and macOS only; start the connector by the means of this system")


class Systemd:
    """systemd, the part of it that belongs to one person."""

    _prefix = "clawgroups-"

    @property
    def _folder(self) -> Path:
        return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"

    def _unit(self, name: str) -> str:
        return f"{self._prefix}{name}.service"

    def path(self, name: str) -> Path:
        """See `Manager`."""
        return self._folder / self._unit(name)

    def names(self) -> list[str]:
        """See `Manager`."""
        found = self._folder.glob(f"{self._prefix}*.service")
        return sorted(path.name.removeprefix(self._prefix).removesuffix(".service") for path in found)

    def write(self, service: Service) -> Path:
        """See `Manager`."""
        private.write(self.path(service.name), unit(service))
        return self.path(service.name)

    def start(self, name: str) -> str:
        """See `Manager`."""
        steps = (("daemon-reload",), ("enable", self._unit(name)), ("restart", self._unit(name)))
        if all(self._ask(*step) is not None for step in steps):
            return ""
        return f"systemctl --user daemon-reload && systemctl --user enable --now {self._unit(name)}"

    def stop(self, name: str) -> None:
        """See `Manager`."""
        self._ask("disable", "--now", self._unit(name))
        # Where systemd does not answer, its own mark that the unit is enabled is left.
        for path in (self._folder / "default.target.wants" / self._unit(name), self.path(name)):
            path.unlink(missing_ok=True)
        self._ask("daemon-reload")

    def state(self, name: str) -> str:
        """See `Manager`."""
        said = _run("systemctl", "--user", "is-active", self._unit(name))
        return "systemd does not answer" if said is None or not said[1] else said[1]

    def _ask(self, *what: str) -> str | None:
        said = _run("systemctl", "--user", *what)
        return said[1] if said is not None and said[0] == 0 else None


class Launchd:
    """launchd, the agents of one person."""

    _prefix = "org.clawgroups."

    @property
    def _domain(self) -> str:
        return f"gui/{os.getuid()}"

    def path(self, name: str) -> Path:
        """See `Manager`."""
        return Path.home() / "Library" / "LaunchAgents" / f"{self._prefix}{name}.plist"

    def names(self) -> list[str]:
        """See `Manager`."""
        found = self.path("x").parent.glob(f"{self._prefix}*.plist")
        return sorted(path.name.removeprefix(self._prefix).removesuffix(".plist") for path in found)

    def write(self, service: Service) -> Path:
        """See `Manager`."""
        private.write(self.path(service.name), plist(f"{self._prefix}{service.name}", service))
        return self.path(service.name)

    def start(self, name: str) -> str:
        """See `Manager`."""
        _run("launchctl", "bootout", f"{self._domain}/{self._prefix}{name}")
        said = _run("launchctl", "bootstrap", self._domain, str(self.path(name)))
        if said is not None and said[0] == 0:
            return ""
        return f"launchctl bootstrap {self._domain} {shlex.quote(str(self.path(name)))}"

    def stop(self, name: str) -> None:
        """See `Manager`."""
        _run("launchctl", "bootout", f"{self._domain}/{self._prefix}{name}")
        self.path(name).unlink(missing_ok=True)

    def state(self, name: str) -> str:
        """See `Manager`."""
        said = _run("launchctl", "print", f"{self._domain}/{self._prefix}{name}")
        if said is None:
            return "launchd does not answer"
        found = re.search(r"^\s*state = (.+)$", said[1], re.MULTILINE)
        return found.group(1) if found else "not started"


def unit(service: Service) -> str:
    """The file that tells systemd. Raises Wrong for what it could not hold."""
    program, *arguments = service.program
    command = [_quoted(program), *(_quoted(one).replace("$", "$$") for one in arguments)]
    variables = [f"Environment={_quoted(f'{name}={value}')}" for name, value in service.variables.items()]
    lines = [
        "# Written by `clawgroups connect --service`; `clawgroups service remove` takes it away.",
        "[Unit]",
        f"Description={_plain(service.about)}",
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        f"ExecStart={' '.join(command)}",
        # A path, not words: quotes would be part of it.
        f"WorkingDirectory={_plain(str(service.folder))}",
        *variables,
        # What the agent needs and must not stand here, such as keys of its own.
        "EnvironmentFile=-%E/clawgroups/service.env",
        "Restart=on-failure",
        f"RestartSec={PAUSE}",
        f"RestartPreventExitStatus={' '.join(map(str, FINAL))}",
        # The connector says 128 + 15 when it was asked to end. It ends the agent itself, and gently.
        "SuccessExitStatus=143",
        "KillMode=mixed",
        "",
        "[Install]",
        "WantedBy=default.target",
        "",
    ]
    return "\n".join(lines)


def _quoted(word: str) -> str:
    """One word as systemd reads it, but for dollars, which mean nothing in some places."""
    _check(word, _CONTROL)
    return '"{}"'.format(word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%"))


def _check(word: str, unfit: re.Pattern[str]) -> None:
    if unfit.search(word):
        raise Wrong(f"{word!a} has a line break or the like in it, which a service cannot be started with")


def _plain(text: str) -> str:
    return _CONTROL.sub(" ", text).replace("%", "%%")


def plist(label: str, service: Service) -> str:
    """The file that tells launchd. Raises Wrong for what it could not hold."""
    for word in (*service.program, str(service.folder), *service.variables.values()):
        _check(word, _NO_XML)
    told = {
        "Label": label,
        "ProgramArguments": list(service.program),
        "WorkingDirectory": str(service.folder),
        # launchd knows success and failure only; see `service.told`.
        "EnvironmentVariables": {**service.variables, "CLAWGROUPS_KEPT_BY": "launchd"},
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": PAUSE,
        "ExitTimeOut": 30,
        "ProcessType": "Background",
    }
    return plistlib.dumps(told).decode()


def _run(*command: str) -> tuple[int, str] | None:
    """The exit code and the words of a program, None where it is not there or does not answer."""
    if shutil.which(command[0]) is None:
        return None
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL
        )
        return done.returncode, done.stdout.strip()
    return None
