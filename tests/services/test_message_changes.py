"""Messages after they were said: other words, signs, taking back; and what goes along with them."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.errors import Conflict, Invalid, NotFound
from clawgroups.core.signs import SIGNS
from clawgroups.models import Entry, Message, MessageFile, MessageVersion, Reaction
from clawgroups.services import files, members, message_changes, messages
from clawgroups.services.perform import perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db


def said(team: Team, body: str = "Hello", by: str = "bob", **more: Any) -> UUID:
    made = perform(messages.post_message, team.workspace.pk, body=body, actor=team.actor(by), **more)
    return UUID(made.answer["id"])


def edit(team: Team, pk: UUID, body: str, version: int = 0, by: str = "bob") -> dict[str, Any]:
    return dict(perform(message_changes.edit_message, pk, body=body, version=version, actor=team.actor(by)).answer)


def events(team: Team) -> list[str]:
    return [kind for kind in team.journal() if kind.startswith("message.")]


def test_other_words_keep_the_earlier_ones_and_tell_whom_they_newly_name(team: Team) -> None:
    one = said(team, "@ada look")
    assert edit(team, one, "@ada and @carol look") == {"id": str(one), "version": 1}
    row = Message.objects.get(pk=one)
    assert (row.body, row.edited_at is not None) == ("@ada and @carol look", True)
    version = MessageVersion.objects.get(message=one)
    assert (version.number, version.body, version.said_at) == (1, "@ada look", row.created_at)
    told = Entry.objects.get(type="message.edited").payload
    assert told["mentions"] == [str(team.seat("carol").pk)]


def test_the_same_words_are_no_change(team: Team) -> None:
    one = said(team)
    assert edit(team, one, "  Hello ")["version"] == 0
    assert events(team) == ["message.posted"]


def test_an_edit_of_what_was_changed_meanwhile_is_told_what_it_says_now_and_changes_nothing(team: Team) -> None:
    one = said(team)
    edit(team, one, "In one window")
    with pytest.raises(Conflict) as refused:
        edit(team, one, "In the other", version=0)
    assert (refused.value.code, refused.value.fields) == (
        "message_moved",
        {"now": "In one window", "version": 1},
    )
    edit(team, one, "In the other", version=1)
    assert list(MessageVersion.objects.order_by("number").values_list("body", flat=True)) == ["Hello", "In one window"]


@pytest.mark.parametrize("by", ["ada", "carol", "gus"])
def test_only_whoever_said_it_changes_the_words(team: Team, by: str) -> None:
    one = said(team)
    with pytest.raises(Conflict, match="Only whoever said it") as refused:
        edit(team, one, "Something else", by=by)
    assert refused.value.code == "not_yours"
    assert events(team) == ["message.posted"]


def test_an_agent_changes_its_own_words(team: Team) -> None:
    scribe = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    made = perform(messages.post_message, team.workspace.pk, body="Draft", actor=scribe)
    pk = UUID(made.answer["id"])
    perform(message_changes.edit_message, pk, body="Better draft", version=0, actor=scribe)
    assert Message.objects.get(pk=pk).body == "Better draft"


def test_what_is_taken_back_has_no_words_versions_and_files_but_its_place(team: Team) -> None:
    one = said(team, files=[files.store([b"secret"], name="secret.txt")])
    edit(team, one, "Oh no")
    perform(message_changes.remove_message, one, actor=team.actor("bob"))
    row = Message.objects.get(pk=one)
    assert (row.body, row.removed_at is not None) == ("", True)
    assert not MessageFile.objects.exists()
    assert not MessageVersion.objects.exists()
    for change in (
        lambda: edit(team, one, "Again", version=1),
        lambda: perform(message_changes.react, one, sign="👍", actor=team.actor("ada")),
        lambda: perform(message_changes.remove_message, one, actor=team.actor("bob")),
    ):
        with pytest.raises(Conflict, match="taken back"):
            change()


@pytest.mark.parametrize(("by", "may"), [("ada", True), ("carol", True), ("gus", False)])
def test_admins_take_back_what_others_said(team: Team, by: str, *, may: bool) -> None:
    one = said(team)
    if may:
        perform(message_changes.remove_message, one, actor=team.actor(by))
    else:
        with pytest.raises(Conflict, match="or an admin"):
            perform(message_changes.remove_message, one, actor=team.actor(by))
    assert (Message.objects.get(pk=one).removed_at is not None) is may


def test_each_member_puts_each_sign_once(team: Team) -> None:
    one = said(team)
    for by in ("ada", "gus", "ada"):
        perform(message_changes.react, one, sign="👍", actor=team.actor(by))
    perform(message_changes.react, one, sign="✅", actor=team.actor("ada"))
    assert Reaction.objects.count() == 3
    for _ in range(2):
        perform(message_changes.unreact, one, sign="👍", actor=team.actor("ada"))
    assert events(team) == ["message.posted", *["message.reacted"] * 3, "message.unreacted"]
    with pytest.raises(Invalid, match="Choose one of"):
        perform(message_changes.react, one, sign="🍕", actor=team.actor("ada"))
    assert "🍕" not in SIGNS


def test_one_answers_in_the_same_thread_of_the_same_workspace(team: Team) -> None:
    task = team.one_task()
    chat, thread = said(team), said(team, task_id=task.pk)
    answer = said(team, "Yes", reply_to=chat)
    assert Message.objects.get(pk=answer).reply_to_id == chat
    for other, task_id in ((thread, None), (chat, task.pk)):
        with pytest.raises(Invalid, match="in the same thread"):
            said(team, "Yes", reply_to=other, task_id=task_id)
    with pytest.raises(NotFound):
        said(team, "Yes", reply_to=uuid4())


def test_ten_files_go_along_and_words_may_be_left_out(team: Team) -> None:
    stored = [files.store([b"%d" % n], name=f"{n}.txt") for n in range(11)]
    one = said(team, "", files=stored[:10])
    found = MessageFile.objects.filter(message=one).values_list("position", "name")
    assert list(found) == [(n, f"{n}.txt") for n in range(10)]
    with pytest.raises(Invalid, match="At most 10 files"):
        said(team, "", files=stored)
    with pytest.raises(Invalid, match="empty"):
        said(team, " ")


def test_whoever_has_left_changes_nothing_any_more(team: Team) -> None:
    one = said(team)
    perform(members.remove_member, team.seat("bob").pk, actor=team.actor("ada"))
    for change in (
        lambda: edit(team, one, "Late"),
        lambda: perform(message_changes.remove_message, one, actor=team.actor("bob")),
        lambda: perform(message_changes.react, one, sign="👍", actor=team.actor("bob")),
    ):
        with pytest.raises(NotFound):
            change()
