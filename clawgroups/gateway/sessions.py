"""Which sessions live on a socket, by the agent's own ids; a child session speaks in its parent's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import UUID

from clawgroups.gateway.reads import MAX_SESSIONS

MAX_CHILDREN = 1000


class Sessions:
    """A cache of rows, bounded: the newest sessions, and those in a turn."""

    def __init__(self) -> None:
        self.children: dict[str, UUID] = {}
        """Child sessions by the agent's ids for them, with the parent's row."""
        self._known: dict[str, UUID] = {}

    def take(self, known: Mapping[str, UUID], children: Mapping[str, UUID]) -> None:
        """Begin with what the rows say."""
        self._known, self.children = dict(known), dict(children)

    def get(self, acp_id: str) -> UUID | None:
        """The session that the agent calls so, or the one whose child it is."""
        return self._known.get(acp_id) or self.children.get(acp_id)

    def add(self, acp_id: str, session_id: UUID) -> None:
        """A session was opened."""
        self._known[acp_id] = session_id

    def adopt(self, child_id: str, session_id: UUID) -> None:
        """A session has a child. The agent's other sessions are nobody's children."""
        if child_id not in self._known and len(self.children) < MAX_CHILDREN:
            self.children[child_id] = session_id

    def let_go(self, in_turn: Callable[[UUID], bool]) -> None:
        """Keep the newest and those in a turn; nobody speaks in the others any more."""
        idle = [acp_id for acp_id, pk in self._known.items() if not in_turn(pk)]
        gone = {self._known.pop(acp_id) for acp_id in idle[: max(0, len(self._known) - MAX_SESSIONS)]}
        if gone:
            self.children = {acp_id: pk for acp_id, pk in self.children.items() if pk not in gone}
