"""A person's own security: where they are signed in, their second factor, passkeys, password and addresses."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.webauthn.views import ReauthenticateWebAuthnView
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from clawgroups.services import sign_ins
from clawgroups.web.adapter import HERE
from clawgroups.web.devices import device
from clawgroups.web.factors import factors_of, passkeys_at
from clawgroups.web.http import actor_of, done, page, see


class _ByPasskey(ReauthenticateWebAuthnView):  # type: ignore[misc]
    """Confirming by a passkey that it is oneself; who fails is asked again, and not to sign in."""

    def form_invalid(self, form: Any) -> HttpResponse:
        super().form_invalid(form)  # says why
        return redirect("mfa_reauthenticate_webauthn")


confirm_by_passkey = login_required(_ByPasskey.as_view())


def _person(request: HttpRequest) -> User:
    actor_of(request)
    assert isinstance(request.user, User)
    return request.user


@require_safe
def security(request: HttpRequest) -> HttpResponse:
    """All of it on one page."""
    user = _person(request)
    shown = [
        {"row": row, "device": device(row.user_agent), "here": row.session_key == request.session.session_key}
        for row in sign_ins.sessions_of(user)
    ]
    return page(
        request,
        "people/security.html",
        {
            "signed_in": sorted(shown, key=lambda one: not one["here"]),
            "factors": factors_of(user),
            "passkeys_at": passkeys_at(request),
            "addresses": EmailAddress.objects.filter(user=user).order_by("-primary", "email"),
            "outside": settings.OIDC_NAME if settings.SOCIALACCOUNT_PROVIDERS else "",
            "outside_accounts": SocialAccount.objects.filter(user=user),
            "nav": "me",
        },
    )


def to_security(request: HttpRequest) -> HttpResponse:
    """Where django-allauth would have a page of its own."""
    _person(request)
    return see(reverse("security"))


@require_POST
def end_session(request: HttpRequest, session_pk: int) -> HttpResponse:
    """Sign one of the viewer's browsers out."""
    sign_ins.end_session(_person(request), session_pk, where=HERE)
    return done(request, reverse("security"), (), _("That browser is signed out."))


@require_POST
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    """Sign all of the viewer's browsers out but this one."""
    ended = sign_ins.end_others(_person(request), request.session.session_key or "", where=HERE)
    told = ngettext("One browser is signed out.", "%(ended)s browsers are signed out.", ended) % {"ended": ended}
    return done(request, reverse("security"), (), told)
