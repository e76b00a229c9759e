"""Between two frames of a socket: a session goes on in the attempt of whoever steers it; a turn gives way at a step."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from uuid import UUID

from clawgroups import commit
from clawgroups.core.errors import ClawError, Conflict, NotFound
from clawgroups.gateway.backlog import Moves
from clawgroups.gateway.reads import Held
from clawgroups.ingest import Intake, patiently
from clawgroups.models import Command
from clawgroups.services import sessions, steering, transcript
from clawgroups.services.perform import perform_async, read_async

log = logging.getLogger(__name__)


class Steers:
    """What the one worker of a socket does for steered turns, in the order of the frames."""

    def __init__(self, held: Held, intake: Intake, flush: Callable[[], Awaitable[None]]) -> None:
        self._held = held
        self._intake = intake
        self._flush = flush

    async def move(self, item: Moves) -> None:
        """Mark a steer as sent. What was heard before stays with the attempt before, also what is stored only later."""
        marked = None
        try:
            marked = await self._marked(item.command)
        finally:
            if not item.sent.done():
                item.sent.set_result(marked)

    async def _marked(self, command: Command) -> Command | None:
        assert command.session_id is not None
        await self._flush()
        before = (await patiently(read_async, transcript.load, [command.session_id]))[command.session_id]
        try:
            await patiently(
                perform_async, sessions.command_sent, command.pk, link=self._held.link, epoch=self._held.epoch
            )
        except (Conflict, NotFound):
            return None  # Taken back meanwhile, or a newer socket has taken this one's place.
        row = await patiently(read_async, _row, command.pk)
        if row.state != "sent":
            return None  # The attempt that it was asked in is over.
        if before.attempt_id != row.attempt_id:
            self._intake.leave(before)
        else:
            self._intake.forget(before.session_id)
        return row

    async def give_way(self, session_id: UUID) -> None:
        """Stop the steered turn under way, if the step that something waits for is over."""
        await self._flush()
        try:
            decided = await patiently(read_async, steering.give_way, session_id)
            if decided is not None:
                await commit.outcome(decided)
        except ClawError as moved_on:
            log.info("session %s does not give way: %s", session_id, moved_on)


def _row(command_id: UUID) -> Command:
    return Command.objects.select_related("session").get(pk=command_id)
