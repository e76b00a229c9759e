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

from agents.connector.child import Child, too_large
from agents.connector.deciding import Desk, Owner, Ways, knows_decisions
from agents.connector.folders import Folders, addressed, taken_out
from agents.connector.glance import frame_of, read
from agents.connector.inside import BadName
from agents.connector.lanes import Lanes
from agents.connector.ledger import Asked, Handshake, Ledger
from agents.connector.outbox import Outbox
from agents.connector.spool import LONG, Line, beginning
from agents.connector.tools import Tools
from agents.connector.workdir import FetchFailed, Sync, Workdir
from agents.connector.workplace import NoPlace, Workplace
from agents.protocol import version

_ANY_SESSION = ""
_NOISE = 4096
"""Bytes of a line that is no message that are shown."""
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

    place: Workplace
    owner: Owner
    sync: Sync
    say: Callable[[str], None]
    noise: Callable[[bytes], None]
    mcp: str = "http"


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
        self.spoke = False
        """Whether the agent has said anything of the protocol yet."""
        self._rules = rules
        self._ledger = Ledger()
        self._handshake = Handshake()
        self._lanes = Lanes()
        self._tools = Tools(rules.mcp, rules.say)
        self._room = asyncio.Event()
        self._folders = Folders(rules.place, rules.say)
        self._fetching: dict[str, _Fetching] = {}
        self._late: OrderedDict[str, None] = OrderedDict()
        ways = Ways(self._reply, self._forward, self._tell, rules.say, self._folder_of)
        self._desk = Desk(rules.owner, ways)
        self._is_told = False
        """Whether the server knows what it means that something was decided here."""

    async def pump(self) -> None:
        """Take what the child says until it ends and everything it said is in the outbox."""
        async for line in self.child.lines():
            # Not reading is the only brake an agent understands.
            while self.outbox.full:
                self._room.clear()
                await self._room.wait()
            self._heard(line)
            del line  # not until the next one comes

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
        self._desk.turn_over()
        for frame_id, method in self._ledger.questions():
            self._reply_by(frame_id, _unanswered(method))
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
        await self._desk.close()
        await self._lanes.close()
        self._folders.release()
        self._tools.close()
        self.outbox.close()
        return code

    # From the server to the child.

    def take(self, frame: Frame, raw: Line) -> None:
        """One message of the server that is not an extension's, as it came and as `wire.read` has it."""
        method = frame.get("method")
        if "id" not in frame:
            if method == version.SESSION_CANCEL:
                self._cancel(_session_of(frame), raw)
            elif method is not None:
                self._pass_on(_session_of(frame), raw)
        elif method is None:
            if (question := self._ledger.child_answered(frame["id"])) is not None:
                mine = raw if question.id == frame["id"] else dump({**_whole(frame, raw), "id": question.id})
                self._pass_on(_ANY_SESSION, mine)
        elif self._ledger.ask(frame["id"], Asked(str(method), _session_of(frame))):
            self._asked(str(method), frame, raw)

    def _asked(self, method: str, frame: Frame, raw: Line) -> None:
        session = _session_of(frame)
        if method == version.SESSION_PROMPT:
            self._desk.turn_begins(session)
        if method == version.INITIALIZE:
            self._is_told = knows_decisions(frame)
            if self._handshake.ask(frame["id"]):
                self._pass_on(_ANY_SESSION, raw)
            else:
                self._answer_initialize()
        elif method in version.OPENING:
            self._open_session(frame, dump(frame) if self._tools.adapt(frame) else raw)
        elif method == version.SESSION_PROMPT and (workdir := self._folders.for_prompt(session, frame)) is not None:
            self._fetching[session] = fetching = _Fetching(frame["id"])
            prompt = partial(self._fetch_then_prompt, session, workdir, fetching, self._addressed(workdir, frame, raw))
            self._lanes.put(session, prompt)
        else:
            self._pass_on(session, raw)

    def _addressed(self, workdir: Workdir, frame: Frame, raw: Line) -> Line:
        """A prompt as the agent gets it."""
        return raw if workdir.tree is None else addressed(workdir, _whole(frame, raw)) or raw

    def _open_session(self, frame: Frame, raw: Line) -> None:
        ours = taken_out(frame)
        if ours is None:
            self._pass_on(_session_of(frame), raw)
            return
        # A worktree takes a while; nothing else waits for it.
        self._lanes.put(("open", str(ours.get("session"))), partial(self._make_then_open, frame, ours))

    async def _make_then_open(self, frame: Frame, ours: Frame) -> None:
        try:
            workdir = await self._folders.make(ours)
        except (KeyError, BadName, NoPlace) as problem:
            self._fail(frame["id"], f"no work directory on the agent's machine: {problem}")
            return
        frame["params"]["cwd"] = str(workdir.cwd)
        session = _session_of(frame)
        self._folders.asked(session, frame["id"], workdir)
        self._pass_on(session, dump(frame))

    def _cancel(self, session: str, raw: Line) -> None:
        self._desk.stop(session)
        fetching = self._fetching.get(session)
        if fetching is None:
            self._pass_on(session, raw)
            return
        # Stop means now: the agent never sees this prompt. An earlier turn of the session may still run.
        if not fetching.cancelled:
            fetching.cancelled = True
            self._answer({"id": fetching.frame_id, "result": {"stopReason": "cancelled"}})
        self._pass_on(_ANY_SESSION, raw)

    async def _fetch_then_prompt(self, session: str, workdir: Workdir, fetching: _Fetching, raw: Line) -> None:
        problem: FetchFailed | None = None
        try:
            await self._rules.sync.fetch(workdir)
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

    def _pass_on(self, session: str, raw: Line) -> None:
        self._lanes.put(session, partial(self._write, raw))

    async def _write(self, raw: Line) -> None:
        # A child that is gone shows at its other end, where `pump` returns.
        with contextlib.suppress(OSError):
            await self.child.write(raw)

    # From the child to the server.

    def _heard(self, line: Line) -> None:
        try:
            frame = frame_of(line, (version.SESSION_UPDATE,))
        except (ValueError, RecursionError, OSError):
            frame = None
        if not isinstance(frame, dict) or not ("method" in frame or "id" in frame):
            self._rules.noise(beginning(line, _NOISE))
            return
        self.spoke = True
        if "method" in frame:
            self._heard_call(frame, line)
        else:
            self._heard_answer(frame, line)

    def _heard_call(self, frame: Frame, line: Line) -> None:
        method = frame["method"]
        if isinstance(method, str) and method.startswith(version.EXTENSION_PREFIX):
            self._rules.say(f"the agent sent {method}, which is not its to send; it was left out")
            return
        if not self._desk.takes(frame, line):
            self._forward(frame, line)

    def _forward(self, frame: Frame, line: Line) -> None:
        told = self._ledger.child_asks(frame)
        self._send(line if told is frame else dump(told))

    def _reply(self, answer: Frame) -> None:
        """Answer a request of the agent in the server's place."""
        self._pass_on(_ANY_SESSION, dump({"jsonrpc": "2.0", **answer}))

    def _reply_by(self, told_id: Any, answer: Frame) -> None:
        """The same to one that the server knows by this id, unless it was answered."""
        if (question := self._ledger.child_answered(told_id)) is not None:
            self._reply({"id": question.id, **answer})

    def _tell(self, decision: Frame) -> None:
        """Counted like what the agent says, and in its order: a server that does not know it would count wrong."""
        if self._is_told:
            self._send(dump({"jsonrpc": "2.0", "method": version.DECIDED, "params": decision}))

    def _folder_of(self, session: str) -> Path | None:
        workdir = self._folders.of(session)
        return None if workdir is None else workdir.cwd

    def _heard_answer(self, frame: Frame, line: Line) -> None:
        asked = self._ledger.asked(frame["id"])
        if asked is not None and asked.method in (version.INITIALIZE, *version.OPENING):
            frame = _whole(frame, line)
        if not self._ledger.answer(frame["id"]):
            return
        if asked is not None and asked.method == version.SESSION_PROMPT:
            self._desk.turn_over(asked.session_id or _ANY_SESSION)
        if asked is None:
            self._send(line)
        elif asked.method == version.INITIALIZE:
            self._handshake.settle(frame["id"], frame)
            self._tools.announced(frame.get("result"))
            self._send(line)
            self._answer_initialize()
        elif asked.method == version.SESSION_PROMPT and (workdir := self._folders.of(asked.session_id)) is not None:
            self._lanes.put(asked.session_id, partial(self._deliver_then_answer, workdir, frame, line))
        else:
            if asked.method == version.SESSION_CLOSE:
                self._lanes.put(asked.session_id, partial(self._folders.leave, asked.session_id))
            self._folders.answered(frame)
            is_ours = asked.method in version.OPENING and self._folders.say_where(asked.session_id, frame)
            self._send(dump(frame) if is_ours else line)

    async def _deliver_then_answer(self, workdir: Workdir, frame: Frame, line: Line) -> None:
        delivery = await self._rules.sync.deliver(workdir)
        failed = delivery.failed
        if delivery.late:
            self._rules.say(f"came too late, kept beside the task: {', '.join(delivery.late)}")
        if failed:
            self._rules.say(f"not delivered: {', '.join(failed)}")
        for why in delivery.why:
            self._rules.say(why)
        if failed and isinstance(frame.get("result"), dict):
            frame = _whole(frame, line)
            _object_at(_object_at(frame["result"], "_meta"), version.META_KEY)["files_failed"] = failed
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

    def _send(self, line: Line) -> None:
        if len(line) > version.MAX_FRAME:
            # The server would close the socket over it, and over it again after every reconnect.
            line = self._instead_of(line)
        if line:
            self.outbox.add(line)
            self.news.set()

    def _instead_of(self, line: Line) -> bytes:
        self._rules.say(f"a message of {len(line)} bytes is too large to be sent; it was left out")
        frame = frame_of(line, (version.SESSION_UPDATE,))
        if "method" not in frame:
            return too_large(frame["id"], "the answer")
        if "id" in frame:
            # Nobody else will ever answer it.
            self._reply_by(frame["id"], {"error": json.loads(too_large(None, "the request"))["error"]})
        return b""


def _unanswered(method: str) -> Frame:
    """What an agent is told whose question nobody will answer any more."""
    if method == version.REQUEST_PERMISSION:
        return {"result": {"outcome": {"outcome": "cancelled"}}}
    return {"error": {"code": version.REQUEST_CANCELLED, "message": "the server does not know of this request"}}


def _whole(frame: Frame, line: Line) -> Frame:
    """A message of which only a glance was taken, where all of it is needed."""
    found: Frame = read(line) if len(line) > LONG else frame
    return found


def _session_of(frame: Frame) -> str:
    params = frame.get("params")
    session = params.get("sessionId") if isinstance(params, dict) else None
    return session if isinstance(session, str) else _ANY_SESSION


def _object_at(holder: Frame, key: str) -> Frame:
    if not isinstance(holder.get(key), dict):
        holder[key] = {}
    inner: Frame = holder[key]
    return inner
