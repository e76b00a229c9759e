"""Agents by name, several at once, and those that are remembered: real processes, fake programs on the PATH."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import pty
import shlex
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from agents.connector import picking, several
from agents.connector.cli import main
from agents.connector.console import Console
from agents.connector.enrolling import Door
from agents.connector.exits import Wrong
from agents.connector.keys import KeyFile
from agents.connector.remembered import Entry, Remembered
from tests.agents.support import PATIENCE, FakeServer
from tests.agents.test_cli import AGENT, ROOT, Program, buried, connector, prompted

Install = Callable[..., None]


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as running:
        yield running


@pytest.fixture
async def other() -> AsyncIterator[FakeServer]:
    async with FakeServer() as running:
        yield running


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, settings and a PATH of the test's own, and no key in the environment."""
    for name, folder in {"HOME": "home", "XDG_CONFIG_HOME": "config", "XDG_STATE_HOME": "state"}.items():
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("CLAWGROUPS_CLOCK_SCALE", "0.05")
    monkeypatch.delenv("CLAWGROUPS_KEY", raising=False)
    (tmp_path / "bin").mkdir()
    return tmp_path


@pytest.fixture
def install(home: Path) -> Install:
    """Puts a known agent onto the PATH: one that works, unless another shell script is given."""

    def put(name: str, script: str = f"exec {shlex.join(AGENT)}") -> None:
        path = home / "bin" / name
        # It leaves its process id, its arguments and one of its variables behind.
        mark = home / f"{name}.started"
        path.write_text(f'#!/bin/sh\necho "$$ $* $GOOSE_MODE" >"{mark}"\n{script}\n')
        path.chmod(0o755)

    return put


def remember(server: FakeServer, *names: str) -> None:
    for name in names:
        KeyFile().remember(f"{server.url.replace('http', 'ws')}/acp/connect", name, f"cg_{name}")


def started(home: Path, name: str) -> list[str]:
    return (home / f"{name}.started").read_text().split()


def keys(server: FakeServer) -> set[tuple[str, str]]:
    return {(told.get("Claw-Name", ""), told["Authorization"]) for told in server.upgrades}


async def said(program: Program, words: str) -> str:
    """What the program has said up to these words."""
    assert program.process.stderr is not None
    async with asyncio.timeout(PATIENCE):
        return (await program.process.stderr.readuntil(words.encode())).decode()


async def test_a_known_agent_is_started_by_its_name(server: FakeServer, home: Path, install: Install) -> None:
    install("goose")
    async with connector("connect", server.url, "--agent", "goose", CLAWGROUPS_KEY="cg_x") as program:
        await prompted(server, "environment")
        await server.until(lambda: server.answers("p"))
        assert started(home, "goose")[1:] == ["acp", "approve"]
        assert keys(server) == {("goose", "Bearer cg_x")}
        # Its key is not its business, however it was started.
        assert server.frames[0]["params"]["update"]["content"]["text"] == "[]"
        program.process.terminate()
        assert (await program.end())[0] == 128 + signal.SIGTERM
    assert KeyFile().find(server.url, "goose") == "cg_x"


async def test_one_that_ends_does_not_end_the_others(server: FakeServer, home: Path, install: Install) -> None:
    install("kimi", "echo 'no model' >&2; exit 7")
    install("opencode")
    remember(server, "kimi", "second")
    wanted = ("--agent", "kimi", "--agent", "second=opencode")
    async with connector("connect", server.url, *wanted) as program:
        told = await said(program, "still running: second\n")
        assert "kimi | no model\n" in told
        assert "kimi: the agent ended with code 7\n" in told
        assert "kimi: this one is over (code 7); still running: second\n" in told
        await server.until(lambda: len(keys(server)) == 2)
        assert keys(server) == {("kimi", "Bearer cg_kimi"), ("second", "Bearer cg_second")}
        if "second: it works in folders below" not in told:
            told = await said(program, "second: it works in folders below")
        program.process.terminate()
        code, rest = await program.end()
    assert code == 128 + signal.SIGTERM
    assert "clawgroups: ending the agent\n" in rest
    await buried(int(started(home, "opencode")[0]))


async def test_the_program_ends_with_the_last_agent_and_the_first_bad_code(
    server: FakeServer, install: Install
) -> None:
    install("kimi", "exit 0")
    install("opencode", "exit 7")
    install("qwen", "exit 9")
    remember(server, "kimi", "opencode", "qwen")
    wanted = ("--agent=kimi", "--agent=opencode", "--agent=qwen", "--agent=goose", "--agent=own=no-such-program")
    async with connector("connect", server.url, *wanted) as program:
        code, told = await program.end()
    assert code == 7
    assert "goose: Goose is not installed on this machine; install it with: brew install block-goose-cli\n" in told
    assert "own: there is no program no-such-program on this machine: install it" in told
    assert len(keys(server)) == 3


async def test_one_without_a_key_says_so_and_the_others_go_on(server: FakeServer, install: Install) -> None:
    install("kimi", "exit 0")
    install("opencode", "exit 0")
    remember(server, "opencode")
    async with connector("connect", server.url, "--agent", "kimi", "--agent", "opencode") as program:
        code, told = await program.end()
    assert code == 2
    assert "kimi: no key given" in told
    assert keys(server) == {("opencode", "Bearer cg_opencode")}


async def test_the_remembered_agents_are_started_again_all_at_once(
    server: FakeServer, other: FakeServer, home: Path, install: Install
) -> None:
    install("kimi")
    own = ("--name", "own", "--allow", "reads", "--dir", str(home / "work"), "--", *AGENT)
    for where, arguments in ((server, ("--agent", "kimi")), (other, own)):
        async with connector("connect", where.url, *arguments, CLAWGROUPS_KEY="cg_k") as program:
            await said(program, "it works in folders below")
            program.process.terminate()
            await program.end()
    path = home / "config" / "clawgroups" / "agents.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "cg_k" not in path.read_text()
    async with connector("connect", "--all") as program:
        told = [await said(program, "it works in folders below ") + await said(program, "\n") for _ in range(2)]
        assert f"own: it works in folders below {home / 'work'}\n" in "".join(told)
        assert "kimi: it works in folders below" in "".join(told)
        assert keys(server) == {("kimi", "Bearer cg_k")}
        program.process.send_signal(signal.SIGINT)
        assert (await program.end())[0] == 128 + signal.SIGINT
    # Those of one server alone.
    async with connector("connect", other.url, "--all") as program:
        told = [await said(program, "clawgroups: it works in folders below "), await said(program, "\n")]
        assert told[1] == f"{home / 'work'}\n"
        program.process.terminate()
        await program.end()
    assert (len(server.upgrades), len(other.upgrades)) == (2, 3)


async def test_a_person_at_a_terminal_is_asked(server: FakeServer, home: Path, install: Install) -> None:
    install("kimi")
    remember(server, "kimi")
    (home / "home" / ".kimi-code").mkdir(parents=True)
    near, far = pty.openpty()
    command = [sys.executable, "-m", "agents.connector", "connect", server.url]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdin=far, stderr=far, stdout=asyncio.subprocess.DEVNULL
    )
    os.close(far)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, near)
        shown = await asyncio.to_thread(read_until, near, b"your own agent: ")
        assert "not signed in: run `kimi login` first" in shown
        os.write(near, b"1\n")
        await server.until(lambda: server.connection)
        assert keys(server) == {("kimi", "Bearer cg_kimi")}
        process.terminate()
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 128 + signal.SIGTERM


def read_until(descriptor: int, words: bytes) -> str:
    shown = b""
    while words not in shown and (more := os.read(descriptor, 4096)):
        shown += more
    return shown.decode()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["connect", "https://host"], "say which agent to start: --agent kimi (installed here), or"),
        (["connect"], "say which server to connect to"),
        (["connect", "--all"], "no agent has been connected from here yet"),
        (["connect", "https://host", "--all"], "no agent has been connected from here at host yet"),
        (["connect", "https://host", "--agent", "kimmi"], "kimmi is no agent that is known here (kimi, opencode,"),
        (["connect", "https://host", "--agent", "a='"], "is not like NAME=COMMAND"),
        (["connect", "https://host", "--agent", "=kimi x"], "is not like NAME=COMMAND"),
        (["connect", "https://host", "--agent", "kimi", "--agent", "kimi"], "cannot both be called kimi"),
        (["connect", "https://host", "--agent", "kimi", "--", "agent"], "not both"),
        (["connect", "https://host", "--all", "--", "agent"], "not both"),
        (["connect", "https://host", "--name", "a", "--agent", "kimi", "--agent", "x=kimi"], "--name is for one"),
        (["connect", "https://host", "--key", "a", "--agent", "kimi", "--agent", "x=kimi"], "--key is for one"),
        (["agents", "--", "kimi"], "starts nothing"),
        (["agents", "--forget", "kimi"], "no agent called kimi"),
    ],
)
def test_a_wrong_word_about_which_agents_gets_one_clear_sentence(
    arguments: list[str], words: str, install: Install, capfd: pytest.CaptureFixture[str]
) -> None:
    install("kimi")
    assert main(arguments) == 2
    told = capfd.readouterr().err
    assert words in told
    assert told.count("\n") == 1


def test_a_key_in_the_environment_is_for_one_agent(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("kimi")
    monkeypatch.setenv("CLAWGROUPS_KEY", "cg_x")
    options = argparse.Namespace(agents=["a=kimi", "b=kimi"], all=False, url="https://host", name="", key=None)
    with pytest.raises(Wrong, match="CLAWGROUPS_KEY is for one agent"):
        picking.pick(options, [])


def test_the_agent_that_was_chosen_on_its_page_is_started_without_a_question(install: Install) -> None:
    install("kimi")
    options = argparse.Namespace(agents=[], all=False, url="https://host", name="", launcher="", environment=None)
    (wanted,) = picking.pick(options, [], proposed="kimi")
    assert (wanted.command, wanted.options.launcher, wanted.options.name) == (["kimi", "acp"], "kimi", "")
    # One's own command, and one's own choice, come first.
    (own,) = picking.pick(options, ["own"], proposed="kimi")
    assert (own.command, own.options.environment) == (["own"], None)
    chosen = argparse.Namespace(**{**vars(options), "agents": ["goose"]})
    with pytest.raises(Wrong, match="Goose is not installed"):
        picking.pick(chosen, [], proposed="kimi")[0].check()


def test_a_known_agent_asks_before_it_acts_by_whichever_words_it_is_started() -> None:
    options = argparse.Namespace(agents=[], all=False, url="https://host", name="", launcher="", environment=None)
    (wanted,) = picking.pick(options, ["goose", "acp"])
    assert wanted.options.environment["GOOSE_MODE"] == "approve"
    (renamed,) = picking.pick(argparse.Namespace(**{**vars(options), "agents": ["mine=goose acp"]}), [])
    assert (renamed.options.environment["GOOSE_MODE"], renamed.label) == ("approve", "mine")


def test_what_is_remembered_outlives_a_damaged_file_and_can_be_forgotten(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = home / "config" / "clawgroups" / "agents.json"
    path.parent.mkdir(parents=True)
    for damaged in ("{", "{}", '[1, {"url": 2}, {"url": "https://host"}]'):
        path.write_text(damaged)
        assert Remembered().all() == []
    first, second = Entry("https://host", "a", "kimi"), Entry("https://host:8000", "a", "", ("agent", "--acp"))
    for entry in (first, second, Entry("https://HOST/", "a", "goose")):
        Remembered().remember(entry)
    assert [(one.host, one.start) for one in Remembered().all()] == [("host", "goose"), ("host:8000", "agent --acp")]
    assert Remembered().all("https://host:8000/acp/connect") == [second]
    # Two that have the same name are told apart by their server.
    options = argparse.Namespace(agents=[], all=True, url=None, name="", launcher="", environment=None)
    assert [one.label for one in picking.pick(options, [])] == ["a@host", "a@host:8000"]
    assert main(["agents", "--forget", "a"]) == 0
    assert capfd.readouterr().err.count("is forgotten") == 2
    assert Remembered().all() == []
    assert json.loads(path.read_text()) == []


def test_what_several_agents_write_does_not_mix_within_a_line() -> None:
    shown: list[bytes] = []

    class Shown(Console):
        def __init__(self) -> None:
            return

        def write(self, data: bytes) -> None:
            shown.append(data)

    first, second = several.Voice(Shown(), "a"), several.Voice(Shown(), "b")
    first.write(b"one\ntw")
    second.write(b"x" * 9000)
    second.say("ended")
    first.write(b"o\n")
    first.noise(b"noise")
    first.write(b"rest")
    first.close()
    first.close()
    text = b"".join(shown)
    assert text == b"a | one\nb | " + b"x" * 9000 + b"\nb: ended\na | two\na | noise\na | rest\n"


@pytest.mark.parametrize(
    ("codes", "received", "code"),
    [([0, 0], [], 0), ([0, 7, 9], [], 7), ([-9, 3], [], 137), ([3, 0], [15], 143), ([0], [2, 15], 130), ([], [], 0)],
)
def test_the_exit_code_of_several(codes: list[int], received: list[int], code: int) -> None:
    assert several.exit_code(codes, received) == code


def test_one_key_under_two_names_is_started_once(install: Install) -> None:
    install("kimi")
    for name, key in (("", "cg_a"), ("scribe", "cg_a"), ("other", "cg_b")):
        KeyFile().remember("wss://host/acp/connect", name, key)
        Remembered().remember(Entry("https://host", name, "kimi"))
    options = argparse.Namespace(agents=[], all=True, url=None, name="", launcher="", environment=None)
    assert [one.options.name for one in picking.pick(options, [])] == ["scribe", "other"]


def test_a_person_is_asked_for_the_code_of_an_agent_that_has_no_key_yet(
    install: Install, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    install("kimi", "exit 0")
    install("opencode", "exit 0")
    KeyFile().remember("wss://host/acp/connect", "opencode", "cg_b")
    used: list[tuple[str, str]] = []
    monkeypatch.setattr(Door, "enrol", lambda _door, code, name: used.append((code, name)))
    monkeypatch.setattr(picking, "at_a_terminal", lambda: True)
    monkeypatch.setattr(sys, "stdin", io.StringIO("abcd-efgh-jkmn-pqrs\n\n"))
    monkeypatch.setattr(several, "carry", unstarted)
    for _ in range(2):
        assert main(["connect", "https://host", "--agent", "kimi", "--agent", "opencode", "--agent", "goose"]) == 0
    # Nothing was typed the second time; that it has no key is said when it is started.
    assert used == [("abcd-efgh-jkmn-pqrs", "kimi")]
    assert capfd.readouterr().err.count("The code for kimi, from the agent's page: ") == 2


async def unstarted(*_: object) -> int:
    return 0
