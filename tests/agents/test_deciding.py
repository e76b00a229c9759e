"""Where a permission request is answered: by rules, by the person at the machine, or by the workspace. Each once."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agents.connector import deciding
from agents.connector.asking import Option, Question, Terminal, shown, usable
from agents.connector.deciding import Owner
from agents.connector.policy import Policy
from agents.connector.rules import read_text
from tests.agents.support import PATIENCE, FakeServer, Frame, Gate, Running, bridged

OPTIONS = [
    {"optionId": "yes", "name": "Allow", "kind": "allow_once"},
    {"optionId": "ever", "name": "Always", "kind": "allow_always"},
    {"optionId": "no", "name": "Reject", "kind": "reject_once"},
]
RULES = """
[[rule]]
answer = "never"
path = ["/etc", "*.pem"]
[[rule]]
answer = "allow"
kind = "read"
[[rule]]
answer = "ask-here"
kind = "execute"
"""


class Ana(Gate):
    """The person at the machine, who answers when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.there = True
        self.asked: list[str] = []
        self.answers: list[asyncio.Future[Option | None]] = []

    def is_there(self) -> bool:
        return self.there

    async def ask(self, question: str, options: Sequence[Option], until: float) -> Option | None:
        self.asked.append(question)
        self.answers.append(asyncio.get_running_loop().create_future())
        self.changed()
        return await self.answers[-1]

    def says(self, option: int | None, number: int = -1) -> None:
        self.answers[number].set_result(None if option is None else OPTIONS[option])


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as running:
        yield running


@pytest.fixture
def ana() -> Ana:
    return Ana()


@pytest.fixture
async def running(server: FakeServer, tmp_path: Path, ana: Ana) -> AsyncIterator[Running]:
    """A bridge with these rules, to a server that knows what a decision means, in the middle of a turn."""
    owner = Owner(Policy.of(read_text(RULES)), ana)
    async with bridged(server, tmp_path, owner=owner) as bridge:
        await server.until(lambda: bridge.children)
        meta = {"clawgroups": {"extensions": ["link", "workdir", "policy"]}}
        await server.send({"id": "i", "method": "initialize", "params": {"clientCapabilities": {"_meta": meta}}})
        await server.send({"id": "p", "method": "session/prompt", "params": {"sessionId": "s", "prompt": []}})
        await bridge.child.until(lambda: bridge.child.asked("session/prompt"))
        yield bridge


def asks(number: Any, call: Frame, options: Any = OPTIONS, session: str = "s") -> Frame:
    params = {"sessionId": session, "toolCall": {"toolCallId": f"c{number}", **call}, "options": options}
    return {"id": number, "method": "session/request_permission", "params": params}


def look(number: Any) -> Frame:
    return asks(number, {"kind": "read", "locations": [{"path": "/srv/a"}]})


def run(number: Any, command: str = "make", **more: Any) -> Frame:
    return asks(number, {"kind": "execute", "title": "Build", "rawInput": {"command": command}}, **more)


async def answered(running: Running, number: Any) -> Frame:
    def found() -> list[Frame]:
        return [frame for frame in running.child.heard if "method" not in frame and frame.get("id") == number]

    await running.child.until(found)
    assert len(found()) == 1
    return found()[0]


def selected(option: str) -> Frame:
    return {"outcome": {"outcome": "selected", "optionId": option}}


def asked(server: FakeServer) -> list[Any]:
    return [frame["id"] for frame in server.frames if frame.get("method") == "session/request_permission"]


def decided(server: FakeServer) -> list[tuple[str, str, str]]:
    told = [frame["params"] for frame in server.frames if frame.get("method") == "_clawgroups/decided"]
    return [(one["toolCall"]["toolCallId"], one["answer"], one["by"]) for one in told]


async def test_rules_answer_at_once_and_the_workspace_is_told_in_order(server: FakeServer, running: Running) -> None:
    running.child.say(asks(0, {"kind": "read", "title": "Look", "locations": [{"path": "/srv/a"}]}))
    running.child.say(asks(1, {"kind": "read", "locations": [{"path": "/srv/a.pem"}]}))
    running.child.say(asks(2, {"kind": "edit", "title": "Read /srv/a"}))
    assert (await answered(running, 0))["result"] == selected("yes")
    assert (await answered(running, 1))["result"] == selected("no")
    await server.until(lambda: asked(server))
    assert [frame["method"] for frame in server.frames] == ["_clawgroups/decided"] * 2 + ["session/request_permission"]
    assert decided(server) == [("c0", "allowed", "rule"), ("c1", "rejected", "rule")]
    first = server.frames[0]["params"]
    assert (first["rule"], first["option"], first["sessionId"]) == ("allow: kind read", "allow_once", "s")
    assert first["toolCall"]["locations"] == [{"path": "/srv/a"}]
    assert any("allowed by your rule" in line and "Look" in line for line in running.said)


async def test_a_decision_is_told_once_over_a_lost_connection(server: FakeServer, running: Running) -> None:
    server.acks = False
    running.child.say(look(0))
    await server.until(lambda: decided(server))
    await server.drop()
    running.child.say(look(1))
    await server.until(lambda: len(decided(server)) == 2)
    assert [one[0] for one in decided(server)] == ["c0", "c1"]
    # Each connection is told what its owner allows: the server may have lost it.
    assert [len(one["rules"]) for one in server.policies] == [3, 3]


async def test_a_server_that_knows_no_decisions_is_told_none(server: FakeServer, tmp_path: Path) -> None:
    async with bridged(server, tmp_path, owner=Owner(Policy.of(read_text(RULES)))) as old:
        await server.until(lambda: old.children)
        await server.send({"id": "i", "method": "initialize", "params": {}})
        await old.child.until(lambda: old.child.heard)
        old.child.say(look(0))
        old.child.say(asks(1, {"kind": "fetch"}))
        await server.until(lambda: asked(server))
        assert [frame["method"] for frame in server.frames] == ["session/request_permission"]


async def test_a_request_with_nothing_but_an_id_is_judged_by_the_call_that_was_told_before(
    server: FakeServer, running: Running
) -> None:
    call = {"sessionUpdate": "tool_call", "toolCallId": "c0", "kind": "read", "locations": [{"path": "/etc/passwd"}]}
    running.child.say({"method": "session/update", "params": {"sessionId": "s", "update": call}})
    running.child.say(asks(0, {}))
    assert (await answered(running, 0))["result"] == selected("no")
    # Not by a call of another session, nor by one that is over, nor by one that was too large to be kept.
    over = {"sessionUpdate": "tool_call_update", "toolCallId": "c0", "status": "completed"}
    large = {**call, "toolCallId": "c7", "rawInput": {"content": "x" * 300_000}}
    for update in (over, large):
        running.child.say({"method": "session/update", "params": {"sessionId": "s", "update": update}})
    running.child.say(asks(5, {"toolCallId": "c0"}))
    running.child.say(asks(6, {"toolCallId": "c0"}, session="other"))
    running.child.say(asks(7, {"kind": "read"}))
    await server.until(lambda: len(asked(server)) == 3)
    assert asked(server) == [5, 6, 7]


async def test_what_is_remembered_of_calls_is_bounded() -> None:
    desk = deciding.Desk(Owner(Policy()), deciding.Ways(print, print, print, print, lambda _: None))
    for number in range(2000):
        update = {"sessionUpdate": "tool_call", "toolCallId": str(number), "rawInput": {"x": "y" * 9000}}
        desk.takes({"method": "session/update", "params": {"sessionId": "s", "update": update}}, b"x" * 9000)
        child = {"sessionUpdate": "subagent_update", "sessionId": f"child {number}"}
        desk.takes({"method": "session/update", "params": {"sessionId": "s", "update": child}}, b"x")
    assert len(desk._calls) * 9000 == desk._held <= deciding.MOST_HELD
    assert len(desk._parents) == deciding.MOST_CHILDREN


async def test_the_person_at_the_machine_decides_by_the_arguments(
    server: FakeServer, running: Running, ana: Ana
) -> None:
    running.child.say(run(0, "make \x1b[2Jall\u202e"))
    running.child.say(run(0))  # Said again: the same question.
    await ana.until(lambda: ana.asked)
    assert "make \ufffd[2Jall\ufffd" in ana.asked[0]
    await server.until(lambda: decided(server) == [("c0", "asked", "owner")])
    ana.says(0)
    assert (await answered(running, 0))["result"] == selected("yes")
    running.child.say(run(1))
    await ana.until(lambda: len(ana.asked) == 2)
    ana.says(2)
    assert (await answered(running, 1))["result"] == selected("no")
    await server.until(lambda: len(decided(server)) == 4)
    assert decided(server)[1::2] == [("c0", "allowed", "owner"), ("c1", "rejected", "owner")]
    assert asked(server) == []


async def test_two_questions_at_once_are_two_questions(server: FakeServer, running: Running, ana: Ana) -> None:
    running.child.say(run(0))
    running.child.say(run("0"))
    await ana.until(lambda: len(ana.asked) == 2)
    ana.says(2, 1)
    assert (await answered(running, "0"))["result"] == selected("no")
    ana.says(0, 0)
    assert (await answered(running, 0))["result"] == selected("yes")


async def test_without_an_answer_here_the_workspace_is_asked(server: FakeServer, running: Running, ana: Ana) -> None:
    running.child.say(run(0))
    await ana.until(lambda: ana.asked)
    ana.says(None)
    await server.until(lambda: asked(server) == [0])
    await server.send({"id": 0, "result": selected("yes")})
    assert (await answered(running, 0))["result"] == selected("yes")
    # Nobody is there at all; and to odd options nobody could say anything.
    ana.there = False
    running.child.say(run(1))
    await server.until(lambda: asked(server) == [0, 1])
    ana.there = True
    running.child.say(run(2, options=[{"optionId": "x", "kind": "maybe"}]))
    await server.until(lambda: asked(server) == [0, 1, 2])
    assert len(ana.asked) == 1


async def test_a_question_here_ends_with_its_turn(server: FakeServer, running: Running, ana: Ana) -> None:
    running.child.say(run(0))
    await ana.until(lambda: ana.asked)
    running.child.say({"method": "$/cancel_request", "params": {"requestId": 0}})
    assert (await answered(running, 0))["error"]["code"] == -32800
    running.child.say(run(1))
    running.child.say(run(2, session="elsewhere"))
    await ana.until(lambda: len(ana.asked) == 3)
    await server.send({"method": "session/cancel", "params": {"sessionId": "s"}})
    assert (await answered(running, 1))["result"] == {"outcome": {"outcome": "cancelled"}}
    running.child.say({"id": "p", "result": {"stopReason": "cancelled"}})
    running.child.say(run(3))
    await ana.until(lambda: len(ana.asked) == 4)
    await server.send({"id": "q", "method": "session/prompt", "params": {"sessionId": "s", "prompt": []}})
    await running.child.until(lambda: len(running.child.asked("session/prompt")) == 2)
    running.child.say({"id": "q", "result": {"stopReason": "end_turn"}})
    assert (await answered(running, 3))["result"] == {"outcome": {"outcome": "cancelled"}}
    # What is said too late changes nothing.
    assert all(ana.answers[number].cancelled() for number in (0, 1, 3))
    ana.says(0, 2)
    assert (await answered(running, 2))["result"] == selected("yes")
    assert asked(server) == []


async def test_a_session_that_was_asked_to_stop_is_allowed_nothing_here(
    server: FakeServer, running: Running, ana: Ana
) -> None:
    await server.send({"method": "session/cancel", "params": {"sessionId": "s"}})
    await running.child.until(lambda: running.child.asked("session/cancel"))
    running.child.say(look(0))
    running.child.say(run(1))
    running.child.say(asks(2, {"kind": "read", "locations": [{"path": "/etc/x"}]}))
    assert (await answered(running, 2))["result"] == selected("no")
    await server.until(lambda: asked(server) == [0, 1])
    # The next turn is another one.
    await server.send({"id": "q", "method": "session/prompt", "params": {"sessionId": "s", "prompt": []}})
    await running.child.until(lambda: len(running.child.asked("session/prompt")) == 2)
    running.child.say(look(3))
    assert (await answered(running, 3))["result"] == selected("yes")
    assert ana.asked == []


async def test_a_flood_of_questions_goes_to_the_workspace(server: FakeServer, running: Running, ana: Ana) -> None:
    for number in range(deciding.MOST_WAITING + 2):
        running.child.say(run(number))
    await server.until(lambda: asked(server) == [deciding.MOST_WAITING, deciding.MOST_WAITING + 1])
    await ana.until(lambda: len(ana.asked) == deciding.MOST_WAITING)


@pytest.fixture
def line() -> Any:
    """A terminal: where somebody types, and where a program reads."""
    keyboard, screen = os.openpty()
    yield keyboard, screen
    os.close(keyboard)


async def test_a_terminal_asks_one_after_another_and_takes_no_answer_that_was_typed_before(
    line: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    keyboard, screen = line
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        # Whoever sees a question answers it, badly at first.
        if "number and Enter" in text:
            os.write(keyboard, b"7\nmaybe\n\xff\n" + (b"n\n" if "second" in text else b"1\n"))

    monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp())
    terminal = Terminal(screen, say)
    os.write(keyboard, b"3\n")
    until = asyncio.get_running_loop().time() + PATIENCE
    first, second = await asyncio.gather(terminal.ask("first", OPTIONS, until), terminal.ask("second", OPTIONS, until))
    assert (first, second) == (OPTIONS[0], OPTIONS[2])
    assert said.count("please type a number from 1 to 3") == 6
    assert "1  allow it this once (“Allow”)" in said[0]
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp() + 1)
    assert not terminal.is_there()
    assert await terminal.ask("third", OPTIONS, until) is None
    monkeypatch.undo()
    # Not its own terminal: who reads from that may be stopped for it.
    assert not terminal.is_there()
    terminal.close()
    assert not terminal.is_there()


async def test_nobody_answers_in_time(line: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp())
    terminal = Terminal(line[1], lambda _: None)
    assert await terminal.ask("Well?", OPTIONS, asyncio.get_running_loop().time() + 0.01) is None
    terminal.close()


def test_only_options_that_mean_something_are_offered() -> None:
    odd = [None, {"kind": "allow_once"}, {"optionId": 1, "kind": "allow_once"}, {"optionId": "x", "kind": "other"}]
    twice = [{"optionId": "t", "kind": "allow_once"}, {"optionId": "t", "kind": "reject_once"}]
    assert usable([*odd, *twice, *OPTIONS]) == OPTIONS
    assert usable(None) == []
    assert Question("?", [OPTIONS[0], {**OPTIONS[0], "optionId": "z"}]).meant("yes") is None
    assert shown("a\tb\nc" + "\x07" + "x" * 5000, 10) == "a\tb\nc\ufffdxxx…"


STARTER = """
import os, sys
os.setsid()
os.open(os.ttyname(0), os.O_RDWR)
os.execv(sys.executable, [sys.executable, "-m", "agents.connector", *sys.argv[1:]])
"""


async def test_the_program_asks_on_its_own_terminal(server: FakeServer, tmp_path: Path, line: tuple[int, int]) -> None:
    keyboard, screen = line
    policy = tmp_path / "policy.toml"
    policy.write_text('[[rule]]\nanswer = "ask-here"\n')
    agent = str(Path(__file__).with_name("fake_agent.py"))
    arguments = ["connect", server.url, "--policy", str(policy), "--", sys.executable, agent]
    home = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "CLAWGROUPS_KEY": "cg_x"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STARTER, *arguments, stdin=screen, stdout=screen, stderr=screen,
        cwd=Path(__file__).parents[2], env={**os.environ, **home},
    )  # fmt: skip
    os.close(screen)
    seen = b""
    try:
        await server.until(lambda: server.connection)
        block = {"type": "text", "text": "ask make"}
        await server.send({"id": "p", "method": "session/prompt", "params": {"sessionId": "s1", "prompt": [block]}})
        async with asyncio.timeout(PATIENCE):
            while b"number and Enter" not in seen:
                seen += await asyncio.to_thread(os.read, keyboard, 4096)
        os.write(keyboard, b"yes\n")
        await server.until(lambda: server.answers("p"))
    finally:
        process.kill()
        await process.wait()
    assert b"command: make" in seen
    text = server.frames[0]["params"]["update"]["content"]["text"]
    assert json.loads(text)["result"] == selected("yes")
