"""What is the same for all tests of a process, and is made once for them instead of for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management.color import no_style
from django.db import connection
from django.test import TransactionTestCase
from whitenoise.middleware import WhiteNoiseMiddleware

# What `migrate` fills; no test of ours writes it.
FILLED = ("auth.Permission", "contenttypes.ContentType")


def share_static_files(patch: pytest.MonkeyPatch) -> None:
    """Where the static files lie is looked up by the first client of all; each has middleware of its own."""
    look: Callable[[Any], None] = WhiteNoiseMiddleware.add_files_from_finders
    usual = _places()
    known: dict[str, Any] = {}

    def add(middleware: Any) -> None:
        if _places() != usual:  # of a test about just that
            look(middleware)
            return
        if not known:
            look(middleware)
            known.update(middleware.files)
        middleware.files.update(known)

    patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", add)


def _places() -> tuple[Any, ...]:
    return settings.STATIC_ROOT, settings.STATIC_URL, tuple(settings.STATICFILES_DIRS)


def keep_permissions(patch: pytest.MonkeyPatch) -> None:
    """After a test that commits, all tables are emptied but those that would be filled again with the same rows."""
    empty: Callable[[TransactionTestCase], None] = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]
    filled = [apps.get_model(name) for name in FILLED]
    found: list[list[int]] = []

    def teardown(case: TransactionTestCase) -> None:
        counts = [model._base_manager.count() for model in filled]
        if counts not in found:  # the first time, or a test has written there after all
            empty(case)
            found[:] = [[model._base_manager.count() for model in filled]]
            return
        kept = {model._meta.db_table for model in filled}
        tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - kept
        connection.ops.execute_sql_flush(connection.ops.sql_flush(no_style(), sorted(tables)))

    patch.setattr(TransactionTestCase, "_fixture_teardown", teardown)
