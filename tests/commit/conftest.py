"""Some failures can only be had from a server: those tests are collected where the run's database is PostgreSQL."""

from __future__ import annotations

import pytest
from django.db import connection

from tests.commit.support import World, world

collect_ignore = [] if connection.vendor == "postgresql" else ["test_on_postgres.py"]


@pytest.fixture
def ada(writer: object) -> World:
    """Ada with a workspace."""
    return world("ada")
