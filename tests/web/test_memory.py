"""The page of what a workspace remembers, and its addresses in the API."""

from __future__ import annotations

import pytest
from django.test import Client

from clawgroups.core.errors import Conflict
from clawgroups.models import Memory
from clawgroups.services import memories, messages, people
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


def test_a_note_has_a_page_on_which_it_is_changed_struck_out_and_taken_back(team: Team, sign_in: SignIn) -> None:
    bob = sign_in("bob")
    bob.post(f"/w/{team.workspace.pk}/memory/keep/", {"key": "Currency", "text": "Dollars."})
    note = Memory.objects.get()
    page = f"/w/{team.workspace.pk}/memory/{note.pk}/"
    assert bob.post(f"{page}edit/", {"text": "Euros.", "version": str(note.version)}).status_code == 303
    late = bob.post(f"{page}edit/", {"text": "Francs, typed for long.", "version": str(note.version)})
    assert (late.status_code, "Francs, typed for long." in late.content.decode()) == (422, True)
    assert bob.post(f"{page}strike/").status_code == 303
    shown = bob.get(page).content.decode()
    assert "bob struck this out." in shown
    assert "Dollars." in shown
    assert "<del>Euros.</del>" in shown
    assert "Remove for good" not in shown
    assert "Remove for good" in sign_in("ada").get(page).content.decode()
    assert "<del>Euros.</del>" in bob.get(f"/w/{team.workspace.pk}/memory/?show=struck").content.decode()
    assert bob.post(f"{page}restore/").status_code == 303
    assert Memory.objects.get().struck_at is None
    assert "Strike out" not in sign_in("gus").get(page).content.decode()


def test_notes_are_looked_for_and_shown_by_whom_they_are_for(team: Team, sign_in: SignIn) -> None:
    page, gus = f"/w/{team.workspace.pk}/memory/", sign_in("gus")
    for key, text in (("Currency", "Euros."), ("Paper", "A4, never dollars.")):
        perform(memories.remember, team.workspace.pk, key=key, text=text, actor=team.actor("bob"))
    said = gus.get(f"{page}?q=dollar").content.decode()
    assert ("Paper" in said, "Currency" in said) == (True, False)
    assert "No note is like that" in gus.get(f"{page}?q=zebra").content.decode()
    assert "No note is like that" in gus.get(f"{page}?show=agent").content.decode()
    assert "Currency" in gus.get(f"{page}?show=workspace").content.decode()


def test_a_message_is_remembered_and_stays_the_notes_source(team: Team, sign_in: SignIn) -> None:
    ada, bob = team.actor("ada"), sign_in("bob")
    said = perform(messages.post_message, team.workspace.pk, body="Sums are in **euros**.", actor=ada).answer["id"]
    page = f"/w/{team.workspace.pk}/memory/"
    filled = bob.get(f"{page}?message={said}").content.decode()
    assert "Sums are in **euros**." in filled
    assert "From a message of ada" in filled
    actions = bob.get(f"/w/{team.workspace.pk}/messages/{said}/actions/").content.decode()
    assert f"{page}?message={said}" in actions
    bob.post(f"{page}keep/", {"key": "currency", "text": "Euros.", "message": said})
    assert str(Memory.objects.get().message_id) == said
    assert "from a message of ada" in bob.get(page).content.decode()
    for wrong in ("nonsense", "00000000-0000-0000-0000-000000000000"):
        assert bob.get(f"{page}?message={wrong}").status_code == 200


def test_a_script_keeps_lists_and_forgets_notes(team: Team) -> None:
    _, token = people.create_token(team.users["carol"], name="test")
    client = Client(headers={"Authorization": f"Bearer {token}"})
    path = f"/api/v1/workspaces/{team.workspace.pk}/memories"
    made = client.post(path, {"key": "a", "text": "one"}, content_type="application/json")
    assert made.status_code == 201
    (note,) = client.get(path).json()["items"]
    assert (note["id"], note["key"], note["text"], note["scope"]) == (made.json()["id"], "a", "one", "workspace")
    one = f"/api/v1/memories/{note['id']}"
    said = {"text": "two", "version": note["version"]}
    assert client.put(one, said, content_type="application/json").status_code == 200
    assert client.put(one, {**said, "text": "three"}, content_type="application/json").status_code == 409
    assert client.delete(one).json()["code"] == "memory_holds"
    assert client.post(f"{one}/strike").status_code == 200
    assert [len(client.get(f"{path}?struck={which}").json()["items"]) for which in ("true", "false")] == [1, 0]
    assert client.post(f"{one}/restore").status_code == 200
    assert [n["key"] for n in client.get(f"{path}?q=two").json()["items"]] == ["a"]
    assert [v["what"] for v in client.get(one).json()["versions"]] == ["kept", "edited", "struck", "restored"]
    client.post(f"{one}/strike")
    assert client.delete(one).status_code == 200
    assert client.get(path).json()["items"] == []
    assert team.journal()[-1] == "memory.forgotten"
