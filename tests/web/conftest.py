"""Browsers without a browser: Django's test client, signed in as somebody of the cast."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.test import Client, override_settings

from tests.conftest import Team

SignIn = Callable[..., Client]


@pytest.fixture(autouse=True)
def plain_hashing() -> Iterator[None]:
    """Passwords are made by the cast; they need not be slow."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture
def sign_in(team: Team) -> SignIn:
    """A client of this person; with `htmx=True` it asks as htmx does."""

    def make(name: str, *, htmx: bool = False) -> Client:
        headers = {"HX-Request": "true"} if htmx else {}
        client = Client(headers=headers, raise_request_exception=True)
        client.force_login(team.users[name], backend="django.contrib.auth.backends.ModelBackend")
        return client

    return make
