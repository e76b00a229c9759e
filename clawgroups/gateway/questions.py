"""What an agent asks people on one socket: permissions and forms become rows, and may be taken back."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from uuid import UUID

from agents.protocol import acp, peer, version
from agents.protocol.updates import PermissionAsked
from clawgroups.core.actors import Actor
from clawgroups.core.errors import ClawError
from clawgroups.gateway import reads
from clawgroups.gateway.backlog import Asked, Withdrawn
from clawgroups.gateway.reads import Held
from clawgroups.gateway.sessions import Sessions
from clawgroups.ingest import Intake, patiently
from clawgroups.services import approvals, putting
from clawgroups.services.perform import perform_async, read_async

log = logging.getLogger(__name__)

MAX_ASKED = 256 * 1024


class Questions:
    """A question is stored before anybody is asked; the answer goes out as a command like any other."""

    def __init__(
        self,
        held: Held,
        actor: Actor,
        sessions: Sessions,
        intake: Intake,
        flush: Callable[[], Awaitable[None]],
        send: Callable[[str], Awaitable[None]],
    ) -> None:
        self._held = held
        self._actor = actor
        self._sessions = sessions
        self._intake = intake
        self._flush = flush
        self._send = send

    async def handle(self, item: Asked | Withdrawn) -> None:
        """Store a question, or its withdrawal."""
        if isinstance(item, Withdrawn):
            await self._withdrawn(item)
        elif len(json.dumps(item.params, ensure_ascii=False)) > MAX_ASKED:
            await self._send(peer.error(item.request_id, version.TOO_LARGE, f"more than {MAX_ASKED} characters"))
        elif item.method == version.ELICITATION:
            await self._form(item)
        else:
            await self._permission(item)

    async def _permission(self, item: Asked) -> None:
        asked = acp.parse_permission(item.request_id, item.params)
        session_id = None if asked is None else await self._sessions.find(asked.session_id)
        if asked is None or session_id is None:
            await self._send(peer.error(item.request_id, version.INVALID_PARAMS, "no such session or tool call"))
            return
        if await self._open_in(item.request_id) is not None:
            # The question under this id is judged by what it says now, before its call is: told first, the call would
            # void the question, and this would become a new one that nobody waits for.
            await self._put(session_id, item, asked)
            await self._hear(session_id, item, asked)
            return
        await self._hear(session_id, item, asked)
        if self._intake.has_left(session_id, item.frame):
            # Of a turn that is over; whoever steers its session now is not asked.
            await self._send(peer.result(item.request_id, acp.permission_cancelled()))
            return
        await self._put(session_id, item, asked)

    async def _hear(self, session_id: UUID, item: Asked, asked: PermissionAsked) -> None:
        """Record its tool call: for some agents the request is all there ever is of one."""
        size = len(json.dumps(asked.raw, ensure_ascii=False))
        await self._intake.take(session_id, asked.tool_call, size, item.frame)
        await self._flush()

    async def _put(self, session_id: UUID, item: Asked, asked: PermissionAsked) -> None:
        call = asked.tool_call
        try:
            await patiently(
                perform_async,
                putting.request_approval,
                session_id,
                request_id=asked.request_id,
                tool_call={"toolCallId": call.tool_call_id, **call.given},
                options=[{"optionId": o.option_id, "name": o.name, "kind": o.kind} for o in asked.options],
                actor=self._actor,
            )
        except ClawError as refusal:
            log.info("permission request of agent %s refused: %s", self._held.agent_id, refusal)
            await self._send(peer.result(item.request_id, acp.permission_cancelled()))

    async def _form(self, item: Asked) -> None:
        asked = acp.parse_form(item.request_id, item.params)
        session_id = None if asked is None else await self._sessions.find(asked.session_id)
        if asked is None or session_id is None:
            await self._send(peer.error(item.request_id, version.INVALID_PARAMS, "no form of a session that is open"))
            return
        await self._flush()
        if self._intake.has_left(session_id, item.frame):
            await self._send(peer.result(item.request_id, {"action": "cancel"}))
            return
        try:
            await patiently(
                perform_async,
                putting.request_form,
                session_id,
                request_id=asked.request_id,
                message=asked.message,
                form=asked.form,
                tool_call_id=asked.tool_call_id,
                actor=self._actor,
            )
        except ClawError as refusal:
            log.info("form of agent %s refused: %s", self._held.agent_id, refusal)
            await self._send(peer.result(item.request_id, {"action": "cancel"}))

    async def _withdrawn(self, item: Withdrawn) -> None:
        session_id = await self._open_in(item.request_id)
        if session_id is None:
            return
        try:
            await patiently(
                perform_async,
                approvals.withdraw_approval,
                session_id,
                request_id=item.request_id,
                actor=self._actor,
            )
        except ClawError:
            return  # Decided at the same moment: the reply is on its way.
        await self._send(peer.error(item.request_id, version.REQUEST_CANCELLED, "withdrawn"))

    async def _open_in(self, request_id: object) -> UUID | None:
        found: UUID | None = await patiently(
            read_async, reads.approval_session, self._held.agent_id, self._held.link, request_id
        )
        return found
