"""Handles what one socket has heard, one thing after another: the order of the frames is kept."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from agents.protocol import acp, peer, version
from agents.protocol.acp import InvalidAnswer
from agents.protocol.peer import RpcError
from agents.protocol.updates import AgentUpdate, Notice, Subagent, ToolCall
from clawgroups import bus
from clawgroups.core import subagents
from clawgroups.core.actors import Actor
from clawgroups.core.errors import ClawError, Conflict
from clawgroups.core.session_state import STATE_UPDATES
from clawgroups.core.shrinking import shrink
from clawgroups.core.transcript import TurnEnded
from clawgroups.gateway import reads
from clawgroups.gateway.backlog import (
    Allows,
    Answered,
    Asked,
    Decided,
    Exited,
    Item,
    Moves,
    Noted,
    Overdue,
    StepOver,
    Store,
    Told,
    Violated,
    Withdrawn,
)
from clawgroups.gateway.hello import Hello, announced
from clawgroups.gateway.machine import Allowance, where_it_works
from clawgroups.gateway.pump import Pump
from clawgroups.gateway.questions import Questions
from clawgroups.gateway.reads import TURNS, Held
from clawgroups.gateway.sessions import LONGEST, Sessions
from clawgroups.gateway.steers import Steers
from clawgroups.ingest import Intake, Replaced, patiently
from clawgroups.models import Command
from clawgroups.services import breakers, contact, late, sessions, transcript
from clawgroups.services.perform import perform_async, read_async
from clawgroups.services.transcript_page import ENDED

log = logging.getLogger(__name__)

MAX_EARLY = 64
MAX_EARLY_SIZE = 16 * 1024


class Worker:
    """The one task that turns a socket's frames into rows."""

    INITIALIZE = "initialize-"

    def __init__(
        self,
        hello: Hello,
        held: Held,
        actor: Actor,
        intake: Intake,
        pump: Pump,
        send: Callable[[str], Awaitable[None]],
    ) -> None:
        self.introduced = asyncio.Event()
        """`initialize` was answered, one way or another."""
        self.ready = asyncio.Event()
        """It was answered well: work may be sent."""
        self.unsupported = ""
        self.exited = False
        self._hello = hello
        self._held = held
        self._actor = actor
        self._intake = intake
        self._pump = pump
        self._send = send
        self._sessions = Sessions(held, pump.in_turn)
        self._steers = Steers(held, intake, self.flush)
        self._allowance = Allowance(held, actor)
        self._questions = Questions(held, actor, self._sessions, intake, self.flush, send)
        # Some agents speak of a session before they have answered the request that opens it. Nothing
        # was prompted then, so these few are kept in memory only.
        self._early: deque[tuple[str, AgentUpdate]] = deque(maxlen=MAX_EARLY)
        self._acknowledged = intake.stored
        self._login_needed = False

    async def recall(self) -> None:
        """Which sessions live on this link."""
        await self._sessions.recall()

    async def handle(self, item: Item) -> None:
        """Let an item have its effect, then count its frame."""
        match item:
            case Told():
                await self._told(item)
            case Asked() | Withdrawn():
                await self._questions.handle(item)
            case Answered():
                await self._answered(item)
            case Noted():
                await self._noted(item)
            case Decided():
                await self._decided(item)
            case _:
                await self._noticed(item)
        if item.frame > self._intake.taken:
            self._intake.count(item.frame)

    async def _noticed(self, item: Item) -> None:
        """What the agent did not say itself."""
        match item:
            case Overdue():
                await self._overdue(item)
            case Store():
                await self.flush()
                bus.wake(bus.stored_topic(item.token))
            case Violated():
                await self._violated()
            case Allows():
                await self._allowance.keep(item.policy)
            case Moves():
                await self._steers.move(item)
            case StepOver():
                await self._steers.give_way(item.session_id)
            case Exited():
                await self.flush()
                self.exited = True
            case _:
                pass

    async def tick(self) -> None:
        """Show and store what is due, and acknowledge what was stored."""
        await self._intake.tick()
        await self._acknowledge()

    async def flush(self) -> None:
        """Store everything handled so far."""
        await self._intake.flush()
        await self._acknowledge()

    async def _acknowledge(self) -> None:
        if self._hello.is_connector and self._intake.stored > self._acknowledged:
            self._acknowledged = self._intake.stored
            await self._send(peer.notification(version.ACK, {"received": self._acknowledged}))

    async def _violated(self) -> None:
        said = "what it sent is no message of the protocol"
        try:
            await patiently(perform_async, breakers.violated, self._held.agent_id, reason=said, actor=self._actor)
        except ClawError:
            log.info("could not note that agent %s broke the protocol", self._held.agent_id)

    # Updates

    async def _told(self, told: Told) -> None:
        session_id, update = await self._sessions.find(told.acp_id), told.update
        if session_id is not None:
            if self._pump.retelling(session_id) and not isinstance(update, STATE_UPDATES):
                return  # The agent tells its history again: it stands in the transcript.
            if isinstance(update, Subagent):
                await self._sessions.adopt(update.session_id, session_id)
                await self._intake.take(session_id, update, told.size, told.frame)
            is_child = told.acp_id in self._sessions.children
            shown = subagents.of_child(told.acp_id, update) if is_child else subagents.as_own(update)
            if shown is not None:
                await self._intake.take(session_id, shown, told.size, told.frame)
                if isinstance(shown, ToolCall) and shown.status in ENDED and self._pump.waits_for_step(session_id):
                    await self._steers.give_way(session_id)
        elif self._pump.opening() and told.size <= MAX_EARLY_SIZE:
            self._early.append((told.acp_id, told.update))

    async def _decided(self, item: Decided) -> None:
        """A question that was answered on the agent's machine stands in the transcript, with what was asked."""
        session_id = await self._sessions.find(item.acp_id)
        if session_id is None:
            return
        if item.call is not None:
            call = subagents.of_child(item.acp_id, item.call) if item.acp_id in self._sessions.children else item.call
            await self._intake.take(session_id, call or item.call, item.size, item.frame)
        await self._intake.take(session_id, item.decision, 0, item.frame)

    # Answers

    async def _answered(self, item: Answered) -> None:
        if isinstance(item.frame_id, str) and item.frame_id.startswith(self.INITIALIZE):
            await self._initialized(item)
            return
        command_id = _uuid(item.frame_id)
        if command_id is None:
            return
        command = self._pump.awaited(command_id)
        if command is None:
            # Rows decide, not what this process happens to remember.
            command = await patiently(read_async, reads.asked_on, self._held.agent_id, self._held.link, command_id)
        if command is not None:
            await self._settle(command, item.frame, item.result, item.error)

    async def _noted(self, item: Noted) -> None:
        request = _uuid(item.request)
        if request is None:
            return
        try:
            await patiently(perform_async, late.noted, request, actor=self._actor)
        except ClawError:
            return  # Noted before, or nothing was told.
        self._pump.settle(late.told_id(request))

    async def _overdue(self, item: Overdue) -> None:
        command = self._pump.outstanding.get(item.command_id)
        if command is not None:
            # Whoever still works on it may stop; an agent that knows no such message does not mind it.
            await self._send(peer.notification(version.CANCEL_REQUEST, {"requestId": str(command.pk)}))
            silence = RpcError(version.INTERNAL_ERROR, f"the agent did not answer {command.method} in time")
            await self._settle(command, self._intake.taken, None, silence)

    async def _settle(self, command: Command, frame: int, result: Any, error: RpcError | None) -> None:
        """Everything said before the answer is stored before the answer is."""
        turn = command.purpose in TURNS and command.session_id is not None
        answer = result if isinstance(result, dict) else {}
        if turn and command.session_id is not None:
            reason = acp.parse_prompt(result).stop_reason if error is None else "error"
            usage = answer.get("usage")
            if lost := _not_delivered(answer):
                notice = Notice("warning", "Files that did not reach the workspace", lost)
                await self._intake.take(command.session_id, notice, 0)
            ended = TurnEnded(reason, usage if isinstance(usage, dict) else None)
            await self._intake.take(command.session_id, ended, 0)
        if command.purpose == "open" and error is None:
            answer, error = await self._check_opened(command, answer)
            if error is None and command.session_id is not None:
                await self._take_early(command, str(answer["sessionId"]))
        await self.flush()
        text = ""
        if turn and command.session_id is not None and error is None:
            text = await patiently(read_async, transcript.last_message, command.pk)
        prompt = await self._store_answer(command, frame, answer, error, text)
        self._pump.settle(command.pk)
        if command.session_id is not None:
            self._intake.forget(command.session_id)
        if command.purpose == "open":
            await self._opened(command, answer, error, prompt)
        await self._login(error)

    async def _check_opened(self, command: Command, answer: dict[str, Any]) -> tuple[dict[str, Any], RpcError | None]:
        answer = where_it_works(answer, is_told=self._hello.has_workdir)
        if command.method in version.REOPENING:
            return {**answer, "sessionId": command.params["sessionId"]}, None
        try:
            acp_id = acp.parse_new_session(answer).session_id
        except InvalidAnswer as problem:
            return {}, RpcError(version.INVALID_PARAMS, str(problem))
        if len(acp_id) > LONGEST or await self._sessions.find(acp_id) is not None:
            return {}, RpcError(version.INVALID_PARAMS, "the agent gave a session id that cannot be used")
        return answer, None

    async def _store_answer(
        self, command: Command, frame: int, answer: dict[str, Any], error: RpcError | None, text: str
    ) -> Command | None:
        """Store what an answer means; the prompt that is to go out by it, if there is one."""
        said, begins = None, None
        # What comes after the answer to a reopening may still be history: its prompt goes out a look later.
        if command.method == version.SESSION_NEW and command.session_id is not None and error is None:
            begins = self._pump.will_prompt(command.session_id)
        if error is not None:
            more = {} if error.data is None else shrink({"data": error.data})
            said = {**more, "code": error.code, "message": error.message[:2000]}
        try:
            outcome = await patiently(
                perform_async,
                sessions.command_answered,
                command.pk,
                link=self._held.link,
                epoch=self._held.epoch,
                received=max(frame, self._intake.stored),
                result=answer if error is None else None,
                error=said,
                text=text,
                begins=begins,
            )
        except Conflict as conflict:
            # Answered before, or given up: an answer counts once. Our next record finds out whether
            # this socket was replaced.
            log.info("answer to %s of agent %s changed nothing: %s", command.pk, self._held.agent_id, conflict)
            return None if begins is None else await self._sent_before(begins)
        self._intake.stored = self._intake.taken = max(frame, self._intake.stored)
        await self._acknowledge()
        prompt = outcome.answer.get("prompt")
        return None if prompt is None else _in_session(command, begins, prompt)

    async def _sent_before(self, prompt: UUID) -> Command | None:
        """The prompt of a change that was committed, though its answer was lost with the database."""
        row = await patiently(read_async, reads.asked_on, self._held.agent_id, self._held.link, prompt)
        return row if row is not None and row.state == "sent" else None

    async def _opened(
        self, command: Command, answer: dict[str, Any], error: RpcError | None, prompt: Command | None
    ) -> None:
        session_id = command.session_id
        if error is None and session_id is not None:
            self._sessions.add(str(answer["sessionId"]), session_id)
            self._pump.prompts(session_id, prompt)
        if not self._pump.opening():
            self._early.clear()

    async def _take_early(self, command: Command, acp_id: str) -> None:
        """What was said before the session was known is stored before the answer that names it is.

        Of one that was opened again most of it is its history, told again.
        """
        assert command.session_id is not None
        for named, update in list(self._early):
            if named == acp_id and (command.method not in version.REOPENING or isinstance(update, STATE_UPDATES)):
                await self._intake.take(command.session_id, update, MAX_EARLY_SIZE)

    # Who it is

    async def _initialized(self, item: Answered) -> None:
        self.introduced.set()
        if self.ready.is_set():
            return
        if item.error is not None:
            if item.error.code not in version.LOGIN_CODES:
                self.unsupported = f"The agent refused initialize: {item.error.message[:200]}"
            await self._login(item.error)
            return
        snapshot = acp.parse_initialize(item.result)
        if snapshot.protocol_version != version.PROTOCOL_VERSION:
            self.unsupported = f"The agent does not speak ACP 1 (it says {snapshot.protocol_version})."
            return
        said = {**announced(snapshot), "connector": self._hello.client.get("connector", "")}
        try:
            await patiently(
                perform_async, contact.connection_ready, self._held.link, epoch=self._held.epoch, announced=said
            )
        except Conflict:
            raise Replaced from None
        self._pump.takes = {"image": snapshot.image, "embedded": snapshot.embedded}
        self._pump.takes_tools = snapshot.mcp_http or self._hello.hands_tools_on
        self.ready.set()

    async def _login(self, error: RpcError | None) -> None:
        needed = error is not None and error.code in version.LOGIN_CODES
        if needed == self._login_needed and not needed:
            return
        self._login_needed = needed
        message = error.message[:500] if error is not None and needed else ""
        try:
            await patiently(
                perform_async,
                contact.login_needed,
                self._held.link,
                epoch=self._held.epoch,
                needed=needed,
                message=message,
            )
        except ClawError:
            log.info("could not note that agent %s needs a login", self._held.agent_id)


def _in_session(opened: Command, pk: UUID | None, prompt: Mapping[str, Any]) -> Command:
    """The row of the prompt that was made as a session opened."""
    attempt = {"agent_id": opened.agent_id, "session_id": opened.session_id, "attempt_id": opened.attempt_id}
    return Command(pk=pk, state="sent", epoch=opened.epoch, **attempt, **prompt)


def _not_delivered(answer: dict[str, Any]) -> str:
    """The files of a turn that the connector could not deliver."""
    meta = answer.get("_meta")
    ours = meta.get(version.META_KEY) if isinstance(meta, dict) else None
    failed = ours.get("files_failed") if isinstance(ours, dict) else None
    return ", ".join(map(str, failed[:20]))[:1000] if isinstance(failed, list) else ""


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
