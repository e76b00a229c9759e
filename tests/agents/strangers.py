"""What a wrong address leads to, on loopback: other servers, other protocols, certificates nobody trusts, proxies."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agents.connector.checks import PROBE
from tests.agents.support import FakeServer

KEY = "cg_good"


class WholeServer(FakeServer):
    """The fake server, with the one page of the API by which a key can be tried."""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def _request(self, connection: Any, request: Any) -> Any:
        if request.path != PROBE:
            return super()._request(connection, request)
        if request.headers.get("Authorization") == f"Bearer {KEY}":
            return connection.respond(HTTPStatus.OK, '{"items": [], "next": null}')
        return connection.respond(HTTPStatus.UNAUTHORIZED, '{"code": "unauthenticated"}')


@contextlib.contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    """Serve from a thread for as long as the block lasts."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Who breaks off in the middle is what is being tried."""


@contextlib.contextmanager
def web(
    status: int, body: str = "", headers: dict[str, str] | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """A web server that always answers so; its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            self.send_response_only(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            return None

    server = _Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with serving(server):
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}"


@contextlib.contextmanager
def saying(words: bytes) -> Iterator[int]:
    """Something that is no web server and says this to whoever comes; its port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(words)
            self.request.recv(65536)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with serving(server):
        yield server.server_address[1]


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port that nobody listens at, and nobody takes meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@dataclass(frozen=True)
class Identity:
    """A certificate that signed itself: its file, and what a server shows it with."""

    file: Path
    tls: ssl.SSLContext


def identity(folder: Path, *names: str, days: int = 90) -> Identity:
    """Made for these names and addresses, valid for so many days from now; negative: no longer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Nobody in particular")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=100))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([_named(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_SIGNS, critical=True)
        .sign(key, hashes.SHA256())
    )
    file, private = folder / "certificate.pem", folder / "private.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(file, private)
    return Identity(file, tls)


_SIGNS = x509.KeyUsage(
    digital_signature=True, key_cert_sign=True, crl_sign=False, content_commitment=False, key_encipherment=False,
    data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
)  # fmt: skip


def _named(name: str) -> x509.GeneralName:
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(name))
    return x509.DNSName(name)


@dataclass
class Proxy:
    """A proxy that leads each name to a port of this machine, whoever asks; `refuses` is what it answers instead."""

    url: str
    places: dict[str, int]
    refuses: int | None = None
    asked: list[str] = field(default_factory=list)


@contextlib.contextmanager
def proxy(**places: int) -> Iterator[Proxy]:
    """A proxy for CONNECT; `claw_test=80` leads claw.test to port 80."""
    known = Proxy("", {name.replace("_", "."): port for name, port in places.items()})

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            request = self.rfile.readline().decode().split()
            while self.rfile.readline().strip():
                continue
            known.asked.append(" ".join(request[:2]))
            host = request[1].partition(":")[0]
            if known.refuses is not None:
                self.wfile.write(f"HTTP/1.1 {known.refuses} No\r\nContent-Length: 0\r\n\r\n".encode())
                return
            with socket.create_connection(("127.0.0.1", known.places[host])) as there:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=_pour, args=(there, self.connection), daemon=True)
                back.start()
                _pour(self.connection, there)
                back.join()

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    known.url = f"http://127.0.0.1:{server.server_address[1]}"
    with serving(server):
        yield known


def _pour(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
