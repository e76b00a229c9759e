"""Where a person is signed in, and its end: what is open in that browser is closed at once."""

from __future__ import annotations

from collections.abc import Iterable

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from clawgroups.auth import actor_of_user
from clawgroups.core.actors import SYSTEM, Actor
from clawgroups.core.errors import NotFound
from clawgroups.services import account_letters, accounts, people


def sessions_of(user: User) -> list[UserSession]:
    """The browsers a person is signed in by, the one seen last first. What has ended otherwise is forgotten."""
    found: list[UserSession] = UserSession.objects.purge_and_list(user)
    return sorted(found, key=lambda one: one.last_seen_at, reverse=True)


def end_session(user: User, pk: int, *, where: str) -> None:
    """End one of a person's sessions. Raises `NotFound` for what is not theirs, or over."""
    row = UserSession.objects.filter(pk=pk, user=user).first()
    if row is None:
        raise NotFound("This session is over, or it is not yours.")
    end([row], by=actor_of_user(user), where=where)


def end_others(user: User, keep: str, *, where: str) -> int:
    """End all of a person's sessions but the one with this key, and say how many there were."""
    others = list(UserSession.objects.filter(user=user).exclude(session_key=keep))
    end(others, by=actor_of_user(user), where=where)
    return len(others)


def end(rows: Iterable[UserSession], *, by: Actor, where: str) -> None:
    """End these sessions, and tell it."""
    for row in rows:
        row.end()
        accounts.tell_of(row.user, "account.session_ended", by=by, where=where, address=row.ip, browser=row.user_agent)
    people.passes_changed()


def remove_factors(user: User, *, where: str) -> int:
    """Take all second factors of somebody who has lost them, and end their sessions; how many there were."""
    with transaction.atomic():
        removed: int = Authenticator.objects.filter(user=user).delete()[0]
        accounts.tell_of(user, "account.factor_removed", by=SYSTEM, where=where, factor="all")
    end(UserSession.objects.filter(user=user), by=SYSTEM, where=where)
    account_letters.tell(user, "factors_removed")
    return removed


def note_seen(request_session: str, *, user: User, address: str, browser: str) -> None:
    """Put down that a session was used just now, and from where."""
    UserSession.objects.update_or_create(
        session_key=request_session,
        defaults={"user": user, "ip": address, "user_agent": browser[:200], "last_seen_at": timezone.now()},
    )
