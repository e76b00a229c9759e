"""How people come in: the first person, the sign-in link, access tokens.

Accounts and their credentials are written as Django writes (short transactions): they belong to no
workspace.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from agents import tokens
from clawgroups import bus, commit
from clawgroups.auth import actor_of_user
from clawgroups.core.actors import SYSTEM, Actor
from clawgroups.core.audit import Audit
from clawgroups.core.changes import Change
from clawgroups.core.errors import Invalid, NotFound, Unauthenticated
from clawgroups.core.scopes import Scope, chosen
from clawgroups.models import AccessToken, LoginLink
from clawgroups.services import accounts

FIRST = "owner"
LINK_HOURS = 24


def ensure_first_person() -> User:
    """The first person of the installation, `owner`, made when nobody is here yet."""
    user = User.objects.order_by("pk").first()
    if user is None:
        with transaction.atomic():
            user = User.objects.create_user(FIRST, is_staff=True, is_superuser=True)
            user.set_unusable_password()
            user.save(update_fields=["password"])
            accounts.tell(None, accounts.seen(user.pk), by=SYSTEM, where="first start")
    return user


def make_login_link(user: User) -> str:
    """The path of a link that signs `user` in: once, within a day, from this machine only."""
    token = secrets.token_urlsafe(32)
    now = timezone.now()
    LoginLink.objects.filter(user=user, used_at=None).delete()
    LoginLink.objects.create(
        user=user, digest=tokens.digest(token), created_at=now, expires_at=now + timedelta(hours=LINK_HOURS)
    )
    return f"/enter/{token}/"


def use_login_link(token: str, *, loopback: bool) -> User:
    """The person a link signs in; it is spent by this. Raises `Unauthenticated`."""
    now = timezone.now()
    link = LoginLink.objects.select_related("user").filter(digest=tokens.digest(token)).first()
    if link is None or not loopback or link.expires_at < now or not link.user.is_active:
        raise Unauthenticated("This link is not valid here. Start the server again to get a new one.")
    # Compare and set: of two requests with one link, one gets in.
    if LoginLink.objects.filter(pk=link.pk, used_at=None).update(used_at=now) != 1:
        raise Unauthenticated("This link was used before. Start the server again to get a new one.")
    return link.user


def create_token(
    user: User, *, name: str, days: int | None = None, scopes: Collection[str] | None = None
) -> tuple[AccessToken, str]:
    """A new access token and its secret, to be shown once. Without `scopes` it may do whatever its person may."""
    name = name.replace("\x00", "").strip()
    if not name or len(name) > 80:
        raise Invalid("Give the token a name of 1 to 80 characters.", field="name")
    granted = [] if scopes is None else chosen(scopes)
    minted = tokens.mint(tokens.PERSON)
    now = timezone.now()
    row = AccessToken.objects.create(
        user=user,
        name=name,
        public_id=minted.public_id,
        digest=minted.digest,
        scopes=granted,
        created_at=now,
        expires_at=now + timedelta(days=days) if days else None,
    )
    _audit(user, "token.made", token=minted.public_id, name=name, days=days, scopes=granted or [*Scope])
    return row, minted.secret


def revoke_token(user: User, token_id: UUID, *, actor: Actor | None = None) -> None:
    """Make one of the person's tokens void."""
    if AccessToken.objects.filter(pk=token_id, user=user, revoked_at=None).update(revoked_at=timezone.now()) != 1:
        raise NotFound("There is no such token.")
    _audit(user, "token.revoked", actor=actor, token=str(token_id))


def _audit(user: User, action: str, *, actor: Actor | None = None, **detail: Any) -> None:
    """On the installation's audit trail: what was done to a person's tokens, by themselves unless said otherwise."""
    told = Audit(action, {"user": user.get_username(), **detail})
    wakes = (bus.passes_topic(),) if action == "token.revoked" else ()
    commit.wait(commit.submit(Change(actor or actor_of_user(user), verb=action, audits=(told,), wakes=wakes)))


def passes_changed() -> None:
    """Somebody signed out, has another password or no account any more: sockets that came in by it are closed soon."""
    bus.wake(bus.passes_topic())
