"""The peer: what it lets through, in which order, and what it answers by itself."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.protocol import peer, version
from agents.protocol.peer import Limits, Peer, RpcError

Call = tuple[Any, ...]


def fed(*frames: str, limits: Limits | None = None) -> tuple[list[Call], list[Any]]:
    """The calls a peer makes for these frames, and the frames it answers."""
    calls: list[Call] = []
    sent: list[Any] = []

    async def send(text: str) -> None:
        sent.append(json.loads(text))

    def noted(kind: str) -> Any:
        return lambda *args: calls.append((kind, *args))

    async def run() -> None:
        it = Peer(send, noted("notification"), noted("request"), noted("response"), limits or Limits())
        for frame in frames:
            await it.feed(frame)

    asyncio.run(run())
    return calls, sent


def test_updates_and_the_answer_of_the_turn_keep_their_order() -> None:
    frames = [peer.notification("session/update", {"n": n}) for n in range(50)]
    frames.insert(20, peer.request(0, "session/request_permission", {"sessionId": "s"}))
    frames.append(peer.result("e7-3", {"stopReason": "end_turn"}))
    calls, sent = fed(*frames)
    assert sent == []
    assert [call[0] for call in calls] == (["notification"] * 20 + ["request"] + ["notification"] * 30 + ["response"])
    assert [call[2]["n"] for call in calls if call[0] == "notification"] == list(range(50))
    assert calls[-1] == ("response", "e7-3", {"stopReason": "end_turn"}, None)


GOOD = {
    "id zero is a live request": (
        '{"jsonrpc":"2.0","id":0,"method":"session/request_permission","params":{"a":1}}',
        ("request", 0, "session/request_permission", {"a": 1}),
    ),
    "a text id": (
        '{"jsonrpc":"2.0","id":"x","method":"session/request_permission"}',
        ("request", "x", "session/request_permission", {}),
    ),
    "null params are no params": (
        '{"jsonrpc":"2.0","method":"$/cancel_request","params":null}',
        ("notification", "$/cancel_request", {}),
    ),
    "an update with an id of null": ('{"id":null,"method":"session/update"}', ("notification", "session/update", {})),
    "a known request with an id of null": (
        '{"id":null,"method":"session/request_permission"}',
        ("request", None, "session/request_permission", {}),
    ),
    "an unknown notification": ('{"method":"_auth/status_update"}', ("notification", "_auth/status_update", {})),
    "a null result": ('{"jsonrpc":"2.0","id":"r","result":null}', ("response", "r", None, None)),
    "a null error beside a result": ('{"id":"r","result":{},"error":null}', ("response", "r", {}, None)),
    "an error wins over a result": (
        '{"id":"r","result":{},"error":{"code":-31002,"message":"m","data":[1]}}',
        ("response", "r", None, RpcError(-31002, "m", [1])),
    ),
    "an error that is a text": ('{"id":"r","error":"boom"}', ("response", "r", None, RpcError(-32603, "boom"))),
    "an error with a code of text": (
        '{"id":"r","error":{"code":"x"}}',
        ("response", "r", None, RpcError(-32603, "")),
    ),
    "an error with a huge code": (
        '{"id":"r","error":{"code":' + "9" * 30 + "}}",
        ("response", "r", None, RpcError(-32603, "")),
    ),
    "an answer to malformed input": (
        '{"id":null,"error":{"code":-32700,"message":"p"}}',
        ("response", None, None, RpcError(-32700, "p")),
    ),
    "NUL and lone surrogates are replaced": (
        '{"method":"m","params":{"a\\u0000":"\\ud800x\\u0000","b":["\\udfff"],"c":"\\ud83d\\ude00"}}',
        ("notification", "m", {"a\ufffd": "\ufffdx\ufffd", "b": ["\ufffd"], "c": "\U0001f600"}),
    ),
    "raw surrogates are replaced": (
        '{"method":"m","params":{"a":"\udc80"}}',
        ("notification", "m", {"a": "\ufffd"}),
    ),
    "the last of two equal keys counts": ('{"method":"a","method":"b"}', ("notification", "b", {})),
    "_meta stays inside": (
        '{"method":"m","params":{"sessionId":"s","_meta":{"session_id":"VICTIM"}}}',
        ("notification", "m", {"sessionId": "s", "_meta": {"session_id": "VICTIM"}}),
    ),
    "a large integer in the parameters": (
        '{"method":"m","params":{"n":' + "1" * 40 + "}}",
        ("notification", "m", {"n": int("1" * 40)}),
    ),
}


@pytest.mark.parametrize("case", GOOD)
def test_a_frame_reaches_exactly_one_callback(case: str) -> None:
    frame, call = GOOD[case]
    assert fed(frame) == ([call], [])


BAD = {
    "not JSON": ("{", -32700, None),
    "empty": ("", -32700, None),
    "not a number": ('{"method":"m","params":{"a":NaN}}', -32600, None),
    "beyond floating point": ('{"method":"m","params":{"a":1e999}}', -32600, None),
    "a million digits": ('{"id":' + "9" * 1_000_000 + "}", -32600, None),
    "an array": ('[{"jsonrpc":"2.0","id":1,"method":"m"}]', -32600, None),
    "a text": ('"x"', -32600, None),
    "null": ("null", -32600, None),
    "nothing in it": ("{}", -32600, None),
    "an id alone": ('{"jsonrpc":"2.0","id":5}', -32600, 5),
    "another version": ('{"jsonrpc":"1.0","id":5,"method":"m"}', -32600, 5),
    # Our ids and the agent's overlap: with the id on it, this would read like the answer to a request of its own.
    "an answer of another version": ('{"jsonrpc":"1.0","id":5,"result":{}}', -32600, None),
    "an answer that is too deep": ('{"id":5,"result":' + "[" * 40 + "]" * 40 + "}", -32600, None),
    "an error of another version": ('{"jsonrpc":1,"id":5,"error":{"code":1,"message":""}}', -32600, None),
    "a method of another type": ('{"id":5,"method":7}', -32600, 5),
    "an empty method": ('{"id":5,"method":""}', -32600, 5),
    "a long method": ('{"id":5,"method":"' + "m" * 257 + '"}', -32600, 5),
    "an unknown request": ('{"id":5,"method":"fs/read_text_file","params":{}}', -32601, 5),
    "params of another type": ('{"id":"a","method":"session/request_permission","params":[1]}', -32602, "a"),
    "a true id": ('{"id":true,"method":"session/request_permission"}', -32600, None),
    "a fractional id": ('{"id":1.5,"method":"session/request_permission"}', -32600, None),
    "an object as id": ('{"id":{},"method":"session/request_permission"}', -32600, None),
    "an id beyond 64 bits": ('{"id":9223372036854775808,"method":"m"}', -32600, None),
    "an id with NUL": ('{"id":"\\u0000","method":"m"}', -32600, None),
    "a long id": ('{"id":"' + "i" * 1025 + '","method":"m"}', -32600, None),
    "too deep": ('{"id":5,"method":"m","params":{"a":' + "[" * 31 + "]" * 31 + "}}", -32600, 5),
    "bottomless": ('{"id":5,"method":"m","params":' + '{"a":' * 99_999 + "1" + "}" * 100_000, -32600, None),
    "too large": ('{"id":5,"method":"' + "m" * version.MAX_FRAME + '"}', -32600, None),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_frame_is_answered_and_goes_no_further(case: str) -> None:
    frame, code, frame_id = BAD[case]
    calls, sent = fed(frame)
    assert calls == []
    assert [(answer["error"]["code"], answer["id"]) for answer in sent] == [(code, frame_id)]


def test_nesting_up_to_the_limit_is_taken_however_many_brackets_there_are() -> None:
    deepest = '{"method":"m","params":{"a":' + "[" * 30 + "]" * 30 + "}}"
    wide = '{"method":"m","params":{"a":[' + ",".join(["{}"] * 500) + "]}}"
    calls, sent = fed(deepest, wide)
    assert (len(calls), sent) == (2, [])


def test_size_is_counted_in_bytes() -> None:
    frame = '{"method":"m","params":{"t":"' + "é" * 40 + '"}}'
    assert len(frame) < 100 < len(frame.encode())
    assert fed(frame, limits=Limits(size=100))[1][0]["error"]["code"] == -32600


FRAMES = [
    (peer.request("a", "m"), {"jsonrpc": "2.0", "id": "a", "method": "m"}),
    (peer.request("a", "m", {}), {"jsonrpc": "2.0", "id": "a", "method": "m", "params": {}}),
    (peer.notification("m"), {"jsonrpc": "2.0", "method": "m"}),
    (peer.result(0, None), {"jsonrpc": "2.0", "id": 0, "result": None}),
    (peer.error(None, -1, "x"), {"jsonrpc": "2.0", "id": None, "error": {"code": -1, "message": "x"}}),
    (
        peer.error(1, -1, "x", {"a": 1}),
        {"jsonrpc": "2.0", "id": 1, "error": {"code": -1, "message": "x", "data": {"a": 1}}},
    ),
    (
        peer.notification("m", {"t": "ü\ud800\n"}),
        {"jsonrpc": "2.0", "method": "m", "params": {"t": "ü\ufffd\n"}},
    ),
]


@pytest.mark.parametrize(("frame", "value"), FRAMES)
def test_frames_are_one_line_of_utf8_without_empty_params(frame: str, value: Any) -> None:
    assert json.loads(frame) == value
    assert "\n" not in frame
    frame.encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | JSON,
        "id": JSON,
        "method": st.sampled_from(["session/update", "session/request_permission", "fs/read_text_file"]) | JSON,
        "params": JSON,
        "result": JSON,
        "error": JSON,
    },
)


@given(st.text() | st.builds(json.dumps, ENVELOPES | JSON) | st.binary().map(lambda data: data.decode("latin-1")))
def test_no_frame_ever_raises_and_each_has_at_most_one_effect(frame: str) -> None:
    calls, sent = fed(frame)
    assert len(calls) + len(sent) == 1
    assert not any(mark in repr(calls) for mark in ("\\x00", "\\ud8"))
