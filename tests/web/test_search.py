"""Finding again what was said and made, and the list of threads."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.urls import reverse

from clawgroups.core.excerpts import excerpt, words_of
from clawgroups.models import Message
from clawgroups.services import files, message_changes, messages, runs, takeover
from clawgroups.services.perform import perform
from clawgroups.services.search import FEW, MANY, search_in
from tests.conftest import Team
from tests.web.conftest import SignIn


def said(team: Team, body: str, **more: Any) -> UUID:
    made = perform(messages.post_message, team.workspace.pk, body=body, actor=team.actor("bob"), **more)
    return UUID(made.answer["id"])


def look(team: Team, client: Any, query: str, **more: str) -> str:
    answer = client.get(reverse("search", args=[team.workspace.pk]), {"q": query, **more})
    assert answer.status_code == 200
    return str(answer.content.decode())


@pytest.mark.django_db
def test_everything_with_all_the_words_is_found_and_they_are_marked(team: Team, sign_in: SignIn) -> None:
    said(team, "The **orders** of the North")
    said(team, "Orders of the south")
    said(team, "See the list", files=[files.store([b"x"], name="north-orders.csv")])
    team.run([{"key": "a", "title": "Count the orders", "instructions": "Only those of the north."}])
    perform(runs.draft_run, team.workspace.pk, goal="Explain north orders", actor=team.actor("ada"))
    html = look(team, sign_in("gus"), "NORTH orders")
    for part in (
        "The <mark>orders</mark> of the <mark>North</mark>",
        "Count the <mark>orders</mark>",
        "Only those of the <mark>north</mark>.",
        "<mark>north</mark>-<mark>orders</mark>.csv",
        "Explain <mark>north</mark> <mark>orders</mark>",
    ):
        assert part in html
    assert "south" not in html


@pytest.mark.django_db
def test_only_this_workspace_and_nothing_that_was_taken_back_is_found(team: Team, sign_in: SignIn) -> None:
    one = said(team, "A word to find")
    perform(message_changes.remove_message, one, actor=team.actor("bob"))
    assert "Nothing here has" in look(team, sign_in("ada"), "word")
    other = reverse("search", args=[team.workspace.pk])
    assert sign_in("mallory").get(other, {"q": "word"}).status_code == 404


@pytest.mark.django_db
def test_what_is_found_comes_by_pages_newest_first(team: Team) -> None:
    row = Message.objects.get(pk=said(team, "Number 0"))
    rest = {"workspace": team.workspace, "actor": row.actor, "created_at": row.created_at}
    Message.objects.bulk_create(Message(body=f"Number {n}", **rest) for n in range(1, MANY + 3))
    (few, *_) = search_in(team.workspace.pk, "number").groups
    assert (len(few.rows), few.more) == (FEW, True)
    pages = [search_in(team.workspace.pk, "number", kind="messages", page=page).groups[0] for page in (1, 2, 3)]
    assert [(len(page.rows), page.more) for page in pages] == [(MANY, True), (3, False), (0, False)]
    assert [row.body for row in pages[0].rows][:2] == [f"Number {MANY + 2}", f"Number {MANY + 1}"]


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["ÄRGER", "ärger", "Ärger"])
def test_letters_beyond_ascii_are_found_in_any_case(team: Team, query: str) -> None:
    said(team, "Viel Ärger im Norden")
    assert not search_in(team.workspace.pk, query).nothing


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query", ["%", "_", "\\", "'; DROP TABLE x --", "<script>alert(1)</script>", "\x00", "a" * 5000]
)
def test_signs_of_other_languages_are_words_like_others(team: Team, sign_in: SignIn, query: str) -> None:
    said(team, "Nothing special")
    html = look(team, sign_in("ada"), query, page="0", kind="messages")
    assert "<script>alert" not in html
    assert "Nothing special" not in html


def test_words_are_bounded_and_each_counts_once() -> None:
    assert [word.casefold() for word in words_of("  one Two two\tONE three ")] == ["one", "two", "three"]
    assert len(words_of(" ".join(map(str, range(50))))) == 8
    assert sum(map(len, words_of("x" * 5000))) == 200
    assert words_of("\u202e \x00 ") == ()


def test_an_excerpt_stands_around_the_first_word() -> None:
    text = "lorem " * 200 + "needle " + "ipsum " * 200
    pieces = excerpt(text, ("needle",))
    assert ("needle", True) in pieces
    assert pieces[0] == pieces[-1] == ("…", False)
    assert sum(len(part) for part, _ in pieces) < 230
    assert excerpt("a.b", (".",)) == [("a", False), (".", True), ("b", False)]


@pytest.mark.django_db
def test_threads_are_the_tasks_that_are_spoken_about_or_in_hand(team: Team, sign_in: SignIn) -> None:
    plan = [{"key": key, "title": f"Task {key}", "skills": ["writing"]} for key in ("quiet", "spoken", "held")]
    tasks = {task.key: task for task in team.run(plan).tasks.all()}
    said(team, "An early line", task_id=tasks["spoken"].pk)
    newest = said(team, "The newest line", task_id=tasks["spoken"].pk)
    gone = said(team, "Gone", task_id=tasks["spoken"].pk)
    perform(message_changes.remove_message, gone, actor=team.actor("bob"))
    perform(takeover.take_over, tasks["held"].pk, actor=team.actor("bob"))
    answer = sign_in("gus").get(reverse("threads", args=[team.workspace.pk]))
    html = answer.content.decode()
    assert "Task quiet" not in html
    assert html.index("Task spoken") < html.index("Task held")
    assert "The newest line" in html
    found = sign_in("gus").get(f"/api/v1/workspaces/{team.workspace.pk}/threads").json()
    shown = [(one["title"], one["lines"], one["newest"]) for one in found["items"]]
    assert shown == [("Task spoken", 2, str(newest)), ("Task held", 0, None)]
