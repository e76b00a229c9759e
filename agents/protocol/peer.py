"""Our JSON-RPC 2.0 peer: text frames in, ordered calls out. It holds no state about requests.

What we ask of an agent is a database row whose id is the JSON-RPC id, so an answer is matched by the caller,
on whatever connection it arrives. The peer's work is to let nothing malformed through and to keep the order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from agents.protocol import version

JsonObject = dict[str, Any]
RpcId = str | int | None

_INT64 = 2**63
# PostgreSQL refuses NUL, and UTF-8 has no lone surrogates.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_MAYBE_UNSTORABLE = re.compile("\\\\u(?:0000|[dD][89a-fA-F])|[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class RpcError:
    """The error of a response; `code` may be any integer, agents use their own."""

    code: int
    message: str
    data: Any = None


@dataclass(frozen=True)
class Limits:
    """How much one frame may be."""

    size: int = version.MAX_FRAME
    depth: int = 32
    id_length: int = 1024
    method_length: int = 256


class _BadFrame(Exception):
    """A frame that cannot be read; carries what the sender is told."""

    def __init__(self, code: int, message: str, frame_id: RpcId = None) -> None:
        super().__init__(message)
        self.code, self.message, self.frame_id = code, message, frame_id


Send = Callable[[str], Awaitable[None]]
OnNotification = Callable[[str, JsonObject], None]
OnRequest = Callable[[RpcId, str, JsonObject], None]
OnResponse = Callable[[RpcId, Any, RpcError | None], None]


@dataclass
class Peer:
    """One end of a connection.

    `feed` hands each frame to exactly one callback, synchronously and in the order of arrival, so that the
    answer to a prompt is handled after every update that came before it. Callbacks only put things into a
    queue: they do not wait, and an exception in one of them is a bug of ours that `feed` lets through.
    Whatever the other side sends, `feed` itself never raises (except what `send` raises for a connection
    that is gone).
    """

    send: Send
    on_notification: OnNotification
    on_request: OnRequest
    on_response: OnResponse
    limits: Limits = Limits()
    requests: frozenset[str] = frozenset({version.REQUEST_PERMISSION, version.ELICITATION})
    """The methods `on_request` is called for; every other request is answered -32601 here."""
    violations: int = field(default=0, init=False)
    """How many frames were malformed so far."""

    async def feed(self, text: str) -> None:
        """Take one frame; malformed ones and unknown requests are answered at once, nothing else is
        awaited.
        """
        try:
            frame = read_frame(text, self.limits)
            reply = self._dispatch(frame)
        except _BadFrame as bad:
            self.violations += 1
            reply = error(bad.frame_id, bad.code, bad.message)
        if reply is not None:
            await self.send(reply)

    def _dispatch(self, frame: JsonObject) -> str | None:
        frame_id = _frame_id(frame, self.limits)
        if frame.get("jsonrpc", "2.0") != "2.0":
            raise _BadFrame(version.INVALID_REQUEST, "not JSON-RPC 2.0", _echoed(frame, frame_id))
        if "method" not in frame:
            return self._response(frame, frame_id)
        method = frame["method"]
        if not isinstance(method, str) or not 0 < len(method) <= self.limits.method_length:
            raise _BadFrame(version.INVALID_REQUEST, "method must be a short text", frame_id)
        params = frame.get("params")
        if params is not None and not isinstance(params, dict):
            raise _BadFrame(version.INVALID_PARAMS, "params must be an object", frame_id)
        if "id" in frame and method in self.requests:
            self.on_request(frame_id, method, params or {})
        elif frame_id is None:
            # Also for an id of null: its sender could not match an answer, and an update must not be lost over it.
            self.on_notification(method, params or {})
        else:
            return error(frame_id, version.METHOD_NOT_FOUND, f"unknown method {method}")
        return None

    def _response(self, frame: JsonObject, frame_id: RpcId) -> str | None:
        failure = frame.get("error")
        if "id" not in frame or ("result" not in frame and failure is None):
            raise _BadFrame(version.INVALID_REQUEST, "neither a request nor a response", frame_id)
        if failure is None:
            self.on_response(frame_id, frame["result"], None)
        else:
            self.on_response(frame_id, None, _read_error(failure))
        return None


def read_frame(text: str, limits: Limits = Limits()) -> JsonObject:
    """The object in a frame, free of what a database cannot store; of a key given twice the last one
    counts.
    """
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    if size > limits.size:
        raise _BadFrame(version.INVALID_REQUEST, f"frame is larger than {limits.size} bytes")
    try:
        frame = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except json.JSONDecodeError as problem:
        raise _BadFrame(version.PARSE_ERROR, f"not JSON: {problem.msg}") from None
    except (ValueError, RecursionError):
        # More digits than Python converts, a number beyond floating point, or nesting beyond the stack.
        raise _BadFrame(version.INVALID_REQUEST, "number or nesting out of range") from None
    if not isinstance(frame, dict):
        raise _BadFrame(version.INVALID_REQUEST, "a frame is one JSON object")
    # The id is echoed, so it is checked as it was sent and not as we would store it.
    frame_id = _frame_id(frame, limits)
    if _depth_exceeds(frame, text, limits.depth):
        raise _BadFrame(version.INVALID_REQUEST, f"nested deeper than {limits.depth}", _echoed(frame, frame_id))
    return storable(frame) if _MAYBE_UNSTORABLE.search(text) else frame


def storable(value: Any) -> Any:
    """The same JSON value with NUL and lone surrogates replaced by U+FFFD, in keys too."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [storable(item) for item in value]
    return value


def request(frame_id: str | int, method: str, params: JsonObject | None = None) -> str:
    """The frame of a request; `params` is left out when None."""
    return _frame({"id": frame_id, "method": method}, params)


def notification(method: str, params: JsonObject | None = None) -> str:
    """The frame of a notification; `params` is left out when None."""
    return _frame({"method": method}, params)


def result(frame_id: RpcId, value: Any) -> str:
    """The frame of a successful answer."""
    return _dump({"jsonrpc": "2.0", "id": frame_id, "result": value})


def error(frame_id: RpcId, code: int, message: str, data: Any = None) -> str:
    """The frame of an error answer; `data` is left out when None."""
    body: JsonObject = {"code": code, "message": message}
    if data is not None:
        body["data"] = data
    return _dump({"jsonrpc": "2.0", "id": frame_id, "error": body})


def _frame(head: JsonObject, params: JsonObject | None) -> str:
    frame = {"jsonrpc": "2.0", **head}
    if params is not None:
        frame["params"] = params
    return _dump(frame)


def _dump(frame: JsonObject) -> str:
    text = json.dumps(frame, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if text.isascii() or not _UNSTORABLE.search(text):
        return text
    return json.dumps(storable(frame), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _frame_id(frame: JsonObject, limits: Limits) -> RpcId:
    value = frame.get("id")
    if value is None:
        return None
    if isinstance(value, str) and len(value) <= limits.id_length and not _UNSTORABLE.search(value):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64:
        return value
    raise _BadFrame(version.INVALID_REQUEST, "id must be a short text, a 64-bit integer or null")


def _echoed(frame: JsonObject, frame_id: RpcId) -> RpcId:
    """The id with which a frame is refused. A broken answer has one of ours, and theirs may be the same."""
    is_answer = "method" not in frame and ("result" in frame or frame.get("error") is not None)
    return None if is_answer else frame_id


def _read_error(failure: Any) -> RpcError:
    if not isinstance(failure, dict):
        return RpcError(version.INTERNAL_ERROR, str(failure)[:1000])
    code, message = failure.get("code"), failure.get("message")
    known = isinstance(code, int) and not isinstance(code, bool) and -_INT64 <= code < _INT64
    return RpcError(
        code if known else version.INTERNAL_ERROR,  # type: ignore[arg-type]
        message if isinstance(message, str) else "",
        failure.get("data"),
    )


def _depth_exceeds(frame: JsonObject, text: str, depth: int) -> bool:
    # Nearly every frame has too few brackets to be deep; counting them is far cheaper than walking.
    if text.count("{") + text.count("[") <= depth:
        return False
    level: list[Any] = [frame]
    for _ in range(depth):
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError("number beyond floating point")
    return number
