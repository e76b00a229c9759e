"""Keys this person has used before: one private file in their settings folder, by server and name."""

from __future__ import annotations

import json
import os
import sys
import urllib.parse
from contextlib import suppress
from pathlib import Path


def config_dir() -> Path:
    """Where this person's settings are."""
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home()) / "clawgroups"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "clawgroups"


def state_dir() -> Path:
    """Where what programs keep for this person is."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "clawgroups"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "clawgroups"


class KeyFile:
    """Remembered keys. A name keeps the keys of several agents on one server apart."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or config_dir() / "keys.json"

    def find(self, address: str, name: str = "") -> str | None:
        """The key last used for this server under this name."""
        return self._load().get(_entry(address, name))

    def remember(self, address: str, name: str, key: str) -> None:
        """Keep a key, readable by its owner only. Raises OSError."""
        keys = self._load()
        if keys.get(_entry(address, name)) == key:
            return
        keys[_entry(address, name)] = key
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            # Born private: a file made readable first and closed later could be read in between.
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump(keys, file, indent=1)
            part.replace(self._path)
        finally:
            part.unlink(missing_ok=True)

    def _load(self) -> dict[str, str]:
        with suppress(OSError, ValueError):
            stored = json.loads(self._path.read_text("utf-8"))
            if isinstance(stored, dict):
                return {str(entry): key for entry, key in stored.items() if isinstance(key, str)}
        return {}


def _entry(address: str, name: str) -> str:
    host = urllib.parse.urlsplit(address).netloc.lower()
    return f"{host} {name}" if name else host
