"""The draft of a held task: no version overwrites another, and no word is lost with the hold."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from clawgroups.core.errors import Conflict, Invalid, NotFound, TooLarge
from clawgroups.models import Attempt, Draft, Task
from clawgroups.services import drafts, finishing, handback, review, takeover, tasks, texts
from clawgroups.services.perform import perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db
TEXT = "one\ntwo\nthree"


def held(team: Team, text: str = TEXT) -> tuple[Task, Attempt]:
    """A task in bob's hands with a text of his as version 2."""
    task = team.working(acceptance=["not_empty", "min_words: 3", "It is friendly"])
    made = perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    save(team, task, text)
    return task, Attempt.objects.get(pk=made.answer["attempt"])


def save(team: Team, task: Task, text: str, who: str = "bob", **more: Any) -> dict[str, Any]:
    return dict(perform(drafts.save_draft, task.pk, text=text, actor=team.actor(who), **more).answer)


def refused(team: Team, task: Task, text: str, who: str = "bob", **more: Any) -> Conflict:
    with pytest.raises(Conflict) as why:
        save(team, task, text, who, **more)
    return why.value


def kept(attempt: Attempt) -> list[tuple[int, str]]:
    return list(Draft.objects.filter(attempt=attempt, kind="kept").values_list("version", "text"))


def test_a_text_that_is_saved_already_is_no_new_version(team: Team) -> None:
    task, attempt = held(team)
    assert save(team, task, TEXT.replace("\n", "\r\n")) == {"version": 2, "saved": False}
    assert save(team, task, "more", base=2) == {"version": 3, "saved": True}
    row = texts.newest(attempt)
    assert row is not None
    assert (row.version, row.base, row.actor["name"]) == (3, 2, "bob")


def test_who_saves_from_an_older_version_is_told_of_both_and_overwrites_nothing(team: Team) -> None:
    task, attempt = held(team)
    save(team, task, "the one tab", base=2)
    why = refused(team, task, "the other tab", base=2)
    assert why.code == "draft_moved"
    assert why.fields == {"base": 2, "newest": 3, "newest_by": "bob", "kept_as": 4}
    assert texts.text_so_far(attempt) == "the one tab"
    assert kept(attempt) == [(4, "the other tab")]
    # Sent once more, also with an operation: refused once more, and kept once.
    assert refused(team, task, "the other tab", base=2, operation="again").fields["kept_as"] == 4
    assert refused(team, task, "the other tab", base=2, operation="again").fields["kept_as"] == 4
    # The same editor goes on typing.
    assert refused(team, task, "not the other tab", base=2, kept=4).fields["kept_as"] == 4
    assert kept(attempt) == [(4, "not the other tab")]


def test_of_two_texts_the_holder_chooses_one_or_both(team: Team) -> None:
    task, attempt = held(team)
    bob = team.actor("bob")
    save(team, task, "ONE\ntwo\nthree", base=2)
    refused(team, task, "one\ntwo\nTHREE", base=2)
    refused(team, task, "another", base=2)
    perform(drafts.choose_draft, task.pk, 4, choice="both", newest_seen=3, actor=bob)
    assert texts.text_so_far(attempt) == "ONE\ntwo\nTHREE"
    with pytest.raises(Conflict, match="chosen already"):
        perform(drafts.choose_draft, task.pk, 4, choice="mine", actor=bob)
    with pytest.raises(Conflict, match="Version 6 was saved meanwhile"):
        perform(drafts.choose_draft, task.pk, 5, choice="mine", newest_seen=3, actor=bob)
    perform(drafts.choose_draft, task.pk, 5, choice="mine", text="another one", newest_seen=6, actor=bob)
    assert texts.text_so_far(attempt) == "another one"
    refused(team, task, "yet another", base=2)
    perform(drafts.choose_draft, task.pk, 8, choice="newer", actor=bob)
    assert texts.text_so_far(attempt) == "another one"
    assert kept(attempt) == []
    refused(team, task, "last", base=2)
    with pytest.raises(Invalid):
        perform(drafts.choose_draft, task.pk, 9, choice="", actor=bob)


def test_of_passages_that_both_changed_both_stand_in_the_text(team: Team) -> None:
    task, _ = held(team)
    save(team, task, "one\ntheirs\nthree", base=2)
    refused(team, task, "one\nmine\nthree", base=2)
    row, last = Draft.objects.get(kind="kept"), Draft.objects.get(version=3)
    both = drafts.both(row, last)
    assert not both.clean
    assert both.text.split("\n")[0::2] == ["one", "theirs", "mine"]


def test_going_back_to_a_version_is_a_new_one(team: Team) -> None:
    task, attempt = held(team)
    save(team, task, "worse", base=2)
    assert perform(drafts.restore_draft, task.pk, 2, actor=team.actor("bob")).answer["version"] == 4
    assert texts.text_so_far(attempt) == TEXT
    assert list(Draft.objects.filter(attempt=attempt).values_list("version", "base")) == [
        (1, None), (2, None), (3, 2), (4, 2),
    ]  # fmt: skip
    with pytest.raises(NotFound):
        perform(drafts.restore_draft, task.pk, 9, actor=team.actor("bob"))


def test_who_was_forced_away_loses_no_word(team: Team) -> None:
    task, attempt = held(team)
    perform(takeover.take_over, task.pk, force=True, actor=team.actor("carol"))
    why = refused(team, task, "typed on", base=2)
    assert (why.code, why.fields["holder"], why.fields["kept_as"]) == ("not_holder", "carol", 3)
    assert "carol holds it now. Ask them for it." in why.message
    assert kept(attempt) == [(3, "typed on")]
    # It goes on while their page has not noticed.
    refused(team, task, "typed on and on", base=2)
    assert kept(attempt) == [(3, "typed on and on")]
    with pytest.raises(Conflict, match="kept as version 4"):
        perform(finishing.submit_held, task.pk, result="the result", actor=team.actor("bob"))
    with pytest.raises(Conflict, match="kept as version 5"):
        perform(handback.hand_back, task.pk, text="handed back", actor=team.actor("bob"))
    # What was saved before is not lost anyway.
    assert "kept_as" not in refused(team, task, TEXT).fields
    assert kept(attempt) == [(3, "typed on and on"), (4, "the result"), (5, "handed back")]
    with pytest.raises(Conflict, match="Only who typed it"):
        perform(drafts.settle_kept, attempt.pk, 4, actor=team.actor("carol"))
    perform(drafts.settle_kept, attempt.pk, 4, actor=team.actor("bob"))
    assert kept(attempt) == [(3, "typed on and on"), (5, "handed back")]


@pytest.mark.parametrize("end", ["cancelled", "in_review", "done"])
def test_a_text_for_a_task_that_is_over_is_kept(team: Team, end: str) -> None:
    task, attempt = held(team)
    if end == "cancelled":
        perform(tasks.cancel_task, task.pk, actor=team.actor("ada"))
    else:
        perform(finishing.submit_held, task.pk, result="done", actor=team.actor("bob"))
    if end == "done":
        perform(review.accept_task, task.pk, actor=team.actor("ada"))
    why = refused(team, task, "a last thought")
    assert end.replace("_", " ") in why.message
    assert [text for _, text in kept(attempt)] == ["a last thought"]


def test_somebody_who_never_held_it_is_refused_and_nothing_is_kept(team: Team) -> None:
    task, _ = held(team)
    assert "kept_as" not in refused(team, task, "not mine", "ada").fields
    assert not Draft.objects.filter(kind="kept").exists()


def test_what_is_kept_is_bounded_and_the_oldest_gives_way(team: Team) -> None:
    task, attempt = held(team)
    save(team, task, "newer", base=2)
    for n in range(drafts.MOST_KEPT + 3):
        refused(team, task, f"{n} text", base=2)
    assert len(kept(attempt)) == drafts.MOST_KEPT
    assert f"{drafts.MOST_KEPT + 2} text" in dict(kept(attempt)).values()


def test_a_text_is_stored_as_any_page_can_show_it(team: Team) -> None:
    task, attempt = held(team)
    save(team, task, "a\x00b\r\nc\rd \ud800 \u202ee\u202c \U0001f600")
    assert texts.text_so_far(attempt) == "ab\nc\nd \ufffd \u202ee\u202c \U0001f600"


@pytest.mark.parametrize("length", [drafts.MAX_DRAFT + 1, 20_000_000])
def test_a_text_that_is_too_long_is_refused_with_the_limit_and_a_way_out(team: Team, length: int) -> None:
    task, _ = held(team)
    with pytest.raises(TooLarge, match="at most 1,000,000 characters") as why:
        save(team, task, "x" * length)
    assert "as a file" in why.value.message
    assert save(team, task, "x" * drafts.MAX_DRAFT)["saved"]


def test_a_stale_editor_finishes_nothing(team: Team) -> None:
    task, attempt = held(team)
    save(team, task, "newer words", base=2)
    with pytest.raises(Conflict, match="Look at both"):
        perform(finishing.submit_held, task.pk, result="older words", base=2, actor=team.actor("bob"))
    assert Task.objects.get(pk=task.pk).state == "held"
    assert kept(attempt) == [(4, "older words")]


@pytest.mark.django_db(transaction=True)
def test_of_two_tabs_that_save_at_once_one_is_a_version_and_one_is_kept(team: Team) -> None:
    task, attempt = held(team)
    start, told = threading.Barrier(2), []

    def saving(text: str) -> None:
        start.wait()
        try:
            told.append(save(team, task, text, base=2)["version"])
        except Conflict as why:
            told.append(why.fields["kept_as"])
        finally:
            connection.close()

    tabs = [threading.Thread(target=saving, args=(f"tab {n}",)) for n in range(2)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    rows = {row.version: row for row in Draft.objects.filter(attempt=attempt, version__gt=2)}
    assert sorted(told) == sorted(rows) == [3, 4]
    assert {row.kind for row in rows.values()} == {"own", "kept"}
    assert {row.text for row in rows.values()} == {"tab 0", "tab 1"}


@pytest.mark.django_db(transaction=True)
def test_of_many_texts_that_come_after_the_hold_at_once_each_is_kept(team: Team) -> None:
    task, attempt = held(team)
    perform(takeover.take_over, task.pk, force=True, actor=team.actor("carol"))
    start, wrong = threading.Barrier(4), []

    def saving(text: str) -> None:
        start.wait()
        try:
            for _ in range(20):  # whoever loses three times is told so, and the page tries again
                why = refused(team, task, text)
                if why.code == "not_holder":
                    return
            wrong.append(text)
        finally:
            connection.close()

    tabs = [threading.Thread(target=saving, args=(f"{n} tab",)) for n in range(4)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert wrong == []
    assert sorted(text for _, text in kept(attempt)) == [f"{n} tab" for n in range(4)]
