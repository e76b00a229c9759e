"""django-allauth's hooks: who may make an account, and that what is done to one is told."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest

from clawgroups.auth import actor_of_user
from clawgroups.core.actors import Actor
from clawgroups.services import accounts, installation, people
from clawgroups.web import invited

HERE = "account pages"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Accounts are made by the administrator, or by whoever was invited, unless the installation is open.

    What is changed here is on the installation's audit trail, in the transaction that changes it.
    """

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Whether a stranger may make an account."""
        return installation.is_on("signup") or invited.is_open(request)

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """Make an account, by whoever signs up."""
        with transaction.atomic():
            made: User = super().save_user(request, user, form, commit)
            if made.pk is not None:
                accounts.tell(None, accounts.seen(made.pk), by=actor_of_user(made), where=HERE)
        return made

    def set_password(self, user: User, password: str) -> None:
        """Set a password: one's own, known or by a letter's link. What is open by the old one is closed at once."""
        with accounts.told(user.pk, by=self._who(user), where=HERE):
            super().set_password(user, password)
        people.passes_changed()

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Take an address as its person's: they have followed the link in the letter."""
        user = email_address.user
        with accounts.told(user.pk, by=self._who(user), where=HERE):
            return bool(super().confirm_email(request, email_address))

    def logout(self, request: HttpRequest) -> None:
        """End a browser's session; what is open by it is closed at once."""
        if isinstance(request.user, User) and request.user.is_active:
            accounts.tell_of(request.user, "account.session_ended", where=HERE)
        super().logout(request)
        people.passes_changed()

    def _who(self, user: User) -> Actor:
        """Who is signed in; whoever follows a letter's link without that is the person it was sent to."""
        signed_in = getattr(self.request, "user", None)
        return actor_of_user(signed_in if isinstance(signed_in, User) else user)
