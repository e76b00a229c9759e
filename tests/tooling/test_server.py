"""Our Daphne, as a process of its own: memory stays bounded both ways, and it leaves in good order."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection as AsyncConnection
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed, InvalidMessage
from websockets.sync.client import ClientConnection, connect

from tests.run.servers import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
MIB = 1024 * 1024


class Server:
    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port

    def get(self, path: str = "/", body: bytes | None = None) -> tuple[int, int]:
        """The body's size as the application saw it, and the size of the server's process."""
        _, size, memory = self.told(path, body)
        return size, memory

    def faults(self) -> int:
        """How often the application failed to send."""
        return self.told("/", None)[0]

    def told(self, path: str, body: bytes | None) -> tuple[int, int, int]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST" if body else "GET", path, body=body)
            faults, size, memory = connection.getresponse().read().split()[-3:]
            return int(faults), int(size), int(memory)

    def socket(self, path: str = "/acp/connect", *, close_timeout: float = 10) -> ClientConnection:
        address = f"ws://127.0.0.1:{self.port}{path}"
        return connect(address, max_size=None, ping_interval=None, close_timeout=close_timeout)


@contextlib.contextmanager
def serving(*options: str) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "clawgroups.server", "--port", str(port), "--drain-seconds", "3"]
    command += ["--app", "tests.tooling.small_app.application", *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("listening")
        yield Server(process, port)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def test_who_says_https_is_told_at_once_that_this_is_http(server: Server) -> None:
    trusting = ssl.create_default_context()
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw,
        pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"),
    ):
        trusting.wrap_socket(raw, server_hostname="127.0.0.1")


async def test_a_flooding_agent_does_not_grow_the_server(server: Server) -> None:
    _, before = await asyncio.to_thread(server.get)
    sent = answered = 0
    most = before

    async def flood(connection: AsyncConnection) -> None:
        nonlocal sent
        while True:
            await connection.send("x" * 20_000)
            sent += 1

    async with connect_async(f"ws://127.0.0.1:{server.port}/acp/connect", ping_interval=None) as connection:
        flooding = asyncio.create_task(flood(connection))
        until = time.monotonic() + 4
        while time.monotonic() < until:
            assert str(await asyncio.wait_for(connection.recv(), 60)).startswith("20000 ")
            answered += 1
            if answered % 10 == 0:
                most = max(most, (await asyncio.to_thread(server.get))[1])
        flooding.cancel()
        await asyncio.gather(flooding, return_exceptions=True)
        connection.transport.abort()
    assert answered > 20
    # What is under way beyond the inbox sits in the two sockets' kernel buffers.
    assert sent < answered + 64 + 600
    assert most - before < 32 * MIB


def test_a_flood_of_tiny_frames_is_cut_at_the_same_count_and_loses_none(server: Server) -> None:
    with server.socket() as connection:
        for number in range(150):
            connection.send(f"n{number}")
        answers = [connection.recv(timeout=60) for _ in range(150)]
    assert answers == [f"{len(f'n{number}')} n{number}" for number in range(150)]


def test_a_peer_that_does_not_read_makes_the_application_wait(server: Server) -> None:
    _, before = server.get()
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(
            b"GET /flood HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
        )
        assert raw.recv(100).startswith(b"HTTP/1.1 101")
        assert all(server.get()[1] - before < 32 * MIB for _ in range(50))


def test_what_is_sent_to_a_peer_that_has_just_closed_is_no_fault(server: Server) -> None:
    for _ in range(5):
        # It goes on being sent more than it reads, so that it never hears that its goodbye was heard.
        with server.socket("/chat", close_timeout=0.5) as connection:
            connection.recv(timeout=60)
    assert server.faults() == 0


def test_a_large_response_to_a_slow_reader_is_not_held_in_memory(server: Server) -> None:
    _, before = server.get()
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.recv(100)
        assert all(server.get()[1] - before < 32 * MIB for _ in range(50))
        got, piece = 100, b"?"
        while piece and not piece.endswith(b"\r\n0\r\n\r\n"):
            piece = raw.recv(MIB)
            got += len(piece)
    assert got > 100_000_000


def test_an_upload_reaches_the_application_in_pieces_and_whole(server: Server) -> None:
    _, before = server.get()
    size, after = server.get(body=b"y" * 100_000_001)
    assert size == 100_000_001
    assert after - before < 32 * MIB


def test_a_body_beyond_every_limit_is_refused_before_it_is_sent(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        answer = raw.recv(4096)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"too_large" in answer


def test_a_peer_that_never_ends_what_was_refused_is_cut_off() -> None:
    with (
        serving("--linger-seconds", "0.2") as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=60) as raw,
    ):
        raw.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        assert raw.recv(4096).startswith(b"HTTP/1.1 413")
        with contextlib.suppress(ConnectionResetError):
            assert raw.recv(4096) == b""


def test_a_socket_that_nobody_lets_in_is_dropped_in_the_end() -> None:
    began = time.monotonic()
    with serving("--handshake-seconds", "0.2") as server, pytest.raises(InvalidMessage):
        server.socket("/never").close()
    assert time.monotonic() - began < 15  # By itself it would be 20.


def test_a_peer_that_sends_on_after_its_refusal_still_gets_to_read_it(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as raw:
        raw.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 600000000\r\n\r\n")
        for _ in range(64):
            raw.sendall(b"y" * MIB)
        answer = raw.recv(4096)
    assert answer.startswith(b"HTTP/1.1 413")
    assert server.get()[1] < 200 * MIB


def test_an_agent_may_send_large_messages_and_a_browser_may_not(server: Server) -> None:
    with server.socket("/acp/connect") as agent:
        agent.send("x" * 15 * MIB)
        assert str(agent.recv(timeout=60)).startswith(str(15 * MIB))
    with server.socket("/ws/") as browser:
        browser.send("x" * (MIB - 10))
        assert str(browser.recv(timeout=60)).startswith(str(MIB - 10))
        # The frame's header alone is refused, so that nothing is on its way when the server closes.
        browser.socket.sendall(b"\x81\xff" + (2 * MIB).to_bytes(8) + b"mask")
        with pytest.raises(ConnectionClosed) as closed:
            browser.recv(timeout=60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_the_application_may_close_with_a_code_of_the_services(server: Server) -> None:
    with server.socket() as connection:
        connection.send("close")
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012


def test_on_sigterm_sockets_hear_of_it_are_closed_with_1012_and_the_process_ends() -> None:
    with serving() as server, server.socket() as one, server.socket() as stuck:
        one.send("hello")
        assert one.recv(timeout=60) == "5 hello"
        stuck.send("stuck")
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert one.recv(timeout=60) == "draining 8"
        with pytest.raises(ConnectionClosed) as closed:
            one.recv(timeout=60)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        assert server.process.wait(15) == 0
        assert time.monotonic() - started < 15


def test_a_taken_port_is_said_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-m", "clawgroups.server", "--port", str(taken.getsockname()[1])]
        command += ["--app", "tests.tooling.small_app.application"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "PORT" in done.stderr
