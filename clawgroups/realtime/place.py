"""Where a peer says it stands in a journal, read from a frame or a query, and checked against rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from clawgroups import journal
from clawgroups.core.errors import Invalid, NotFound
from clawgroups.models import Entry as JournalEntry
from clawgroups.permissions import require, seat_of
from clawgroups.realtime.entrance import Visitor, seats_of

# After these a seat allows something else than before.
RESEATED = ("member.role_set", "member.muted", "member.unmuted")
ALL_RESEATED = ("workspace.closed", "workspace.reopened")


@dataclass(frozen=True, slots=True)
class Place:
    """The last entry a peer has. `after` None: it has nothing and must start anew."""

    generation: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A permitted entry into a workspace: with which role, from where, while the journal stands at `head`."""

    role: str
    auth_version: int
    place: Place
    head: journal.Head


def number(given: Mapping[str, Any], name: str) -> int | None:
    """A non-negative whole number, or None where it is absent. Raises `Invalid`."""
    value = given.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value
    raise Invalid(f"{name} must be a whole number.", field=name)


def identifier(given: Mapping[str, Any], name: str) -> UUID:
    """A UUID. Raises `Invalid`."""
    value = given.get(name)
    try:
        return UUID(value) if isinstance(value, str) else UUID(None)
    except (ValueError, TypeError):
        raise Invalid(f"{name} must be an id.", field=name) from None


def place_of(given: Mapping[str, Any]) -> Place:
    """Where the peer says it stands. Raises `Invalid`."""
    return Place(number(given, "generation"), number(given, "after"))


def enter(visitor: Visitor, workspace_id: UUID, place: Place) -> Entry:
    """Authorise, and hold the place against the rows: one beyond the head is none. Raises `NotFound`."""
    require(visitor.actor, "journal.view", workspace_id)
    seat = seats_of([workspace_id], [visitor]).get((workspace_id, visitor.seat_key))
    if seat is None:
        raise NotFound("There is no such thing here, or it is not yours to see.")
    head = journal.head_of(workspace_id)
    if place.after is not None and place.after > head.seq:
        place = Place(place.generation, None)
    return Entry(seat.role, seat.auth_version, place, head)


def enter_page(visitor: Visitor, workspace_id: UUID, place: Place) -> Entry:
    """`enter` for a page. One that was drawn for another seat of its viewer than they have now must start anew."""
    entry = enter(visitor, workspace_id, place)
    after, head = entry.place.after, entry.head
    if after is None or after >= head.seq or entry.place.generation != head.generation:
        return entry
    later = JournalEntry.objects.filter(workspace=workspace_id, generation=head.generation, seq__gt=after)
    if later.filter(type__in=ALL_RESEATED).exists():
        return replace(entry, place=Place(head.generation, None))
    moved = {said.get("member_id") for said in later.filter(type__in=RESEATED).values_list("payload", flat=True)}
    seat = seat_of(visitor.actor, workspace_id) if moved else None
    if seat is None or str(seat.pk) not in moved:
        return entry
    return replace(entry, place=Place(head.generation, None))
