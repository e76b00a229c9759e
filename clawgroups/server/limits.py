"""The figures of the transport, in one place (design.md 7, reliability.md 2.9)."""

from __future__ import annotations

from dataclasses import dataclass, replace

MIB = 1024 * 1024

CLOSE_DRAINING = 1012
CLOSE_UNRESPONSIVE = 4408
CLOSE_FLOOD = 4429


@dataclass(frozen=True)
class Limits:
    """What one socket or request may hold, and how long things may take (seconds)."""

    inbox_frames: int = 64
    inbox_bytes: int = 4 * MIB
    message_bytes: int = 16 * MIB
    browser_message_bytes: int = 1 * MIB
    browser_paths: tuple[str, ...] = ("/ws/",)
    body_bytes: int = 512 * MIB
    linger_seconds: float = 30.0
    handshake_seconds: float = 20.0  # longer than any application decides: it can say why, a dropped line cannot
    ping_interval: float = 10.0
    ping_timeout: float = 30.0
    thin_line: int = 1000  # bytes a second: on such a line a ping comes after all that was sent before it
    thin_patience: float = 60.0  # the most that a ping is waited for longer, and as long as a browser may be behind
    flood_timeout: float = 60.0
    retry_after: float = 8.0
    drain_seconds: float = 15.0

    def scaled(self, factor: float) -> Limits:
        """These limits with the times by which a silent peer is found times `factor`."""
        times = ("ping_interval", "ping_timeout", "thin_patience")
        return replace(self, **{name: getattr(self, name) * factor for name in times})

    @property
    def exit_seconds(self) -> float:
        """After this long the process ends whatever still runs in it."""
        return self.drain_seconds + 5.0

    def message_limit(self, path: str) -> int:
        """The largest message a socket at this path may send."""
        return self.browser_message_bytes if path.startswith(self.browser_paths) else self.message_bytes
