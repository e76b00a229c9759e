"""What a browser that came by an invitation remembers while its person signs up or in: which one, and how they join.

In the session stands the code's hash alone. It is put there by a form of ours, so that coming back from the sign-in
page is what they wanted; no link of anybody else's makes them join.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.utils import timezone

from clawgroups.core.errors import NotFound
from clawgroups.models import Invitation
from clawgroups.services import invitations

_KEPT = "invited"


@dataclass(frozen=True, slots=True)
class Invited:
    """The hash of an invitation's code, the name of the workspace, and whether they bring an agent."""

    digest: str
    room: str
    with_agent: bool


def keep(request: HttpRequest, row: Invitation, *, with_agent: bool) -> None:
    """Remember that this browser's person wants to join by this invitation."""
    request.session[_KEPT] = [row.digest, row.workspace.name, with_agent]


def kept(request: HttpRequest) -> Invited | None:
    """What is remembered."""
    session = getattr(request, "session", None)
    said = session.get(_KEPT) if session is not None else None
    return Invited(*said) if said else None


def forget(request: HttpRequest) -> None:
    """They have joined, or could not."""
    request.session.pop(_KEPT, None)


def is_open(request: HttpRequest) -> bool:
    """Whether this browser came by an invitation that still lets somebody in."""
    found = kept(request)
    if found is None:
        return False
    try:
        return invitations.standing(invitations.by_digest(found.digest), timezone.now()) == "open"
    except NotFound:
        return False
