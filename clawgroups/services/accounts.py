"""Who may sign in, and with which rights: what of an account was changed is on the installation's audit trail.

Accounts are written as Django writes, by the administration and the account pages. These hold what an account was
against what it is, within Django's own short transaction where there is one, and put the difference down: who did it,
what it was and is, and never a password or what one is checked by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group, User
from django.db import transaction

from clawgroups.auth import actor_of_user
from clawgroups.commit import trail
from clawgroups.core.actors import Actor
from clawgroups.core.audit import Audit


@dataclass(frozen=True, slots=True)
class Account:
    """An account as it stands. `secret` is compared and told to nobody."""

    pk: int
    username: str
    name: str
    email: str
    is_active: bool
    has_password: bool
    rights: Mapping[str, Any]
    confirmed: Mapping[str, bool]
    """The e-mail addresses, and whether each is known to be theirs."""
    secret: str


def seen(pk: int | None) -> Account | None:
    """The account as its rows say now; None where there is none."""
    user = User.objects.filter(pk=pk).first() if pk is not None else None
    if user is None:
        return None
    own = sorted(".".join(one) for one in user.user_permissions.values_list("content_type__app_label", "codename"))
    groups = sorted(user.groups.values_list("name", flat=True))
    return Account(
        user.pk,
        user.get_username(),
        user.get_full_name(),
        user.email,
        user.is_active,
        user.has_usable_password(),
        {"staff": user.is_staff, "superuser": user.is_superuser, "groups": groups, "permissions": own},
        dict(EmailAddress.objects.filter(user=user).values_list("email", "verified")),
        user.password,
    )


@contextmanager
def told(pk: int | None, *, by: Actor, where: str) -> Iterator[None]:
    """Whatever is done to this account within is told when it is over, and stands together with that or not at all."""
    with transaction.atomic():
        before = seen(pk)
        yield
        tell(before, seen(pk), by=by, where=where)


def tell(before: Account | None, after: Account | None, *, by: Actor, where: str) -> None:
    """Put down what became of an account, `where` it was changed."""
    rows = list(changes(before, after))
    with transaction.atomic():
        trail.put_down(by.as_json(), [Audit(row.action, {**row.detail, "where": where}) for row in rows])


def tell_of(user: User, action: str, *, by: Actor | None = None, **detail: Any) -> None:
    """Put down something that was done about an account, by its person unless said otherwise."""
    about = Audit(action, {"user": user.get_username(), "user_id": user.pk, **detail})
    with transaction.atomic():
        trail.put_down((by or actor_of_user(user)).as_json(), [about])


def changes(before: Account | None, after: Account | None) -> Iterator[Audit]:
    """A row for each kind of thing that is not as it was."""
    now = after or before
    if now is None:
        return
    user = {"user": now.username, "user_id": now.pk}
    if before is None or after is None:
        action = "account.made" if before is None else "account.removed"
        yield Audit(action, {**user, "email": now.email, "password": now.has_password, **now.rights})
        return
    if before.is_active != after.is_active:
        yield Audit("account.activated" if after.is_active else "account.deactivated", user)
    if before.secret != after.secret:
        yield Audit("account.password_set", {**user, "usable": after.has_password})
    if moved := [name for name in after.rights if before.rights[name] != after.rights[name]]:
        was, is_ = ({name: one.rights[name] for name in moved} for one in (before, after))
        yield Audit("account.rights_set", {**user, "was": was, "now": is_})
    for action, name in (("renamed", "username"), ("name_set", "name"), ("email_set", "email")):
        if getattr(before, name) != getattr(after, name):
            yield Audit(f"account.{action}", {**user, "was": getattr(before, name), "now": getattr(after, name)})
    yield from _addresses(user, before.confirmed, after.confirmed)


def _addresses(user: Mapping[str, Any], before: Mapping[str, bool], after: Mapping[str, bool]) -> Iterator[Audit]:
    found = {
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
        "confirmed": sorted(one for one, confirmed in after.items() if confirmed and not before.get(one, False)),
    }
    if any(found.values()):
        yield Audit("account.addresses_set", {**user, **{name: rows for name, rows in found.items() if rows}})


@contextmanager
def group_told(pk: int | None, *, by: Actor) -> Iterator[None]:
    """The same of a group, whose rights all have who is in it."""
    with transaction.atomic():
        before = _group(pk)
        yield
        tell_group(before, pk, by=by)


def tell_group(before: Mapping[str, Any] | None, pk: int | None, *, by: Actor) -> None:
    """Put down what became of a group that was like this."""
    after = _group(pk)
    if before != after:
        with transaction.atomic():
            trail.put_down(by.as_json(), [Audit("account.group_set", {"was": before, "now": after})])


def _group(pk: int | None) -> dict[str, Any] | None:
    group = Group.objects.filter(pk=pk).first() if pk is not None else None
    if group is None:
        return None
    rights = group.permissions.values_list("content_type__app_label", "codename")
    return {"name": group.name, "permissions": sorted(".".join(one) for one in rights)}
