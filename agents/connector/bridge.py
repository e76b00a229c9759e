"""One agent, one server: keeps an agent's messages flowing over a WebSocket that comes and goes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from agents.connector.child import Child


@dataclass(frozen=True)
class Settings:
    """What a bridge needs to know; `url` is the server's address as a person types it (http or https)."""

    url: str
    key: str = field(repr=False)
    root: Path
    name: str = ""
    allow: str = "ask"
    restart: bool = False
    scale: float = 1.0


class Bridge:
    """Carries one agent to one server until the agent ends, the server refuses, or `stop` is called.

    `start_child` is called once the server has taken the key, and again for every restart.
    """

    def __init__(
        self,
        settings: Settings,
        start_child: Callable[[], Awaitable[Child]],
        *,
        say: Callable[[str], None] = print,
        on_connected: Callable[[], None] = lambda: None,
    ) -> None:
        raise NotImplementedError

    async def run(self) -> int:
        """Carry until the end; the exit code: the agent's own, 3 refused, 4 replaced by another."""
        raise NotImplementedError

    def stop(self) -> None:
        """Ask `run` to end the agent and return; safe to call from a signal handler, and twice."""
        raise NotImplementedError
