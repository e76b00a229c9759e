"""The watch over our frames passes what is ACP and notices what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.protocol import acp, peer
from tests.conformance.samples import Sampler
from tests.conformance.schema import Judge, stable, unstable
from tests.conformance.wire import FAULTS, Wire

ASKED = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "session/request_permission", "params": {}})
GOOD = [
    acp.initialize("0").request("a"),
    acp.session_new("/w", mcp_servers=[acp.http_mcp("tools", "https://h/mcp", {"A": "b"})]).request("b"),
    acp.session_load("s", "/w").request("c"),
    acp.session_resume("s", "/w").request("d"),
    acp.session_prompt("s", [acp.text_block("Go"), acp.image_block("aGk=", "image/png")], task={"x": None}).request(
        "e"
    ),
    acp.session_cancel("s").notification(),
    peer.notification("$/cancel_request", {"requestId": 7}),
    peer.result(0, acp.permission_selected("y")),
    peer.result(0, acp.permission_cancelled()),
    peer.error(None, -32700, "not JSON"),
    peer.error(0, -32010, "too late", {"current_epoch": 2}),
    peer.notification("_clawgroups/ack", {"received": 1}),
]


@pytest.mark.parametrize("frame", GOOD)
def test_what_we_build_passes(frame: str) -> None:
    wire = Wire()
    wire.said(ASKED)
    wire.heard(frame)
    assert (wire.faults, wire.frames) == ([], 1)


def call(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": "a", "method": method, "params": params}


BAD: dict[str, dict[str, Any]] = {
    "no version": {"id": "a", "method": "session/list", "params": {}},
    "null for parameters": {"jsonrpc": "2.0", "id": "a", "method": "session/list", "params": None},
    "a root field": {**call("session/list"), "extra": 1},
    "a field nobody knows": call("session/new", cwd="/", mcpServers=[], workspace="w"),
    "a field nobody knows, deeper": call(
        "session/prompt", sessionId="s", prompt=[{"type": "text", "text": "", "x": 1}]
    ),
    "a missing field": call("session/new", cwd="/"),
    "a wrong type": call("session/prompt", sessionId="s", prompt="Go"),
    "an unknown block": call("session/prompt", sessionId="s", prompt=[{"type": "hologram"}]),
    "a call of the agent's": call("session/request_permission", sessionId="s"),
    "a call nobody knows": call("session/steer", sessionId="s"),
    "a notification as a request": call("session/cancel", sessionId="s"),
    "a request as a notification": {"jsonrpc": "2.0", "method": "session/prompt", "params": {}},
    "a fractional id": {**call("session/list"), "id": 1.5},
    "a result for nothing": {"jsonrpc": "2.0", "id": 9, "result": {}},
    "a result for a text and not the number": {"jsonrpc": "2.0", "id": "0", "result": {}},
    "a wrong outcome": {"jsonrpc": "2.0", "id": 0, "result": {"outcome": {"outcome": "selected"}}},
    "neither result nor error": {"jsonrpc": "2.0", "id": 0},
    "an error without a code": {"jsonrpc": "2.0", "id": 0, "error": {"message": "no"}},
}


@pytest.mark.parametrize("frame", BAD.values(), ids=list(BAD))
def test_what_is_not_acp_is_noticed(frame: dict[str, Any]) -> None:
    wire = Wire()
    wire.said(ASKED)
    wire.heard(json.dumps(frame))
    assert len(wire.faults) > 0
    assert len(FAULTS) == len(wire.faults)
    FAULTS.clear()


@pytest.mark.parametrize("judge", [stable(), unstable()], ids=["stable", "unstable"])
def test_a_filled_in_form_of_every_message_passes_the_closed_schema(judge: Judge) -> None:
    names = [name for name, one in judge.defs.items() if "x-method" in one]
    assert len(names) > 40
    faults = {name: judge.faults(name, Sampler(judge).whole(name)) for name in names}
    assert {name: found for name, found in faults.items() if found} == {}
