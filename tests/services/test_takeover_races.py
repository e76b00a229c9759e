"""A person takes over at the very moment at which somebody else writes: all that stood there is in the draft."""

from __future__ import annotations

from unittest import mock

import pytest

from agents.models import Connection
from agents.protocol.updates import MessageChunk
from clawgroups import commit
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.models import Draft, Part, Session, Task
from clawgroups.services import artifacts, drafts, finishing, handback, review, takeover, tasks, transcript
from clawgroups.services.files import StoredFile
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.races import between

pytestmark = pytest.mark.django_db


def speak(team: Team, task: Task, text: str) -> None:
    """The process that holds the agent's socket stores what it has heard."""
    session = Session.objects.get(task=task)
    row = Connection.objects.get(pk=team.links["scribe"])
    batch = transcript.Batch(transcript.load([session.pk])[session.pk], [MessageChunk(text=text)])
    me = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    told = transcript.record(
        row.pk, epoch=row.epoch, since=row.received, received=row.received + 1, batches=[batch], actor=me
    )
    assert commit.wait(told).applied


def draft_of(task: Task) -> str:
    task.refresh_from_db()
    last = Draft.objects.filter(attempt=task.attempt).last()
    assert last is not None
    return last.text


def test_words_that_are_stored_while_a_takeover_is_decided_are_in_the_draft(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = team.working()
    speak(team, task, "The sales rose ")
    between(monkeypatch, lambda: speak(team, task, "by a third."))
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    assert draft_of(task) == "The sales rose by a third."
    assert not Part.objects.filter(after_stop=True).exists()


def test_what_a_holder_saves_while_an_admin_takes_the_task_is_in_the_admins_draft(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = team.working()
    bob, carol = team.actor("bob"), team.actor("carol")
    perform(takeover.take_over, task.pk, actor=bob)
    between(monkeypatch, lambda: perform(drafts.save_draft, task.pk, text="Bob was here.", actor=bob))
    perform(takeover.take_over, task.pk, force=True, actor=carol)
    assert draft_of(task) == "Bob was here."
    assert task.holder == team.seat("carol")


def test_what_is_saved_in_another_window_while_a_task_is_handed_back_goes_along(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = team.working()
    bob = team.actor("bob")
    perform(takeover.take_over, task.pk, actor=bob)
    between(monkeypatch, lambda: perform(drafts.save_draft, task.pk, text="The last word.", actor=bob))
    perform(handback.hand_back, task.pk, note="Go on.", actor=bob)
    task.refresh_from_db()
    assert task.brief["handback"]["draft"] == "The last word."


def test_who_takes_over_what_a_person_has_handed_in_goes_on_from_that(team: Team) -> None:
    task = team.working()
    bob, carol = team.actor("bob"), team.actor("carol")
    perform(takeover.take_over, task.pk, actor=bob)
    perform(drafts.save_draft, task.pk, text="Half of it.", actor=bob)
    perform(finishing.submit_held, task.pk, result="All of it.", actor=bob)
    perform(takeover.take_over, task.pk, actor=carol)
    assert draft_of(task) == "All of it."


def test_a_takeover_during_which_a_file_is_delivered_is_decided_again(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = team.working()
    me = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    session, stored = Session.objects.get(task=task).pk, StoredFile("sales.csv", 3, "a" * 64, "text/csv")
    between(monkeypatch, lambda: perform(artifacts.deliver_file, session, stored=stored, actor=me))
    with mock.patch.object(takeover, "_hold", wraps=takeover._hold) as held:
        perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    assert held.call_count == 2


def test_what_a_person_handed_back_is_in_the_draft_of_who_takes_over_before_the_agent_said_anything(
    team: Team,
) -> None:
    task = team.working()
    bob, carol = team.actor("bob"), team.actor("carol")
    perform(takeover.take_over, task.pk, actor=bob)
    perform(handback.hand_back, task.pk, text="As Bob has it.", actor=bob)
    perform(tasks.assign_task, task.pk, member_id=team.seat("counter").pk, actor=team.actor("ada"))
    perform(takeover.take_over, task.pk, actor=carol)
    assert draft_of(task) == "As Bob has it."


def test_who_takes_over_a_try_that_has_said_nothing_yet_goes_on_from_what_was_returned_before_it(team: Team) -> None:
    task = team.working()
    ada, bob = team.actor("ada"), team.actor("bob")
    perform(takeover.take_over, task.pk, actor=bob)
    perform(handback.hand_back, task.pk, text="As Bob has it.", actor=bob)
    task.refresh_from_db()
    team.try_once(task, {"stopReason": "end_turn"}, name="counter", text="I understand what Bob changed.")
    team.send("counter")
    team.answer("counter", {"stopReason": "end_turn"}, text="As Counter made it.")
    perform(review.return_task, task.pk, reasons=["Shorter"], actor=ada)
    perform(tasks.assign_task, task.pk, member_id=team.seat("counter").pk, actor=ada)
    perform(takeover.take_over, task.pk, actor=bob)
    assert draft_of(task) == "As Counter made it."
