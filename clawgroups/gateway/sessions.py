"""Which sessions live on a socket, by the agent's own ids; a child session speaks in its parent's."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from clawgroups.gateway import reads
from clawgroups.gateway.reads import Held
from clawgroups.ingest import patiently
from clawgroups.services.perform import read_async

IDLE = 8  # sessions without a turn and without children that are kept in mind: an agent opens thousands in its life
STRANGERS = 100  # ids that are known to be nobody's
LONGEST = 200  # characters of an id
MAX_CHILDREN = 1000


class Sessions:
    """A cache of rows, bounded: those in a turn, those with children, and the newest. Any other one is looked up."""

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
        self._known, self.children = await patiently(read_async, reads.sessions_on, held.agent_id, held.link)
        self._let_go()

    async def find(self, acp_id: str) -> UUID | None:
        """The session that the agent calls so, or the one whose child it is."""
        found = self._known.get(acp_id) or self.children.get(acp_id)
        if found is not None or acp_id in self._strangers or len(acp_id) > LONGEST:
            return found
        held = self._held
        found = await patiently(read_async, reads.session_called, held.agent_id, held.link, acp_id)
        if found is not None:
            self.add(acp_id, found)
            return found
        self._strangers[acp_id] = None
        if len(self._strangers) > STRANGERS:
            del self._strangers[next(iter(self._strangers))]
        return None

    def add(self, acp_id: str, session_id: UUID) -> None:
        """A session was opened, or is spoken in again."""
        self._strangers.pop(acp_id, None)
        self._known[acp_id] = session_id
        self._let_go()

    async def adopt(self, child_id: str, session_id: UUID) -> None:
        """A session has a child. The agent's other sessions are nobody's children."""
        if await self.find(child_id) is not None:
            return
        if len(self.children) >= MAX_CHILDREN:
            oldest = next((one for one, pk in self.children.items() if not self._in_turn(pk)), None)
            if oldest is None:
                return
            del self.children[oldest]
        self._strangers.pop(child_id, None)
        self.children[child_id] = session_id

    def _let_go(self) -> None:
        parents = set(self.children.values())
        idle = [acp_id for acp_id, pk in self._known.items() if pk not in parents and not self._in_turn(pk)]
        for acp_id in idle[: max(0, len(idle) - IDLE)]:
            del self._known[acp_id]
