"""A question's card answers for what it shows, and whoever is late is told what became of it."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from tests.conftest import Team
from tests.services.ask_support import asks, now, tells, told

pytestmark = pytest.mark.django_db


def as_person(team: Team, name: str) -> Client:
    client = Client()
    client.force_login(team.users[name], backend="django.contrib.auth.backends.ModelBackend")
    return client


def digest_on(page: str) -> str:
    found = re.search(r'name="digest" value="([0-9a-f]{64})"', page)
    assert found is not None
    return found.group(1)


def test_what_is_clicked_on_an_old_page_is_not_answered_for_the_new_call(team: Team) -> None:
    task = team.working()
    row = asks(team, task, "ls")
    bob = as_person(team, "bob")
    page = bob.get(reverse("task", args=[team.workspace.pk, task.pk])).content.decode()
    digest = digest_on(page)
    assert digest == row.digest
    tells(team, task, raw_input={"command": "ls", "cwd": "/etc"})
    path = f"/w/{team.workspace.pk}/approvals/{row.pk}/decide/"
    late = bob.post(path, {"option": "y", "digest": digest}, headers={"HX-Request": "true"})
    assert "wants something else by now" in late.content.decode()
    assert told(task) == []
    page = bob.get(reverse("task", args=[team.workspace.pk, task.pk])).content.decode()
    assert digest_on(page) != digest
    other = task.approvals.get(state="open")
    assert (
        bob.post(path.replace(str(row.pk), str(other.pk)), {"option": "y", "digest": other.digest}).status_code == 303
    )
    assert now(other).decided_by == team.seat("bob")


def test_the_second_of_two_people_reads_who_answered(team: Team) -> None:
    row = asks(team, team.working())
    path = f"/w/{team.workspace.pk}/approvals/{row.pk}/decide/"
    said = {"option": "n", "digest": row.digest}
    assert as_person(team, "bob").post(path, said).status_code == 303
    late = as_person(team, "carol").post(path, {**said, "option": "y"}, headers={"HX-Request": "true"})
    assert "bob answered this already: “Reject”" in late.content.decode()
