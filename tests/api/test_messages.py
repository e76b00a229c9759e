"""Messages through the API: answers, files, other words, signs, taking back, finding."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from clawgroups.api.router import api
from clawgroups.models import Message
from tests.api.conftest import As, problem
from tests.conftest import Team
from tests.core.test_pictures import PNG

pytestmark = pytest.mark.django_db


def room(team: Team) -> str:
    return f"/workspaces/{team.workspace.pk}"


def said(team: Team, as_: As, body: str = "Hello", **more: Any) -> str:
    made = as_("bob").post(f"{room(team)}/messages", {"body": body, **more})
    assert made.status_code == 201
    return str(made.json()["id"])


def test_a_message_with_files_and_an_answer_are_listed(team: Team, as_: As) -> None:
    uploads = [SimpleUploadedFile("a.png", PNG, "image/png"), SimpleUploadedFile("b.txt", b"words", "text/plain")]
    first = as_("bob").form(f"{room(team)}/messages", {"body": "Look", "files": uploads})
    assert first.status_code == 201
    answer = said(team, as_, "Yes", reply_to=first.json()["id"])
    as_("gus").post(f"/messages/{answer}/react", {"sign": "👀"})
    items = as_("gus").get(f"{room(team)}/messages").json()["items"]
    assert [one["id"] for one in items] == [answer, first.json()["id"]]
    assert items[0]["reply_to"] == first.json()["id"]
    assert items[0]["reactions"] == [{"sign": "👀", "members": [{"id": str(team.seat("gus").pk), "name": "gus"}]}]
    assert [(one["name"], one["size"]) for one in items[1]["files"]] == [("a.png", len(PNG)), ("b.txt", 5)]
    shown = as_("gus").get(items[1]["files"][0]["url"])
    assert b"".join(shown.streaming_content) == PNG
    for closer in shown._resource_closers:
        closer()
    assert shown["Content-Disposition"].startswith("inline")


def test_a_repeated_upload_is_one_message(team: Team, as_: As) -> None:
    for _ in range(2):
        upload = SimpleUploadedFile("b.txt", b"words", "text/plain")
        made = as_("bob").form(f"{room(team)}/messages", {"files": [upload]}, Idempotency_Key="once")
        assert made.status_code == 201
    assert Message.objects.count() == 1


def test_other_words_name_the_version_they_are_based_on(team: Team, as_: As) -> None:
    one, bob = said(team, as_), as_("bob")
    assert bob.get(f"/messages/{one}").json()["version"] == 0
    assert bob.call("PATCH", f"/messages/{one}", {"body": "New", "version": 0}).json() == {"id": one, "version": 1}
    refused = bob.call("PATCH", f"/messages/{one}", {"body": "Other", "version": 0})
    assert problem(refused) == (409, "message_moved")
    assert (refused.json()["now"], refused.json()["version"]) == ("New", 1)
    assert problem(as_("ada").call("PATCH", f"/messages/{one}", {"body": "Mine", "version": 1})) == (409, "not_yours")
    assert problem(bob.call("PATCH", f"/messages/{one}", {"body": "No version"}))[0] == 422
    (version,) = as_("gus").get(f"/messages/{one}/versions").json()["items"]
    assert (version["number"], version["body"]) == (1, "Hello")


def test_what_is_taken_back_is_shown_without_words(team: Team, as_: As) -> None:
    one = said(team, as_)
    as_("gus").post(f"/messages/{one}/react", {"sign": "👍"})
    assert problem(as_("gus").call("DELETE", f"/messages/{one}")) == (409, "not_yours")
    assert as_("carol").call("DELETE", f"/messages/{one}").status_code == 200
    shown = as_("gus").get(f"/messages/{one}").json()
    assert (shown["body"], shown["files"], shown["reactions"]) == ("", [], [])
    assert shown["removed_at"]
    assert problem(as_("gus").post(f"/messages/{one}/react", {"sign": "👍"})) == (409, "message_removed")


@pytest.mark.parametrize("sign", ["", "🍕", "<script>", "👍👍", "x" * 5000])
def test_only_our_signs_are_put_on_messages(team: Team, as_: As, sign: str) -> None:
    one = said(team, as_)
    assert problem(as_("gus").post(f"/messages/{one}/react", {"sign": sign})) == (422, "unknown_sign")


@pytest.mark.parametrize("verb", ["get", "versions", "PATCH", "DELETE", "react", "unreact"])
def test_strangers_find_no_message(team: Team, as_: As, verb: str) -> None:
    one, mallory = said(team, as_), as_("mallory")
    asked = {
        "get": lambda: mallory.get(f"/messages/{one}"),
        "versions": lambda: mallory.get(f"/messages/{one}/versions"),
        "PATCH": lambda: mallory.call("PATCH", f"/messages/{one}", {"body": "x", "version": 0}),
        "DELETE": lambda: mallory.call("DELETE", f"/messages/{one}"),
        "react": lambda: mallory.post(f"/messages/{one}/react", {"sign": "👍"}),
        "unreact": lambda: mallory.post(f"/messages/{one}/unreact", {"sign": "👍"}),
    }
    assert problem(asked[verb]()) == (404, "not_found")


def test_words_are_looked_for_by_kind_and_page(team: Team, as_: As) -> None:
    one = said(team, as_, "Where are the orders?")
    found = as_("gus").get(f"{room(team)}/search?q=orders+where").json()
    assert found["words"] == ["orders", "where"]
    assert [hit["id"] for hit in found["messages"]["items"]] == [one]
    assert found["tasks"] == found["files"] == found["runs"] == {"items": [], "more": False}
    only = as_("gus").get(f"{room(team)}/search?q=orders&kind=messages&page=2").json()
    assert only["messages"] == {"items": [], "more": False}
    assert problem(as_("gus").get(f"{room(team)}/search?q=a&kind=secrets"))[0] == 422


def test_too_many_files_and_none_at_all_are_refused(team: Team, as_: As) -> None:
    uploads = [SimpleUploadedFile(f"{n}.txt", b"%d" % n) for n in range(11)]
    refused = as_("bob").form(f"{room(team)}/messages", {"body": "x", "files": uploads})
    assert problem(refused) == (422, "too_many_files")
    assert problem(as_("bob").post(f"{room(team)}/messages", {})) == (422, "empty")


def test_the_description_knows_the_form_with_files() -> None:
    paths = api.get_openapi_schema()["paths"]
    post = paths["/api/v1/workspaces/{workspace_id}/messages"]["post"]["requestBody"]["content"]
    assert {"body", "task", "reply_to", "files"} <= post["multipart/form-data"]["schema"]["properties"].keys()
