"""The workspace's tools for agents: one function each, which calls the verb that pages and the API call.

A tool gets its caller from the key alone; arguments only say what, never for whom. Descriptions and types are what
a model reads of a tool, so they say what comes back and what to do with it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID

from django.conf import settings
from pydantic import Field
from typing_extensions import TypedDict

from clawgroups import bus, draining
from clawgroups.core.changes import OperationId
from clawgroups.core.errors import Invalid, NotFound, StaleAttempt
from clawgroups.gateway import board
from clawgroups.gateway.board import Board, Caller, Notes, Rules, Team
from clawgroups.models import Message
from clawgroups.services import artifacts, files, memories, messages, questions, reports
from clawgroups.services.late import KEPT_FILE
from clawgroups.services.perform import perform_tool, read_tool

log = logging.getLogger(__name__)

MAX_INLINE = 1024 * 1024
LONGEST_WAIT = 50
LOOK_AGAIN = 2.0

Key = Annotated[str, Field(max_length=120, description="Any text of your own: the same key again does nothing twice.")]


class Posted(TypedDict):
    """The message stands; `id` may be passed on as `reply_to`."""

    id: str


class Kept(TypedDict):
    """`replaced`: an older note of this key is gone."""

    id: str
    replaced: bool


class Delivered(TypedDict):
    """With `stored`, the file is a result of your task. Without, PUT its bytes to `upload_url` as `how` says."""

    stored: bool
    id: str
    name: str
    size: int
    sha256: str
    upload_url: str
    how: str


class Progress(TypedDict):
    """How far you are, as the team sees it now."""

    percent: int | None
    note: str


class Answer(TypedDict):
    """`state` is open (nobody has answered yet: call read_answer later), decided, expired or void."""

    question_id: str
    state: str
    answer: str
    by: str
    expires_at: str
    how: str


class Acknowledged(TypedDict):
    """The words that the team sees."""

    acknowledged: str


async def read_board(
    caller: Caller,
    since_seq: Annotated[int, Field(ge=0, description="`seq` of an earlier answer: only what changed since.")] = 0,
    limit: Annotated[int, Field(ge=1, le=board.MOST_TASKS)] = 100,
) -> Board:
    """Read the tasks of your run: states, who has them, what blocks them, how far they are."""
    return await read_tool(board.read_board, caller, since_seq, limit)


async def list_members(caller: Caller) -> Team:
    """List the people and agents of your workspace with skills, presence and what they work on."""
    return await read_tool(board.list_members, caller)


async def read_rules(caller: Caller) -> Rules:
    """Read the goal and the standing rules of your workspace. The rules hold for everything you do."""
    return await read_tool(board.read_rules, caller)


async def post_message(
    caller: Caller,
    text: Annotated[
        str, Field(description="Markdown. Mention members as @handle: people are told, agents asked to answer.")
    ],
    thread: Annotated[
        Literal["task", "group"], Field(description="Your task's thread, or the chat of the whole workspace.")
    ] = "task",
    reply_to: Annotated[str, Field(description="Id of a message: the answer goes to its thread and author.")] = "",
    idempotency_key: Key = "",
) -> Posted:
    """Say something to the team."""
    session = await read_tool(caller.session)
    task_id, body = (session.task_id if thread == "task" else None), text
    if reply_to:
        task_id, handle = await read_tool(_thread_of, session.workspace_id, reply_to)
        body = text if not handle or f"@{handle}" in text else f"@{handle} {text}"
    outcome = await perform_tool(
        messages.post_message,
        session.workspace_id,
        body=body,
        task_id=task_id,
        reply_to=_id(reply_to) if reply_to else None,
        within=session.task_id,
        actor=caller.actor,
        provided=artifacts.while_live(session),
        operation=_operation(caller, "post_message", idempotency_key, [text, thread, reply_to]),
    )
    return Posted(id=outcome.answer["id"])


def _thread_of(workspace_id: UUID, message_id: str) -> tuple[UUID | None, str]:
    """The thread of a message (None: the chat), and its author's handle. Raises `NotFound`."""
    found = Message.objects.select_related("member").filter(pk=_id(message_id), workspace=workspace_id).first()
    if found is None:
        raise NotFound("There is no such message in this workspace.")
    return found.task_id, found.member.handle if found.member is not None else ""


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("That is no id of ours; use one that a tool has given.") from None


def _operation(caller: Caller, tool: str, key: str, given: Any) -> str:
    """An id under which the write counts once; "" without a key."""
    if not key:
        return ""
    digest = hashlib.sha256(json.dumps([tool, given]).encode()).hexdigest()
    return OperationId(f"mcp:{caller.session_id}:{_clean(key)}", digest)


def _clean(key: str) -> str:
    """An idempotency key. Raises `Invalid` for one that cannot be kept."""
    if not key.isprintable() or "|" in key:
        raise Invalid("An idempotency key is made of printable characters, without “|”.", field="idempotency_key")
    return key


async def remember(
    caller: Caller,
    key: Annotated[str, Field(max_length=memories.MAX_KEY, description="A few words to find it by.")],
    text: Annotated[str, Field(max_length=memories.MAX_NOTE)],
    scope: Annotated[
        Literal["workspace", "task", "agent"],
        Field(description="For everybody here, for whoever works on this task later, or for yourself."),
    ] = "workspace",
    idempotency_key: Key = "",
) -> Kept:
    """Keep a short note that outlives your session; the same key in the same scope replaces it.

    It is offered in later tasks, on any machine, to those of its scope. People see it, and may change it or strike it
    out; what they wrote or struck out you cannot replace.
    """
    session = await read_tool(caller.session)
    outcome = await perform_tool(
        memories.remember,
        session.workspace_id,
        key=key,
        text=text,
        scope=scope,
        task_id=session.task_id if scope == "task" else None,
        attempt_id=session.attempt_id,
        actor=caller.actor,
        provided=artifacts.while_live(session),
        operation=_operation(caller, "remember", idempotency_key, [key, text, scope]),
    )
    return Kept(id=outcome.answer["id"], replaced=outcome.answer["replaced"])


async def recall(
    caller: Caller,
    query: Annotated[str, Field(max_length=500, description="Words to look for; empty: the newest.")] = "",
) -> Notes:
    """Find notes that were kept here earlier, by you or others."""
    return await read_tool(board.recalled, caller, query)


async def deliver_artifact(
    caller: Caller,
    name: Annotated[str, Field(max_length=files.MAX_NAME, description="File name, folders with “/”.")],
    text: Annotated[str | None, Field(description="The content, where it is text.")] = None,
    content_base64: Annotated[str | None, Field(description="The content in base64, where it is not.")] = None,
    mime: Annotated[str, Field(max_length=120, description="Media type; empty: by the name.")] = "",
) -> Delivered:
    """Deliver a file as a result of your task: up to 1 MiB here. Without content you get an address for larger ones.

    The same bytes under the same name count once.
    """
    cleaned = files.clean_name(name)
    session = await read_tool(artifacts.session_of, caller.session_id, caller.actor)
    if text is None and content_base64 is None:
        await read_tool(caller.session)
        url = f"{settings.BASE_URL}/api/v1/sessions/{session.pk}/files/{quote(cleaned)}"
        how = "PUT the bytes there with the same Authorization header that you send to this server."
        return Delivered(stored=False, id="", name=cleaned, size=0, sha256="", upload_url=url, how=how)
    content = _content(text, content_base64)
    stored = await read_tool(files.store, [content], name=cleaned, content_type=_media_type(mime), limit=MAX_INLINE)
    outcome = await perform_tool(artifacts.deliver_file, caller.session_id, stored=stored, actor=caller.actor)
    said = outcome.answer
    if said["kind"] == "late":
        raise StaleAttempt(
            f"“{cleaned}” came after the attempt was over. It is kept beside the task and changes nothing.",
            current_epoch=said["current_epoch"],
            kept_as=KEPT_FILE,
            artifact=said["id"],
        )
    return Delivered(
        stored=True, id=said["id"], name=said["name"], size=said["size"], sha256=said["sha256"], upload_url="", how=""
    )


def _content(text: str | None, content_base64: str | None) -> bytes:
    if text is not None and content_base64 is not None:
        raise Invalid("Give either text or content_base64.", field="content_base64")
    if text is not None:
        return text.encode("utf-8", "replace")
    try:
        return base64.b64decode(content_base64 or "", validate=True)
    except binascii.Error:
        raise Invalid("This is not base64.", field="content_base64") from None


def _media_type(mime: str) -> str:
    if not mime:
        return ""
    kind, slash, rest = mime.partition("/")
    if not (kind and slash and rest) or not mime.isascii() or not mime.isprintable():
        raise Invalid("A media type looks like text/csv.", field="mime")
    return mime


async def report_progress(
    caller: Caller,
    percent: Annotated[int | None, Field(ge=0, le=100)] = None,
    note: Annotated[str, Field(max_length=reports.MAX_NOTE, description="What you are at, in one line.")] = "",
) -> Progress:
    """Show the team how far you are with your task. Say it when something has changed, not all the time."""
    outcome = await perform_tool(
        reports.report_progress, caller.session_id, percent=percent, note=note, actor=caller.actor
    )
    return Progress(percent=outcome.answer["percent"], note=outcome.answer["note"])


async def ask_human(
    caller: Caller,
    question: Annotated[str, Field(max_length=questions.MAX_QUESTION, description="Say what hangs on the answer.")],
    choices: Annotated[
        list[str],
        Field(max_length=questions.MAX_CHOICES, description="Answers to choose from; people may write others."),
    ] = [],  # noqa: B006  a default in a signature that is only read
    wait_seconds: Annotated[int, Field(ge=0, le=LONGEST_WAIT, description="How long this call may wait.")] = 25,
    idempotency_key: Key = "",
) -> Answer:
    """Ask the people of your workspace what you cannot find out yourself. Your deadlines rest while it is open.

    When nobody has answered in time you get state "open": go on with what does not depend on it, and call
    read_answer with the question_id later. The question survives restarts.
    """
    outcome = await perform_tool(
        questions.ask_person,
        caller.session_id,
        question=question,
        choices=choices,
        key=_clean(idempotency_key),
        actor=caller.actor,
    )
    return await _wait(caller, UUID(outcome.answer["id"]), wait_seconds)


async def read_answer(
    caller: Caller,
    question_id: str,
    wait_seconds: Annotated[int, Field(ge=0, le=LONGEST_WAIT, description="How long this call may wait.")] = 0,
) -> Answer:
    """Read the answer to a question that you asked with ask_human."""
    await read_tool(caller.session)
    return await _wait(caller, _id(question_id), wait_seconds)


async def _wait(caller: Caller, question: UUID, seconds: float) -> Answer:
    """Where the question stands: at once when it is settled, else after `seconds` or when the server restarts."""
    until = time.monotonic() + seconds
    session = await read_tool(artifacts.session_of, caller.session_id, caller.actor)
    async with _hints(session.workspace_id) as hinted:
        while True:
            hinted.clear()
            found = await read_tool(questions.read_question, caller.session_id, question, actor=caller.actor)
            left = until - time.monotonic()
            if found["state"] != "open" or left <= 0 or draining.is_draining():
                return _answer(found)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, LOOK_AGAIN)):
                    await hinted.wait()


@contextlib.asynccontextmanager
async def _hints(workspace_id: UUID) -> AsyncIterator[asyncio.Event]:
    """An event that is set when the workspace's journal goes on."""
    loop, hinted = asyncio.get_running_loop(), asyncio.Event()

    def hear(_topic: str, _value: Any) -> None:  # from any thread
        if not loop.is_closed():
            loop.call_soon_threadsafe(hinted.set)

    leave = bus.subscribe(bus.workspace_topic(workspace_id), hear)
    try:
        yield hinted
    finally:
        leave()


HOW = {
    "open": "Nobody has answered yet. Go on with what does not depend on it, and call read_answer later.",
    "expired": "Nobody answered in time. Choose the careful way yourself, and say in your result what you assumed.",
    "void": "The question was closed because your attempt ended.",
    "decided": "",
}


def _answer(found: dict[str, Any]) -> Answer:
    return Answer(
        question_id=found["id"],
        state=found["state"],
        answer=found["answer"],
        by=found["by"],
        expires_at=found["expires_at"],
        how=HOW[found["state"]],
    )


async def acknowledge(
    caller: Caller,
    text: Annotated[str, Field(description="In one or two sentences: what changed, what you will keep.")],
) -> Acknowledged:
    """Say what you understood of a task that a person hands back to you. Only when you were asked to."""
    outcome = await perform_tool(reports.acknowledge, caller.session_id, text=text, actor=caller.actor)
    return Acknowledged(acknowledged=outcome.answer["acknowledged"])


Tool = Callable[..., Awaitable[Any]]
READS: tuple[Tool, ...] = (read_board, list_members, read_rules, recall, read_answer)
WRITES: tuple[Tool, ...] = (post_message, remember, deliver_artifact, report_progress, ask_human, acknowledge)
