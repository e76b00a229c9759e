"""The children's log files: bounded, and read along so that an error is seen at the terminal too."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

from clawgroups.supervisor.say import REFUSAL

LARGEST = 16 * 1024 * 1024
ERROR = re.compile(r"\b(ERROR|CRITICAL)\b")


class Log:
    """One child's log file. The child appends to it; this end reads along and keeps it small."""

    def __init__(self, path: Path, *, quiet_for: float = 10.0) -> None:
        self.path = path
        self._quiet_for = quiet_for
        self._said_at = -quiet_for
        self._position = 0
        self._rest = b""
        if path.exists():
            path.replace(self._former)

    @property
    def _former(self) -> Path:
        return self.path.with_name(self.path.name + ".1")

    def open(self) -> int:
        """A descriptor for a child. O_APPEND, so that the file may be cut while the child writes."""
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def news(self) -> str | None:
        """The first error line since the last call, at most one per `quiet_for` seconds; cuts a file that grew."""
        found = None
        for line in self._new_lines():
            if found is None and ERROR.search(line) and time.monotonic() - self._said_at >= self._quiet_for:
                self._said_at = time.monotonic()
                found = line[:300]
        if self._position > LARGEST:
            # What is written between the two calls is lost; the file's end is in the copy.
            shutil.copyfile(self.path, self._former)
            os.truncate(self.path, 0)
            self._position = 0
        return found

    def _new_lines(self) -> list[str]:
        try:
            with self.path.open("rb") as file:
                file.seek(self._position)
                data = file.read(LARGEST)
                self._position = file.tell()
        except FileNotFoundError:
            return []
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-4096:]
        return [line.decode(errors="replace").strip() for line in lines]

    def last_line(self) -> str:
        """The last line that says something: mostly the error that ended a child."""
        lines = self._last_lines()
        return lines[-1].strip()[:300] if lines else ""

    def last_refusals(self) -> list[str]:
        """The lines in which a child has said why it does not start."""
        return [line.strip() for line in self._last_lines() if line.startswith(REFUSAL)]

    def _last_lines(self) -> list[str]:
        try:
            return self.path.read_bytes()[-8192:].decode(errors="replace").strip().splitlines()
        except FileNotFoundError:
            return []
