"""A mail server of a few lines, in a thread: it takes letters, or refuses some."""

from __future__ import annotations

import email
import socketserver
import threading
from email import policy
from types import TracebackType
from typing import cast


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    owner: MailServer


class _Talk(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        owner = cast(_Server, self.server).owner
        self._say("220 here")
        while line := self.rfile.readline():
            word = line.split()[0].upper()
            if word == b"DATA":
                self._say("354 go on")
                self._take(owner)
            elif word == b"RCPT" and owner.refuse():
                self._say("451 not now")
            elif word == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 well")

    def _take(self, owner: MailServer) -> None:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line)
        message = email.message_from_bytes(b"".join(lines), policy=policy.default)
        heads = "\n".join(f"{name}: {value}" for name, value in message.items())
        owner.letters.append(f"{heads}\n\n{message.get_content()}")
        self._say("250 taken")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class MailServer:
    """Listens on a free port within `with`."""

    def __init__(self) -> None:
        self.letters: list[str] = []
        """What it took: heads and text."""
        self.refuses = 0
        """How many letters it refuses from now on."""
        self.asked = 0
        """How many it was asked to take."""
        self._server = _Server(("127.0.0.1", 0), _Talk)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def refuse(self) -> bool:
        self.asked += 1
        self.refuses -= 1
        return self.refuses >= 0

    def __enter__(self) -> MailServer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
