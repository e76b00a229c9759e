"""What the person at the machine sees. Showing it must never hold up the agent's messages."""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import Protocol

WAITING = 2000
WAITING_BYTES = 2 * 1024 * 1024
_NOISE_SHOWN = 2000


class Stream(Protocol):
    """Where it is shown: a terminal, a pipe, a log."""

    def write(self, data: bytes, /) -> object:
        """Show this. Raises OSError or ValueError when there is nobody any more."""
        ...

    def flush(self) -> object:
        """And show it now."""
        ...


class Console:
    """Writes to a stream from a thread of its own; when nobody reads that, the oldest words do not wait for
    it.

    A terminal that is paused or a pipe that nobody empties would otherwise stop the whole program.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._waiting: queue.Queue[bytes | None] = queue.Queue(WAITING)
        self._size = 0
        self._counting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="clawgroups-console", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Show this as it is, or leave it out when too much waits already."""
        with self._counting:
            if self._size + len(data) > WAITING_BYTES:
                return
            with contextlib.suppress(queue.Full):
                self._waiting.put_nowait(data)
                self._size += len(data)

    def say(self, text: str) -> None:
        """Show a sentence of ours."""
        self.write(f"clawgroups: {text}\n".encode("utf-8", "replace"))

    def noise(self, line: bytes) -> None:
        """Show a line of the agent that is not a message."""
        self.write(line[:_NOISE_SHOWN] + b"\n")

    def close(self, patience: float = 1.0) -> None:
        """Show what waits, for `patience` seconds at most; nothing is shown afterwards."""
        try:
            self._waiting.put(None, timeout=patience)
        except queue.Full:
            return
        self._thread.join(patience)

    def _run(self) -> None:
        while (data := self._waiting.get()) is not None:
            with self._counting:
                self._size -= len(data)
            try:
                self._stream.write(data)
                self._stream.flush()
            except (OSError, ValueError):
                # The terminal is gone; the agent's work is not.
                continue
