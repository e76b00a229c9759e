"""django-allauth's hooks: who may make an account, and that what is done to one is told."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import record_authentication
from allauth.account.models import EmailAddress
from allauth.core.internal import ratelimit
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest

from clawgroups.auth import actor_of_user
from clawgroups.core.actors import Actor
from clawgroups.services import account_letters, accounts, installation, people
from clawgroups.web import invited
from clawgroups.web.devices import device

HERE = "account pages"
JUST_SHOWN = frozenset({"mfa/email/totp_activated", "mfa/email/webauthn_added"})
# What django-allauth tells by a letter, and what the trail calls it.
TOLD_OF = {
    "mfa/email/totp_activated": ("account.factor_added", "app"),
    "mfa/email/totp_deactivated": ("account.factor_removed", "app"),
    "mfa/email/webauthn_added": ("account.factor_added", "passkey"),
    "mfa/email/webauthn_removed": ("account.factor_removed", "passkey"),
    "mfa/email/recovery_codes_generated": ("account.factor_added", "recovery codes"),
    "socialaccount/email/account_connected": ("account.outside_added", ""),
    "socialaccount/email/account_disconnected": ("account.outside_removed", ""),
}


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

    def send_notification_mail(
        self, template_prefix: str, user: User, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        """The one hook that every change of what lets somebody in comes by: told, and sent where letters are on."""
        what = template_prefix.rpartition("/")[2]
        if template_prefix in TOLD_OF:
            action, factor = TOLD_OF[template_prefix]
            told: dict[str, Any] = {"factor": factor} if factor else {}
            accounts.tell_of(user, action, where=HERE, **told)
        if template_prefix in JUST_SHOWN:
            # Else whoever adds their first factor would be asked for it before they see its recovery codes.
            record_authentication(self.request, user, "mfa", reauthenticated=True)
        if what in account_letters.WHAT:
            browser = device(self.get_http_user_agent(self.request))
            address = self.get_client_ip(self.request) or "?"
            account_letters.tell(user, what, context, to=email or "", address=address, by=browser)

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Refuse who tries too often: from one address, one account from one address, and one account in all."""
        super().pre_authenticate(request, **credentials)
        self._in_all = ratelimit.consume(
            request, app="allauth.account", action="login_in_all", key=_login_of(credentials)
        )
        if not self._in_all:
            raise self.validation_error("too_many_login_attempts")

    def _rollback_login_failed_rl_usage(self) -> None:
        super()._rollback_login_failed_rl_usage()
        if usage := getattr(self, "_in_all", None):
            usage.rollback()

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # By the address, too: whoever guesses from elsewhere locks nobody out.
        return f"{_login_of(credentials)}:{ratelimit.get_ip(request)}"

    def _who(self, user: User) -> Actor:
        """Who is signed in; whoever follows a letter's link without that is the person it was sent to."""
        signed_in = getattr(self.request, "user", None)
        return actor_of_user(signed_in if isinstance(signed_in, User) else user)


def _login_of(credentials: dict[str, Any]) -> str:
    return str(credentials.get("email") or credentials.get("username") or "").casefold()
