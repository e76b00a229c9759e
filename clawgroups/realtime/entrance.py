"""Who is at the other end of a socket, by which pass, and whether the pass still holds.

A bearer request ignores cookies and needs no Origin. A cookie counts only from an exact Origin of ours,
since a browser sends it along from any page (OWASP: cross-site WebSocket hijacking).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db.models import Q
from django.http import HttpRequest, parse_cookie
from django.utils import timezone

from clawgroups.auth import actor_of_user, credential_of_bearer, standing_bearers
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.errors import Forbidden, Unauthenticated
from clawgroups.models import Member
from clawgroups.services.guessing import asker


@dataclass(frozen=True, slots=True)
class Pass:
    """What a peer came in by. `stamp` is of the password at that time (cookies only)."""

    kind: str  # cookie, bearer
    secret: str
    user_id: int | None = None
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class Visitor:
    """An authenticated peer."""

    actor: Actor
    by: Pass

    @property
    def seat_key(self) -> str:
        """How its seat is found among a workspace's members."""
        actor = self.actor
        return f"a{actor.agent_id}" if actor.kind is ActorKind.AGENT else f"u{actor.user_id}"


@dataclass(frozen=True, slots=True)
class Seat:
    """A visitor's seat in a workspace, as of the last look."""

    role: str
    auth_version: int


Seats = dict[tuple[UUID, str], Seat]


def headers_of(scope: dict[str, Any], name: bytes) -> list[str]:
    """All values of a header."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def admit(scope: dict[str, Any]) -> Visitor:
    """The visitor behind a handshake. Raises `Forbidden` for a foreign Origin, else `Unauthenticated`."""
    bearers = headers_of(scope, b"authorization")
    if bearers:
        if len(bearers) > 1:
            raise Unauthenticated("Send one Authorization header.")
        return _by_bearer(bearers[0], peer_of(scope))
    origins = headers_of(scope, b"origin")
    if len(origins) != 1 or origins[0] not in settings.ORIGINS:
        raise Forbidden("This page is not of this server.", code="foreign_origin")
    return _by_cookie("; ".join(headers_of(scope, b"cookie")))


def peer_of(scope: dict[str, Any]) -> str:
    """Whose address a handshake comes from."""
    client = scope.get("client") or ("",)
    forwarded = ",".join(headers_of(scope, b"x-forwarded-for"))
    return asker({"REMOTE_ADDR": client[0], **({"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {})})


def _by_bearer(header: str, peer: str) -> Visitor:
    credential = credential_of_bearer(header, peer=peer)
    if credential.kind == "session":
        raise Unauthenticated("A session's key opens its files only.")
    return Visitor(credential.actor, Pass("bearer", header, credential.actor.user_id))


def _by_cookie(cookie: str) -> Visitor:
    key = parse_cookie(cookie).get(settings.SESSION_COOKIE_NAME, "")
    request = HttpRequest()
    request.session = SessionStore(key or None)
    user = get_user(request)
    actor = actor_of_user(user)
    assert isinstance(user, User)
    return Visitor(actor, Pass("cookie", key, user.pk, user.get_session_auth_hash()))


def still_valid(passes: Iterable[Pass]) -> dict[Pass, datetime | None]:
    """Those of `passes` that would be admitted again, and until when; asked in a few queries for all of them."""
    given = set(passes)
    cookies = [one for one in given if one.kind == "cookie"]
    bearers = standing_bearers({one.secret for one in given if one.kind == "bearer"})
    valid = {one: bearers[one.secret] for one in given if one.kind == "bearer" and one.secret in bearers}
    if cookies:
        keys = Session.objects.filter(session_key__in={c.secret for c in cookies}, expire_date__gt=timezone.now())
        alive = dict(keys.values_list("session_key", "expire_date"))
        users = User.objects.filter(pk__in={c.user_id for c in cookies}, is_active=True)
        stamps = {user.pk: user.get_session_auth_hash() for user in users}
        valid |= {c: alive[c.secret] for c in cookies if c.secret in alive and stamps.get(c.user_id or 0) == c.stamp}
    return valid


def seats_of(workspace_ids: Iterable[UUID], visitors: Iterable[Visitor]) -> Seats:
    """The present seats of these visitors in these workspaces."""
    given = [visitor.actor for visitor in visitors]
    users = {actor.user_id for actor in given if actor.kind is not ActorKind.AGENT}
    agents = {actor.agent_id for actor in given if actor.kind is ActorKind.AGENT}
    whose = Q(user_id__in=users, user__is_active=True) | Q(agent_id__in=agents, agent__retired_at=None)
    rows = Member.objects.filter(whose, workspace_id__in=set(workspace_ids), left_at=None)
    columns = ("workspace_id", "user_id", "agent_id", "role", "auth_version")
    return {
        (workspace, f"u{user}" if agent is None else f"a{agent}"): Seat(role, version)
        for workspace, user, agent, role, version in rows.values_list(*columns)
    }
