"""The command as a person runs it: real processes, real exit codes, nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.connector.child import MAX_LINE, ProcessChild
from agents.connector.cli import main
from agents.connector.keys import KeyFile
from agents.connector.remembered import Remembered
from agents.connector.spool import whole
from agents.protocol import version
from tests.agents.support import PATIENCE, FakeServer
from tests.stories.waiting import until

ROOT = Path(__file__).resolve().parents[2]
AGENT = [sys.executable, str(Path(__file__).with_name("fake_agent.py"))]


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as running:
        yield running


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A settings folder of the test's own, and no key in the environment."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("CLAWGROUPS_CLOCK_SCALE", "0.05")
    monkeypatch.delenv("CLAWGROUPS_KEY", raising=False)
    return tmp_path


@dataclass
class Program:
    """The connector as a process of its own."""

    process: asyncio.subprocess.Process

    async def end(self) -> tuple[int, str]:
        async with asyncio.timeout(PATIENCE):
            _, err = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, err.decode()


@contextlib.asynccontextmanager
async def connector(*arguments: str, **environment: str) -> AsyncIterator[Program]:
    """`python -m agents.connector ...`, killed at the end if it is still there."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "agents.connector",
        *arguments,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def prompted(server: FakeServer, text: str) -> None:
    await server.until(lambda: server.connection)
    block = {"type": "text", "text": text}
    await server.send({"id": "p", "method": "session/prompt", "params": {"sessionId": "s1", "prompt": [block]}})


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped by whoever inherited it does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


async def buried(*pids: int) -> None:
    """These processes were killed: a busy machine may take a moment until they are gone."""
    await asyncio.to_thread(until, lambda: not any(map(alive, pids)), seconds=PATIENCE, what="the end of the children")


async def test_an_agent_joins_by_the_copied_command(server: FakeServer) -> None:
    async with connector("connect", server.url, "--", *AGENT, CLAWGROUPS_KEY="cg_secret") as program:
        await prompted(server, "environment")
        await server.until(lambda: server.answers("p"))
        assert server.upgrades[0]["Authorization"] == "Bearer cg_secret"
        assert server.frames[0]["params"]["update"]["content"]["text"] == "[]"
        program.process.send_signal(signal.SIGTERM)
        code, said = await program.end()
        assert code == 128 + signal.SIGTERM
        assert "connected as Scribe (agent on" in said
        assert "Traceback" not in said


async def test_a_refused_key_ends_the_program_with_3(server: FakeServer) -> None:
    server.refuse = ("The key is not known.", 4401)
    async with connector("connect", server.url, "--key", "cg_bad", "--", *AGENT) as program:
        code, said = await program.end()
    assert code == 3
    assert said == (
        "clawgroups: the server refused the key: The key is not known. Make a new line or key on the agent's page.\n"
    )
    assert KeyFile().find(server.url) is None


async def test_a_retired_agent_leaves_no_key_behind_and_says_what_is_left(server: FakeServer, home: Path) -> None:
    keys = KeyFile()
    keys.remember(server.url, "another", "cg_other")
    async with connector("connect", server.url, "--name", "scribe", "--key", "cg_x", "--", *AGENT) as program:
        await server.until(lambda: server.connection and keys.find(server.url, "scribe"))
        assert [one.name for one in Remembered().all()] == ["scribe"]
        told = {"code": version.RETIRED, "message": "The agent was retired."}
        await server.send({"method": version.REFUSED, "params": told})
        code, said = await program.end()
    assert code == 3
    assert said.endswith(
        "the server refused the key: The agent was retired. Its key is no longer kept here; "
        f"what it worked on is left in {home / 'state' / 'clawgroups' / 'work'}.\n"
    )
    assert (keys.find(server.url, "scribe"), Remembered().all()) == (None, [])
    assert keys.find(server.url, "another") == "cg_other"


async def test_a_replaced_connection_ends_the_program_with_4(server: FakeServer) -> None:
    async with connector("connect", server.url, "--key", "cg_x", "--", *AGENT) as program:
        await prompted(server, "noise")
        await server.until(lambda: server.answers("p"))
        assert server.connection is not None
        await server.connection.close(4409)
        code, said = await program.end()
    assert code == 4
    assert "another connection with the same key" in said
    assert "loading..." in said


async def test_a_crash_of_the_agent_is_told_with_its_last_words(server: FakeServer) -> None:
    async with connector("connect", server.url, "--key", "cg_x", "--", *AGENT) as program:
        await prompted(server, "crash")
        code, said = await program.end()
    assert code == 9
    assert "out of ideas" in said
    assert server.extensions[0]["params"]["code"] == 9
    assert "out of ideas" in server.extensions[0]["params"]["stderr_tail"]


async def test_a_line_of_ten_mebibytes_and_a_talkative_stderr_pass(server: FakeServer) -> None:
    async with connector("connect", server.url, "--key", "cg_x", "--", *AGENT) as program:
        await prompted(server, "long 10485760")
        await server.until(lambda: server.answers("p"))
        assert len(server.frames[0]["params"]["update"]["content"]["text"]) == 10485760
        block = {"type": "text", "text": "stderr 1000000"}
        await server.send({"id": "q", "method": "session/prompt", "params": {"sessionId": "s1", "prompt": [block]}})
        await server.until(lambda: server.answers("q"))
        program.process.send_signal(signal.SIGINT)
        # Nobody has read the connector's own error stream meanwhile: that must not hold up the messages.
        code, _ = await program.end()
    assert code == 128 + signal.SIGINT


async def test_the_agents_own_children_end_with_it(server: FakeServer, tmp_path: Path) -> None:
    async with connector("connect", server.url, "--key", "cg_x", "--", *AGENT) as program:
        await prompted(server, f"offspring {tmp_path / 'pids'}")
        await server.until(lambda: server.answers("p"))
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        assert [alive(pid) for pid in pids] == [True, True]
        program.process.send_signal(signal.SIGTERM)
        await program.end()
        await buried(*pids)


async def test_closing_the_terminal_ends_the_agent_as_well_unless_it_was_told_to_stay(
    server: FakeServer, tmp_path: Path
) -> None:
    async with connector("connect", server.url, "--key", "cg_x", "--", *AGENT) as program:
        await prompted(server, f"offspring {tmp_path / 'pids'}")
        await server.until(lambda: server.answers("p"))
        program.process.send_signal(signal.SIGHUP)
        code, _ = await program.end()
        assert code == 128 + signal.SIGHUP
        await buried(*(int(pid) for pid in (tmp_path / "pids").read_text().split()))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        async with connector("connect", server.url, "--key", "cg_x", "--", *AGENT) as program:
            await server.until(lambda: len(server.upgrades) == 2)
            program.process.send_signal(signal.SIGHUP)
            await prompted(server, "environment")
            await server.until(lambda: server.answers("p"))
            program.process.terminate()
            assert (await program.end())[0] == 128 + signal.SIGTERM
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_an_agent_that_ends_and_leaves_children_behind_is_noticed(server: FakeServer, tmp_path: Path) -> None:
    async with connector("connect", server.url, "--key", "cg_x", "--", *AGENT) as program:
        await prompted(server, f"offspring {tmp_path / 'pids'}")
        await server.until(lambda: server.answers("p"))
        leader, offspring = (int(pid) for pid in (tmp_path / "pids").read_text().split())
        os.kill(leader, signal.SIGKILL)
        code, _ = await program.end()
        assert code == 128 + signal.SIGKILL
        await buried(offspring)


async def test_the_key_is_remembered_privately_after_it_worked(server: FakeServer, home: Path) -> None:
    async with connector("connect", server.url, "--name", "one", "--key", "cg_one", "--", *AGENT) as program:
        await server.until(lambda: server.connection)
        program.process.terminate()
        await program.end()
    path = home / "config" / "clawgroups" / "keys.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    async with connector("connect", server.url, "--name", "one", "--", *AGENT) as program:
        await server.until(lambda: len(server.upgrades) == 2)
        assert server.upgrades[1]["Authorization"] == "Bearer cg_one"
        program.process.terminate()
        await program.end()
    # Another name is another agent: its key is not guessed.
    async with connector("connect", server.url, "--name", "two", "--", *AGENT) as program:
        assert (await program.end())[0] == 2


def test_remembered_keys_survive_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text("{")
    keys = KeyFile(path)
    assert keys.find("wss://host/acp/connect") is None
    keys.remember("wss://host/acp/connect", "", "cg_a")
    keys.remember("wss://host/acp/connect", "b", "cg_b")
    assert (keys.find("wss://HOST/x"), keys.find("wss://host/x", "b")) == ("cg_a", "cg_b")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["connect", "https://host", "--key", "cg_x"], 2, "which agent to start"),
        (["connect", "https://host", "--key", "cg_x", "--"], 2, "which agent to start"),
        (["connect", "ftp://host", "--key", "cg_x", "--", sys.executable], 2, "not an address"),
        (["connect", "https://cg_x@host", "--", sys.executable], 2, "no key"),
        (["connect", "https://host", "--", sys.executable], 2, "no key given"),
        (["connect", "https://host", "--code", "abcd", "--", sys.executable], 2, "not a code"),
        (["connect", "https://host", "--key", "two words", "--", sys.executable], 2, "not a key"),
        (["connect", "https://host", "--key-file", "/nowhere/key", "--", sys.executable], 2, "cannot be read"),
        (["connect", "https://host", "--key", "cg_x", "--", "no-such-agent"], 127, "no program no-such-agent"),
    ],
)
def test_a_wrong_command_line_gets_one_clear_sentence(
    arguments: list[str], code: int, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    said = capfd.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_a_wrong_clock_is_refused(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CLAWGROUPS_CLOCK_SCALE", "fast")
    assert main(["connect", "https://host", "--key", "k", "--", sys.executable]) == 2
    assert "CLAWGROUPS_CLOCK_SCALE" in capfd.readouterr().err


async def test_an_agent_that_cannot_be_started_is_told(server: FakeServer, tmp_path: Path) -> None:
    broken = tmp_path / "agent"
    broken.write_text("not a program")
    broken.chmod(0o755)
    async with connector("connect", server.url, "--key", "cg_x", "--", str(broken)) as program:
        code, said = await program.end()
    assert code == 127
    assert "cannot be started" in said
    assert server.extensions[0]["params"]["code"] == 127


async def test_a_child_ends_at_the_end_of_its_input_when_it_listens() -> None:
    shown: list[bytes] = []
    child = await ProcessChild.start(AGENT, grace=5.0, on_stderr=shown.append)
    await child.write(b'{"id":1,"method":"initialize"}')
    lines = child.lines()
    assert json.loads(whole(await anext(lines)))["id"] == 1
    assert await child.close() == 0
    assert await child.close() == 0
    with pytest.raises(ConnectionError):
        await child.write(b"{}")


DEAF = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN if sys.argv[1] == 'kill' else signal.SIG_DFL)
print('{"id": 1}', flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize(("until", "number"), [("term", signal.SIGTERM), ("kill", signal.SIGKILL)])
async def test_an_agent_that_ignores_the_end_of_its_input_is_ended_all_the_same(
    until: str, number: signal.Signals
) -> None:
    child = await ProcessChild.start([sys.executable, "-c", DEAF, until], grace=0.2, on_stderr=lambda _: None)
    assert await anext(child.lines()) == b'{"id": 1}'
    async with asyncio.timeout(PATIENCE):
        assert await child.close() == -number
    assert not alive(child.pid)


async def test_an_agent_that_only_prints_its_usage_and_ends_is_said_so(server: FakeServer) -> None:
    usage = "import sys; print('Usage: agent [OPTIONS]'); print('no such option: acp', file=sys.stderr); sys.exit(64)"
    command = ("connect", server.url, "--key", "cg_x", "--", sys.executable, "-c", usage)
    async with connector(*command) as program:
        code, said = await program.end()
    assert code == 64
    assert "Usage: agent [OPTIONS]" in said
    assert "no such option: acp" in said
    assert said.endswith(
        "clawgroups: the agent ended with code 64\n"
        "clawgroups: the agent said nothing that an ACP agent says; see that the command starts its ACP mode\n"
    )
    assert server.extensions[0]["params"] == {"code": 64, "stderr_tail": "no such option: acp\n"}


async def test_a_line_at_the_limit_passes_and_an_answer_beyond_it_is_an_error_and_not_silence(
    server: FakeServer,
) -> None:
    async with connector("connect", server.url, "--key", "cg_x", "--", *AGENT) as program:
        await prompted(server, f"long {MAX_LINE - 200}")
        await server.until(lambda: server.answers("p"))
        assert len(server.frames[0]["params"]["update"]["content"]["text"]) == MAX_LINE - 200
        block = {"type": "text", "text": f"answer {MAX_LINE}"}
        await server.send({"id": "q", "method": "session/prompt", "params": {"sessionId": "s1", "prompt": [block]}})
        await server.until(lambda: server.answers("q"))
        assert [answer["error"]["code"] for answer in server.answers("q")] == [version.TOO_LARGE]
        program.process.terminate()
        _, said = await program.end()
    assert "over 16777216 bytes" in said


BLOCKER = """
import importlib.abc, sys
class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('django', 'acp', 'pydantic', 'clawgroups'):
            raise ImportError(name)
sys.meta_path.insert(0, Blocker())
import agents.connector.cli, agents.connector.inprocess
print(sorted({name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))
"""


def test_the_connector_needs_nothing_but_websockets() -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKER], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    loaded = {name for name in json.loads(done.stdout.replace("'", '"')) if not name.startswith("_")}
    assert {"agents", "websockets"} <= loaded
    assert not loaded & {"django", "acp", "pydantic", "clawgroups"}
