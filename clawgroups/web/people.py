"""How a person comes in, and what is theirs alone: tokens, language, theme, keys."""

from __future__ import annotations

from functools import cache
from ipaddress import ip_address
from uuid import UUID
from zoneinfo import available_timezones

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.errors import ClawError, Invalid, Unauthenticated
from clawgroups.models import AccessToken
from clawgroups.services import people, preferences
from clawgroups.services.perform import perform
from clawgroups.web.context import KEYS_COOKIE, THEME_COOKIE, THEMES
from clawgroups.web.forms import PreferencesForm, TokenForm, blame
from clawgroups.web.http import actor_of, done, page, see
from clawgroups.wording import say

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
        return render(request, "people/enter.html", {"message": say(fault.message)}, status=403)
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


def _show(
    request: HttpRequest, form: TokenForm, secret: str, status: int = 200, chosen: PreferencesForm | None = None
) -> HttpResponse:
    user = _person(request)
    found = AccessToken.objects.filter(user=user, revoked_at=None).order_by("-created_at")
    if chosen is None:
        row = preferences.preferences_of(user.pk)
        chosen = PreferencesForm(initial={"language": row.language, "zone": row.zone})
    context = {"form": form, "tokens": found, "secret": secret, "nav": "me", "chosen": chosen, "zones": _zones()}
    return page(request, "people/me.html", context, status)


@cache
def _zones() -> list[str]:
    """The time zones that are named after places."""
    return sorted(name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "SystemV/")))


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
def set_language(request: HttpRequest) -> HttpResponse:
    """Choose a language and a time zone: kept with the person, and by the browser for whoever signs out again."""
    form = PreferencesForm(request.POST)
    if not request.user.is_authenticated:
        return _kept(request, settings.LANGUAGE_COOKIE_NAME, form["language"].value() if form.is_valid() else "")
    try:
        if form.is_valid():
            said = {name: form.cleaned_data[name] for name in ("language", "zone") if name in request.POST}
            perform(preferences.set_preferences, **said, actor=actor_of(request))
    except Invalid as fault:
        blame(form, fault)
    if form.errors:
        return _show(request, TokenForm(), "", 422, form)
    return _kept(request, settings.LANGUAGE_COOKIE_NAME, form.cleaned_data["language"])


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
