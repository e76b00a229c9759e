"""The page of what a workspace remembers, and its addresses in the API."""

from __future__ import annotations

import pytest
from django.test import Client

from clawgroups.core.errors import Conflict
from clawgroups.models import Memory
from clawgroups.services import memories, people
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db


def test_a_person_has_something_remembered_and_the_same_words_replace_it(team: Team, sign_in: SignIn) -> None:
    page = f"/w/{team.workspace.pk}/memory/"
    bob = sign_in("bob")
    for text in ("Sums are in dollars.", "Sums are in <b>euros</b>."):
        assert bob.post(f"{page}keep/", {"key": " Currency ", "text": text}).status_code == 303
    shown = bob.get(page).content.decode()
    assert "euros" in shown
    assert "<b>euros" not in shown
    assert "dollars" not in shown
    assert team.journal().count("memory.kept") == 2
    assert page in bob.get(f"/w/{team.workspace.pk}/").content.decode()


def test_what_cannot_be_kept_stays_in_the_form_with_the_reason(team: Team, sign_in: SignIn) -> None:
    page = f"/w/{team.workspace.pk}/memory/"
    answer = sign_in("bob").post(f"{page}keep/", {"key": "", "text": "typed for long"})
    assert (answer.status_code, "typed for long" in answer.content.decode()) == (422, True)
    assert not Memory.objects.exists()


def test_a_full_memory_says_so_and_still_replaces(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memories, "MAX_NOTES", 1)
    bob = team.actor("bob")
    perform(memories.remember, team.workspace.pk, key="a", text="one", actor=bob)
    with pytest.raises(Conflict, match="Replace one"):
        perform(memories.remember, team.workspace.pk, key="b", text="two", actor=bob)
    assert perform(memories.remember, team.workspace.pk, key="A", text="three", actor=bob).answer["replaced"] is True


def test_a_script_keeps_lists_and_forgets_notes(team: Team) -> None:
    _, token = people.create_token(team.users["carol"], name="test")
    client = Client(headers={"Authorization": f"Bearer {token}"})
    path = f"/api/v1/workspaces/{team.workspace.pk}/memories"
    made = client.post(path, {"key": "a", "text": "one"}, content_type="application/json")
    assert made.status_code == 201
    (note,) = client.get(path).json()["items"]
    assert (note["id"], note["key"], note["text"], note["scope"]) == (made.json()["id"], "a", "one", "workspace")
    assert client.delete(f"/api/v1/memories/{note['id']}").status_code == 200
    assert client.get(path).json()["items"] == []
    assert team.journal()[-1] == "memory.forgotten"
