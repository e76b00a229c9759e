"""The agents' socket behind a real web server, in this process."""

from __future__ import annotations

import contextlib
import http
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from clawgroups.gateway.acp import agents_socket
from tests.conformance.wire import Wire


class Front:
    """A small web server in front of the agents' socket; it can cut the line. Every frame we send is judged."""

    def __init__(self) -> None:
        self.connections: list[ServerConnection] = []
        self.wires: list[Wire] = []
        self._server: Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Front:
        self._server = await serve(
            self._serve, "127.0.0.1", 0, process_request=self._files, max_size=None, compression=None
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def _files(self, _connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/acp/connect":
            return None
        body = b'{"files": []}'
        headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body))})
        return Response(http.HTTPStatus.OK, "OK", headers, body)

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.connections.append(connection)
        headers = [(k.lower().encode(), v.encode()) for k, v in connection.request.headers.raw_items()]
        scope = {"type": "websocket", "path": connection.request.path, "headers": headers}
        first: list[dict[str, Any]] = [{"type": "websocket.connect"}]
        wire = Wire(connection.request.headers.get("Claw-Link"))
        self.wires.append(wire)

        async def receive() -> dict[str, Any]:
            if first:
                return first.pop()
            try:
                data = await connection.recv()
            except ConnectionClosed:
                return {"type": "websocket.disconnect", "code": 1006}
            if isinstance(data, str):
                wire.said(data)
            return {"type": "websocket.receive", "text" if isinstance(data, str) else "bytes": data}

        async def send(message: dict[str, Any]) -> None:
            with contextlib.suppress(ConnectionClosed):
                if message["type"] == "websocket.send":
                    wire.heard(message["text"])
                    await connection.send(message["text"])
                elif message["type"] == "websocket.close":
                    await connection.close(message["code"], message.get("reason", ""))

        await agents_socket(scope, receive, send)

    def cut(self) -> None:
        self.connections[-1].transport.abort()
