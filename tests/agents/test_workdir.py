"""Work directories: inputs are there before the turn, results are with the server before its answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agents.connector import workdir as workdir_module
from agents.connector.files import Store
from agents.connector.inside import BadName, check_name
from agents.connector.workdir import FetchFailed, Outgoing, Workdir
from agents.connector.workplace import Workplace
from tests.agents.folders import SESSION, SYNC
from tests.agents.support import FakeServer, FileStore, Frame, Running, bridged


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as running:
        yield running


@pytest.mark.parametrize("name", ["a.csv", "Übersicht 2026 (1).xlsx", "sub/folder/a.md", "a..b", ".hidden", "x" * 255])
def test_ordinary_names_are_taken(name: str) -> None:
    assert check_name(name).as_posix() == name


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "..", "../a", "a/../../b", "a/./b", "a//b", "a/", "C:x", "c:/x", "a\\b", "a\0b", "a\nb",
     "x" * 256, "a/" * 600, "\udcff"],
)  # fmt: skip
def test_names_that_lead_out_or_cannot_be_are_refused(name: str) -> None:
    with pytest.raises(BadName):
        check_name(name)


@pytest.mark.parametrize("session", ["", "..", "a/b", "-x", "x" * 65])
def test_a_session_that_is_no_folder_name_is_refused(tmp_path: Path, session: str) -> None:
    with pytest.raises(BadName):
        Workplace(tmp_path).open(session, "", Store("http://127.0.0.1/", "k"))


async def test_what_the_server_has_comes_in_once(workdir: Workdir, store: FileStore) -> None:
    store.files = {"a.csv": b"1,2\n", "sub/ü.md": b"# hi"}
    await SYNC.fetch(workdir)
    await SYNC.fetch(workdir)
    assert (workdir.path / "a.csv").read_bytes() == b"1,2\n"
    assert (workdir.path / "sub" / "ü.md").read_bytes() == b"# hi"
    assert store.gets == ["", "a.csv", "sub/ü.md", ""]
    assert workdir.outgoing() == Outgoing()


async def test_only_what_the_agent_made_or_changed_goes_out(workdir: Workdir, store: FileStore, tmp_path: Path) -> None:
    store.files = {"kept.csv": b"same", "edited.md": b"old"}
    await SYNC.fetch(workdir)
    (workdir.path / "edited.md").write_bytes(b"new")
    (workdir.path / "out").mkdir()
    (workdir.path / "out" / "report ä.md").write_bytes(b"report")
    (workdir.path / ".cache").mkdir()
    (workdir.path / ".cache" / "x").write_bytes(b"x")
    (workdir.path / ".secret").write_bytes(b"x")
    (workdir.path / "node_modules").mkdir()
    (workdir.path / "node_modules" / "x.js").write_bytes(b"x")
    (tmp_path / "passwd").write_bytes(b"root")
    (workdir.path / "link").symlink_to(tmp_path / "passwd")
    with (workdir.path / "big.bin").open("wb") as big:
        big.truncate(workdir_module.MAX_FILE + 1)
    assert (await SYNC.deliver(workdir)).failed == ["big.bin"]
    assert [put[0] for put in store.puts] == ["edited.md", "out/report ä.md"]
    assert store.puts[0][1:] == ("text/markdown", "Bearer session-key")
    assert store.files["out/report ä.md"] == b"report"
    assert (await SYNC.deliver(workdir)).failed == ["big.bin"]
    assert len(store.puts) == 2


async def test_passing_failures_are_tried_again_and_lasting_ones_are_not(workdir: Workdir, store: FileStore) -> None:
    for name in ("a", "b", "c", "d"):
        (workdir.path / name).write_text(name)
    store.failures = {"a": [503, 500, 429], "b": [503] * 5, "c": [403], "d": [302]}
    assert (await SYNC.deliver(workdir)).failed == ["b", "c", "d"]
    tries = [put[0] for put in store.puts]
    assert {name: tries.count(name) for name in "abcd"} == {"a": 4, "b": 5, "c": 1, "d": 1}
    # What failed is still to be delivered, and is, when the server takes it.
    assert (await SYNC.deliver(workdir)).failed == []
    assert set(store.files) == {"a", "b", "c", "d"}


@pytest.mark.parametrize(
    ("listed", "failures"),
    [
        ([{"name": "../evil", "sha256": "x", "size": 1, "url": "evil"}], {}),
        ([{"name": "a", "sha256": "x", "size": 1, "url": "file:///etc/passwd"}], {}),
        ([{"name": "a"}], {}),
        (None, {"": [403]}),
        (None, {"a": [404]}),
        (None, {"a": [500] * 5}),
    ],
)
async def test_inputs_that_cannot_be_fetched_fail_the_turn(
    workdir: Workdir, store: FileStore, listed: list[Frame] | None, failures: dict[str, list[int]]
) -> None:
    store.files = {"a": b"1"}
    store.listed, store.failures = listed, failures
    with pytest.raises(FetchFailed):
        await SYNC.fetch(workdir)
    assert list(workdir.path.rglob("*")) == []


async def test_a_file_that_arrives_wrong_is_not_kept(workdir: Workdir, store: FileStore) -> None:
    store.files, store.lies = {"a": b"1"}, True
    with pytest.raises(FetchFailed, match="incomplete"):
        await SYNC.fetch(workdir)
    assert list(workdir.path.rglob("*")) == []


async def test_a_newer_version_from_the_server_replaces_an_untouched_file(workdir: Workdir, store: FileStore) -> None:
    store.files = {"a.md": b"one"}
    await SYNC.fetch(workdir)
    store.files = {"a.md": b"two"}
    await SYNC.fetch(workdir)
    assert (workdir.path / "a.md").read_bytes() == b"two"


async def test_undelivered_work_is_never_overwritten(workdir: Workdir, store: FileStore) -> None:
    store.files = {"a.md": b"one"}
    await SYNC.fetch(workdir)
    (workdir.path / "a.md").write_bytes(b"mine")
    await SYNC.fetch(workdir)
    assert (workdir.path / "a.md").read_bytes() == b"mine"
    store.files = {"a.md": b"theirs"}
    await SYNC.fetch(workdir)
    assert (workdir.path / "a.md").read_bytes() == b"theirs"
    aside = [path for path in workdir.path.iterdir() if "unsent" in path.name]
    assert [path.read_bytes() for path in aside] == [b"mine"]


async def test_too_many_files_are_named_and_not_sent(
    workdir: Workdir, store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workdir_module, "MAX_FILES", 2)
    for name in "abc":
        (workdir.path / name).write_text(name)
    assert (await SYNC.deliver(workdir)).failed == ["c"]
    assert set(store.files) == {"a", "b"}


# Through the bridge.


def session_new(store: FileStore) -> Frame:
    meta = {"clawgroups": {"session": SESSION, "files": store.url, "key": "session-key"}, "other": 1}
    return {"id": "n", "method": "session/new", "params": {"cwd": "/", "mcpServers": [], "_meta": meta}}


def prompt(frame_id: str) -> Frame:
    return {"id": frame_id, "method": "session/prompt", "params": {"sessionId": "acp-1", "prompt": []}}


async def opened(server: FakeServer, running: Running, store: FileStore) -> Path:
    """A session with a work directory; where it is."""
    await server.until(lambda: running.children)
    await server.send(session_new(store))
    await running.child.until(lambda: running.child.heard)
    params: dict[str, Any] = running.child.heard[0]["params"]
    assert params["_meta"] == {"other": 1}
    running.child.say({"id": "n", "result": {"sessionId": "acp-1"}})
    await server.until(lambda: server.answers("n"))
    return Path(params["cwd"])


async def test_a_turn_finds_its_inputs_and_leaves_its_results(
    server: FakeServer, store: FileStore, tmp_path: Path
) -> None:
    store.files = {"in.csv": b"1,2"}
    async with bridged(server, tmp_path) as running:
        folder = await opened(server, running, store)
        assert folder == tmp_path / SESSION
        await server.send(prompt("p"))
        await running.child.until(lambda: running.child.asked("session/prompt"))
        assert (folder / "in.csv").read_bytes() == b"1,2"
        (folder / "out.md").write_bytes(b"done")
        running.child.say({"id": "p", "result": {"stopReason": "end_turn"}})
        await server.until(lambda: server.answers("p"))
        assert store.files["out.md"] == b"done"
        assert server.answers("p")[0]["result"] == {"stopReason": "end_turn"}


async def test_an_answer_waits_for_its_files_and_other_sessions_do_not(
    server: FakeServer, store: FileStore, tmp_path: Path
) -> None:
    async with bridged(server, tmp_path) as running:
        folder = await opened(server, running, store)
        store.files = {"in.csv": b"1"}
        store.hold.clear()
        await server.send(prompt("p"))
        await server.send({"id": "q", "method": "session/prompt", "params": {"sessionId": "other"}})
        await running.child.until(lambda: running.child.asked("session/prompt"))
        assert [frame["id"] for frame in running.child.asked("session/prompt")] == ["q"]
        store.hold.set()
        await running.child.until(lambda: len(running.child.asked("session/prompt")) == 2)
        assert (folder / "in.csv").exists()


async def test_failed_files_are_named_in_the_answer(server: FakeServer, store: FileStore, tmp_path: Path) -> None:
    async with bridged(server, tmp_path) as running:
        folder = await opened(server, running, store)
        await server.send(prompt("p"))
        await running.child.until(lambda: running.child.asked("session/prompt"))
        (folder / "out.md").write_bytes(b"done")
        store.failures = {"out.md": [403]}
        running.child.say({"id": "p", "result": {"stopReason": "end_turn", "_meta": {"a": 1}}})
        await server.until(lambda: server.answers("p"))
        assert server.answers("p")[0]["result"] == {
            "stopReason": "end_turn",
            "_meta": {"a": 1, "clawgroups": {"files_failed": ["out.md"]}},
        }
        assert "not delivered: out.md" in running.said


async def test_a_prompt_that_brings_no_files_asks_for_none(
    server: FakeServer, store: FileStore, tmp_path: Path
) -> None:
    # Whoever asks finds this, and fails.
    store.listed = [{"name": "../../evil", "sha256": "x", "size": 1, "url": "evil"}]
    async with bridged(server, tmp_path) as running:
        await opened(server, running, store)
        frame = prompt("p")
        frame["params"]["_meta"] = {"clawgroups": {"files": 0}}
        await server.send(frame)
        await running.child.until(lambda: running.child.asked("session/prompt"))


async def test_a_turn_without_its_inputs_is_answered_with_an_error(
    server: FakeServer, store: FileStore, tmp_path: Path
) -> None:
    store.listed = [{"name": "../../evil", "sha256": "x", "size": 1, "url": "evil"}]
    async with bridged(server, tmp_path) as running:
        await opened(server, running, store)
        await server.send(prompt("p"))
        await server.until(lambda: server.answers("p"))
        error = server.answers("p")[0]["error"]
        assert error["code"] == -32603
        assert "evil" in error["message"]
        assert running.child.asked("session/prompt") == []
        assert not (tmp_path.parent / "evil").exists()


async def test_a_turn_cancelled_while_its_inputs_come_never_reaches_the_agent(
    server: FakeServer, store: FileStore, tmp_path: Path
) -> None:
    async with bridged(server, tmp_path) as running:
        await opened(server, running, store)
        store.hold.clear()
        await server.send(prompt("p"))
        await server.send({"method": "session/cancel", "params": {"sessionId": "acp-1"}})
        await server.until(lambda: server.answers("p"))
        assert server.answers("p")[0]["result"] == {"stopReason": "cancelled"}
        store.hold.set()
        await server.send(prompt("p2"))
        await running.child.until(lambda: running.child.asked("session/prompt"))
        assert [frame["id"] for frame in running.child.asked("session/prompt")] == ["p2"]


async def test_files_wait_for_the_line_to_come_back(server: FakeServer, store: FileStore, tmp_path: Path) -> None:
    async with bridged(server, tmp_path) as running:
        folder = await opened(server, running, store)
        await server.send(prompt("p"))
        await running.child.until(lambda: running.child.asked("session/prompt"))
        (folder / "out.md").write_bytes(b"done")
        server.status = 503
        assert server.connection is not None
        server.connection.transport.abort()
        await server.until(lambda: len(server.upgrades) > 1)
        running.child.say({"id": "p", "result": {"stopReason": "end_turn"}})
        await server.until(lambda: len(server.upgrades) > 4)
        assert store.puts == []
        server.status = None
        await server.until(lambda: server.answers("p"))
        assert store.files["out.md"] == b"done"


async def test_a_session_opened_again_keeps_its_folder(server: FakeServer, store: FileStore, tmp_path: Path) -> None:
    async with bridged(server, tmp_path) as running:
        folder = await opened(server, running, store)
        again = session_new(store)
        again["params"]["sessionId"] = "acp-1"
        await server.send({**again, "id": "l", "method": "session/load"})
        await running.child.until(lambda: running.child.asked("session/load"))
        assert running.child.asked("session/load")[0]["params"]["cwd"] == str(folder)


async def test_a_folder_that_cannot_be_made_is_told_to_the_server(
    server: FakeServer, store: FileStore, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    async with bridged(server, blocked) as running:
        await server.until(lambda: running.children)
        await server.send(session_new(store))
        await server.until(lambda: server.answers("n"))
        assert server.answers("n")[0]["error"]["code"] == -32603
        assert running.child.heard == []


async def test_a_session_without_our_extension_passes_untouched(server: FakeServer, tmp_path: Path) -> None:
    frame = {"id": "n", "method": "session/new", "params": {"cwd": "/w", "mcpServers": [], "_meta": {"a": 1}}}
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        await server.send(frame)
        await running.child.until(lambda: running.child.heard)
        assert running.child.heard == [{"jsonrpc": "2.0", **frame}]
