"""What we send is ACP by its own models; what agents send is read without losing or believing too much."""

from __future__ import annotations

from typing import Any

import pytest
from acp import schema
from hypothesis import given

from agents.protocol import acp
from agents.protocol.updates import (
    CommandsAvailable,
    ConfigChanged,
    MessageChunk,
    ModeChanged,
    Notice,
    PermissionOption,
    PlanEntry,
    PlanReplaced,
    SessionInfo,
    ThoughtChunk,
    ToolCall,
    UnknownUpdate,
    Usage,
    UserChunk,
)
from tests.agents.test_peer import JSON


def test_initialize_offers_no_files_no_terminal_and_names_our_extensions() -> None:
    call = acp.initialize("0.1.0")
    assert call.method == "initialize"
    capabilities = call.params["clientCapabilities"]
    assert call.params["protocolVersion"] == 1
    assert capabilities["fs"] == {"readTextFile": False, "writeTextFile": False}
    assert capabilities["terminal"] is False
    assert capabilities["_meta"] == {"clawgroups": {"extensions": ["link", "workdir", "policy", "tools"]}}
    schema.InitializeRequest.model_validate(call.params)


def test_a_session_carries_its_tools_and_its_work_directory() -> None:
    tools = acp.http_mcp("clawgroups", "https://host/mcp", {"Authorization": "Bearer t"})
    call = acp.session_new("/", mcp_servers=[tools], meta=acp.workdir_meta("s", "https://host/f", "k"))
    assert call.params == {
        "cwd": "/",
        "mcpServers": [
            {
                "type": "http",
                "name": "clawgroups",
                "url": "https://host/mcp",
                "headers": [{"name": "Authorization", "value": "Bearer t"}],
            }
        ],
        "_meta": {"clawgroups": {"session": "s", "files": "https://host/f", "key": "k"}},
    }
    assert acp.session_new("/w").params == {"cwd": "/w", "mcpServers": []}
    for build in (acp.session_load, acp.session_resume):
        assert build("s1", "/w").params == {"sessionId": "s1", "cwd": "/w", "mcpServers": []}


def test_a_prompt_keeps_the_whole_task_even_its_nulls() -> None:
    task: dict[str, Any] = {"id": "t", "inputs": [{"name": "a.csv", "from": None}]}
    call = acp.session_prompt("s", [acp.text_block("Do"), acp.link_block("a.csv", "a.csv")], task=task)
    assert call.params["prompt"] == [
        {"type": "text", "text": "Do"},
        {"type": "resource_link", "name": "a.csv", "uri": "a.csv"},
    ]
    assert call.params["_meta"] == {"clawgroups": {"task": task}}
    picture = acp.session_prompt("s", [acp.image_block("aGk=", "image/png")]).params
    schema.PromptRequest.model_validate(picture)
    assert "_meta" not in picture


def test_small_messages_are_exact() -> None:
    assert acp.session_cancel("s").notification() == (
        '{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s"}}'
    )
    assert acp.permission_selected("y") == {"outcome": {"outcome": "selected", "optionId": "y"}}
    assert acp.permission_cancelled() == {"outcome": {"outcome": "cancelled"}}


def test_an_agents_announcement_is_read() -> None:
    snapshot = acp.parse_initialize(
        {
            "protocolVersion": 1,
            "agentInfo": {"name": "kimi", "title": "Kimi", "version": "2.1"},
            "agentCapabilities": {
                "loadSession": True,
                "promptCapabilities": {"image": True, "embeddedContext": True},
                "mcpCapabilities": {"http": True},
                "sessionCapabilities": {"resume": {}},
            },
            "authMethods": [{"id": "login"}, "junk"],
        }
    )
    assert (snapshot.protocol_version, snapshot.name, snapshot.title, snapshot.version) == (1, "kimi", "Kimi", "2.1")
    assert snapshot.load
    assert snapshot.resume
    assert snapshot.image
    assert snapshot.embedded
    assert snapshot.mcp_http
    assert not snapshot.audio
    assert snapshot.auth_methods == ({"id": "login"},)


@given(JSON)
def test_no_answer_breaks_its_reader(answer: Any) -> None:
    acp.parse_initialize(answer)
    acp.parse_prompt(answer)
    session, update = acp.parse_update({"sessionId": "s", "update": answer})
    assert session == "s"
    assert update == UnknownUpdate(update.tag, answer) if isinstance(update, UnknownUpdate) else True
    if isinstance(answer, dict):
        acp.parse_permission(1, answer)


@pytest.mark.parametrize("answer", [None, {}, {"sessionId": 7}, {"sessionId": ""}])
def test_a_session_without_a_name_is_refused(answer: Any) -> None:
    with pytest.raises(acp.InvalidAnswer):
        acp.parse_new_session(answer)


def test_a_new_session_and_the_end_of_a_turn_are_read() -> None:
    opened = acp.parse_new_session({"sessionId": "s", "modes": {"currentModeId": "a"}, "configOptions": [{"id": 1}, 2]})
    assert opened == acp.NewSession("s", {"currentModeId": "a"}, ({"id": 1},))
    ended = acp.parse_prompt({"stopReason": "end_turn", "_meta": {"clawgroups": {"files_failed": ["a"]}}})
    assert (ended.stop_reason, ended.meta) == ("end_turn", {"clawgroups": {"files_failed": ["a"]}})
    assert acp.parse_prompt({"stopReason": "tired"}).stop_reason == "unknown"


TEXT = {"type": "text", "text": "hi"}
UPDATES: list[tuple[dict[str, Any], Any]] = [
    ({"sessionUpdate": "agent_message_chunk", "content": TEXT, "messageId": "m"}, MessageChunk("hi", None, "m")),
    (
        {"sessionUpdate": "agent_message_chunk", "content": {"type": "image", "data": "x", "mimeType": "image/png"}},
        MessageChunk("", {"type": "image", "data": "x", "mimeType": "image/png"}),
    ),
    ({"sessionUpdate": "agent_thought_chunk", "content": TEXT}, ThoughtChunk("hi")),
    ({"sessionUpdate": "user_message_chunk", "content": TEXT}, UserChunk("hi")),
    (
        {"sessionUpdate": "tool_call", "toolCallId": "c", "title": "Run", "kind": "execute", "status": "pending"},
        ToolCall("c", {"title": "Run", "kind": "execute", "status": "pending"}),
    ),
    (
        {
            "sessionUpdate": "tool_call_update",
            "toolCallId": "c",
            "kind": "invented",
            "status": "paused",
            "title": None,
            "content": [{"type": "content", "content": TEXT}, 7],
            "rawInput": {"command": "ls"},
        },
        ToolCall(
            "c",
            {
                "kind": "other",
                "content": [{"type": "content", "content": TEXT}],
                "raw_input": {"command": "ls"},
            },
        ),
    ),
    (
        {
            "sessionUpdate": "plan",
            "entries": [{"content": "a", "priority": "high", "status": "completed"}, {"content": "b"}, 1],
        },
        PlanReplaced((PlanEntry("a", "high", "completed"), PlanEntry("b", "medium", "pending"))),
    ),
    (
        {"sessionUpdate": "available_commands_update", "availableCommands": [{"name": "x"}]},
        CommandsAvailable(({"name": "x"},)),
    ),
    ({"sessionUpdate": "current_mode_update", "currentModeId": "ask"}, ModeChanged("ask")),
    ({"sessionUpdate": "config_option_update", "configOptions": [{"id": "m"}]}, ConfigChanged(({"id": "m"},))),
    ({"sessionUpdate": "session_info_update", "title": "T"}, SessionInfo("T", None)),
    ({"sessionUpdate": "usage_update", "used": 5, "size": 10}, Usage(5, 10)),
    (
        {"sessionUpdate": "usage_update", "used": 5, "size": 10, "cost": {"amount": 0.5, "currency": "USD"}},
        Usage(5, 10, 0.5, "USD"),
    ),
    ({"sessionUpdate": "usage_update", "used": 2**70, "size": 10}, UnknownUpdate),
    ({"sessionUpdate": "notice", "severity": "warning", "title": "T"}, Notice("warning", "T")),
    ({"sessionUpdate": "agent_message_chunk", "content": "hi"}, UnknownUpdate),
    ({"sessionUpdate": "tool_call", "title": "no id"}, UnknownUpdate),
    ({"sessionUpdate": "compaction_update", "compactionId": "1"}, UnknownUpdate),
    ({"sessionUpdate": ["odd"]}, UnknownUpdate),
    ({}, UnknownUpdate),
]


@pytest.mark.parametrize(("raw", "expected"), UPDATES)
def test_every_update_is_read_or_kept_as_it_came(raw: dict[str, Any], expected: Any) -> None:
    session, update = acp.parse_update({"sessionId": "s", "update": raw, "_meta": {"sessionId": "VICTIM"}})
    assert session == "s"
    if expected is UnknownUpdate:
        tag = raw.get("sessionUpdate")
        assert update == UnknownUpdate(tag if isinstance(tag, str) else "", raw)
    else:
        assert update == expected


def test_a_permission_request_offers_each_answer_once() -> None:
    asked = acp.parse_permission(
        0,
        {
            "sessionId": "s",
            "toolCall": {"toolCallId": "c"},
            "options": [
                {"optionId": "y", "name": "Yes", "kind": "allow_once"},
                {"optionId": "y", "name": "Evil", "kind": "reject_once"},
                {"optionId": "z", "name": "Later", "kind": "postpone"},
                {"name": "no id"},
            ],
        },
    )
    assert asked is not None
    assert (asked.request_id, asked.tool_call) == (0, ToolCall("c", {}))
    assert asked.options == (PermissionOption("y", "Yes", "allow_once"), PermissionOption("z", "Later", "other"))


@pytest.mark.parametrize("params", [{}, {"sessionId": "s"}, {"sessionId": 1, "toolCall": {"toolCallId": "c"}}])
def test_a_permission_request_about_nothing_is_refused(params: dict[str, Any]) -> None:
    assert acp.parse_permission(1, params) is None


@pytest.mark.parametrize(
    ("text", "more", "streamed"),
    [
        ('{"path": "a.txt"}', {}, {"path": "a.txt"}),
        ('{"path": "a.t', {}, {}),  # as far as it has come
        ("[1]", {}, {}),
        ("{none}", {}, {}),
        ("Requesting approval", {}, {}),
        ('{"path": "a.txt"}', {"rawInput": {"path": "b.txt"}}, {}),
        ('{"path": "a.txt"}', {"status": "completed"}, {}),  # that is what came out
        ('{"path": "a.txt"}', {"status": None}, {}),
    ],
)
def test_the_input_that_kimi_code_streams_as_text_is_read_once_it_is_whole(
    text: str, more: dict[str, Any], streamed: dict[str, Any]
) -> None:
    content = [{"type": "content", "content": {"type": "text", "text": text}}]
    update = {
        "sessionUpdate": "tool_call_update",
        "toolCallId": "c",
        "status": "in_progress",
        "content": content,
        **more,
    }
    _, found = acp.parse_update({"sessionId": "s", "update": update})
    assert isinstance(found, ToolCall)
    assert found.streamed == streamed
    assert found.given["content"] == content
