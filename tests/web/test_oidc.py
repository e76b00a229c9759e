"""Signing in by a provider of OpenID Connect: only where one is named, and by what it has checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.asymmetric import rsa
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.web.oidc_provider import CLIENT, SECRET, Provider, provider

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/outside/oidc/login/"
ZOE = {"sub": "17", "preferred_username": "zoe", "email": "zoe@example.org", "email_verified": True}


@pytest.fixture
def outside(settings: Any) -> Iterator[Provider]:
    with provider() as found:
        app = {"provider_id": "oidc", "name": "Corporate", "client_id": CLIENT, "secret": SECRET}
        app["settings"] = {"server_url": found.url}  # type: ignore[assignment]
        settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}
        settings.OIDC_URL, settings.OIDC_NAME, settings.OIDC_SIGNUP = found.url, "Corporate", True
        found.person = ZOE
        yield found


def come(outside: Provider, client: Client | None = None, *, query: str = "") -> tuple[Client, Any]:
    """By the button, to the provider and back."""
    client = client or Client()
    lead = client.post(LOGIN + query)
    assert lead.status_code == 200
    return client, client.get(reverse("openid_connect_callback", args=["oidc"]), outside.sent(lead.context["to"]))


def is_in(client: Client) -> bool:
    return client.get(reverse("workspaces")).status_code == 200


def test_without_one_there_is_no_button_and_no_such_address() -> None:
    assert "outside" not in Client().get(reverse("account_login")).content.decode()
    assert Client().post(LOGIN).status_code == 404


def test_whoever_it_knows_gets_an_account_once_and_comes_in_by_it(outside: Provider) -> None:
    assert "Sign in with Corporate" in Client().get(reverse("account_login")).content.decode()
    for _ in range(2):
        client, answer = come(outside)
        assert answer.status_code == 302
        assert is_in(client)
    zoe = User.objects.get(username="zoe")
    assert (zoe.has_usable_password(), SocialAccount.objects.get(user=zoe).uid) == (False, "17")
    assert EmailAddress.objects.get(user=zoe).verified
    # Nothing to remember and nothing to confirm by: she is locked out of nothing.
    assert client.get(reverse("mfa_activate_totp")).status_code == 200


def test_nobody_new_comes_in_where_sign_up_is_closed(outside: Provider, settings: Any) -> None:
    settings.OIDC_SIGNUP = False
    client, answer = come(outside)
    assert "Sign-up is closed" in answer.content.decode()
    assert not User.objects.filter(username="zoe").exists()
    assert not is_in(client)


@pytest.mark.parametrize("checked", [False, True])
def test_an_address_links_nobody_to_an_account_that_has_it(outside: Provider, checked: bool) -> None:
    victim = User.objects.create_user("victim", email="zoe@example.org")
    EmailAddress.objects.create(user=victim, email=victim.email, verified=True, primary=True)
    outside.person = {**ZOE, "email_verified": checked}
    client, _ = come(outside)
    assert not SocialAccount.objects.filter(user=victim).exists()
    assert is_in(client) is not checked
    if not checked:
        made = User.objects.get(username="zoe")
        assert (made.email, EmailAddress.objects.filter(user=made).count()) == ("", 0)


def test_a_token_that_another_key_has_signed_lets_nobody_in(outside: Provider) -> None:
    outside.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    client, answer = come(outside)
    assert (answer.status_code, is_in(client)) == (401, False)
    assert "not valid" in answer.content.decode()
    # Nor does an answer that this browser has not asked for.
    outside.key = outside.shown
    lead = Client().post(LOGIN)
    stranger = Client()
    stranger.get(reverse("openid_connect_callback", args=["oidc"]), outside.sent(lead.context["to"]))
    assert not is_in(stranger)


def test_a_provider_that_is_away_is_told(outside: Provider, settings: Any) -> None:
    settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]["settings"]["server_url"] = "http://127.0.0.1:9"
    answer = Client().post(LOGIN)
    assert (answer.status_code, "does not answer" in answer.content.decode()) == (502, True)


def test_a_signed_in_person_connects_it_and_comes_in_by_it(outside: Provider, users: dict[str, User]) -> None:
    bob = Client()
    bob.force_login(users["bob"], backend="django.contrib.auth.backends.ModelBackend")
    come(outside, bob, query="?process=connect")
    assert SocialAccount.objects.get().user == users["bob"]
    client, _ = come(outside)
    assert client.get(reverse("me")).context["user"] == users["bob"]
