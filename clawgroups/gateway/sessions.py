"""Which sessions live on a socket, by the agent's own ids; a child session speaks in its parent's."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from clawgroups.gateway import reads
from clawgroups.gateway.reads import Held
from clawgroups.ingest import patiently
from clawgroups.services.perform import read_async

IDLE = 8  # sessions without a turn that are kept in mind: an agent opens thousands in its life
STRANGERS = 32  # ids that are known to be nobody's
LONGEST = 200  # characters of an id
MAX_CHILDREN = 1000


class Sessions:
    """A cache of rows, bounded: those in a turn, and the newest. Whoever speaks in another one is looked up."""

    def __init__(self, held: Held, in_turn: Callable[[UUID], bool]) -> None:
        self.children: dict[str, UUID] = {}
        """Child sessions by the agent's ids for them, with the parent's row."""
        self._held = held
        self._in_turn = in_turn
        self._known: dict[str, UUID] = {}
        self._strangers: dict[str, None] = {}

    async def recall(self) -> None:
        """Begin with what the rows say."""
        held = self._held
        self._known, self.children = await patiently(read_async, reads.sessions_on, held.agent_id, held.link, IDLE)

    async def find(self, acp_id: str) -> UUID | None:
        """The session that the agent calls so, or the one whose child it is."""
        found = self._known.get(acp_id) or self.children.get(acp_id)
        if found is not None or acp_id in self._strangers or len(acp_id) > LONGEST:
            return found
        held = self._held
        row = await patiently(read_async, reads.session_called, held.agent_id, held.link, acp_id)
        if row is None:
            self._strangers[acp_id] = None
            if len(self._strangers) > STRANGERS:
                del self._strangers[next(iter(self._strangers))]
            return None
        own_id, found = row
        self.add(own_id, found)
        if acp_id != own_id:
            self.adopt(acp_id, found)
        return found

    def add(self, acp_id: str, session_id: UUID) -> None:
        """A session was opened, or is spoken in; of the others without a turn the oldest are let go."""
        self._known[acp_id] = session_id
        self._strangers.pop(acp_id, None)
        idle = [one for one, pk in self._known.items() if pk != session_id and not self._in_turn(pk)]
        gone = {self._known.pop(one) for one in idle[: max(0, len(idle) - IDLE)]}
        if gone and self.children:
            self.children = {one: pk for one, pk in self.children.items() if pk not in gone}

    def adopt(self, child_id: str, session_id: UUID) -> None:
        """A session has a child. The agent's other sessions are nobody's children."""
        if child_id not in self._known and len(self.children) < MAX_CHILDREN:
            self.children[child_id] = session_id
