"""Who has a page open: a lease per person, renewed for all at once by the process that holds their sockets."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from concurrent.futures import Future
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Change, Outcome, Put
from clawgroups.models import Member
from clawgroups.queries import people_here


def renew(users: Collection[int]) -> Future[Outcome]:
    """These people have a page open now. Never in the journal: a lease says nothing once it is over."""
    now = timezone.now()
    leases = tuple(Put("clawgroups.Seen", pk, {"seen_at": now}) for pk in sorted(users))
    return commit.submit(Change(SYSTEM, writes=leases, verb="presence.renew"))


def here(workspaces: Iterable[UUID]) -> dict[UUID, frozenset[UUID]]:
    """The seats of the people who have a page open, by workspace."""
    wanted = list(workspaces)
    seats = Member.objects.filter(Q(user__in=people_here()), workspace__in=wanted, left_at=None, user__is_active=True)
    found: dict[UUID, set[UUID]] = {pk: set() for pk in wanted}
    for workspace_id, pk in seats.values_list("workspace_id", "pk"):
        found[workspace_id].add(pk)
    return {pk: frozenset(members) for pk, members in found.items()}
