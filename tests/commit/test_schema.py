"""What models say of keys and rows, and what the database holds to."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection

pytestmark = pytest.mark.django_db


def test_every_index_and_constraint_of_a_model_is_in_the_database() -> None:
    """Where a migration drops the index of a key, Django drops others of the same column with it."""
    missing: list[str] = []
    for model in [*apps.get_app_config("clawgroups").get_models(), *apps.get_app_config("agents").get_models()]:
        with connection.cursor() as cursor:
            there = connection.introspection.get_constraints(cursor, model._meta.db_table)
        named = [one.name for one in (*model._meta.indexes, *model._meta.constraints)]
        missing += [f"{model.__name__}: {name}" for name in named if name not in there]
        keys = [field for field in model._meta.local_fields if field.remote_field and field.model is model]
        begun = {
            one["columns"][0]
            for one in there.values()
            if one["columns"] and (one["index"] or one["unique"] or one["primary_key"])
        }
        missing += [f"{model.__name__}: an index of {key.name}" for key in keys if key.column not in begun]
    assert missing == []
