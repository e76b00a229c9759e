"""How a person comes in, and what is theirs alone: tokens, theme, keys."""

from __future__ import annotations

from ipaddress import ip_address
from uuid import UUID

from django.contrib.auth import login
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.errors import ClawError, Unauthenticated
from clawgroups.models import AccessToken
from clawgroups.services import people
from clawgroups.web.context import KEYS_COOKIE, THEME_COOKIE, THEMES
from clawgroups.web.forms import TokenForm, blame
from clawgroups.web.http import actor_of, done, page, see

YEAR = 31_536_000


@never_cache
@require_safe
def enter(request: HttpRequest, token: str) -> HttpResponse:
    """Sign in by the link that the server printed: once, and from this machine only."""
    try:
        user = people.use_login_link(token, loopback=_from_here(request))
    except Unauthenticated as fault:
        # The link may be opened a second time by the person it has just signed in.
        if request.user.is_authenticated:
            return see(reverse("workspaces"))
        return render(request, "people/enter.html", {"message": fault.message}, status=403)
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    return see(reverse("workspaces"))


def _from_here(request: HttpRequest) -> bool:
    """Whether the peer of the socket itself is this machine; forwarded addresses are not believed."""
    if "HTTP_X_FORWARDED_FOR" in request.META or "HTTP_FORWARDED" in request.META:
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _person(request: HttpRequest) -> User:
    actor_of(request)
    assert isinstance(request.user, User)
    return request.user


@require_safe
def me(request: HttpRequest) -> HttpResponse:
    """Tokens and settings."""
    return _show(request, TokenForm(), "")


def _show(request: HttpRequest, form: TokenForm, secret: str, status: int = 200) -> HttpResponse:
    found = AccessToken.objects.filter(user=_person(request), revoked_at=None).order_by("-created_at")
    return page(request, "people/me.html", {"form": form, "tokens": found, "secret": secret, "nav": "me"}, status)


@never_cache
@require_POST
def create_token(request: HttpRequest) -> HttpResponse:
    """Make a token and show it, this once."""
    user = _person(request)
    form = TokenForm(request.POST)
    if form.is_valid():
        try:
            _row, secret = people.create_token(user, **form.cleaned_data)
            return _show(request, TokenForm(), secret)
        except ClawError as fault:
            blame(form, fault)
    return _show(request, form, "", status=422)


@require_POST
def revoke_token(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """Make one of the viewer's tokens void."""
    people.revoke_token(_person(request), token_id)
    return done(request, reverse("me"), (), _("The token is revoked."))


@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """Light, dark, or what the system says; kept in a cookie of this browser."""
    theme = request.POST.get("theme", "")
    return _kept(request, THEME_COOKIE, theme if theme in THEMES else "")


@require_POST
def set_keys(request: HttpRequest) -> HttpResponse:
    """Whether single keys do something; kept in a cookie of this browser."""
    return _kept(request, KEYS_COOKIE, "" if request.POST.get("keys") == "on" else "off")


def _kept(request: HttpRequest, cookie: str, value: str) -> HttpResponse:
    to = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(to, {request.get_host()}, require_https=request.is_secure()):
        to = "/"
    response = done(request, to)
    response.set_cookie(cookie, value, max_age=YEAR, samesite="Lax", secure=request.is_secure(), httponly=True)
    return response
