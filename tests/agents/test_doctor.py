"""`clawgroups doctor`: each thing that is wrong is found, and what to do is said; what is right is left alone."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
import time
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path

import pytest

from agents.connector import checks, doctor, record
from agents.connector.cli import main
from agents.connector.keys import KeyFile
from agents.connector.remembered import Entry, Remembered
from tests.agents import strangers
from tests.agents.strangers import KEY, WholeServer
from tests.agents.test_bad_input import home
from tests.agents.test_cli import AGENT

__all__ = ["home"]
OURS = '{"items": []}'


@pytest.fixture
async def server() -> AsyncIterator[WholeServer]:
    async with WholeServer() as running:
        yield running


async def examined(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, str]]:
    """The exit code, and what was said of each thing."""
    code = await asyncio.to_thread(main, ["doctor", *arguments])
    lines = capfd.readouterr().out.splitlines()
    return code, {what: f"{word.strip()} {said}" for word, what, said in (_parts(line) for line in lines)}


def _parts(line: str) -> tuple[str, str, str]:
    what, _, said = line[7:].partition(": ")
    return line[:5], what, said


async def test_all_is_well_and_nobodys_connection_is_disturbed(
    server: WholeServer, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    KeyFile().remember(f"ws://127.0.0.1:{server.port}/acp/connect", "scribe", KEY)
    code, said = await examined(capfd, server.url, "--name", "scribe", "--", *AGENT)
    assert code == 0
    steps = ["Python", "keys", "work folder", "name", "port", "server", "clock", "key of scribe", "socket", "agent"]
    assert list(said) == steps
    assert {line.split()[0] for line in said.values()} == {"ok"}
    assert said["key of scribe"] == "ok the server takes it"
    assert said["agent"] == f"ok {shlex.join(AGENT)} starts and answers"
    # The socket was tried with no agent's key: the agent's own connection would have been replaced by it.
    assert [told["Authorization"] for told in server.upgrades] == ["Bearer cg_doctor"]
    assert not (home / "state" / "clawgroups" / "work").exists()


async def test_the_servers_connected_to_before_are_looked_at(
    server: WholeServer, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert (await examined(capfd))[1][
        "server"
    ] == "note none is known here yet; name one: clawgroups doctor https://host"
    console = type("Quiet", (), {"say": lambda *_: None, "noise": lambda *_: None, "write": lambda *_: None})()
    record.keep(server.url, "cg_x", console, name="", program="a", root=home).ended(0)
    server.refuse = ("It is not valid.", 4401)
    code, said = await examined(capfd)
    assert code == 0
    assert said["key"] == "note none is remembered for this server: copy a line from the agent's page"
    assert said["socket"] == "ok WebSockets pass"


async def test_every_agent_that_was_connected_before_is_looked_at(
    server: WholeServer, home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    address = f"ws://127.0.0.1:{server.port}/acp/connect"
    for name, key in (("good", KEY), ("void", "cg_void")):
        KeyFile().remember(address, name, key)
    for entry in (
        Entry(server.url, "good", command=("sh", "-c", "x")),
        Entry(server.url, "void", command=("no-such-agent",)),
        Entry(address, "third", "kimi"),
    ):
        Remembered().remember(entry)
    code, said = await examined(capfd)
    assert code == 1
    assert [said["key of good"], said["key of void"]] == [
        "ok the server takes it", "WRONG it is wrong, expired or revoked: make a new line or key on the agent's page",
    ]  # fmt: skip
    assert said["agent good"] == "ok sh -c x"
    assert said["agent void"].startswith("WRONG there is no program no-such-agent on this machine")
    assert said["agent third"].startswith("WRONG Kimi Code is not installed on this machine; install it with: ")


async def test_a_void_key_and_sockets_that_do_not_pass_are_found(
    server: WholeServer, capfd: pytest.CaptureFixture[str]
) -> None:
    KeyFile().remember(f"ws://127.0.0.1:{server.port}/acp/connect", "", "cg_void")
    server.status = 502
    code, said = await examined(capfd, server.url)
    assert code == 1
    assert said["key"] == "WRONG it is wrong, expired or revoked: make a new line or key on the agent's page"
    assert said["socket"] == (
        "WRONG the server answered 502; if the rest is fine, a proxy in between does not pass WebSockets on"
    )


async def test_the_way_is_followed_to_its_first_fault(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert (await examined(capfd, "ftp://host"))[1]["address"] == "WRONG ftp://host is not an address like https://host"
    with strangers.closed_port() as port:
        code, said = await examined(capfd, f"http://127.0.0.1:{port}")
        assert (code, said["name"]) == (1, "ok 127.0.0.1 is 127.0.0.1")
        assert said["port"].startswith(f"WRONG nothing listens at 127.0.0.1:{port}: check that the server runs")
        assert "server" not in said
    own = strangers.identity(home, "127.0.0.1", days=5)
    with strangers.web(200, OURS, {"Date": formatdate(time.time() - 600)}, tls=own.tls) as url:
        code, said = await examined(capfd, url)
        assert code == 1
        assert said["certificate"].startswith("WRONG the certificate of 127.0.0.1 is not trusted here (self-signed")
        assert "server" not in said
        code, said = await examined(capfd, url, "--ca", str(own.file))
        assert said["certificate"].startswith("note good until ")
        assert said["server"] == f"ok {url} is a Claw Groups server"
        assert said["clock"] == "WRONG 10 minutes ahead of the server: set this machine's clock"
    with strangers.web(200, "<h1>Welcome</h1>") as url:
        assert (await examined(capfd, url))[1]["server"] == (
            "WRONG it answers, but not as a Claw Groups server: check that this is the address of a Claw Groups server"
        )


async def test_behind_a_proxy_it_is_the_proxy_that_is_looked_for(
    server: WholeServer, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with strangers.closed_port() as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@127.0.0.1:{port}")
        code, said = await examined(capfd, "http://claw.test")
    assert code == 1
    assert said["proxy"] == f"ok http://127.0.0.1:{port} is used for http://claw.test"
    assert said["port"] == (
        f"WRONG nothing listens at 127.0.0.1:{port}: check that the server runs and that the port is right "
        "(the proxy of claw.test; see HTTPS_PROXY and NO_PROXY)"
    )
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:1")
    assert (await examined(capfd, "http://claw.test"))[1]["proxy"].startswith(
        "WRONG the proxy socks5://127.0.0.1:1 cannot"
    )


async def test_what_is_wrong_on_this_machine_is_found(
    home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    KeyFile().remember("ws://host/acp/connect", "", "cg_x")
    path = home / "config" / "clawgroups" / "keys.json"
    path.chmod(0o644)
    (home / "file").write_text("")
    code, said = await examined(capfd, "--dir", str(home / "file"))
    assert code == 1
    assert said["keys"] == f"WRONG {path} can be read by others: chmod 600 {path}"
    assert said["work folder"] == (
        f"WRONG no file can be made in {home / 'file'} (Not a directory): "
        "choose another with --dir, or make it writable"
    )
    monkeypatch.setattr(checks, "_SPACE", 1024**6)
    assert (await examined(capfd))[1]["disk space"].startswith("WRONG ")
    if os.geteuid() != 0:  # Root may write anywhere.
        (home / "shut").mkdir(mode=0o500)
        assert "Permission denied" in (await examined(capfd, "--dir", str(home / "shut" / "work")))[1]["work folder"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "import sys; sys.exit('no model is configured')",
            "ends with code 1 before it answers (no model is configured)",
        ),
        ("print('Hello.')", "ends with code 0 before it answers (Hello.): start it by hand to see why"),
        ("input(); print('Welcome!')", "ends with code 0 before it answers (Welcome!): start it by hand to see why"),
        ("input(); print('Type your question:', flush=True); input()", 'writes "Type your question:", which is no ACP'),
        ("input(); input()", "has not answered within 1 s: check that it speaks ACP"),
    ],
)
async def test_an_agent_that_cannot_be_worked_with_is_found(
    code: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "PATIENCE", 1.0)
    monkeypatch.setattr(doctor, "_GRACE", 0.2)
    finding = await doctor.agent([sys.executable, "-c", code])
    assert finding.ok is False
    assert words in finding.said


async def test_an_agent_that_is_not_there_is_found(home: Path) -> None:
    assert (await doctor.agent(["no-such-agent"])).said.startswith("there is no program no-such-agent")
    broken = home / "agent"
    broken.write_text("not a program")
    broken.chmod(0o755)
    assert (await doctor.agent([str(broken)])).said == (
        f"{broken} cannot be started (Exec format error): start it by hand once"
    )
