"""Everything a person can get wrong, each answered by one plain sentence, an exit code, and nothing half done."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agents.connector import checks, exits, route
from agents.connector.bridge import Bridge, Settings
from agents.connector.child import Child
from agents.connector.cli import main
from agents.connector.exits import Wrong
from agents.connector.files import Store
from tests.agents import strangers
from tests.agents.strangers import WholeServer
from tests.agents.support import PATIENCE, SCALE
from tests.agents.test_cli import AGENT, connector, prompted

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, no proxy, and trust as at the start of a program."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("CLAWGROUPS_CLOCK_SCALE", "0.05")
    for name in ("CLAWGROUPS_KEY", "SSL_CERT_FILE", *PROXIES, *map(str.lower, PROXIES)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(route, "_context", None)
    return tmp_path


@pytest.fixture
async def server() -> AsyncIterator[WholeServer]:
    async with WholeServer() as running:
        yield running


def attempt(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """`connect` with a key and an agent that must never be started; its exit code and its one sentence."""
    code = main(["connect", *arguments, "--key", "cg_x", "--", *AGENT])
    said = capfd.readouterr().err
    assert said.count("\n") == 1, said
    return code, said.removeprefix("clawgroups: ").rstrip("\n")


def nothing_kept(home: Path) -> bool:
    return not (home / "config" / "clawgroups").exists() and not (home / "state" / "clawgroups" / "work").exists()


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (404, {}, "the server answered 404: check that this is the address of a Claw Groups server"),
        (200, {}, "the server answered 200: check that this is the address of a Claw Groups server"),
        (
            308,
            {"Location": "https://new.example/acp/connect"},
            "the server has moved; connect to the address it names instead: https://new.example/acp/connect",
        ),
    ],
)
def test_another_web_server_is_told_from_ours(
    status: int, headers: dict[str, str], words: str, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with strangers.web(status, "<h1>Welcome</h1>", headers) as url:
        assert attempt(capfd, url) == (exits.UNREACHABLE, words)
    assert nothing_kept(home)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_the_address_of_a_page_is_not_taken_for_a_wrong_key(
    status: int, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with strangers.web(status, "<h1>Welcome</h1>") as url:
        words = f"the server answered {status} at {url}/agents: check that this is the address of a Claw Groups server"
        assert attempt(capfd, f"{url}/agents/") == (exits.UNREACHABLE, f"{words}, maybe {url}")
    assert nothing_kept(home)


def test_a_port_that_speaks_something_else_is_told(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with strangers.saying(b"SSH-2.0-OpenSSH_9.9\r\n") as port:
        words = f"127.0.0.1:{port} answers, but not as a Claw Groups server: check the address and its port"
        assert attempt(capfd, f"http://127.0.0.1:{port}") == (exits.UNREACHABLE, words)
        words = f"127.0.0.1:{port} does not speak https: check the port, or write http:// for one of your own"
        assert attempt(capfd, f"https://127.0.0.1:{port}") == (exits.UNREACHABLE, words)
    assert nothing_kept(home)


def test_a_certificate_nobody_trusts_is_named_with_its_cure(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    own = strangers.identity(home, "127.0.0.1")
    words = (
        "the certificate of 127.0.0.1 is not trusted here (self-signed certificate): "
        "if you know whose it is, save its authority as a file and add --ca FILE"
    )
    found = "the server answered 404: check that this is the address of a Claw Groups server"
    with strangers.web(404, tls=own.tls) as url:
        assert attempt(capfd, url) == (exits.UNREACHABLE, words)
        assert attempt(capfd, url, "--ca", str(own.file)) == (exits.UNREACHABLE, found)
    assert nothing_kept(home)


def test_the_usual_variable_for_authorities_is_honoured(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    own = strangers.identity(home, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(own.file))
    with strangers.web(404, tls=own.tls) as url:
        assert "answered 404" in attempt(capfd, url)[1]
    monkeypatch.setenv("SSL_CERT_FILE", str(home / "gone.pem"))
    code, words = attempt(capfd, "https://127.0.0.1")
    assert (code, words) == (
        2,
        f"SSL_CERT_FILE names {home / 'gone.pem'}, which cannot be read; correct it or unset it",
    )


@pytest.mark.parametrize(
    ("name", "days", "words"),
    [
        ("other.example", 90, "is for another name: use the name that the server's owner gave you"),
        ("127.0.0.1", -1, "has expired: whoever runs the server must renew it, unless this machine's clock is wrong"),
    ],
)
def test_a_trusted_certificate_may_still_be_the_wrong_one(
    name: str, days: int, words: str, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own = strangers.identity(home, name, days=days)
    with strangers.web(404, tls=own.tls) as url:
        said = f"the certificate of 127.0.0.1 {words}"
        assert attempt(capfd, url, "--ca", str(own.file)) == (exits.UNREACHABLE, said)


def test_a_file_of_authorities_must_be_one(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (home / "empty.pem").write_text("nothing")
    code, words = attempt(capfd, "https://127.0.0.1", "--ca", str(home / "empty.pem"))
    assert (code, words) == (
        2, f"there is no certificate in {home / 'empty.pem'}; it takes a file with BEGIN CERTIFICATE",
    )  # fmt: skip
    code, words = attempt(capfd, "https://127.0.0.1", "--ca", str(home / "gone.pem"))
    assert (code, words) == (2, f"the certificates in {home / 'gone.pem'} cannot be read: No such file or directory")


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        (
            "socks5://name:secret@127.0.0.1:1080",
            "the proxy socks5://127.0.0.1:1080 cannot be used: only http://host:port",
        ),
        ("http://", "the proxy http:// cannot be used"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_told_without_its_password(
    proxy: str, words: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    code, said = attempt(capfd, "https://claw.test")
    assert code == 2
    assert said.startswith(words)
    assert said.endswith("or NO_PROXY to claw.test")


async def first_words(url: str, root: Path) -> str:
    """What a connector says first of an address where nobody answers; it would go on trying."""
    said: list[str] = []

    async def start() -> Child:
        raise AssertionError("no agent is started without a server")

    def say(text: str) -> None:
        said.append(text)
        bridge.stop()

    bridge = Bridge(Settings(url, "cg_x", root, scale=SCALE), start, say=say)
    async with asyncio.timeout(PATIENCE):
        assert await bridge.run() == 0
    return said[0]


async def test_a_closed_port_is_told_and_tried_again(home: Path) -> None:
    with strangers.closed_port() as port:
        words = await first_words(f"http://127.0.0.1:{port}", home)
    assert words == (
        f"nothing listens at 127.0.0.1:{port}: check that the server runs and that the port is right, "
        "trying again in 0 s"
    )


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "there is no machine named claw.test: check the address, and that this machine is online",
        ),
        (
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure"),
            "the name claw.test cannot be looked up now: check that this machine is online",
        ),
        (
            OSError(errno.ENETUNREACH, "Network is unreachable"),
            "there is no way to claw.test: check that this machine is online",
        ),
        (
            TimeoutError(),
            "claw.test:443 does not answer: check the address, and that no firewall is in between",
        ),
    ],
)
async def test_a_network_that_does_not_lead_there_is_told_and_tried_again(
    problem: OSError, words: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    assert await first_words("https://claw.test", home) == f"{words}, trying again in 0 s"


async def test_the_socket_goes_by_the_proxy_and_past_it_where_told(
    server: WholeServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with strangers.proxy(claw_test=server.port) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//me:secret@"))
        async with connector("connect", "http://claw.test", "--key", "cg_x", "--", *AGENT) as program:
            await prompted(server, "environment")
            await server.until(lambda: server.answers("p"))
            program.process.terminate()
            _, said = await program.end()
        assert proxy.asked == ["CONNECT claw.test:80"]
        assert "connected as Scribe" in said
        proxy.refuses = 407
        words = await first_words("http://claw.test", home)
        assert words.startswith(
            f"the proxy {proxy.url} answered 407: put name and password into HTTPS_PROXY, or set NO_PROXY to claw.test"
        )
        monkeypatch.setenv("NO_PROXY", "claw.test")
        assert route.proxy("ws://claw.test/acp/connect") is None
        assert route.proxy("wss://other.test") is None
        # A server on this machine is never looked for by a proxy.
        assert route.proxy(server.url) is None


def test_files_take_the_same_way_as_the_socket(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = strangers.identity(home, "claw.test")
    listing = '{"files": [{"name": "a.csv", "sha256": "0", "url": "/a.csv"}]}'
    with strangers.web(200, listing, tls=own.tls) as url:
        port = int(url.rpartition(":")[2])
        with strangers.proxy(claw_test=port) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            route.trust(own.file)
            store = Store("https://claw.test/files", "session-key")
            assert [one.url for one in store.list()] == ["https://claw.test/a.csv"]
            assert proxy.asked == ["CONNECT claw.test:443"]
            proxy.refuses = 407
            with pytest.raises(Wrong, match="answered 407: put name and password into HTTPS_PROXY") as refused:
                checks.take_key("https://claw.test", "cg_x")
            assert refused.value.code == exits.UNREACHABLE
            proxy.refuses = None
            route.trust(None)
            with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
                store.list()


def test_a_program_that_is_not_there_or_may_not_be_run_is_told(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = home / "my agent"
    script.write_text("#!/bin/sh\n")
    said = {}
    for name in ("no-such-agent", "/nowhere/agent", str(script)):
        assert main(["connect", "https://127.0.0.1", "--key", "cg_x", "--", name, "acp"]) == 127
        said[name] = capfd.readouterr().err.removeprefix("clawgroups: ").rstrip("\n")
    assert said == {
        "no-such-agent": "there is no program no-such-agent on this machine: install it, or write its whole path",
        "/nowhere/agent": "there is no program /nowhere/agent on this machine: check the path",
        str(script): f"{script} may not be run: make it executable (chmod +x '{script}'), "
        "or write the program that runs it before it, such as python3",
    }
    assert nothing_kept(home)


def test_a_program_that_cannot_even_be_looked_at_is_told(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["connect", "https://127.0.0.1", "--key", "cg_x", "--", f"/{'x' * 300}"]) == 127
    assert "check the path" in capfd.readouterr().err

    def shut(_: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "is_file", shut)
    assert main(["connect", "https://127.0.0.1", "--key", "cg_x", "--", "/shut/agent"]) == 127
    assert capfd.readouterr().err.startswith("clawgroups: /shut/agent may not be run")


async def test_an_agent_that_dies_at_start_or_prints_junk_leaves_its_words(server: WholeServer) -> None:
    dies = "import sys; print('Welcome!'); sys.exit('no model is configured')"
    async with connector("connect", server.url, "--key", "cg_x", "--", sys.executable, "-c", dies) as program:
        code, said = await program.end()
    assert code == 1
    assert "Welcome!\n" in said
    assert "no model is configured\n" in said
    assert "the agent ended with code 1" in said
    assert "Traceback" not in said


async def test_a_second_connector_for_one_agent_is_not_started(server: WholeServer) -> None:
    words = "this agent is connected from this machine already by process "
    async with connector("connect", server.url, "--key", "cg_x", "--", *AGENT) as first:
        await server.until(lambda: server.connection)
        async with connector("connect", server.url, "--name", "b", "--key", "cg_x", "--", *AGENT) as second:
            code, said = await second.end()
        assert code == exits.BUSY
        assert said == (
            f"clawgroups: {words}{first.process.pid}; end that one first "
            "(`clawgroups status` shows it, `clawgroups service remove` ends a service)\n"
        )
        # Another agent of the same server is another matter, and the first goes on.
        async with connector("connect", server.url, "--name", "c", "--key", "cg_other", "--", *AGENT) as third:
            await server.until(lambda: len(server.upgrades) == 2)
            third.process.terminate()
            await third.end()
        assert first.process.returncode is None


def test_a_proxy_may_be_given_without_its_scheme_or_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "me@proxy.example:3128/")
    assert route.proxy("wss://claw.test/acp/connect") == "http://me:@proxy.example:3128"
    monkeypatch.setenv("HTTPS_PROXY", "https://proxy.example")
    with pytest.raises(Wrong, match="only http://host:port can"):
        route.proxy("wss://claw.test/acp/connect")
