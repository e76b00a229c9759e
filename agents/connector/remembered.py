"""Which agents this person has connected from this machine, and how: one private file, for `connect --all`.

No key is in it; those are in `keys.json`, by server and name.
"""

from __future__ import annotations

import argparse
import json
import shlex
import urllib.parse
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agents.connector import private
from agents.connector.keys import config_dir

# Options of `connect` that belong to an agent; those that this version does not have are passed over.
KEPT = ("dir", "allow", "restart", "policy", "repo", "ignore", "ca", "mcp")


@dataclass(frozen=True)
class Entry:
    """An agent that was connected: where, under which name, and how it is started."""

    url: str
    name: str
    launcher: str = ""
    """The name of a known agent, whose program is looked for anew each time; else it is `command`."""
    command: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """The server it is for."""
        return host_of(self.url)

    @property
    def start(self) -> str:
        """How it is started, in a word or a line."""
        return self.launcher or shlex.join(self.command)


def host_of(url: str) -> str:
    """The host of a server's address, by which its agents are kept apart from those of others."""
    return urllib.parse.urlsplit(url if "://" in url else f"https://{url}").netloc.lower()


def entry_of(options: argparse.Namespace, command: list[str]) -> Entry:
    """What is to be remembered of a connection that was made with these options."""
    told = {name: getattr(options, name, None) for name in KEPT}
    kept = {name: _plain(value) for name, value in told.items() if value not in (None, False, [])}
    url = options.url if "://" in options.url else f"https://{options.url}"
    return Entry(url, options.name, options.launcher, () if options.launcher else tuple(command), kept)


def restored(entry: Entry, defaults: argparse.Namespace) -> argparse.Namespace:
    """The options to connect an agent with once more; what was not given then is as in `defaults`."""
    kept = {name: value for name, value in entry.options.items() if name in KEPT and hasattr(defaults, name)}
    # Of the options only those that name files and folders are not plain text.
    paths = {name: Path(kept[name]) for name in ("dir", "policy", "repo", "ca") if isinstance(kept.get(name), str)}
    told = {"url": entry.url, "name": entry.name, "launcher": entry.launcher}
    return argparse.Namespace(**{**vars(defaults), **kept, **paths, **told})


class Remembered:
    """The file."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or config_dir() / "agents.json"

    def all(self, url: str | None = None) -> list[Entry]:
        """Every agent, or those of one server, in the order in which they were first connected."""
        found = []
        with suppress(OSError, ValueError):
            stored = json.loads(self._path.read_text("utf-8"))
            found = [entry for one in stored if (entry := _read(one))] if isinstance(stored, list) else []
        return [entry for entry in found if url is None or entry.host == host_of(url)]

    def remember(self, entry: Entry) -> None:
        """Keep how this agent was connected, in place of what was known of it. Raises OSError."""
        known = self.all()
        places = {(one.host, one.name): at for at, one in enumerate(known)}
        at = places.get((entry.host, entry.name))
        if at is not None and known[at] == entry:
            return
        if at is None:
            known.append(entry)
        else:
            known[at] = entry
        self._write(known)

    def forget(self, name: str, url: str | None = None) -> list[Entry]:
        """No longer connect what goes by this name, on one server or wherever it was; what was forgotten.

        Raises OSError.
        """
        known = self.all()
        named = [entry for entry in known if name in (entry.name, entry.host if not entry.name else "")]
        gone = [entry for entry in named if url is None or entry.host == host_of(url)]
        if gone:
            self._write([entry for entry in known if entry not in gone])
        return gone

    def _write(self, entries: list[Entry]) -> None:
        private.write(self._path, json.dumps([asdict(entry) for entry in entries], indent=1))


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        # It will be started from elsewhere, by a service say.
        return str(value.expanduser().absolute())
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _read(stored: Any) -> Entry | None:
    if not isinstance(stored, dict) or not isinstance(stored.get("url"), str):
        return None
    command, options = stored.get("command"), stored.get("options")
    words = tuple(word for word in command if isinstance(word, str)) if isinstance(command, list) else ()
    launcher = str(stored.get("launcher") or "")
    if not words and not launcher:
        return None
    kept = options if isinstance(options, dict) else {}
    return Entry(stored["url"], str(stored.get("name") or ""), launcher, words, kept)
