"""`status` and `logs`: what a connector leaves behind is true while it runs, once it has ended, and after a kill."""

from __future__ import annotations

import asyncio
import signal
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from agents.connector import log, record
from agents.connector.cli import main
from agents.connector.console import Console
from agents.connector.exits import Wrong
from agents.connector.log import Log
from agents.connector.logs import choose
from agents.connector.record import Standing
from tests.agents.support import PATIENCE, FakeServer
from tests.agents.test_cli import AGENT, connector, prompted
from tests.stories.waiting import until


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as running:
        yield running


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders of the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("CLAWGROUPS_CLOCK_SCALE", "0.05")
    monkeypatch.delenv("CLAWGROUPS_KEY", raising=False)
    return tmp_path


def asked(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(list(arguments))
    shown = capfd.readouterr()
    return code, shown.out + shown.err


async def shows(capfd: pytest.CaptureFixture[str], words: str) -> tuple[int, str]:
    """What `status` says, once it says this."""
    found: list[tuple[int, str]] = []

    def look() -> bool:
        found.append(asked(capfd, "status"))
        return words in found[-1][1]

    await asyncio.to_thread(until, look, seconds=PATIENCE, what=words)
    return found[-1]


async def test_the_status_follows_a_connector_from_its_start_to_its_end(
    server: FakeServer, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert asked(capfd, "status") == (1, "No agent has been connected from this machine yet.\n")
    host = server.url.removeprefix("http://")
    async with connector("connect", server.url, "--key", "cg_private", "--", *AGENT) as program:
        await server.until(lambda: server.connection)
        code, line = await shows(capfd, ": connected to")
        assert code == 0
        assert line.startswith(f"Scribe: connected to {host} since ")
        assert line.endswith(f" (process {program.process.pid}, python)\n")
        server.status = 503
        assert server.connection is not None
        server.connection.transport.abort()
        code, line = await shows(capfd, "answered 503")
        assert code == 1
        assert line.startswith(f"Scribe: not connected to {host}: the server answered 503 (process ")
        server.status, server.refuse = None, ("The key is not known.", 4401)
        assert (await program.end())[0] == 3
    code, line = asked(capfd, "status")
    assert code == 1
    assert line.startswith("Scribe: ended ")
    assert line.endswith(
        " with code 3: the server refused the key: The key is not known. Make a new line or key on the agent's page.\n"
    )
    folder = home / "state" / "clawgroups" / "connectors"
    files = [path for path in folder.iterdir() if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".lock", ".log"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not any("cg_private" in path.read_text() for path in files)


async def test_a_killed_connector_is_seen_through_whatever_has_its_number_now(
    server: FakeServer, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with connector("connect", server.url, "--name", "w", "--key", "cg_x", "--", *AGENT) as program:
        await server.until(lambda: server.connection)
        await shows(capfd, ": connected to")
        program.process.send_signal(signal.SIGKILL)
        await program.end()
    code, line = asked(capfd, "status")
    assert (code, line.partition(": ")[2].partition("; ")[0]) == (
        1, "gone without a word: its process was killed, or this machine went down",
    )  # fmt: skip
    (standing,) = record.known()
    assert standing.connected is not None
    # The next one of the same agent is not held up by what the last one left.
    async with connector("connect", server.url, "--name", "w", "--key", "cg_x", "--", *AGENT) as program:
        await server.until(lambda: len(server.upgrades) == 2)
        assert (await shows(capfd, ": connected to"))[0] == 0
        program.process.terminate()
        await program.end()
    assert asked(capfd, "status")[1].startswith("w: ended ")


async def test_the_log_has_what_both_have_said_and_goes_on_with_f(
    server: FakeServer, capfd: pytest.CaptureFixture[str]
) -> None:
    code, said = asked(capfd, "logs")
    assert (code, said) == (2, "clawgroups: no agent has been connected from this machine yet\n")
    async with connector("connect", server.url, "--key", "cg_x", "--", *AGENT) as program:
        await prompted(server, "stderr 20")
        await server.until(lambda: server.answers("p"))
        async with connector("logs", "Scribe", "--follow") as following:
            assert following.process.stdout is not None
            async with asyncio.timeout(PATIENCE):
                first = await following.process.stdout.readline()
            assert b" clawgroups: connected as Scribe (agent on " in first
            block = {"type": "text", "text": "noise"}
            await server.send({"id": "q", "method": "session/prompt", "params": {"sessionId": "s1", "prompt": [block]}})
            async with asyncio.timeout(PATIENCE):
                while b"loading..." not in await following.process.stdout.readline():
                    continue
            following.process.send_signal(signal.SIGINT)
            assert (await following.end())[0] == 128 + signal.SIGINT
        program.process.terminate()
        await program.end()
    code, said = asked(capfd, "logs", "Scribe")
    assert code == 0
    assert "e" * 20 in said
    assert asked(capfd, "logs", "-n", "1")[1].count("\n") == 1
    assert asked(capfd, "logs", "Nobody") == (
        2, "clawgroups: no connector here is called Nobody; there are: Scribe\n",
    )  # fmt: skip


def test_a_log_is_bounded_private_and_followed_through_its_change_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_POLL", 0)
    path = tmp_path / "x.log"
    stream = Log(path, largest=1000)
    added = log.follow(path)
    seen = b""
    for number in range(60):
        stream.write(b"half of ")
        stream.write(b"line %d\n" % number)
        seen += next(added)
    lines = seen.splitlines()
    assert [line.rpartition(b" ")[2] for line in lines] == [b"%d" % number for number in range(60)]
    assert all(line[4:5] == b"-" and b" half of line " in line for line in lines)
    files = list(tmp_path.iterdir())
    assert sorted(file.name for file in files) == ["x.log", "x.log.1"]
    assert all(file.stat().st_size < 1100 and stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert log.tail(path, 3) == [line + b"\n" for line in lines[-3:]]


class Heard:
    """A console that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def noise(self, line: bytes) -> None:
        self.said.append(line.decode())

    def write(self, data: bytes) -> None:
        self.said.append(data.decode())


def test_an_agent_works_on_where_nothing_can_be_noted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "file"))
    heard = Heard()
    keeper = record.keep("https://claw.test", "cg_x", heard, name="", program="a", root=home)
    keeper.connected("Scribe")
    keeper.write(b"words")
    keeper.ended(0)
    assert heard.said[0].startswith("`clawgroups status` and `clawgroups logs` will not show this one: ")
    assert heard.said[1:] == ["words"]


def test_only_the_newest_of_those_that_ended_are_remembered(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "KEPT", 2)
    running = record.keep("https://claw.test", "cg_running", Heard(), name="running", program="a", root=home)
    for number in range(4):
        keeper = record.keep("https://claw.test", f"cg_{number}", Heard(), name=f"n{number}", program="a", root=home)
        keeper.say("over")
        keeper.ended(0)
    assert [one.name for one in record.known()] == ["running", "n2", "n3"]
    assert len(list((home / "state" / "clawgroups" / "connectors").glob("*.log"))) == 2
    running.ended(0)


@pytest.fixture
def three(home: Path) -> list[Standing]:
    one = Standing("id1", "https://a.test", "scribe", "kimi", "/", 1, 1.0)
    return [one, replace(one, id="id2", since=2.0), replace(one, id="id3", name="painter", url="https://b.test")]


def test_a_log_is_found_by_any_name_that_is_clear(three: list[Standing]) -> None:
    scribes, painter = three[:2], three[2]
    assert choose([painter], "") == painter
    assert choose(three, "painter") == choose(three, "b.test") == choose(three, "id3") == painter
    # The same agent with another key than before: the newer one is meant.
    assert choose(three, "scribe") == scribes[1]
    with pytest.raises(Wrong, match="say whose log you want: scribe, painter"):
        choose(three, "")
    with pytest.raises(Wrong, match="say whose log you want"):
        choose(three, "kimi")


def test_a_console_takes_a_log_for_its_stream(tmp_path: Path) -> None:
    console = Console(Log(tmp_path / "x.log"))
    console.say("hello")
    console.close()
    assert (tmp_path / "x.log").read_text().endswith(" clawgroups: hello\n")
