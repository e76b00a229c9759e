"""Sends an agent what it is owed: the rows in order, each marked before it goes out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings

from agents.ids import new_id
from agents.protocol import acp, peer, version
from clawgroups import commit
from clawgroups.auth import session_key
from clawgroups.core.errors import Conflict, NotFound
from clawgroups.gateway import reads
from clawgroups.gateway.attachments import filled
from clawgroups.gateway.backlog import Item, Moves, StepOver
from clawgroups.gateway.hello import Hello
from clawgroups.gateway.reads import TURNS, Held
from clawgroups.ingest import patiently
from clawgroups.models import Command
from clawgroups.services import sessions, steering
from clawgroups.services.late import TOLD
from clawgroups.services.perform import perform_async, read_async, seldom_reading

log = logging.getLogger(__name__)

OPEN_DEADLINE = 120.0
BEGINNING = ("open", "set", "work")
AT_ONCE = 16
# A login may need a person at the agent's machine.
LOGIN_DEADLINE = 900.0


class Hand(Protocol):
    """What the outgoing side needs of the incoming one."""

    def put(self, item: Item) -> None:
        """Have this done after everything that was heard before."""
        ...

    def turn_begins(self, session_id: UUID) -> None:
        """The prompt goes out at this moment: whatever is heard from now on answers it."""
        ...


class Pump:
    """One socket's outgoing side. `outstanding` are the requests whose answer is waited for.

    A prompt waits while another one of its session is under way (ACP 1 knows no parallel turns). A
    request that was sent on this link before is sent again on a new socket of it: the connector
    drops what the agent has seen. It is never sent on another link.
    """

    def __init__(self, held: Held, hello: Hello, send: Callable[[str], Awaitable[None]], worker: Hand) -> None:
        self.outstanding: dict[UUID, Command] = {}
        self.takes: dict[str, bool] = {}
        """What prompts may hold beside text, by what the agent announced."""
        self._agent_id = held.agent_id
        self._epoch = held.epoch
        self._hello = hello
        self._send = send
        self._worker = worker
        self._given_up: dict[UUID, Command] = {}
        self._sent_at: dict[UUID, float] = {}
        self._turns: dict[UUID, UUID] = {}
        self._reopened: set[UUID] = set()
        self.takes_tools = False
        """Whether the agent speaks MCP over HTTP, or its connector does so for it."""
        self._owed: Sequence[Command] = ()
        self._beginning: dict[UUID, asyncio.Future[Command | None]] = {}
        self._runs = False
        self._news = asyncio.Event()

    def owe(self, commands: Sequence[Command]) -> None:
        """What the rows say is to be sent: whatever of it was sent meanwhile is not sent again."""
        self._owed = steering.in_order(commands)
        if commands:
            self._news.set()

    def will_prompt(self, session_id: UUID) -> UUID | None:
        """Before a change that opens a session and marks its prompt as sent: the id to give that prompt.

        Until `prompts` says what became of it, nothing else is sent in the session: a stop never overtakes the prompt
        that it is meant for. None where nothing is sent yet.
        """
        if not self._runs:
            return None
        self._beginning[session_id] = asyncio.get_running_loop().create_future()
        return new_id()

    def prompts(self, session_id: UUID, command: Command | None) -> None:
        """That change is committed: send its prompt; None: it has none."""
        waited = self._beginning.get(session_id)
        # Cancelled where whoever waited for it was: its link ends.
        if waited is not None and not waited.done():
            waited.set_result(command)
            self._news.set()

    def opening(self) -> bool:
        """Whether the answer to a `session/new` is waited for."""
        return any(command.purpose == "open" for command in self.outstanding.values())

    def retelling(self, session_id: UUID) -> bool:
        """Whether what is told in this session is its history: it was opened again, and not prompted since.

        Some agents answer `session/load` first and go on with the history behind it.
        """
        return session_id in self._reopened

    def _prepared(self, session_id: UUID | None) -> bool:
        """Whether a prompt of this session may go out: no other turn runs, and what was to be set in it is set."""
        setting = (one for one in self.outstanding.values() if one.purpose == "set" and one.session_id == session_id)
        return session_id not in self._turns and not any(setting)

    def awaited(self, command_id: UUID) -> Command | None:
        """The request that an answer with this id is for, if any answer to it still means something."""
        return self.outstanding.get(command_id) or self._given_up.get(command_id)

    def in_turn(self, session_id: UUID) -> bool:
        """Whether a prompt of this session is under way."""
        return session_id in self._turns

    def waits_for_step(self, session_id: UUID) -> bool:
        """Whether something is to be asked in this session as soon as the step of the turn under way is over."""
        return self.in_turn(session_id) and any(
            one.after_step and one.session_id == session_id and one.pk not in self.outstanding for one in self._owed
        )

    def settle(self, command_id: UUID) -> Command | None:
        """The request that this answer is for, once; its session is free for the next turn."""
        given_up = self._given_up.pop(command_id, None)
        command = self.outstanding.pop(command_id, given_up)
        if command is not None:
            self._sent_at.pop(command_id, None)
            if command.session_id is not None and self._turns.get(command.session_id) == command_id:
                del self._turns[command.session_id]
            self._news.set()  # Something may have waited for this turn.
        return command

    def overdue(self) -> list[UUID]:
        """Requests that nobody answered in time. Prompts have no deadline here."""
        now = time.monotonic()
        late = {pk for pk, at in self._sent_at.items() if now - at > OPEN_DEADLINE * settings.CLOCK_SCALE}
        return [pk for pk, one in self.outstanding.items() if pk in late and self._is_overdue(one, now)]

    def _is_overdue(self, command: Command, now: float) -> bool:
        if command.purpose == "authenticate":
            return now - self._sent_at[command.pk] > LOGIN_DEADLINE * settings.CLOCK_SCALE
        return command.purpose not in TURNS

    async def recall(self) -> None:
        """Before anything is answered on this socket: what of this link's requests is still open."""
        owed = await patiently(read_async, sessions.owed_commands, self._agent_id, self._hello.link)
        for command in owed:
            if command.state == "sent":
                self._expect(command)
                self._expect_history(command)
        given_up = await patiently(read_async, reads.given_up, self._agent_id, self._hello.link)
        self._given_up = {command.pk: command for command in given_up}
        for command in given_up:
            # Where its session lives on, the turn may as well: nothing new is asked before it has stopped.
            if command.session is not None and command.session.state == "open":
                self._turns.setdefault(command.session.pk, command.pk)

    async def run(self) -> None:
        """Send what is owed, now and whenever there is news, until cancelled."""
        link = self._hello.link
        for command in list(self.outstanding.values()):
            await self._send(await self._frame(command))
        for command in await patiently(read_async, reads.to_repeat, self._agent_id, link):
            await self._send(await self._frame(command))
        for command in self._given_up.values():
            # Nothing else runs in a session that was given up: whoever is still at it shall stop.
            if command.session is not None:
                await self._send(acp.session_cancel(command.session.acp_id).notification())
        self._runs = True
        while True:
            await self._news.wait()
            self._news.clear()
            for session_id in [pk for pk, waited in self._beginning.items() if waited.done()]:
                await self._begin(session_id)
            await self._send_owed()

    async def _begin(self, session_id: UUID) -> None:
        """Send the prompt by which a session begins, once it is known."""
        command = await self._beginning[session_id]
        if self._beginning.pop(session_id, None) is not None and command is not None:
            self._expect(command)
            await self._send(await self._frame(command))

    async def _send_owed(self) -> None:
        owed, self._owed = self._owed, ()
        later: list[Command] = []
        for part in side_by_side(owed):
            new = [command for command in part if command.pk not in self.outstanding]
            early = [one for one in new if one.method == version.SESSION_PROMPT and not self._prepared(one.session_id)]
            later += early
            await self._dispatch_all([command for command in new if command not in early])
        self._owed = self._owed or later
        for session_id in {one.session_id for one in later if one.after_step and one.session_id is not None}:
            if self.in_turn(session_id):
                self._worker.put(StepOver(0, session_id))

    async def _dispatch_all(self, commands: Sequence[Command]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for command in commands:
                    group.create_task(self._dispatch(command))
        except ExceptionGroup as faults:
            # Whoever runs this knows what a single one means.
            raise faults.exceptions[0] from None

    async def _dispatch(self, command: Command) -> None:
        if command.session_id in self._beginning:
            await self._begin(command.session_id)
        answered = command.purpose not in ("cancel", "reply")
        if answered:
            # Before it is marked: the answer may come sooner than we are told of the commit.
            self._expect(command)
        if command.purpose == steering.STEER:
            await self._steer(command)
            return
        try:
            await patiently(self._mark, command)
        except (Conflict, NotFound):
            self.settle(command.pk)  # Void meanwhile, or a newer socket of this link has taken its place.
            return
        # Not before it is marked: a look that was read too early shows some that were answered since.
        self._expect_history(command)
        if not self._meets_another(command):
            await self._send(await self._frame(command))

    async def _mark(self, command: Command) -> None:
        """Note that it goes out: decided from the row at hand, and from the rows as they are where that is outdated."""
        link, epoch = self._hello.link, self._epoch
        future = await seldom_reading(sessions.command_sent, command, link=link, epoch=epoch)
        if not (await commit.outcome(future)).applied:
            await perform_async(sessions.command_sent, command.pk, link=link, epoch=epoch)

    async def _steer(self, command: Command) -> None:
        """Send a prompt by which a session goes on in another attempt: the worker marks it, between two frames."""
        marked: asyncio.Future[Command | None] = asyncio.get_running_loop().create_future()
        self._worker.put(Moves(0, command, marked))
        ready = await marked
        if ready is None or ready.session_id is None:
            self.settle(command.pk)
            return
        frame = await self._frame(ready)
        self._worker.turn_begins(ready.session_id)
        await self._send(frame)

    def _meets_another(self, command: Command) -> bool:
        """Whether this stop was meant for a turn that is over: it must never meet the next one."""
        if command.purpose != "cancel" or command.session_id is None:
            return False
        meant = command.params.get("_meta", {}).get(version.META_KEY, {}).get("request")
        return meant is not None and str(self._turns.get(command.session_id)) != meant

    def _expect(self, command: Command) -> None:
        self.outstanding[command.pk] = command
        self._sent_at[command.pk] = time.monotonic()
        if command.session_id is not None and command.method == version.SESSION_PROMPT:
            self._turns[command.session_id] = command.pk
            self._reopened.discard(command.session_id)

    def _expect_history(self, command: Command) -> None:
        """By this request, which was sent for certain, a session may tell what stands in the transcript."""
        if command.session_id is not None and command.method in version.REOPENING:
            self._reopened.add(command.session_id)

    async def _frame(self, command: Command) -> str:
        params: dict[str, Any] = dict(command.params)
        if command.purpose == "reply":
            if "error" in params:
                error = params["error"]
                return peer.error(params["id"], error["code"], error["message"], error.get("data"))
            return peer.result(params["id"], params["result"])
        if command.purpose in ("cancel", TOLD):
            return peer.notification(command.method, params)
        if command.method == version.SESSION_PROMPT and command.session_id is not None and len(params["prompt"]) > 1:
            workdir = self._hello.has_workdir
            params["prompt"] = await patiently(
                read_async, filled, command.session_id, params["prompt"], takes=self.takes, has_workdir=workdir
            )
        if command.purpose == "open" and command.session_id is not None and self._hello.has_workdir:
            task = await patiently(read_async, reads.task_key, command.session_id)
            params["_meta"] = {**params.get("_meta", {}), **_workdir(command.session_id, task)}
        if command.method in version.OPENING and command.session_id is not None and self.takes_tools:
            params["mcpServers"] = [*params.get("mcpServers", []), _tools(command.session_id)]
        return peer.request(str(command.pk), command.method, params)


def side_by_side(commands: Sequence[Command]) -> Iterator[list[Command]]:
    """Commands in their order, in parts that are marked and sent together: an agent with hundreds of sessions would
    wait for as many commits. Only what begins something, each in another session, has no order among itself."""
    part: list[Command] = []
    for command in commands:
        begins = command.purpose in BEGINNING and all(one.purpose in BEGINNING for one in part)
        if part and (not begins or len(part) == AT_ONCE or command.session_id in {one.session_id for one in part}):
            yield part
            part = []
        part.append(command)
    if part:
        yield part


def _tools(session_id: UUID) -> dict[str, Any]:
    """The workspace's tools, opened by the session's key; made only for the frame, so that no row holds it."""
    header = {"Authorization": f"Bearer {session_key(session_id).secret}"}
    server = acp.http_mcp("clawgroups", f"{settings.BASE_URL}/mcp", header)
    return server.model_dump(mode="json", by_alias=True, exclude_none=True)


def _workdir(session_id: UUID, task: str) -> dict[str, Any]:
    files = f"{settings.BASE_URL}/api/v1/sessions/{session_id}/files"
    return acp.workdir_meta(str(session_id), files, session_key(session_id).secret, task)
