"""The line that the agents of `tests/chaos` are behind does to it what it says."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.chaos.faults import FaultProxy

PATIENCE = 10.0


@pytest.fixture
def echo() -> Iterator[str]:
    """A server that says everything back; its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer(peer: socket.socket) -> None:
            with peer:
                try:
                    while said := peer.recv(65536):
                        peer.sendall(said)
                except OSError:
                    return

        def serve() -> None:
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(peer,), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE)


@pytest.fixture
def proxy(echo: str) -> Iterator[FaultProxy]:
    with FaultProxy(echo) as line:
        yield line


def called(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(proxy.url.rpartition(":")[2])), timeout=PATIENCE)


def heard(peer: socket.socket, size: int) -> bytes:
    said = b""
    while len(said) < size and (piece := peer.recv(65536)):
        said += piece
    return said


def dead(peer: socket.socket) -> bool:
    """Whether the other end has gone, with or without a word."""
    try:
        return peer.recv(1) == b""
    except ConnectionError:
        return True


def test_a_healthy_line_carries_everything_both_ways_and_its_end(proxy: FaultProxy) -> None:
    with called(proxy) as peer:
        peer.sendall(b"word" * 50_000)
        assert heard(peer, 200_000) == b"word" * 50_000
        peer.shutdown(socket.SHUT_WR)
        assert peer.recv(1) == b""


def test_a_cut_line_is_told_at_once_and_lets_nobody_in_until_it_is_healed(proxy: FaultProxy) -> None:
    with called(proxy) as peer:
        peer.sendall(b"one")
        assert heard(peer, 3) == b"one"
        proxy.cut()
        assert dead(peer)
    with called(proxy) as late:
        assert dead(late)
    proxy.heal()
    with called(proxy) as again:
        again.sendall(b"two")
        assert heard(again, 3) == b"two"


def test_a_pulled_cable_is_told_to_nobody_and_what_was_said_meanwhile_comes_after(proxy: FaultProxy) -> None:
    with called(proxy) as peer:
        peer.sendall(b"one")
        assert heard(peer, 3) == b"one"
        proxy.pull()
        peer.sendall(b"two")
        peer.settimeout(0.3)
        with pytest.raises(TimeoutError):
            peer.recv(1)
        proxy.heal()
        peer.settimeout(PATIENCE)
        assert heard(peer, 3) == b"two"


def test_a_slow_or_thin_line_takes_its_time(proxy: FaultProxy) -> None:
    with called(proxy) as peer:
        proxy.delay = 0.2
        began = time.monotonic()
        peer.sendall(b"one")
        assert heard(peer, 3) == b"one"
        assert time.monotonic() - began >= 0.4
        proxy.delay, proxy.rate = 0.0, 10_000
        began = time.monotonic()
        peer.sendall(b"x" * 5_000)
        heard(peer, 5_000)
        assert time.monotonic() - began >= 0.5
