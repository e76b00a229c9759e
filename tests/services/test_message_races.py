"""Two change one message at the same moment: one of them is told, and nothing is lost, doubled or left behind."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from clawgroups import permissions
from clawgroups.core.changes import Outcome
from clawgroups.core.errors import Conflict
from clawgroups.models import Message, MessageVersion, Reaction
from clawgroups.services import message_changes, messages
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.races import at_once, between

pytestmark = pytest.mark.django_db(transaction=True)


def said(team: Team) -> UUID:
    made = perform(messages.post_message, team.workspace.pk, body="Hello", actor=team.actor("bob"))
    return UUID(made.answer["id"])


def edit(team: Team, pk: UUID, body: str) -> Outcome:
    return perform(message_changes.edit_message, pk, body=body, version=0, actor=team.actor("bob"))


def remove(team: Team, pk: UUID, by: str = "carol") -> Outcome:
    return perform(message_changes.remove_message, pk, actor=team.actor(by))


def test_of_two_edits_at_once_one_stands_and_the_other_is_told(team: Team) -> None:
    one = said(team)
    results = at_once(lambda: edit(team, one, "Left"), lambda: edit(team, one, "Right"))
    (told,) = [result for result in results if isinstance(result, Conflict)]
    row = Message.objects.get(pk=one)
    assert (told.code, told.fields["now"]) == ("message_moved", row.body)
    assert list(MessageVersion.objects.values_list("body", flat=True)) == ["Hello"]


def test_an_edit_between_decision_and_commit_is_found(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    one = said(team)
    between(monkeypatch, lambda: edit(team, one, "First"))
    with pytest.raises(Conflict) as refused:
        edit(team, one, "Second")
    assert refused.value.fields == {"now": "First", "version": 1}


def test_an_edit_between_two_looks_at_a_message_is_told_with_the_words_that_stand(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = said(team)
    original, waiting = permissions.get_message, [lambda: edit(team, one, "First")]

    def slow(*given: Any) -> Message:
        row = original(*given)
        if waiting:
            waiting.pop()()
        return row

    monkeypatch.setattr(message_changes, "get_message", slow)
    with pytest.raises(Conflict) as refused:
        edit(team, one, "Second")
    # Else whoever takes these words for the newest saves over what the other one wrote.
    assert refused.value.fields == {"now": "First", "version": 1}


def test_what_is_taken_back_while_it_is_edited_stays_gone(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    one = said(team)
    between(monkeypatch, lambda: remove(team, one))
    with pytest.raises(Conflict, match="taken back"):
        edit(team, one, "Too late")
    assert Message.objects.get(pk=one).body == ""
    assert not MessageVersion.objects.exists()


def test_what_is_edited_while_it_is_taken_back_leaves_no_words(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    one = said(team)
    between(monkeypatch, lambda: edit(team, one, "Meanwhile"))
    assert remove(team, one).applied
    assert Message.objects.get(pk=one).body == ""
    assert not MessageVersion.objects.exists()


def test_the_same_sign_at_once_is_there_once_and_none_comes_upon_what_is_gone(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, ada = said(team), team.actor("ada")
    at_once(*[lambda: perform(message_changes.react, one, sign="👍", actor=ada)] * 3)
    assert Reaction.objects.count() == 1
    between(monkeypatch, lambda: remove(team, one))
    with pytest.raises(Conflict, match="taken back"):
        perform(message_changes.react, one, sign="✅", actor=ada)
    assert Reaction.objects.count() == 1
