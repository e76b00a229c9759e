"""The whole ASGI application on our own server: real sockets, real uploads, a real way out."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from clawgroups.realtime.consumers import SUBPROTOCOL
from tests.realtime.conftest import PATIENCE
from tests.realtime.real_server import Server, serving

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture
def workspace(server: Server) -> str:
    status, made, _ = server.call("POST", "/api/v1/workspaces", {"name": "Real"})
    assert status == 201
    return str(made["id"])


def take(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(timeout=PATIENCE))


def test_a_write_by_rest_arrives_at_a_socket_within_a_second(server: Server, workspace: str) -> None:
    with server.socket(
        f"/ws/workspaces/{workspace}/?generation=1&after=2", subprotocols=[Subprotocol(SUBPROTOCOL)]
    ) as socket:
        assert socket.subprotocol == SUBPROTOCOL
        hello = take(socket)
        began = time.monotonic()
        server.call("POST", f"/api/v1/workspaces/{workspace}/messages", {"body": "hi"})
        frame = take(socket)
        assert time.monotonic() - began < 1
        assert (hello["head"], frame["type"], frame["entries"][0]["type"]) == (2, "entries", "message.posted")


def test_a_cookie_socket_of_a_foreign_page_is_refused(server: Server) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        connect(f"ws://127.0.0.1:{server.port}/ws/", origin=Origin("http://evil.example")).close()


def test_an_upload_of_200_mb_is_refused_fast_whether_or_not_it_says_so(server: Server, workspace: str) -> None:
    path = f"/api/v1/workspaces/{workspace}/runs"
    form = "multipart/form-data; boundary=b"
    for framing in ({"Content-Length": str(200 * MIB)}, {"Transfer-Encoding": "chunked"}):
        began = time.monotonic()
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
            connection.putrequest("POST", path)
            for name, value in {"Authorization": f"Bearer {server.token}", "Content-Type": form, **framing}.items():
                connection.putheader(name, value)
            connection.endheaders()
            sent = 0
            try:
                while sent < 200 * MIB:
                    piece = b"x" * MIB
                    connection.send(piece if "Content-Length" in framing else b"100000\r\n" + piece + b"\r\n")
                    sent += MIB
                if "Content-Length" not in framing:
                    connection.send(b"0\r\n\r\n")
            except (BrokenPipeError, ConnectionResetError):
                pass
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())["code"]) == (413, "too_large")
        assert time.monotonic() - began < 10
    assert server.call("GET", f"/api/v1/workspaces/{workspace}/runs")[1]["items"] == []


def test_a_file_goes_in_and_comes_out_again(server: Server, workspace: str) -> None:
    data = os.urandom(3 * MIB)
    edge = b"an-edge-that-random-data-does-not-hold"  # Django looks for it anywhere in the body
    body = b"\r\n".join(
        [
            b"--" + edge,
            b'Content-Disposition: form-data; name="goal"',
            b"",
            b"Look at it",
            b"--" + edge,
            b'Content-Disposition: form-data; name="files"; filename="raw.bin"',
            b"Content-Type: application/octet-stream",
            b"",
            data,
            b"--" + edge + b"--",
            b"",
        ]
    )
    path = f"/api/v1/workspaces/{workspace}/runs"
    status, made, _ = server.call("POST", path, body, Content_Type="multipart/form-data; boundary=" + edge.decode())
    assert status == 201, made
    _, files, _ = server.call("GET", f"/api/v1/runs/{made['id']}/artifacts")
    status, content, headers = server.call("GET", files["items"][0]["url"])
    assert (status, content) == (200, data)
    assert headers["Content-Disposition"] == 'attachment; filename="raw.bin"'


def test_the_server_tells_its_sockets_before_it_leaves(server: Server, workspace: str) -> None:
    with server.socket(f"/ws/workspaces/{workspace}/?generation=1&after=2") as socket:
        take(socket)
        server.process.send_signal(signal.SIGTERM)
        assert take(socket)["type"] == "draining"
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=PATIENCE)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    assert server.process.wait(timeout=PATIENCE) == 0
