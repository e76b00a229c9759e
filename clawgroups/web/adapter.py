"""django-allauth's hooks: who may make an account."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest

from clawgroups.services import people
from clawgroups.web import invited


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Accounts are made by the administrator, or by whoever was invited, unless the installation is open."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Whether a stranger may make an account."""
        return bool(settings.SIGNUP_OPEN) or invited.is_open(request)

    def logout(self, request: HttpRequest) -> None:
        """Sign out; what is open by this session is closed at once."""
        super().logout(request)
        people.passes_changed()

    def set_password(self, user: AbstractBaseUser, password: str) -> None:
        """Give somebody another password; what is open by the old one is closed at once."""
        super().set_password(user, password)
        people.passes_changed()
