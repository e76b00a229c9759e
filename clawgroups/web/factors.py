"""django-allauth's hooks of the second factor, passkeys and sessions."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from clawgroups import sealing
from clawgroups.auth import actor_of_user
from clawgroups.services import sign_ins
from clawgroups.web.adapter import HERE
from clawgroups.web.qr import qr_svg

PURPOSE = "second factor"


class FactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Secrets are sealed at rest; passkeys are of the host that people sign in at."""

    def encrypt(self, text: str) -> str:
        return sealing.seal(text, purpose=PURPOSE)

    def decrypt(self, encrypted_text: str) -> str:
        return sealing.unseal(encrypted_text, purpose=PURPOSE)

    def build_totp_svg(self, url: str) -> SafeString:
        return qr_svg(url, _("The key as a picture; it is written out below."))

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:
        """What a passkey is called until its person says otherwise."""
        others = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return _("Passkey {number}").format(number=others + 1) if others else _("Passkey")

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {"id": passkey_host(context.request), "name": "Claw Groups"}


class SessionsAdapter(DefaultUserSessionsAdapter):  # type: ignore[misc]
    """What allauth ends (others, when a password changes) is told, and its sockets are closed."""

    def end_sessions(self, sessions: Iterable[UserSession]) -> None:
        sign_ins.end(sessions, by=actor_of_user(context.request.user), where=HERE)


def passkey_host(request: HttpRequest) -> str:
    """The host that passkeys are of: the installation's. On one's own machine, the name that browsers take."""
    host = urlsplit(settings.BASE_URL).hostname or ""
    asked = request.get_host().rpartition(":")[0] or request.get_host()
    if _is_number(host) or (asked == "localhost" and host in settings.LOCAL_HOSTS):
        return "localhost"
    return host


def passkeys_at(request: HttpRequest) -> str:
    """Where passkeys can be used: "" for here, "-" for nowhere, else the address to open."""
    host = passkey_host(request)
    here = urlsplit(request.build_absolute_uri())
    if here.hostname == host and (here.scheme == "https" or host == "localhost"):
        return ""
    if host == "localhost" and host in settings.ALLOWED_HOSTS:
        port = f":{here.port}" if here.port else ""
        return f"{here.scheme}://{host}{port}{request.path}"
    return settings.BASE_URL + request.path if settings.BASE_URL.startswith("https:") else "-"


def _is_number(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def factors_of(user: User) -> dict[str, Any]:
    """A person's second factors, as their page shows them."""
    rows = list(Authenticator.objects.filter(user=user).order_by("created_at"))
    codes = next((row.wrap() for row in rows if row.type == Authenticator.Type.RECOVERY_CODES), None)
    return {
        "passkeys": [row for row in rows if row.type == Authenticator.Type.WEBAUTHN],
        "app": next((row for row in rows if row.type == Authenticator.Type.TOTP), None),
        "has_codes": codes is not None,
        "codes_left": len(codes.get_unused_codes()) if codes else 0,
    }
