"""One life of one agent: which of its messages go where, once each. Knows nothing of sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from agents.connector.child import Child
from agents.connector.files import Store
from agents.connector.lanes import Lanes
from agents.connector.ledger import Asked, Handshake, Ledger, id_key
from agents.connector.outbox import Outbox
from agents.connector.policy import decide
from agents.connector.workdir import BadName, FetchFailed, Sync, Workdir
from agents.protocol import version

_ANY_SESSION = ""
LATE_KEPT = 1000

Frame = dict[str, Any]


def dump(frame: Frame) -> bytes:
    """A frame of our own as one line."""
    # Escaped: what an agent or a file name may hold (lone surrogates) is not always UTF-8.
    return json.dumps(frame, separators=(",", ":")).encode()


@dataclass
class _Fetching:
    """A prompt that waits for its inputs, and whether somebody has cancelled it meanwhile."""

    frame_id: Any
    cancelled: bool = False


@dataclass(frozen=True)
class Rules:
    """What holds for every life of this agent."""

    root: Path
    allow: str
    sync: Sync
    say: Callable[[str], None]
    noise: Callable[[bytes], None]


class Link:
    """Carries messages between one child and whatever connection there is.

    `take` is called with each message of the server; what the child says lies in `outbox` to be sent from
    there.
    """

    def __init__(self, link_id: str, child: Child, rules: Rules) -> None:
        self.id = link_id
        self.child = child
        self.outbox = Outbox()
        self.news = asyncio.Event()
        """Set when there may be something new to send."""
        self._rules = rules
        self._ledger = Ledger()
        self._handshake = Handshake()
        self._lanes = Lanes()
        self._room = asyncio.Event()
        self._workdirs: dict[str, Workdir] = {}
        self._opening: dict[str, Workdir] = {}
        self._fetching: dict[str, _Fetching] = {}
        self._late: OrderedDict[str, None] = OrderedDict()

    async def pump(self) -> None:
        """Take what the child says until it ends and everything it said is in the outbox."""
        async for line in self.child.lines():
            # Not reading is the only brake an agent understands.
            while self.outbox.full:
                self._room.clear()
                await self._room.wait()
            self._heard(line)

    async def settle(self) -> None:
        """Return when nothing is on its way inside any more: no file, no answer that waits for files."""
        await self._lanes.settle()

    async def flush(self) -> None:
        """Return when the server has stored everything there is."""
        while not self.outbox.empty:
            self.news.clear()
            await self.news.wait()

    def acknowledge(self, number: int) -> None:
        """The server has stored everything up to `number`. Raises UnknownPosition."""
        self.outbox.acknowledge(number)
        self._room.set()
        self.news.set()

    def resume(self, received: int) -> None:
        """A connection begins at `received`. Raises UnknownPosition."""
        self.outbox.resume(received)
        self._room.set()
        self.news.set()

    def rename(self) -> None:
        """Go on under a new name, for a server that has lost track of this one (restored from a backup, say).

        Whatever the agent is at belongs to nothing that this server knows: it is asked to stop, its open
        questions are answered, and it is ready for new work.
        """
        self.id = str(uuid.uuid4())
        self.outbox.renumber()
        for frame_id, method in self._ledger.questions():
            self._ledger.child_answered(frame_id)
            self._pass_on(_ANY_SESSION, dump({"jsonrpc": "2.0", "id": frame_id, **_unanswered(method)}))
        for session in self._ledger.turns():
            stop = {"jsonrpc": "2.0", "method": version.SESSION_CANCEL, "params": {"sessionId": session}}
            self._cancel(session, dump(stop))

    def came_too_late(self, told: Frame) -> None:
        """The server says that a result was not applied: its task had moved on."""
        request = str(told.get("request"))
        if request in self._late:
            return
        self._late[request] = None
        if len(self._late) > LATE_KEPT:
            self._late.popitem(last=False)
        kept = (
            "it is kept beside the task, where the team may still take it up" if told.get("kept_as") else "it was empty"
        )
        self._rules.say(
            f"the result of session {told.get('session')} came too late: its task had moved on"
            f" (epoch {told.get('current_epoch')}); {kept}"
        )

    async def close(self) -> int:
        """End the child and drop what was still meant for it; its exit code."""
        code = await self.child.close()
        await self._lanes.close()
        return code

    # From the server to the child.

    def take(self, frame: Frame, raw: bytes) -> None:
        """One message of the server that is not an extension's."""
        method = frame.get("method")
        if "id" not in frame:
            if method == version.SESSION_CANCEL:
                self._cancel(_session_of(frame), raw)
            elif method is not None:
                self._pass_on(_session_of(frame), raw)
        elif method is None:
            if self._ledger.child_answered(frame["id"]):
                self._pass_on(_ANY_SESSION, raw)
        elif self._ledger.ask(frame["id"], Asked(str(method), _session_of(frame))):
            self._asked(str(method), frame, raw)

    def _asked(self, method: str, frame: Frame, raw: bytes) -> None:
        session = _session_of(frame)
        if method == version.INITIALIZE:
            if self._handshake.ask(frame["id"]):
                self._pass_on(_ANY_SESSION, raw)
            else:
                self._answer_initialize()
        elif method in version.OPENING:
            self._open_session(frame, raw)
        elif method == version.SESSION_PROMPT and session in self._workdirs and not _brings_nothing(frame):
            self._fetching[session] = fetching = _Fetching(frame["id"])
            self._lanes.put(session, partial(self._fetch_then_prompt, session, fetching, raw))
        else:
            self._pass_on(session, raw)

    def _open_session(self, frame: Frame, raw: bytes) -> None:
        params = frame.get("params")
        meta = params.get("_meta") if isinstance(params, dict) else None
        ours = meta.get(version.META_KEY) if isinstance(meta, dict) else None
        if not isinstance(params, dict) or not isinstance(meta, dict) or not isinstance(ours, dict):
            self._pass_on(_session_of(frame), raw)
            return
        try:
            workdir = self._workdir(ours)
        except (KeyError, BadName, OSError) as problem:
            self._fail(frame["id"], f"no work directory on the agent's machine: {problem}")
            return
        # The key is for us: an agent that needs tools gets its own.
        del meta[version.META_KEY]
        if not meta:
            del params["_meta"]
        params["cwd"] = str(workdir.path)
        if session := _session_of(frame):
            self._workdirs[session] = workdir
        else:
            self._opening[id_key(frame["id"])] = workdir
        self._pass_on(session, dump(frame))

    def _workdir(self, ours: Frame) -> Workdir:
        store = Store(str(ours["files"]), str(ours["key"]))
        fresh = Workdir.make(self._rules.root, str(ours["session"]), store)
        for workdir in self._workdirs.values():
            if workdir.path == fresh.path:
                workdir.store = store
                return workdir
        return fresh

    def _cancel(self, session: str, raw: bytes) -> None:
        fetching = self._fetching.get(session)
        if fetching is None:
            self._pass_on(session, raw)
            return
        # Stop means now: the agent never sees this prompt. An earlier turn of the session may still run.
        if not fetching.cancelled:
            fetching.cancelled = True
            self._answer({"id": fetching.frame_id, "result": {"stopReason": "cancelled"}})
        self._pass_on(_ANY_SESSION, raw)

    async def _fetch_then_prompt(self, session: str, fetching: _Fetching, raw: bytes) -> None:
        problem: FetchFailed | None = None
        try:
            await self._rules.sync.fetch(self._workdirs[session])
        except FetchFailed as failed:
            problem = failed
        if self._fetching.get(session) is fetching:
            del self._fetching[session]
        if fetching.cancelled:
            return
        if problem is None:
            await self._write(raw)
        else:
            self._fail(fetching.frame_id, f"the inputs did not reach the agent's machine: {problem}")

    def _pass_on(self, session: str, raw: bytes) -> None:
        self._lanes.put(session, partial(self._write, raw))

    async def _write(self, raw: bytes) -> None:
        # A child that is gone shows at its other end, where `pump` returns.
        with contextlib.suppress(OSError):
            await self.child.write(raw.replace(b"\n", b" "))

    # From the child to the server.

    def _heard(self, line: bytes) -> None:
        try:
            frame = json.loads(line.decode())
        except (ValueError, RecursionError):
            frame = None
        if not isinstance(frame, dict) or not ("method" in frame or "id" in frame):
            self._rules.noise(line)
        elif "method" in frame:
            self._heard_call(frame, line)
        else:
            self._heard_answer(frame, line)

    def _heard_call(self, frame: Frame, line: bytes) -> None:
        method = frame["method"]
        if isinstance(method, str) and method.startswith(version.EXTENSION_PREFIX):
            self._rules.say(f"the agent sent {method}, which is not its to send; it was left out")
            return
        if method == version.REQUEST_PERMISSION and "id" in frame and self._decided(frame):
            return
        if "id" in frame:
            self._ledger.child_asks(frame["id"], str(method))
        self._send(line)

    def _decided(self, frame: Frame) -> bool:
        option = decide(self._rules.allow, frame.get("params"))
        if option is None:
            return False
        self._rules.say(f"allowed by --allow {self._rules.allow}: {_title_of(frame)}")
        outcome = {"outcome": {"outcome": "selected", "optionId": option}}
        self._pass_on(_ANY_SESSION, dump({"jsonrpc": "2.0", "id": frame["id"], "result": outcome}))
        return True

    def _heard_answer(self, frame: Frame, line: bytes) -> None:
        asked = self._ledger.asked(frame["id"])
        if not self._ledger.answer(frame["id"]):
            return
        if asked is None:
            self._send(line)
        elif asked.method == version.INITIALIZE:
            self._handshake.settle(frame["id"], frame)
            self._send(line)
            self._answer_initialize()
        elif asked.method == version.SESSION_PROMPT and asked.session_id in self._workdirs:
            self._lanes.put(asked.session_id, partial(self._deliver_then_answer, asked.session_id, frame, line))
        else:
            self._remember_session(frame)
            self._send(line)

    def _remember_session(self, frame: Frame) -> None:
        workdir = self._opening.pop(id_key(frame["id"]), None)
        result = frame.get("result")
        if workdir is not None and isinstance(result, dict) and isinstance(result.get("sessionId"), str):
            self._workdirs[result["sessionId"]] = workdir

    async def _deliver_then_answer(self, session: str, frame: Frame, line: bytes) -> None:
        delivery = await self._rules.sync.deliver(self._workdirs[session])
        failed = delivery.failed
        if delivery.late:
            self._rules.say(f"came too late, kept beside the task: {', '.join(delivery.late)}")
        if failed:
            self._rules.say(f"not delivered: {', '.join(failed)}")
        result = frame.get("result")
        if failed and isinstance(result, dict):
            _object_at(_object_at(result, "_meta"), version.META_KEY)["files_failed"] = failed
            line = dump(frame)
        self._send(line)

    def _answer_initialize(self) -> None:
        for answer in self._handshake.answers():
            self._answer(answer)

    def _fail(self, frame_id: Any, message: str) -> None:
        self._rules.say(message)
        self._answer({"id": frame_id, "error": {"code": version.INTERNAL_ERROR, "message": message}})

    def _answer(self, frame: Frame) -> None:
        self._ledger.answer(frame["id"])
        self._send(dump({"jsonrpc": "2.0", **frame}))

    def _send(self, line: bytes) -> None:
        if len(line) > version.MAX_FRAME:
            # The server would close the socket over it, and over it again after every reconnect.
            line = self._instead_of(line)
        if line:
            self.outbox.add(line)
            self.news.set()

    def _instead_of(self, line: bytes) -> bytes:
        self._rules.say(f"a message of {len(line)} bytes is too large to be sent; it was left out")
        frame = json.loads(line)
        if "method" in frame:
            return b""
        error = {"code": version.TOO_LARGE, "message": f"the answer is larger than {version.MAX_FRAME} bytes"}
        return dump({"jsonrpc": "2.0", "id": frame["id"], "error": error})


def _unanswered(method: str) -> Frame:
    """What an agent is told whose question nobody will answer any more."""
    if method == version.REQUEST_PERMISSION:
        return {"result": {"outcome": {"outcome": "cancelled"}}}
    return {"error": {"code": version.REQUEST_CANCELLED, "message": "the server does not know of this request"}}


def _brings_nothing(frame: Frame) -> bool:
    """Whether the server says that no file goes with this prompt, so that there is nothing to ask for."""
    found: object = frame
    for name in ("params", "_meta", version.META_KEY, "files"):
        found = found.get(name) if isinstance(found, dict) else None
    return found == 0


def _session_of(frame: Frame) -> str:
    params = frame.get("params")
    session = params.get("sessionId") if isinstance(params, dict) else None
    return session if isinstance(session, str) else _ANY_SESSION


def _object_at(holder: Frame, key: str) -> Frame:
    if not isinstance(holder.get(key), dict):
        holder[key] = {}
    inner: Frame = holder[key]
    return inner


def _title_of(frame: Frame) -> str:
    params = frame.get("params")
    call = params.get("toolCall") if isinstance(params, dict) else None
    title = call.get("title") or call.get("toolCallId") if isinstance(call, dict) else None
    return str(title)[:200]
