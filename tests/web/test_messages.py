"""The doors of messages: what the pages and their fragments show, and what the forms do."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client, RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from clawgroups.fragments import pieces
from clawgroups.models import Entry, Message, MessageFile, Reaction
from clawgroups.realtime.feed import fragments
from clawgroups.services import files, message_changes, messages
from clawgroups.services.perform import perform
from clawgroups.web.messages import PAGE
from clawgroups.web.workspaces import TALK, answered
from tests.conftest import Team
from tests.core.test_pictures import PNG
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def said(team: Team, body: str = "Hello", by: str = "bob", **more: Any) -> UUID:
    made = perform(messages.post_message, team.workspace.pk, body=body, actor=team.actor(by), **more)
    return UUID(made.answer["id"])


def fetched(client: Client, pk: UUID) -> Any:
    """The answer with a file, read to its end; closing it would end the test's database connection with it."""
    answer: Any = client.get(f"/api/v1/message-files/{pk}/content")
    if answer.streaming:
        b"".join(answer.streaming_content)
        for closer in answer._resource_closers:
            closer()
    return answer


def at(team: Team, name: str, *more: Any) -> str:
    return reverse(name, args=[team.workspace.pk, *more])


def test_a_message_with_files_shows_the_picture_and_offers_the_rest(team: Team, sign_in: SignIn) -> None:
    uploads = [SimpleUploadedFile("a.png", PNG, "image/png"), SimpleUploadedFile("b.svg", SVG, "image/svg+xml")]
    sent = {"body": "Look", "files": uploads}
    html = sign_in("bob", htmx=True).post(at(team, "post-message"), sent).content.decode()
    picture, drawing = MessageFile.objects.order_by("position")
    assert f'<img src="/api/v1/message-files/{picture.pk}/content" width="3" height="2"' in html
    assert f'href="/api/v1/message-files/{drawing.pk}/content" download' in html
    shown = fetched(sign_in("gus"), picture.pk)
    assert shown["Content-Type"] == "image/png"
    assert shown["Content-Disposition"] == 'inline; filename="a.png"'
    other = fetched(sign_in("gus"), drawing.pk)
    assert other["Content-Disposition"].startswith("attachment")
    for answer in (shown, other):
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert fetched(sign_in("mallory"), picture.pk).status_code == 404


def test_answers_to_messages_without_words_are_read_together(team: Team) -> None:
    def drawn(number: int) -> int:
        for n in range(number):
            stored = files.store([b"x%d" % n], name="a.txt")
            said(team, "And?", reply_to=said(team, "", files=[stored]))
        with CaptureQueriesContext(connection) as asked:
            assert "1 file" in "".join(pieces("message", Message.objects.values_list("pk", flat=True)))
        return len(asked)

    assert drawn(1) == drawn(8)


@pytest.mark.parametrize("claimed", ["image/png", "image/webp", "text/html"])
def test_what_only_says_that_it_is_a_picture_is_an_attachment(team: Team, sign_in: SignIn, claimed: str) -> None:
    evil = SimpleUploadedFile("photo.png", b"<html><script>alert(1)</script>", claimed)
    html = sign_in("bob", htmx=True).post(at(team, "post-message"), {"files": [evil]}).content.decode()
    assert "<img" not in html
    answer = fetched(sign_in("bob"), MessageFile.objects.get().pk)
    assert answer["Content-Disposition"].startswith("attachment")


def test_an_answer_quotes_in_one_line_and_says_when_the_original_is_gone(team: Team, sign_in: SignIn) -> None:
    one = said(team, "# A **long**\n\nstory")
    sign_in("ada").post(at(team, "post-message"), {"body": "Yes", "reply_to": str(one)})
    page = sign_in("gus").get(at(team, "workspace")).content.decode()
    assert 'class="say__quote"' in page
    assert "A long story" in page
    perform(message_changes.remove_message, one, actor=team.actor("bob"))
    page = sign_in("gus").get(at(team, "workspace")).content.decode()
    assert "A message that was taken back" in page
    assert "long story" not in page


@pytest.mark.parametrize("named", ["nonsense", "01a2222b-b2e2-7094-bea8-fe657fb159fa"])
def test_one_cannot_answer_what_is_not_there(team: Team, sign_in: SignIn, named: str) -> None:
    answer = sign_in("ada").post(at(team, "post-message"), {"body": "Keep me", "reply_to": named})
    assert answer.status_code == 404
    assert "Keep me" in answer.content.decode()


def test_the_query_says_what_one_answers_for_who_has_no_script(team: Team) -> None:
    one = said(team)
    request = RequestFactory().get("/", {"reply": str(one)})
    found = answered(request, team.workspace.pk)
    assert found is not None
    assert found.pk == one
    assert answered(request, team.workspace.pk, team.one_task().pk) is None
    assert answered(RequestFactory().get("/", {"reply": "x"}), team.workspace.pk) is None


def test_other_words_through_the_form_and_two_windows(team: Team, sign_in: SignIn) -> None:
    one, bob = said(team), sign_in("bob")
    form = at(team, "edit-message", one)
    assert ">Hello</textarea>" in bob.get(form).content.decode()
    assert bob.post(form, {"body": "First", "version": "0"}).status_code == 303
    refused = bob.post(form, {"body": "Second", "version": "0"})
    html = refused.content.decode()
    assert refused.status_code == 422
    assert "First" in html
    assert ">Second</textarea>" in html
    assert 'name="version" value="1"' in html
    bob.post(form, {"body": "Second", "version": "1"})
    assert Message.objects.get(pk=one).body == "Second"
    history = sign_in("gus").get(at(team, "message-history", one)).content.decode()
    assert "Hello" in history
    assert "First" in history


@pytest.mark.parametrize("body", ["", "x" * 20_001])
def test_an_edit_that_cannot_be_saved_keeps_what_was_typed(team: Team, sign_in: SignIn, body: str) -> None:
    one = said(team)
    refused = sign_in("bob", htmx=True).post(at(team, "edit-message", one), {"body": body, "version": "0"})
    assert refused.status_code == 422
    assert f">{body}</textarea>" in refused.content.decode()


def test_signs_are_counted_and_named_and_a_second_press_takes_one_off(team: Team, sign_in: SignIn) -> None:
    one = said(team)
    door = at(team, "react-message", one)
    for name in ("ada", "gus"):
        html = sign_in(name, htmx=True).post(door, {"react": "👍"}).content.decode()
    ids = " ".join(str(team.seat(name).pk) for name in ("ada", "gus"))
    assert f'data-members="{ids}"' in html
    assert "Agreed: ada, gus" in html
    sign_in("ada").post(door, {"sign": "👍"})
    assert Reaction.objects.get().member == team.seat("gus")


def test_the_menu_offers_what_one_may(team: Team, sign_in: SignIn) -> None:
    one = said(team)
    menu = at(team, "message-actions", one)
    offers = {name: sign_in(name, htmx=True).get(menu).content.decode() for name in ("bob", "carol", "gus")}
    assert {name: ("Edit" in html, "Take it back" in html) for name, html in offers.items()} == {
        "bob": (True, True),
        "carol": (False, True),
        "gus": (False, False),
    }
    assert "<html" not in offers["bob"]
    assert "<html" in sign_in("bob").get(menu).content.decode()


def test_what_is_taken_back_is_nowhere_any_more(team: Team, sign_in: SignIn) -> None:
    one = said(team, "Unspeakable", files=[files.store([PNG], name="a.png")])
    file = MessageFile.objects.get()
    html = sign_in("bob", htmx=True).post(at(team, "remove-message", one)).content.decode()
    assert "was taken back" in html
    bob = sign_in("bob")
    assert bob.get(f"/api/v1/message-files/{file.pk}/content").status_code == 404
    for address in (
        at(team, "workspace"),
        at(team, "messages"),
        f"{at(team, 'search')}?q=a.png",
        at(team, "message-history", one),
        f"/api/v1/messages/{one}",
    ):
        answer = bob.get(address)
        assert answer.status_code == 200
        assert "Unspeakable" not in answer.content.decode()
        assert str(file.pk) not in answer.content.decode()


def test_a_link_leads_to_where_the_message_stands(team: Team, sign_in: SignIn) -> None:
    first = said(team, "The first")
    task = team.one_task()
    inside = said(team, "In the thread", task_id=task.pk)
    last = said(team, "The last")
    ada = sign_in("ada")
    assert ada.get(at(team, "message", last))["Location"] == f"{at(team, 'workspace')}#message-{last}"
    assert ada.get(at(team, "message", inside))["Location"] == f"{at(team, 'task', task.pk)}#message-{inside}"
    row = Message.objects.get(pk=last)
    fill = {"workspace": team.workspace, "actor": row.actor, "body": "more", "created_at": row.created_at}
    Message.objects.bulk_create(Message(**fill) for _ in range(PAGE + 5))
    for pk in (first, last):
        there = ada.get(at(team, "message", pk))["Location"]
        assert there.startswith(f"{at(team, 'messages')}?page=2#")
        parts = urlsplit(there)
        assert f'id="{parts.fragment}"' in ada.get(f"{parts.path}?{parts.query}").content.decode()
    newest = Message.objects.filter(task=None).order_by("-created_at", "-id").values_list("pk", flat=True)
    for place, expected in ((TALK - 1, at(team, "workspace")), (TALK, f"{at(team, 'messages')}?page=1")):
        assert ada.get(at(team, "message", newest[place]))["Location"].startswith(f"{expected}#")


def test_the_pieces_of_a_changed_message_bring_those_that_quote_it(team: Team) -> None:
    one = said(team, "First words")
    answer = said(team, "An answer", reply_to=one)
    perform(message_changes.edit_message, one, body="Other words", version=0, actor=team.actor("bob"))
    entries = list(Entry.objects.filter(type="message.edited"))
    html = "".join(fragments(entries, team.workspace.pk))
    assert f'id="message-{one}"' in html
    assert f'id="message-{answer}"' in html
    assert "First words" not in html


def test_too_many_files_are_refused_before_any_is_stored(team: Team, sign_in: SignIn) -> None:
    uploads = [SimpleUploadedFile(f"{n}.txt", b"%d" % n) for n in range(11)]
    answer = sign_in("bob").post(at(team, "post-message"), {"body": "My words", "files": uploads})
    assert answer.status_code == 422
    assert "At most 10 files" in answer.content.decode()
    assert "My words" in answer.content.decode()
    assert not Message.objects.exists()


@override_settings(MAX_UPLOAD_BYTES=1000)
def test_a_picture_over_the_limit_is_refused_and_the_words_stay(team: Team, sign_in: SignIn) -> None:
    large = SimpleUploadedFile("huge.png", PNG + bytes(1000), "image/png")
    answer = sign_in("bob").post(at(team, "post-message"), {"body": "My words", "files": [large]})
    assert answer.status_code == 413
    assert "huge.png" in answer.content.decode()
    assert "My words" in answer.content.decode()
    assert not Message.objects.exists()


@pytest.mark.parametrize(("size", "status", "told"), [(20_001, 422, "at most 20000 fit"), (10_000_000, 413, "4 MB")])
@pytest.mark.parametrize("multipart", [True, False])
def test_too_much_pasted_text_is_refused_clearly(
    team: Team, sign_in: SignIn, size: int, status: int, told: str, *, multipart: bool
) -> None:
    client = sign_in("bob", htmx=True)
    client.raise_request_exception = False
    text = "x" * size
    if multipart:
        answer = client.post(at(team, "post-message"), {"body": text})
    else:
        answer = client.post(at(team, "post-message"), f"body={text}", "application/x-www-form-urlencoded")
    assert answer.status_code == status
    assert told in answer.content.decode()
    assert 'role="alert"' in answer.content.decode()
    assert not Message.objects.exists()
