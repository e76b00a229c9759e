"""The workspace's tools, handed to an agent in the way that it takes: over HTTP, or as a program that it starts."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents.connector import private, route
from agents.connector.keys import state_dir
from agents.protocol import version

CHOICES = ("auto", "http", "stdio")
_SHIM = "agents.connector.shim"
# How the server is reached from here; an agent may start its programs without these.
_ENVIRONMENT = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")

Frame = dict[str, Any]


def extensions(choice: str) -> tuple[str, ...]:
    """What a connector that hands tools on by this choice announces; by "http" they are the agent's own affair."""
    return tuple(one for one in version.EXTENSIONS if one != version.EXTENSION_TOOLS or choice != "http")


class Tools:
    """How one agent gets MCP servers. `choice`: "stdio" always as a program, "auto" where it announces no HTTP.

    The address and the key of a server lie in a file that only this person can read, and the program is told its
    name: an agent may well put the settings of a server on a command line, which everybody on the machine can see.
    """

    def __init__(self, choice: str, say: Callable[[str], None] = lambda _: None, folder: Path | None = None) -> None:
        self._choice = choice
        self._say = say
        # A home folder may be shared by machines, whose processes are not known here.
        self._folder = folder or state_dir() / "tools" / f"{platform.node()}-{os.getpid()}"
        self._files: set[Path] = set()
        self._by_program = choice == "stdio"

    def announced(self, result: Any) -> None:
        """What the agent said of itself when it was initialised."""
        found = result
        for name in ("agentCapabilities", "mcpCapabilities", "http"):
            found = found.get(name) if isinstance(found, dict) else None
        if self._choice == "auto" and isinstance(result, dict):
            self._by_program = found is not True

    def adapt(self, frame: Frame) -> bool:
        """Put a program in the place of each server over HTTP where this agent needs that; whether anything changed."""
        params = frame.get("params")
        servers = params.get("mcpServers") if isinstance(params, dict) else None
        if not self._by_program or not isinstance(params, dict) or not isinstance(servers, list):
            return False
        if not any(map(_is_http, servers)):
            return False
        try:
            params["mcpServers"] = [self._program(one) if _is_http(one) else one for one in servers]
        except OSError as problem:
            # Without its tools it can still do its work.
            self._say(f"the agent has no workspace tools, since a file for them cannot be written: {problem}")
            params["mcpServers"] = [one for one in servers if not _is_http(one)]
        return True

    def close(self) -> None:
        """Take the files with the keys away."""
        for path in self._files:
            path.unlink(missing_ok=True)
        self._files.clear()
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    def _program(self, server: Frame) -> Frame:
        root = Path(__file__).absolute().parents[2]
        return {
            "name": str(server.get("name") or version.META_KEY),
            "command": sys.executable,
            # -P: it is started in the agent's folder, where a file called json.py must not be taken for Python's.
            "args": ["-P", "-m", _SHIM, str(self._keep(server))],
            "env": [{"name": "PYTHONPATH", "value": str(root)}],
        }

    def _keep(self, server: Frame) -> Path:
        listed = server["headers"] if isinstance(server.get("headers"), list) else []
        told = {
            "url": server.get("url"),
            "headers": {str(one.get("name")): str(one.get("value")) for one in listed if isinstance(one, dict)},
            "authorities": str(trusted) if (trusted := route.authorities()) else None,
            "environment": {name: os.environ[name] for name in _environment()},
        }
        content = json.dumps(told)
        path = self._folder / f"{hashlib.sha256(content.encode()).hexdigest()[:24]}.json"
        if path in self._files and path.exists():
            return path
        private.write(path, content)
        self._files.add(path)
        self._tidy()
        return path

    def _tidy(self) -> None:
        """Take away what those left behind who were killed."""
        for other in self._folder.parent.iterdir():
            host, _, pid = other.name.rpartition("-")
            if host == platform.node() and pid.isdigit() and not _lives(int(pid)):
                shutil.rmtree(other, ignore_errors=True)


def _is_http(server: Any) -> bool:
    return isinstance(server, dict) and server.get("type") == "http"


def _environment() -> list[str]:
    return [name for one in _ENVIRONMENT for name in (one, one.lower()) if name in os.environ]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
