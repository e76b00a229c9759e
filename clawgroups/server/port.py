"""A listening port whose connections hand over at once what the kernel takes.

Twisted's own keep every write for the reactor's next turn, which registers the socket for writing, is told that it is
writable, writes, and takes it out again: for a frame to a thousand browsers most of what it costs.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor, tcp


class PromptTransport(tcp.Server):
    """One accepted connection."""

    def write(self, data: bytes) -> None:
        """Send what the kernel takes now; the rest, or all of it behind what already waits, goes the usual way."""
        if data and self.connected and not self.dataBuffer and not self._tempDataLen:
            sent = self.writeSomeData(data)
            # A connection that is lost is found, and ended, by the reactor's own write.
            if isinstance(sent, int):
                data = data[sent:]
        if data:
            super().write(data)


class PromptPort(tcp.Port):
    """Listens as `reactor.listenTCP` does."""

    transport = PromptTransport


def listen(host: str, port: int, factory: Any) -> PromptPort:
    """Listen for this factory; the port. Raises CannotListenError when the address is taken."""
    listening = PromptPort(port, factory, backlog=1024, interface=host, reactor=reactor)
    listening.startListening()
    return listening
