"""Who may come in at all: accounts closed and opened again, and browsers signed out, by staff.

Accounts are written as Django writes (short transactions), and what became of one is told in the same.
"""

from __future__ import annotations

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session as BrowserSession
from django.db import transaction
from django.utils import timezone

from clawgroups.core.actors import Actor
from clawgroups.core.errors import Conflict, Forbidden, NotFound
from clawgroups.models import LoginLink
from clawgroups.services import accounts, people
from clawgroups.services.installation import require_operator

HERE = "administration"


def close_account(user_id: int, *, actor: Actor) -> None:
    """The person comes in no more by any door: browser, token, or an agent's owner page. Their agents go on.

    Raises `Conflict` for oneself, and for the last one who may do everything.
    """
    user = _get(user_id, actor)
    if user.pk == actor.user_id:
        raise Conflict("You cannot close your own account. Another administrator can.")
    others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=user.pk)
    if user.is_superuser and not others.exists():
        raise Conflict("This is the last account that may do everything. Give another one that right first.")
    _set_active(user, False, actor)
    _end_sessions(user)
    people.passes_changed()


def open_account(user_id: int, *, actor: Actor) -> None:
    """The person may come in again, with the password and tokens of before."""
    _set_active(_get(user_id, actor), True, actor)


def sign_out(user_id: int, *, actor: Actor) -> None:
    """End every browser's session of a person, and the links that would sign them in. Tokens stay."""
    user = _get(user_id, actor)
    with transaction.atomic():
        ended = _end_sessions(user)
        accounts.tell_of(user, "account.signed_out", by=actor, where=HERE, sessions=ended)
    people.passes_changed()


def _get(user_id: int, actor: Actor) -> User:
    require_operator(actor)
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise NotFound("There is no such account.")
    mighty = User.objects.filter(is_superuser=True).values_list("pk", flat=True)
    if user.is_superuser and actor.user_id not in mighty:
        raise Forbidden("Only somebody who may do everything can do this to an account that may.")
    return user


def _set_active(user: User, active: bool, actor: Actor) -> None:
    with accounts.told(user.pk, by=actor, where=HERE):
        if not User.objects.filter(pk=user.pk, is_active=not active).update(is_active=active):
            raise Conflict("The account is open already." if active else "The account is closed already.")


def _end_sessions(user: User) -> int:
    """How many there were. A session names its person inside of what is signed, so all are looked at."""
    LoginLink.objects.filter(user=user, used_at=None).delete()
    rows = BrowserSession.objects.filter(expire_date__gt=timezone.now()).iterator(500)
    keys = [row.pk for row in rows if row.get_decoded().get("_auth_user_id") == str(user.pk)]
    for start in range(0, len(keys), 500):
        BrowserSession.objects.filter(pk__in=keys[start : start + 500]).delete()
    return len(keys)
