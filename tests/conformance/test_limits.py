"""What is too large, too deep or never ends is refused by its code, on real sockets, and costs the server no memory."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.realtime.real_server import Server, serving

MIB = 1024 * 1024
TRIES = 100
DEEP = '{"jsonrpc":"2.0","id":7,"method":"session/unheard_of","params":' + '{"a":' * 99 + "1" + "}" * 100
DIGITS = '{"jsonrpc":"2.0","id":' + "9" * 1_000_000 + ',"method":"x"}'
BATCH = json.dumps([{"jsonrpc": "2.0", "id": number, "method": "session/unheard_of"} for number in range(1000)])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    """The key of a registered agent."""
    return registered(server)


def registered(server: Server) -> str:
    """The key of another agent."""
    skills = [{"name": "writing", "description": "", "level": 3}]
    status, made, _ = server.call("POST", "/api/v1/agents", {"name": "Fuzzer", "skills": skills})
    assert status == 201
    return str(made["key"])


@contextlib.contextmanager
def agent(server: Server, key: str) -> Iterator[ClientConnection]:
    """A plain agent that has said who it is."""
    headers = {"Authorization": f"Bearer {key}"}
    address = f"ws://127.0.0.1:{server.port}/acp/connect"
    with connect(address, additional_headers=headers, max_size=None, compression=None) as line:
        hello = json.loads(line.recv(timeout=60))
        line.send(json.dumps({"jsonrpc": "2.0", "id": hello["id"], "result": {"protocolVersion": 1}}))
        yield line


def asked(line: ClientConnection, text: str) -> tuple[Any, int]:
    """The id and the code of the answer to a frame."""
    line.send(text)
    answer = json.loads(line.recv(timeout=60))
    return answer["id"], answer["error"]["code"]


def memory(server: Server) -> int:
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def announce(line: ClientConnection, size: int) -> None:
    """The head of a text frame of this size and a little of it: whoever refuses it does not wait for the rest."""
    line.socket.sendall(b"\x81\xff" + struct.pack("!Q", size) + b"mask" + b"x" * 1000)


def closed_with(line: ClientConnection) -> int | None:
    with pytest.raises(ConnectionClosed) as closed:
        line.recv(timeout=60)
    return closed.value.rcvd.code if closed.value.rcvd is not None else None


def test_a_hundred_tries_of_everything_too_large_are_refused_and_leave_nothing_behind(server: Server) -> None:
    large = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "session/unheard_of", "params": {"t": "x" * MIB}})

    def round_(times: int) -> None:
        # A socket is closed after 200 malformed frames a minute, and an agent is read more slowly after 64 MiB at once.
        with agent(server, registered(server)) as line:
            for _ in range(times):
                assert asked(line, large) == (1, -32601), "an agent may say as much as this"
                assert asked(line, DEEP) == (7, -32600)
                assert asked(line, DIGITS) == (None, -32600)
                assert asked(line, BATCH) == (None, -32600)
            announce(line, 16 * MIB + 1)
            assert closed_with(line) == 1009

    round_(10)
    before = memory(server)
    for _ in range(TRIES // 20):
        round_(20)
    assert memory(server) - before <= 20 * MIB
    assert "Traceback" not in server.said()


def test_a_browser_may_say_a_mebibyte_and_not_a_byte_more(server: Server) -> None:
    before = memory(server)
    for _ in range(TRIES):
        with server.socket("/ws/", compression=None) as line:
            announce(line, MIB + 1)
            assert closed_with(line) == 1009
    assert memory(server) - before <= 20 * MIB


def test_a_body_without_a_length_is_counted_as_it_comes(server: Server) -> None:
    before = memory(server)
    for path in ("/api/v1/agents", "/api/v1/workspaces"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as raw:
            raw.sendall(
                f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nTransfer-Encoding: chunked\r\n"
                f"Authorization: Bearer {server.token}\r\nContent-Type: application/json\r\n\r\n".encode()
            )
            sent = 0
            while not select.select([raw], [], [], 0)[0]:
                raw.sendall(b"%x\r\n" % MIB + b"x" * MIB + b"\r\n")
                sent += 1
                assert sent < 600
            assert raw.recv(4096).startswith(b"HTTP/1.1 413"), path
    assert memory(server) - before <= 20 * MIB


def test_a_frame_that_comes_byte_by_byte_is_taken_whole_and_holds_nobody_up(server: Server, key: str) -> None:
    text = b'{"jsonrpc":"2.0","id":5,"method":"session/unheard_of"}'
    with agent(server, key) as line, server.socket("/ws/", compression=None) as browser:
        raw = line.socket
        raw.sendall(b"\x81" + bytes([0x80 | len(text)]) + b"\0\0\0\0")
        for at in range(len(text)):
            raw.sendall(text[at : at + 1])
            if at % 10 == 0:
                status, _, _ = server.call("GET", "/api/v1/workspaces")
                assert status == 200
        answer = json.loads(line.recv(timeout=60))
        assert (answer["id"], answer["error"]["code"]) == (5, -32601)
        assert browser.protocol.state.name == "OPEN"
