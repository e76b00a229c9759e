"""The admin site: who gets in, where sign-in leads, and the overview as its first page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from allauth.account.authentication import get_authentication_records
from allauth.account.decorators import secure_admin_login
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext_lazy as _

from clawgroups.admin import panel
from clawgroups.admin.overview import overview
from clawgroups.admin.proof import shown

# Passwords are changed where everybody changes them.
LEFT_OUT = frozenset({"password_change", "password_change_done"})


class Administration(admin.AdminSite):
    """Django's admin for staff; a signed-in person who is not staff is refused at every address."""

    site_title = "Claw Groups"
    site_header = _("Claw Groups administration")
    index_title = _("Overview")
    index_template = "admin/overview.html"
    login = staticmethod(secure_admin_login(admin.AdminSite().login))

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """As Django's, but who is signed in and not staff is not led to sign in once more."""
        inner = super().admin_view(view, cacheable)

        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.user.is_authenticated and not self.has_permission(request):
                raise PermissionDenied
            if settings.ADMIN_MFA and request.user.is_authenticated and (asked := _factor_to_ask(request)):
                return asked
            answer: HttpResponseBase = inner(request, *args, **kwargs)
            return answer

        return guarded

    def get_urls(self) -> list[URLPattern | URLResolver]:
        ours = [path("proof/", self.admin_view(self.proof), name="proof"), *panel.urls(self)]
        theirs = super().get_urls()
        return [*ours, *(r for r in theirs if not (isinstance(r, URLPattern) and r.name in LEFT_OUT))]

    def proof(self, request: HttpRequest) -> HttpResponse:
        """What is open, whom it waits for, and what does not fit."""
        found = {
            "title": _("Proof"),
            "panel": "proof",
            "proof": shown(request.GET.get("page", 1)),
            **self.each_context(request),
        }
        return render(request, "admin/proof.html", found)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().index(request, {**(extra_context or {}), "overview": overview(), "panel": "index"})


def _factor_to_ask(request: HttpRequest) -> HttpResponseBase | None:
    """Where a second factor is given that this session has not shown yet. Who has none is led to where one is made."""
    if not is_mfa_enabled(request.user, [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]):
        messages.warning(request, _("The administration needs a second factor. Add a passkey or an app first."))
        return redirect("security")
    if any(one.get("method") == "mfa" for one in get_authentication_records(request, request.user)):
        return None
    has_app = is_mfa_enabled(request.user, [Authenticator.Type.TOTP])
    name = "mfa_reauthenticate" if has_app else "mfa_reauthenticate_webauthn"
    return redirect(f"{reverse(name)}?{urlencode({'next': request.get_full_path()})}")


site = Administration()
