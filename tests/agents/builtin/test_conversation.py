"""Whole conversations with the agents as separate programs, through the client side of the public SDK."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from acp import PROTOCOL_VERSION, RequestError, connect_to_agent, run_agent, spawn_agent_process
from acp.client.connection import ClientSideConnection
from acp.schema import PromptResponse, TextContentBlock

from agents.builtin.roster import make
from agents.connector.inprocess import stream_pair
from tests.agents.builtin.conftest import SalesFile, write_csv

ROOT = Path(__file__).parents[3]
PATIENCE = 30.0
TASK = {"id": "t1", "title": "Sales", "goal": "Which region has the most revenue?", "inputs": [{"name": "sales.csv"}]}


class Listener:
    """The client: keeps every update and wakes those who wait for one."""

    def __init__(self) -> None:
        self.updates: list[tuple[str, Any]] = []
        self._changed = asyncio.Event()

    async def session_update(self, session_id: str, update: Any, **_: Any) -> None:
        self.updates.append((session_id, update))
        self._changed.set()

    def on_connect(self, conn: Any) -> None:
        """Nothing to do."""

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def of(self, kind: str, session: str = "") -> list[Any]:
        return [u for s, u in self.updates if u.session_update == kind and session in ("", s)]

    def messages(self, session: str = "") -> list[str]:
        texts: dict[str, str] = {}
        for update in self.of("agent_message_chunk", session):
            texts[update.message_id] = texts.get(update.message_id, "") + update.content.text
        return list(texts.values())


class Talk:
    """One connection to one agent."""

    def __init__(self, connection: ClientSideConnection, listener: Listener) -> None:
        self.connection = connection
        self.listener = listener

    async def open(self, folder: Path) -> str:
        return (await self.connection.new_session(cwd=str(folder), mcp_servers=[])).session_id

    async def ask(self, session: str, text: str = "Please do it.", **meta: Any) -> PromptResponse:
        block = TextContentBlock(type="text", text=text)
        async with asyncio.timeout(PATIENCE):
            return await self.connection.prompt(
                session_id=session, prompt=[block], **({"clawgroups": meta} if meta else {})
            )


@asynccontextmanager
async def talking(name: str, pace: str = "0", *, as_program: bool = False) -> AsyncIterator[Talk]:
    """An initialised connection to an agent: in this process, or as the program that anybody would start."""
    listener: Any = Listener()
    async with _program(listener, name, pace) if as_program else _here(listener, name, pace) as connection:
        answer = await connection.initialize(protocol_version=PROTOCOL_VERSION)
        assert answer.agent_info is not None
        assert answer.agent_info.name == name
        yield Talk(connection, listener)


@asynccontextmanager
async def _program(listener: Any, name: str, pace: str) -> AsyncIterator[ClientSideConnection]:
    environment = {**os.environ, "CLAWGROUPS_BUILTIN_PACE": pace}
    command = (sys.executable, "-m", "agents.builtin", name)
    async with spawn_agent_process(listener, *command, cwd=ROOT, env=environment) as (connection, _):
        yield connection


@asynccontextmanager
async def _here(listener: Any, name: str, pace: str) -> AsyncIterator[ClientSideConnection]:
    (reader, writer), far = await stream_pair()
    agent: Any = make(name, float(pace))
    running = asyncio.create_task(run_agent(agent, far[1], far[0], use_unstable_protocol=True))
    connection = connect_to_agent(listener, writer, reader, use_unstable_protocol=True)
    try:
        yield connection
    finally:
        await connection.close()
        for stream in (writer, far[1]):
            stream.close()
        async with asyncio.timeout(PATIENCE):
            await running


async def test_analyst_writer_and_reviewer_go_from_a_table_to_a_checked_report(sales: SalesFile) -> None:
    path, rows = sales
    folder = path.parent
    for name, kind in (("analyst", "profile"), ("writer", "report"), ("reviewer", "review")):
        async with talking(name, as_program=True) as talk:
            session = await talk.open(folder)
            answer = await talk.ask(session, task=TASK | {"kind": kind})
            assert answer.stop_reason == "end_turn"
            assert talk.listener.of("plan")[-1].entries
            assert {entry.status for entry in talk.listener.of("plan")[-1].entries} == {"completed"}
            started = {update.tool_call_id for update in talk.listener.of("tool_call")}
            ended = {u.tool_call_id: u.status for u in talk.listener.of("tool_call_update")}
            assert started == ended.keys()
            assert set(ended.values()) == {"completed"}
            last = talk.listener.messages()[-1]
    assert {entry.name for entry in folder.iterdir()} == {
        "sales.csv",
        "sales.profile.json",
        "sales.summary.md",
        "sales.workbook.xlsx",
        "sales.chart.svg",
        "report.md",
        "review.json",
    }
    assert last.startswith("Verdict: pass.")
    total = sum(Decimal(row["revenue"]) for row in rows)
    assert f"| Sum of “revenue” | {total:,.2f} |" in (folder / "report.md").read_text()
    assert json.loads((folder / "review.json").read_text())["verdict"] == "pass"


async def test_the_last_message_of_the_writer_is_the_report(sales: SalesFile) -> None:
    async with talking("writer") as talk:
        await talk.ask(await talk.open(sales[0].parent), task=TASK)
        assert talk.listener.messages()[-1] == (sales[0].parent / "report.md").read_text()


async def test_the_reviewer_fails_a_planted_number(sales: SalesFile) -> None:
    folder = sales[0].parent
    (folder / "report.md").write_text("There are 602 [sales.csv · rows · count] rows and 9 more.\n")
    async with talking("reviewer") as talk:
        answer = await talk.ask(
            await talk.open(folder), task={"kind": "review", "acceptance": ["numbers_match_source"]}
        )
        assert answer.stop_reason == "end_turn"
        assert "the text says 602, the data gives 601" in talk.listener.messages()[-1]
    found = json.loads((folder / "review.json").read_text())
    assert found["verdict"] == "fail"
    assert found["checks"][0]["expected"] == 601
    assert [entry["claim"] for entry in found["unsourced"]] == ["9"]
    assert found["acceptance"][0]["ok"] is False


async def test_cancel_in_the_middle_of_the_text_stops_at_once_and_writes_no_report(sales: SalesFile) -> None:
    async with talking("writer", pace="0.5", as_program=True) as talk:
        session = await talk.open(sales[0].parent)
        turn = asyncio.create_task(talk.ask(session, task=TASK))
        await talk.listener.until(lambda: len(talk.listener.of("agent_message_chunk")) >= 2)
        asked = time.monotonic()
        await talk.connection.cancel(session_id=session)
        answer = await turn
        assert time.monotonic() - asked < 0.3
        assert answer.stop_reason == "cancelled"
        assert not (sales[0].parent / "report.md").exists()
        again = await talk.ask(session, turn="acknowledge", task={"brief": "go on"})
        assert again.stop_reason == "end_turn"


async def test_cancel_in_the_middle_of_a_large_table_stops_at_once(tmp_path: Path) -> None:
    write_csv(tmp_path / "big.csv", ["id", "kind", "amount"], [[n, f"k{n % 7}", n / 3] for n in range(150_000)])
    async with talking("analyst") as talk:
        session = await talk.open(tmp_path)
        turn = asyncio.create_task(talk.ask(session, task={"kind": "profile"}))
        await talk.listener.until(lambda: talk.listener.of("tool_call"))
        asked = time.monotonic()
        await talk.connection.cancel(session_id=session)
        answer = await turn
        assert time.monotonic() - asked < 1.0
        assert answer.stop_reason == "cancelled"
        assert talk.listener.of("tool_call_update")[-1].status == "failed"


async def test_sessions_run_side_by_side_and_do_not_mix(sales: SalesFile, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write_csv(other / "b.csv", ["town", "visits"], [["Rome", 3], ["Oslo", 4], ["Rome", 5]])
    async with talking("analyst") as talk:
        first, second = await talk.open(sales[0].parent), await talk.open(other)
        answers = await asyncio.gather(
            talk.ask(first, task={"inputs": [{"name": "sales.csv"}]}), talk.ask(second, task={})
        )
        assert [answer.stop_reason for answer in answers] == ["end_turn", "end_turn"]
        assert "revenue" in talk.listener.messages(first)[-1]
        assert "revenue" not in talk.listener.messages(second)[-1]
        assert "“Rome”" in talk.listener.messages(second)[-1]


async def test_the_analyst_answers_while_another_session_computes(tmp_path: Path) -> None:
    write_csv(tmp_path / "big.csv", ["id", "amount"], [[n, n / 3] for n in range(100_000)])
    empty = tmp_path / "empty"
    empty.mkdir()
    async with talking("analyst") as talk:
        busy, free = await talk.open(tmp_path), await talk.open(empty)
        turn = asyncio.create_task(talk.ask(busy, task={}))
        await talk.listener.until(lambda: talk.listener.of("tool_call", busy))
        answer = await talk.ask(free, turn="acknowledge", task={"brief": "hello"})
        assert answer.stop_reason == "end_turn"
        assert not turn.done()
        await talk.connection.cancel(session_id=busy)
        assert (await turn).stop_reason == "cancelled"


@pytest.mark.parametrize(
    ("name", "words"), [("analyst", "no table"), ("writer", "nothing to write from"), ("reviewer", "no report")]
)
async def test_an_agent_without_input_refuses_and_says_what_it_needs(tmp_path: Path, name: str, words: str) -> None:
    async with talking(name) as talk:
        answer = await talk.ask(await talk.open(tmp_path), task={"title": "x"})
        assert answer.stop_reason == "refusal"
        assert words in talk.listener.messages()[-1]


async def test_a_binary_named_csv_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(b"PK\x03\x04" + bytes(500))
    async with talking("analyst") as talk:
        answer = await talk.ask(await talk.open(tmp_path), task={})
        assert answer.stop_reason == "refusal"
        assert "ZIP archive" in talk.listener.messages()[-1]
        assert talk.listener.of("tool_call_update")[-1].status == "failed"


async def test_a_returned_report_keeps_the_edits_of_a_person(sales: SalesFile) -> None:
    folder = sales[0].parent
    async with talking("writer") as talk:
        session = await talk.open(folder)
        await talk.ask(session, task=TASK)
        report = (folder / "report.md").read_text()
        edited = report.replace("| Rows | 601 |", "| Rows | 999 |") + "\nSigned, Ada.\n"
        (folder / "draft.md").write_text(edited)
        await talk.ask(session, turn="acknowledge", task=TASK | {"brief": "I signed it."})
        assert "draft.md changed: three lines added and one line removed" in talk.listener.messages()[-1]
        assert (folder / "report.md").read_text() == report
        feedback = [{"line": "numbers_match_source", "reason": "Rows: 999 is wrong"}]
        await talk.ask(session, task=TASK | {"feedback": feedback})
        assert (folder / "report.md").read_text() == report + "\nSigned, Ada.\n"
        assert "corrected 999 to 601" in talk.listener.messages()[-2]


async def test_a_plain_word_without_a_task_changes_the_text_that_is_there(sales: SalesFile) -> None:
    folder = sales[0].parent
    (folder / "draft.md").write_text("# Mine\n\n## Key figures\n\nThere are 5 [sales.csv · rows · count] rows.\n")
    async with talking("writer") as talk:
        await talk.ask(await talk.open(folder), "Some numbers are wrong.")
        assert "There are 601 [sales.csv · rows · count] rows." in talk.listener.messages()[-1]


async def test_an_agent_does_the_kind_of_work_that_the_task_names(sales: SalesFile) -> None:
    async with talking("writer") as talk:
        await talk.ask(await talk.open(sales[0].parent), task={"kind": "profile"})
        assert talk.listener.messages()[-1].startswith("# Summary of “sales.csv”")


async def code_of(call: Any) -> int:
    with pytest.raises(RequestError) as refused:
        await call
    return refused.value.code


async def test_what_is_not_offered_is_refused_by_its_code(tmp_path: Path) -> None:
    async with talking("analyst") as talk:
        block = TextContentBlock(type="text", text="x")
        assert await code_of(talk.connection.ext_method("clawgroups/ping", {})) == -32601
        assert await code_of(talk.connection.load_session(cwd=str(tmp_path), session_id="x", mcp_servers=[])) == -32601
        assert await code_of(talk.connection.new_session(cwd="relative", mcp_servers=[])) == -32602
        assert await code_of(talk.connection.new_session(cwd=str(tmp_path / "gone"), mcp_servers=[])) == -32602
        assert await code_of(talk.connection.prompt(session_id="nobody", prompt=[block])) == -32002
        await talk.connection.cancel(session_id="nobody")
        await talk.connection.ext_notification("clawgroups/ping", {})
        session = await talk.open(tmp_path)
        await talk.connection.close_session(session_id=session)
        assert await code_of(talk.connection.prompt(session_id=session, prompt=[block])) == -32002


async def test_one_session_runs_one_turn_at_a_time(sales: SalesFile) -> None:
    async with talking("writer", pace="0.5") as talk:
        session = await talk.open(sales[0].parent)
        turn = asyncio.create_task(talk.ask(session, task=TASK))
        await talk.listener.until(lambda: talk.listener.of("agent_message_chunk"))
        block = TextContentBlock(type="text", text="x")
        assert await code_of(talk.connection.prompt(session_id=session, prompt=[block])) == -32600
        await talk.connection.cancel(session_id=session)
        assert (await turn).stop_reason == "cancelled"


@pytest.mark.parametrize("name", ["analyst", "writer", "reviewer"])
async def test_an_agent_that_is_asked_in_words_says_what_can_be_had_of_it(tmp_path: Path, name: str) -> None:
    async with talking(name) as talk:
        session = await talk.open(tmp_path)
        answer = await talk.ask(session, task={"id": "t1", "kind": "talk", "goal": "How are you?", "inputs": []})
        assert answer.stop_reason == "end_turn"
        assert "without a language model" in talk.listener.messages()[-1]
