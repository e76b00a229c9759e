"""What all tests of a process share is there for each of them, and what a test commits is not."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.test import Client


# The tables are emptied as Django does it after the first test that commits, and as we do it after the others.
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", range(3))
def test_what_a_test_commits_is_gone_after_it_and_the_permissions_are_not(turn: int) -> None:
    assert not User.objects.exists()
    models = [model._meta for model in apps.get_models()]
    assert Permission.objects.count() == sum(len(one.default_permissions) + len(one.permissions) for one in models)
    User.objects.create_user("ada")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", range(2))
def test_a_permission_that_a_test_takes_away_is_there_for_the_next_one(turn: int) -> None:
    assert Permission.objects.filter(codename="view_workspace").exists()
    Permission.objects.filter(codename="view_workspace").delete()


def test_every_client_finds_the_static_files() -> None:
    for _ in range(2):
        answer = Client().get("/static/app.js")
        assert (answer.status_code, b"".join(answer)[:1] != b"") == (200, True)
