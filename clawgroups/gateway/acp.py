"""`/acp/connect`: an agent's machine dials in with its key, and is spoken to as an ACP agent.

A bare ASGI application: Channels' consumers would send every message through one shared thread.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from agents.protocol import version
from clawgroups import bus, commit, draining
from clawgroups.auth import Credential, credential_of_bearer
from clawgroups.core.errors import Busy, ClawError, Conflict, NotFound, Unauthenticated
from clawgroups.gateway import reads
from clawgroups.gateway.hello import Hello, read_hello
from clawgroups.gateway.link import CLOSE_FAILED, Link, refused
from clawgroups.gateway.rates import TOO_OFTEN, rates
from clawgroups.gateway.reads import Held
from clawgroups.gateway.switchboard import switchboard
from clawgroups.services import contact, late, sessions
from clawgroups.services.perform import perform_async, read_async

log = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
RESTARTED = "the agent was restarted"
ENDED = "the agent's program ended"
TOO_OFTEN_CODE = "too_often"
DROPPED = "the agent's connection was lost"


async def agents_socket(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serve one socket of an agent, from the handshake to its end. Bearer keys only, no cookies."""
    hello = read_hello(scope)
    await receive()
    await send({"type": "websocket.accept"})
    if draining.is_draining():
        await send({"type": "websocket.close", "code": version.CLOSE_DRAINING, "reason": "The server restarts."})
        return
    try:
        link = await _admit(hello, send)
    except ClawError as refusal:
        await _refuse(hello, send, refusal)
        return
    await carry(link, receive)


async def carry(link: Link, receive: Receive) -> None:
    """Serve an admitted socket until it is gone, and leave its rows in order."""
    try:
        switchboard().add(link)
        await _give_up_elsewhere(link.held)
        await link.begin()
        await _listen(link, receive)
    finally:
        switchboard().remove(link)
        await link.finish()
        await _close(link)


async def _admit(hello: Hello, send: Send) -> Link:
    """The link of whoever knocks. Raises a ClawError for a key or a link that is not theirs."""
    credential = await read_async(credential_of_bearer, hello.authorization)
    agent_id = _agent_of(credential)
    if not rates.of(agent_id).knock():
        raise Busy(TOO_OFTEN, code=TOO_OFTEN_CODE)
    opened = await perform_async(
        contact.open_connection,
        agent_id,
        key_id=credential.key_id,
        link=hello.link,
        extensions=sorted(hello.extensions),
        client=hello.client,
        process=bus.PROCESS,
    )
    held = Held(agent_id, hello.link, opened.answer["epoch"], credential.key_id)
    return Link(hello, held, credential.actor, opened.answer["received"], send)


def _agent_of(credential: Credential) -> UUID:
    agent_id = credential.actor.agent_id
    if credential.kind != "agent" or agent_id is None:
        raise Unauthenticated("This is not an agent's key: agents connect with a key that begins with cg_.")
    return agent_id


async def _refuse(hello: Hello, send: Send, refusal: ClawError) -> None:
    """Say why in a frame, where the other side understands it, and close for good (or to be tried again)."""
    final = isinstance(refusal, (Unauthenticated, NotFound))
    code = version.CLOSE_REFUSED if final else CLOSE_FAILED
    if isinstance(refusal, Conflict):
        code = version.CLOSE_DRAINING  # Two sockets at the same instant: the loser tries again.
    elif refusal.code == TOO_OFTEN_CODE:
        code = version.CLOSE_FLOOD
    if final and hello.is_connector:
        await send({"type": "websocket.send", "text": refused(refusal.code, refusal.message)})
    await send({"type": "websocket.close", "code": code, "reason": refusal.message[:100]})


async def _listen(link: Link, receive: Receive) -> None:
    """Take frames until the socket is gone. Binary ones are not ACP and mean nothing."""
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        if text is not None:
            await link.hear(text)


async def _give_up_elsewhere(held: Held) -> None:
    """What lived on other links of this agent is lost: their program is not the one that came in now."""
    for session_id, attempt_id in await read_async(reads.sessions_elsewhere, held.agent_id, held.link):
        await _lose(session_id, attempt_id, RESTARTED)
    forgotten = await read_async(late.forget_told, held.agent_id, held.link)
    if forgotten is not None:
        await commit.outcome(forgotten)


async def _close(link: Link) -> None:
    """The socket is gone. A connector may come back with the same agent; a bare socket is its agent's end."""
    held = link.held
    try:
        if link.child_gone:
            reason = ENDED if link.hello.is_connector else DROPPED
            for session_id, attempt_id in await read_async(reads.sessions_of, held.agent_id, held.link):
                await _lose(session_id, attempt_id, reason)
        await perform_async(
            contact.close_connection, held.link, epoch=held.epoch, reason=link.ended or "The socket closed."
        )
    except ClawError as moved_on:
        log.info("link %s was closed already: %s", held.link, moved_on)


async def _lose(session_id: UUID, attempt_id: UUID, reason: str) -> None:
    # Meanwhile another socket may have lost it as well, and the next try have opened it again: that is not lost.
    try:
        await perform_async(sessions.session_lost, session_id, reason=reason, attempt_id=attempt_id)
    except Conflict as moved_on:
        log.info("session %s was given up already: %s", session_id, moved_on)
