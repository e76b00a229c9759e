"""Who does something. Every verb takes an `Actor`; every journal entry carries one."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class ActorKind(StrEnum):
    PERSON = "person"
    AGENT = "agent"
    COORDINATOR = "coordinator"
    SYSTEM = "system"


class Role(StrEnum):
    """A member's role in one workspace. `AGENT` is the role of every agent."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    GUEST = "guest"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Actor:
    """The originator of a verb, as established by a door, never by text.

    `scopes` narrows a person who comes in by an access token; empty means all of the role.
    """

    kind: ActorKind
    name: str
    user_id: int | None = None
    agent_id: UUID | None = None
    is_staff: bool = False
    scopes: frozenset[str] = field(default_factory=frozenset)
    on_behalf_of: int | None = None

    def as_json(self) -> dict[str, object]:
        """The form kept in the journal: kind, id and the name at that moment."""
        said: dict[str, object] = {"kind": self.kind.value, "name": self.name}
        if self.user_id is not None:
            said["user"] = self.user_id
        if self.agent_id is not None:
            said["agent"] = str(self.agent_id)
        if self.on_behalf_of is not None:
            said["on_behalf_of"] = self.on_behalf_of
        return said


SYSTEM = Actor(ActorKind.SYSTEM, "Claw Groups")
COORDINATOR = Actor(ActorKind.COORDINATOR, "Coordinator")


def coordinator_for(user_id: int | None) -> Actor:
    """The coordinator acting with the rights of the person who asked for the run."""
    return Actor(ActorKind.COORDINATOR, "Coordinator", on_behalf_of=user_id)
