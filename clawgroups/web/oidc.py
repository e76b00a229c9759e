"""Signing in by a provider of OpenID Connect, where the environment names one."""

from __future__ import annotations

from typing import Any

from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.internal import jwtkit
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from requests import RequestException

from clawgroups.auth import actor_of_user
from clawgroups.services import accounts, installation
from clawgroups.web import invited
from clawgroups.web.adapter import HERE


class OutsideAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Who may come in by it. What it says of an address counts only where it has checked it."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Whether somebody who is new here gets an account."""
        return bool(settings.OIDC_SIGNUP or installation.is_on("signup")) or invited.is_open(request)

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Forget addresses that the provider has not checked: they are of whoever typed them there."""
        if not sociallogin.is_existing:
            sociallogin.email_addresses = [one for one in sociallogin.email_addresses if one.verified is True]
            if not sociallogin.email_addresses:
                sociallogin.user.email = ""

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        """Make an account, by whoever signs up."""
        with transaction.atomic():
            made: User = super().save_user(request, sociallogin, form)
            accounts.tell(None, accounts.seen(made.pk), by=actor_of_user(made), where=HERE)
        return made

    def validate_disconnect(self, account: SocialAccount, accounts: Any) -> None:
        """Nothing more than allauth asks: a password, or another one."""


class Provider(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    """As allauth speaks to it, but what it says is always held against its keys."""

    def _decode_id_token(self, app: SocialApp, id_token: str) -> dict[str, Any]:
        claims: dict[str, Any] = jwtkit.verify_and_decode(
            credential=id_token,
            keys_url=self.openid_config["jwks_uri"],
            issuer=self.openid_config["issuer"],
            audience=app.client_id,
            lookup_kid=jwtkit.lookup_kid_jwk,
            verify_signature=True,
        )
        return claims

    def complete_login(self, request: HttpRequest, app: SocialApp, token: Any, **kwargs: Any) -> SocialLogin:
        """Nobody is signed in without the signed token, nor as somebody else than it names."""
        if not kwargs["response"].get("id_token"):
            raise OAuth2Error("The provider sent no ID token.")
        login = super().complete_login(request, app, token, **kwargs)
        said = login.account.extra_data
        if "userinfo" in said and said["userinfo"].get("sub") != said["id_token"].get("sub"):
            raise OAuth2Error("The provider speaks of two people.")
        return login


def login(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Lead to the provider, by a page that goes on by itself.

    Not by a redirect: under `form-action 'self'` Chromium refuses one that follows a form.
    """
    answer = _asked(OAuth2LoginView, request, provider_id)
    if request.method == "POST" and answer.status_code == 302:
        return render(request, "socialaccount/leading.html", {"to": answer["Location"], "outside": settings.OIDC_NAME})
    return answer


def callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Come back from the provider."""
    return _asked(OAuth2CallbackView, request, provider_id)


def _asked(view: Any, request: HttpRequest, provider_id: str) -> HttpResponse:
    """What allauth's view answers; a page that says so where the provider is away."""
    try:
        answer: HttpResponse = view.adapter_view(Provider(request, provider_id))(request)
    except SocialApp.DoesNotExist:
        raise Http404 from None
    except RequestException:
        return render(request, "socialaccount/authentication_error.html", {"away": True}, status=502)
    return answer
