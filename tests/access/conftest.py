"""The world of the access tests, for addresses, sockets and pages alike."""

from __future__ import annotations

from typing import Any

import pytest

from tests.access.world import World, build
from tests.conftest import Team


@pytest.fixture
def world(team: Team, settings: Any) -> World:
    # Everybody has a password, so that the pages about it are open; it need not be slow.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    for user in team.users.values():
        user.set_password("pw")
        user.save()
    return build(team)
