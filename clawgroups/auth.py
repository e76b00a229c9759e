"""Who is asking: bearer key, access token or signed-in user -> Actor, for every door."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from ipaddress import ip_address
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db.models import QuerySet
from django.utils import timezone

from agents import tokens
from agents.models import AgentKey
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.errors import Unauthenticated
from clawgroups.models import AccessToken, Session
from clawgroups.planned import Planned

# How often the last use of a token is written down, at most.
NOTED_EACH = timedelta(minutes=1)
EVIDENCE_TAKEN = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Credential:
    """What a bearer header stood for: the actor, and the row that may be revoked."""

    actor: Actor
    kind: str  # person, agent, session
    key_id: UUID
    session_id: UUID | None = None


def actor_of_user(user: User | AnonymousUser | AbstractBaseUser) -> Actor:
    """The actor of a signed-in person. Raises `Unauthenticated` for nobody or a closed account."""
    if not isinstance(user, User) or not user.is_active:
        raise Unauthenticated("Sign in first.")
    name = user.get_full_name() or user.get_username()
    return Actor(ActorKind.PERSON, name, user_id=user.pk, is_staff=user.is_staff)


def session_key(session_id: UUID) -> tokens.MintedKey:
    """The bearer key of an agent's session; made again whenever it must be sent."""
    return tokens.derive(tokens.SESSION, str(session_id))


_Finder = Callable[[str, str], Credential | None]


def bearer_of(header: str | None) -> str:
    """The token of an Authorization header. Raises `Unauthenticated` for anything else."""
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("Send a token: Authorization: Bearer <token>.")
    return token.strip()


def credential_of_bearer(header: str | None, *, peer: str = "") -> Credential:
    """Look a bearer header up. Raises `Unauthenticated` with the same words for wrong and unknown.

    `peer` is the address it came from, which a person sees beside the last use of their token.
    """
    token = bearer_of(header)
    prefix = token.split("_", 1)[0]
    finders: dict[str, _Finder] = {
        tokens.PERSON: partial(_of_access_token, peer),
        tokens.AGENT: _of_agent_key,
        tokens.SESSION: _of_session,
    }
    finder = finders.get(prefix)
    public_id = tokens.public_id_of(token, prefix) if finder else None
    credential = finder(token, public_id) if finder and public_id else None
    if credential is None:
        raise Unauthenticated("It is not valid: wrong, expired or revoked.")
    return credential


def actor_of_bearer(header: str | None) -> Actor:
    """The actor behind a bearer header; see `credential_of_bearer`."""
    return credential_of_bearer(header).actor


def standing_bearers(headers: Iterable[str]) -> dict[str, datetime | None]:
    """Those of these headers that let a socket in now, and until when (None: for good).

    Asked for all of them together, since every open socket is looked at every two seconds.
    """
    now, given = timezone.now(), {header: bearer_of(header) for header in headers}
    whose = {token.split("_")[1] for token in given.values() if token.count("_") == 2}
    rows: dict[str, AccessToken | AgentKey] = {
        **{f"{tokens.PERSON}_{row.public_id}": row for row in _access_tokens().filter(public_id__in=whose)},
        **{f"{tokens.AGENT}_{row.public_id}": row for row in _agent_keys().filter(public_id__in=whose)},
    }
    found = {}
    for header, token in given.items():
        row = rows.get(token.rpartition("_")[0])
        if row is not None and tokens.verify(token, row.digest) and _lasts(row, now):
            found[header] = row
    used = [row.pk for row in found.values() if isinstance(row, AccessToken) and _is_used_anew(row, now)]
    if used:
        AccessToken.objects.filter(pk__in=used).update(last_used_at=now)
    return {header: row.expires_at for header, row in found.items()}


def _access_tokens() -> QuerySet[AccessToken]:
    return AccessToken.objects.select_related("user").filter(revoked_at=None, user__is_active=True)


def _agent_keys() -> QuerySet[AgentKey]:
    return AgentKey.objects.select_related("agent").filter(revoked_at=None, agent__retired_at=None)


def _lasts(row: AccessToken | AgentKey, now: datetime) -> bool:
    return row.expires_at is None or row.expires_at > now


def _is_used_anew(row: AccessToken, now: datetime) -> bool:
    """Whether its last use is to be noted again."""
    return row.last_used_at is None or now - row.last_used_at > NOTED_EACH


def _of_access_token(peer: str, token: str, public_id: str) -> Credential | None:
    now, row = timezone.now(), _access_tokens().filter(public_id=public_id).first()
    if row is None or not tokens.verify(token, row.digest) or not _lasts(row, now):
        return None
    _note_use(row, now, peer)
    actor = replace(actor_of_user(row.user), scopes=frozenset(row.scopes))
    return Credential(actor, "person", row.pk)


def _note_use(row: AccessToken, now: datetime, peer: str) -> None:
    """When a token was last used, and from where; what has no address leaves the last."""
    try:
        address = str(ip_address(peer)) if peer else row.last_used_from
    except ValueError:
        address = row.last_used_from
    if _is_used_anew(row, now) or address != row.last_used_from:
        AccessToken.objects.filter(pk=row.pk).update(last_used_at=now, last_used_from=address)


_agent_key: Planned[AgentKey] = Planned(lambda public_id: _agent_keys().filter(public_id=public_id))


def _of_agent_key(token: str, public_id: str) -> Credential | None:
    row = _agent_key.first(public_id)
    if row is None or not tokens.verify(token, row.digest) or not _lasts(row, timezone.now()):
        return None
    actor = Actor(ActorKind.AGENT, row.agent.name, agent_id=row.agent_id)
    return Credential(actor, "agent", row.pk)


def _of_session(token: str, public_id: str) -> Credential | None:
    row = Session.objects.select_related("agent").filter(public_id=public_id).first()
    if row is None or not tokens.verify(token, row.digest) or row.agent.retired_at is not None:
        return None
    # What an agent still had of a session that was given up is taken as evidence, for some days.
    if row.closed_at is not None and row.closed_at + EVIDENCE_TAKEN <= timezone.now():
        return None
    actor = Actor(ActorKind.AGENT, row.agent.name, agent_id=row.agent_id)
    return Credential(actor, "session", row.pk, session_id=row.pk)
