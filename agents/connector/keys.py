"""Keys this person has used before: one private file in their settings folder, by server and name."""

from __future__ import annotations

import json
import os
import sys
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agents.connector import private
from agents.connector.exits import Wrong

if sys.platform != "win32":
    import fcntl


def home() -> Path:
    """This person's home folder. Raises Wrong."""
    try:
        return Path.home()
    except RuntimeError:
        raise Wrong("this user has no home folder; name one in the environment variable HOME") from None


def config_dir() -> Path:
    """Where this person's settings are."""
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or home()) / "clawgroups"
    return Path(os.environ.get("XDG_CONFIG_HOME") or home() / ".config") / "clawgroups"


def state_dir() -> Path:
    """Where what programs keep for this person is."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home()) / "clawgroups"
    return Path(os.environ.get("XDG_STATE_HOME") or home() / ".local" / "state") / "clawgroups"


class KeyFile:
    """Remembered keys. A name keeps the keys of several agents on one server apart."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or config_dir() / "keys.json"

    @property
    def path(self) -> Path:
        """Where they are kept."""
        return self._path

    def find(self, address: str, name: str = "") -> str | None:
        """The key last used for this server under this name."""
        with suppress(OSError):
            return self._load().get(_entry(address, name))
        return None

    def remember(self, address: str, name: str, key: str) -> None:
        """Keep a key, readable by its owner only. Raises OSError."""
        if self.find(address, name) == key:
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._alone():
            self._write({**self._load(), _entry(address, name): key})

    def forget(self, address: str, name: str) -> None:
        """Keep a key no longer; where it was the only one, nothing is left. Raises OSError."""
        if self.find(address, name) is None:
            return
        with self._alone():
            keys = self._load()
            keys.pop(_entry(address, name), None)
            if keys:
                self._write(keys)
            else:
                self._path.unlink(missing_ok=True)

    def drop(self, address: str, key: str) -> None:
        """Keep a key no longer, whatever names it has on this server. Raises OSError."""
        for entry in [entry for entry, kept in self._load().items() if kept == key]:
            host, _, name = entry.partition(" ")
            if host == _entry(address, ""):
                self.forget(address, name)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two programs that keep a key at once would lose one of them."""
        if sys.platform == "win32":
            yield
            return
        # The folder itself: a lock file would stay behind.
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _write(self, keys: dict[str, str]) -> None:
        private.write(self._path, json.dumps(keys, indent=1))

    def _load(self) -> dict[str, str]:
        """What is kept: nothing where there is no file, or one that is damaged. Raises OSError for one that is shut."""
        try:
            stored = json.loads(self._path.read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return {}
        if not isinstance(stored, dict):
            return {}
        return {str(entry): key for entry, key in stored.items() if isinstance(key, str)}


def _entry(address: str, name: str) -> str:
    host = urllib.parse.urlsplit(address).netloc.lower()
    return f"{host} {name}" if name else host
