"""`/mcp` as a protocol: revisions, refusals, limits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgroups import draining
from clawgroups.gateway import mcp
from clawgroups.gateway.mcp import PATH, beside
from clawgroups.services import people
from clawgroups.services.perform import read_async
from tests.conftest import Team
from tests.gateway.mcp_support import ABLE, NEW, PROTOCOL, Client, http, key_of
from tests.gateway.support import new_key

pytestmark = pytest.mark.django_db(transaction=True)

TOOLS = {
    "read_board", "list_members", "read_rules", "recall", "read_answer",
    "post_message", "remember", "deliver_artifact", "report_progress", "ask_human", "acknowledge",
}  # fmt: skip
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


@pytest.fixture
async def client(team: Team) -> Client:
    return Client(await read_async(lambda: key_of(team.working())))


# Revisions


@pytest.mark.parametrize("revision", ["2025-06-18", "2025-11-25"])
async def test_a_handshake_settles_on_the_revision_that_the_client_speaks(client: Client, revision: str) -> None:
    first = await client.ask("initialize", {**HELLO, "protocolVersion": revision}, mcp_protocol_version=None)
    assert first.result["protocolVersion"] == revision
    assert first.result["serverInfo"]["name"] == "clawgroups"
    assert first.result["capabilities"] == {"tools": {"listChanged": False}}
    assert "stale_attempt" in first.result["instructions"]
    done = await client.post({"jsonrpc": "2.0", "method": "notifications/initialized"}, mcp_protocol_version=revision)
    assert (done.status, done.content) == (202, b"")
    listed = await client.ask("tools/list", mcp_protocol_version=revision)
    assert {tool["name"] for tool in listed.result["tools"]} == TOOLS
    assert (await client.ask("ping", mcp_protocol_version=revision)).result == {}


async def test_an_unknown_revision_is_offered_the_newest_with_a_handshake(client: Client) -> None:
    first = await client.ask("initialize", {**HELLO, "protocolVersion": "1999-01-01"}, mcp_protocol_version=None)
    assert first.result["protocolVersion"] == "2025-11-25"


async def test_the_stateless_revision_needs_no_handshake(client: Client) -> None:
    client.version = NEW
    found = (await client.ask("server/discover")).result
    assert (found["supportedVersions"], found["resultType"]) == ([NEW], "complete")
    listed = (await client.ask("tools/list")).result
    assert {tool["name"] for tool in listed["tools"]} == TOOLS
    assert listed["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "clawgroups"
    assert (await client.call("read_rules"))["workspace"] == "Sales"


async def test_a_stateless_request_that_contradicts_itself_is_refused(client: Client) -> None:
    client.version = NEW
    wrong = await client.ask("tools/call", {"name": "read_rules"}, mcp_name="post_message")
    assert (wrong.status, wrong.error["code"]) == (400, -32020)
    encoded = await client.ask("tools/call", {"name": "read_rules"}, mcp_name="=?base64?cmVhZF9ydWxlcw==?=")
    assert encoded.result["structuredContent"]["workspace"] == "Sales"
    other = await client.ask("tools/list", mcp_method="tools/call")
    assert (other.status, other.error["code"]) == (400, -32020)
    bare = await client.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, mcp_method="tools/list")
    assert (bare.status, bare.error["code"]) == (400, -32602)


async def test_a_revision_of_the_future_is_told_what_is_spoken_here(client: Client) -> None:
    params = {"_meta": {PROTOCOL: "2099-01-01", ABLE: {}}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params}
    answer = await client.post(message, mcp_protocol_version="2099-01-01", mcp_method="tools/list")
    assert (answer.status, answer.error["code"]) == (400, -32022)
    assert answer.error["data"] == {"supported": [NEW], "requested": "2099-01-01"}


# The tools as they are offered


async def test_every_tool_says_what_it_takes_and_gives_and_none_takes_a_caller(client: Client) -> None:
    for tool in (await client.ask("tools/list")).result["tools"]:
        assert len(tool["description"]) > 20
        assert tool["inputSchema"]["type"] == tool["outputSchema"]["type"] == "object"
        assert tool["inputSchema"]["additionalProperties"] is False
        asked = set(tool["inputSchema"].get("properties", {}))
        assert not asked & {"caller", "workspace", "workspace_id", "task_id", "agent_id", "session_id"}


async def test_wrong_arguments_are_told_so_that_a_model_can_mend_them(client: Client) -> None:
    said = await client.failing("report_progress", percent=101)
    assert (said["code"], "percent" in said["message"]) == ("invalid", True)
    said = await client.failing("post_message", text="x", workspace_id="y")
    assert (said["code"], "workspace_id" in said["message"]) == ("invalid", True)


async def test_an_unknown_tool_or_method_is_an_error_of_the_protocol(client: Client) -> None:
    assert (await client.ask("tools/call", {"name": "rm"})).error["code"] == -32602
    assert (await client.ask("resources/list")).error["code"] == -32601
    client.version = NEW
    gone = await client.ask("initialize", HELLO)
    assert (gone.status, gone.error["code"]) == (404, -32601)


# Refusals


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "OPTIONS"])
async def test_there_is_no_stream_and_nothing_to_delete(client: Client, method: str) -> None:
    answer = await http(method, {"authorization": f"Bearer {client.key}"})
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


async def test_only_the_key_of_a_session_opens_the_tools(client: Client, team: Team) -> None:
    agent_key, _ = await read_async(new_key, team)
    _, token = await read_async(lambda: people.create_token(team.users["ada"], name="mine"))
    for key in (client.key[:-4] + "aaaa", "cg_x", "", agent_key, token):
        answer = await Client(key).ask("tools/list")
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.error["data"] == {"code": "unauthenticated"}
    assert (await http("POST", {}, [b"{}"])).status == 401


async def test_a_foreign_host_or_page_is_refused(client: Client) -> None:
    assert (await client.ask("ping", host="evil.example")).status == 421
    assert (await client.ask("ping", host="")).status == 421
    assert (await client.ask("ping", origin="https://evil.example")).status == 403
    assert (await client.ask("ping", origin="null")).status == 403
    assert (await client.ask("ping", host="localhost:1", origin="http://127.0.0.1:8000")).status == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"", -32700), (b"\xff{", -32700), (b"[]", -32600), (b"3", -32600), (b'{"id": 1}', -32600), (b"[" * 9999, -32700),
     (b'{"jsonrpc": "2.0", "id": "\\ud800", "method": "ping"}', -32700),
     (b'{"jsonrpc": "2.0", "id": {}, "method": "ping"}', -32600)],
)  # fmt: skip
async def test_what_is_no_message_is_answered_with_an_error(client: Client, body: bytes, code: int) -> None:
    answer = await client.post(body)
    assert (answer.status, answer.error["code"]) == (400, code)


async def test_only_json_is_taken_and_given(client: Client) -> None:
    assert (await client.ask("ping", content_type="text/plain")).status == 415
    assert (await client.ask("ping", accept="text/event-stream")).status == 406
    assert (await client.ask("ping", accept="application/json, text/event-stream")).status == 200


async def test_a_body_is_bounded_whether_it_says_its_size_or_not(client: Client) -> None:
    said = {"authorization": f"Bearer {client.key}"}
    told = await http("POST", {**said, "content-length": str(mcp.MAX_BODY + 1)}, [b"{}"])
    assert (told.status, told.error["data"]["code"]) == (413, "too_large")
    piece = b" " * (mcp.MAX_BODY // 4)
    assert (await http("POST", said, [piece] * 5)).status == 413
    fits = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode().ljust(mcp.MAX_BODY)
    assert (await http("POST", said, [fits])).status == 200


async def test_a_session_that_calls_too_fast_is_told_to_wait_and_then_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp, "PER_SECOND", 0.0)
    monkeypatch.setattr(mcp, "BURST", 2.0)
    monkeypatch.setattr(mcp, "PATIENCE", 1.0)
    monkeypatch.setattr(mcp, "_paces", mcp.Paces())
    for _ in range(2):
        await client.call("read_rules")
    said = await client.failing("read_rules")
    assert (said["code"], said["retry_after"]) == ("rate_limited", 10)
    refused = await client.ask("ping")
    assert (refused.status, refused.headers["retry-after"]) == (429, "10")


async def test_another_session_is_not_slowed_down(client: Client, team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp, "PER_SECOND", 0.0)
    monkeypatch.setattr(mcp, "BURST", 1.0)
    monkeypatch.setattr(mcp, "_paces", mcp.Paces())
    await client.call("read_rules")
    assert (await client.failing("read_rules"))["code"] == "rate_limited"
    other = Client(await read_async(lambda: key_of(team.working("counter"))))
    assert (await other.call("read_rules"))["workspace"] == "Sales"


async def test_a_server_on_its_way_out_sends_clients_elsewhere(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining.process, "_begun", True)
    answer = await client.ask("ping")
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")


async def test_everything_else_goes_to_the_pages() -> None:
    seen: list[str] = []

    async def pages(scope: dict[str, Any], _receive: Any, _send: Any) -> None:
        seen.append(scope["path"])

    async def send(message: dict[str, Any]) -> None:
        seen.append(message["type"])

    either = beside(pages)
    for path in ("/", "/mcpx", f"{PATH}/", PATH):
        await either({"type": "http", "method": "GET", "path": path, "headers": []}, None, send)  # type: ignore[arg-type]
    answered = ["http.response.start", "http.response.body"]
    assert seen == ["/", "/mcpx", *answered, *answered]
