"""The draft of a held task by a script: versions, kept texts, files, a look at the lines, texts that are too long."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from clawgroups.models import Draft, Task
from clawgroups.services import takeover
from clawgroups.services.perform import perform
from tests.api.conftest import As, problem
from tests.conftest import Team

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_store(tmp_path: Any, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def path(team: Team) -> str:
    """The address of a task in bob's hands."""
    task = team.working(acceptance=["min_words: 3", "Friendly"])
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    return f"/tasks/{task.pk}"


def test_versions_are_saved_listed_read_and_gone_back_to(path: str, as_: As) -> None:
    bob = as_("bob")
    assert bob.post(f"{path}/draft", {"text": "one", "base": 1}).json() == {"version": 2, "saved": True}
    assert bob.post(f"{path}/draft", {"text": "one", "base": 1}).json() == {"version": 2, "saved": False}
    assert bob.post(f"{path}/draft", {"text": "two", "base": 2}, Idempotency_Key="k").json()["version"] == 3
    again = bob.post(f"{path}/draft", {"text": "two", "base": 2}, Idempotency_Key="k")
    assert (again.json()["version"], again["Idempotency-Replayed"]) == (3, "true")
    rows = as_("ada").get(f"{path}/drafts").json()["items"]
    assert [(row["version"], row["kind"], row["base"]) for row in rows] == [
        (1, "own", None),
        (2, "own", 1),
        (3, "own", 2),
    ]
    assert rows[1]["actor"]["name"] == "bob"
    assert as_("gus").get(f"{path}/drafts/2").json()["text"] == "one"
    assert problem(bob.get(f"{path}/drafts/99")) == (404, "not_found")
    assert bob.post(f"{path}/draft/restore", {"version": 2}).json()["version"] == 4
    assert problem(as_("gus").post(f"{path}/draft/restore", {"version": 2})) == (403, "forbidden")


def test_a_text_from_an_older_version_is_kept_and_chosen(path: str, as_: As) -> None:
    bob = as_("bob")
    bob.post(f"{path}/draft", {"text": "newer", "base": 1})
    refused = bob.post(f"{path}/draft", {"text": "older", "base": 1}, Idempotency_Key="k")
    assert problem(refused) == (409, "draft_moved")
    said = refused.json()
    assert (said["base"], said["newest"], said["kept_as"]) == (1, 2, 3)
    # Not even with its key does it become an answer.
    assert problem(bob.post(f"{path}/draft", {"text": "older", "base": 1}, Idempotency_Key="k")) == (409, "draft_moved")
    assert bob.get(f"{path}/drafts/3").json()["text"] == "older"
    # It is its writer's alone.
    assert problem(as_("carol").get(f"{path}/drafts/3")) == (404, "not_found")
    assert [row["version"] for row in as_("carol").get(f"{path}/drafts").json()["items"]] == [1, 2]
    assert problem(bob.post(f"{path}/submit", {"result": "older", "base": 1})) == (409, "draft_moved")
    chosen = bob.post(f"{path}/draft/choose", {"kept": 3, "choice": "mine", "newest": 2})
    assert chosen.json()["version"] == 4
    assert bob.get(path).json()["draft"]["text"] == "older"


def test_who_holds_the_task_no_more_is_told_who_does_and_keeps_the_text(path: str, as_: As) -> None:
    as_("carol").post(f"{path}/takeover", {"force": True})
    refused = as_("bob").post(f"{path}/draft", {"text": "typed on"})
    assert problem(refused) == (409, "not_holder")
    said = refused.json()
    assert (said["holder"], said["state"]) == ("carol", "held")
    assert "carol holds it now. Ask them for it." in said["detail"]
    assert Draft.objects.get(version=said["kept_as"], kind="kept").text == "typed on"
    assert problem(as_("gus").post(f"{path}/draft", {"text": "x"})) == (403, "forbidden")


@pytest.mark.parametrize("length", [1_000_001, 20_000_000])
def test_a_text_that_is_too_long_is_refused_with_the_limit(path: str, as_: As, length: int) -> None:
    bob = as_("bob")
    text = "x" * length
    for address, body in (
        ("draft", {"text": text}),
        ("submit", {"result": text}),
        ("draft/files", {"name": "a.txt", "text": text}),
    ):
        refused = bob.post(f"{path}/{address}", body)
        assert problem(refused) == (413, "too_large"), address
        assert "1,000,000 characters" in refused.json()["detail"]
        assert "as a file" in refused.json()["detail"]
    assert Draft.objects.count() == 1
    assert Task.objects.get().state == "held"


def test_a_text_of_the_limit_is_taken_in_any_script(path: str, as_: As) -> None:
    text = "й" * 1_000_000
    bob = as_("bob")
    saved = bob.call("POST", f"{path}/draft", json.dumps({"text": text}, ensure_ascii=False).encode())
    assert saved.json()["saved"]
    assert bob.form(f"{path}/draft", {"text": "\U0001f600" * 1_000_000}).json()["saved"]


def test_half_a_character_is_refused_and_nul_and_line_ends_are_made_plain(path: str, as_: As) -> None:
    bob = as_("bob")
    assert problem(bob.call("POST", f"{path}/draft", b'{"text": "a\\ud800"}')) == (422, "bad_text")
    bob.post(f"{path}/draft", {"text": "a\x00\r\nb\u202ec"})
    assert bob.get(path).json()["draft"]["text"] == "a\nb\u202ec"


def test_files_of_the_draft_are_added_changed_listed_and_taken_out(path: str, as_: As) -> None:
    bob = as_("bob")
    file = SimpleUploadedFile("table.csv", b"a,b\r\n1,2\r\n", "text/csv")
    (added,) = bob.form(f"{path}/draft/files", {"files": file}).json()["files"]
    assert (added["name"], added["revision"]) == ("table.csv", 1)
    saved = bob.post(f"{path}/draft/files", {"name": "table.csv", "text": "a,b\n", "base": added["id"]})
    assert saved.json()["revision"] == 2
    moved = bob.post(f"{path}/draft/files", {"name": "table.csv", "text": "c,d\n", "base": added["id"]})
    assert problem(moved) == (409, "file_moved")
    said = as_("ada").get(f"{path}/draft/files").json()
    assert [(row["name"], row["revision"], row["kind"]) for row in said["items"]] == [("table.csv", 2, "draft")]
    assert [row["id"] for row in said["kept"]] == [moved.json()["kept_as"]]
    chosen = bob.post(f"{path}/draft/files/{moved.json()['kept_as']}/choose", {"choice": "newer"})
    assert chosen.status_code == 200
    gone = bob.call("DELETE", f"{path}/draft/files/{saved.json()['id']}")
    assert gone.status_code == 200
    assert bob.get(f"{path}/draft/files").json() == {"items": [], "kept": []}
    bad = bob.post(f"{path}/draft/files", {"name": "../table.csv", "text": "x"})
    assert problem(bad) == (422, "bad_file_name")
    bad = bob.post(f"{path}/draft/files", {"name": "invoice\u202evsc.exe", "text": "x"})
    assert problem(bad) == (422, "bad_file_name")


def test_the_lines_are_looked_at_before_it_is_handed_in(path: str, as_: As) -> None:
    bob = as_("bob")
    said = bob.post(f"{path}/check", {"text": "two words"}).json()
    assert said["failed"] == 1
    assert [(line["line"], line["finding"]) for line in said["lines"]] == [
        ("min_words: 3", "failed"),
        ("Friendly", "open"),
    ]
    assert said["lines"][1]["reason"] == "ada reads it and decides"
    assert bob.post(f"{path}/check").json()["failed"] == 1
    assert problem(as_("ada").post(f"{path}/check")) == (409, "not_holder")
    assert problem(bob.post(f"{path}/submit", {"result": "  "})) == (422, "empty")
    assert bob.post(f"{path}/submit", {"result": "three little words"}).json()["state"] == "in_review"


def test_a_result_that_comes_with_an_older_look_is_kept(team: Team, path: str, as_: As) -> None:
    task = Task.objects.get()
    perform(takeover.take_over, task.pk, force=True, actor=team.actor("carol"))
    refused = as_("bob").post(f"{path}/submit", {"result": "All of it.", "epoch": task.epoch})
    assert (*problem(refused), refused.json()["kept_as"]) == (409, "not_holder", 2)
    assert Draft.objects.get(kind="kept").text == "All of it."


def test_a_result_for_a_hold_before_this_one_is_kept(team: Team, path: str, as_: As) -> None:
    task = Task.objects.get()
    perform(takeover.take_over, task.pk, force=True, actor=team.actor("carol"))
    perform(takeover.take_over, task.pk, force=True, actor=team.actor("ada"))
    refused = as_("carol").post(f"{path}/submit", {"result": "Mine.", "epoch": task.epoch})
    assert problem(refused) == (409, "not_holder")
    perform(takeover.take_over, task.pk, force=True, actor=team.actor("carol"))
    refused = as_("carol").post(f"{path}/submit", {"result": "Mine, too.", "epoch": task.epoch})
    assert problem(refused) == (409, "moved_on")
    assert "kept as version" in refused.json()["detail"]
    assert list(Draft.objects.filter(kind="kept").values_list("text", flat=True)) == ["Mine.", "Mine, too."]
