"""Where the parts of holding a task by hand meet: what one does, the others know of."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.changes import Change, Outcome
from clawgroups.core.errors import Conflict
from clawgroups.fragments.story import story_of
from clawgroups.models import Command, ControlRequest, Draft, Session, Task
from clawgroups.queries import asked_now
from clawgroups.services import (
    asking,
    control,
    drafts,
    handback,
    members,
    pausing,
    regenerate,
    runs,
    steered,
    stop_all,
    stopping,
    takeover,
    tasks,
)
from clawgroups.services.artifacts import deliver_file
from clawgroups.services.choices import choose_member
from clawgroups.services.files import StoredFile
from clawgroups.services.gone import left_behind
from clawgroups.services.perform import perform
from clawgroups.services.sweep import sweep
from tests.conftest import Team
from tests.services.conftest import disconnect, fresh, latest, reconnect
from tests.services.races import between
from tests.services.steer_support import ask, asked, attempt_of, held_by_bob
from tests.services.test_takeover_races import draft_of, speak

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_store(tmp_path: Any, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def test_the_story_tells_what_a_holder_asked_in_their_own_words(team: Team) -> None:
    task = held_by_bob(team)
    asked(team, task, "Make it friendlier.")
    ask(team, task, "And shorter.", when="after_step")
    details = [line.details for line in story_of(fresh(task), "member").lines if line.type == "attempt.steered"]
    assert details == [("Make it friendlier.",), ("And shorter.",)]


def test_a_file_that_an_agent_leaves_for_the_holder_is_no_act_of_the_holder(team: Team) -> None:
    task = held_by_bob(team)
    asked(team, task)
    before = attempt_of(task).progress_at
    assert before is not None
    me = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    stored = StoredFile("sales.csv", 3, "a" * 64, "text/csv")
    perform(deliver_file, Session.objects.get().pk, stored=stored, actor=me)
    after = attempt_of(task).progress_at
    assert after is not None
    assert timedelta(0) < after - before < timedelta(milliseconds=1)


def test_an_acknowledgement_takes_no_persons_words_out_of_the_next_takeover(team: Team) -> None:
    task = held_by_bob(team)
    perform(handback.hand_back, task.pk, text="As Bob has it.", actor=team.actor("bob"))
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    team.send("scribe")
    speak(team, task, "Bob shortened it; I keep that.")
    team.finish("scribe", "Bob shortened it; I keep that.")
    assert latest(task).acknowledgement
    perform(takeover.take_over, task.pk, actor=team.actor("carol"))
    assert draft_of(task) == "As Bob has it."


def test_words_of_an_agent_that_has_just_begun_take_nobodys_version_out_of_the_next_takeover(team: Team) -> None:
    task = held_by_bob(team)
    perform(handback.hand_back, task.pk, text="As Bob has it.", actor=team.actor("bob"))
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    team.send("scribe")
    team.finish("scribe", "Bob shortened it; I keep that.")
    team.send("scribe")
    speak(team, task, "I look at the files first.")
    perform(takeover.take_over, task.pk, actor=team.actor("carol"))
    assert draft_of(task) == "As Bob has it.\n\n[What Scribe has said since:]\n\nI look at the files first."


def test_what_was_stopped_stays_stopped_where_its_run_has_ended_meanwhile(team: Team) -> None:
    task = team.working()
    ada = team.actor("ada")
    perform(stopping.stop_run, task.run_id, actor=ada)
    perform(runs.cancel_run, task.run_id, actor=ada)
    assert stop_all.stop_the_rest(task.run_id, actor=ada).asked == 1


def test_an_agent_that_is_back_when_it_is_to_be_given_up_goes_on(team: Team) -> None:
    task = held_by_bob(team)
    command = asked(team, task)
    disconnect(team)
    (give_up,) = steered.away_too_long(timezone.now() + timedelta(hours=1), 10)
    reconnect(team)
    give_up()
    command.refresh_from_db()
    assert command.state == "sent"


def test_the_text_of_who_passes_a_task_on_that_they_hold_no_more_is_kept(team: Team) -> None:
    task = held_by_bob(team)
    perform(takeover.take_over, task.pk, force=True, actor=team.actor("carol"))
    with pytest.raises(Conflict, match="is kept as version") as told:
        perform(control.pass_on, task.pk, member_id=team.seat("ada").pk, text="My last words.", actor=team.actor("bob"))
    assert told.value.code == "not_holder"
    assert Draft.objects.get(kind="kept").text == "My last words."


def test_what_somebody_had_written_who_is_not_here_any_more_is_told_to_the_next_agent(team: Team) -> None:
    task = held_by_bob(team)
    perform(drafts.save_draft, task.pk, text="As Bob has it.", actor=team.actor("bob"))
    seat = team.seat("bob")
    seat.left_at = timezone.now()
    seat.save()
    (verb,) = left_behind(timezone.now(), 10)
    verb()
    assert fresh(task).state == "ready"
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    assert latest(task).brief["handback"]["draft"] == "As Bob has it."


def test_a_takeover_that_cannot_wait_for_an_agent_still_waits_for_what_a_person_saves(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = held_by_bob(team)
    save = lambda: perform(drafts.save_draft, task.pk, text="Bob was here.", actor=team.actor("bob"))  # noqa: E731
    between(monkeypatch, save)
    perform(takeover.take_over, task.pk, force=True, urgent=True, actor=team.actor("carol"))
    assert draft_of(task) == "Bob was here."


def test_who_gives_away_what_has_moved_on_since_is_told_so(team: Team) -> None:
    task = team.one_task()
    stale = task.epoch
    team.try_once(task, {"stopReason": "refusal"}, text="No.")
    assert fresh(task).epoch > stale
    with pytest.raises(Conflict) as told:
        perform(
            handback.reassign_task,
            task.pk,
            member_id=team.seat("counter").pk,
            epoch=stale,
            actor=team.actor("bob"),
        )
    assert told.value.code == "moved_on"


def test_a_note_to_whoever_was_chosen_is_told_to_nobody_else_once_a_task_is_written_anew(team: Team) -> None:
    task = team.one_task()
    perform(choose_member, task.pk, member_id=team.seat("scribe").pk, note="You know it.", actor=team.actor("bob"))
    Task.objects.filter(pk=task.pk).update(state="stuck")
    perform(regenerate.regenerate_task, task.pk, instructions="Anew.", actor=team.actor("ada"))
    assert "note" not in fresh(task).brief


def test_what_somebody_asked_for_who_has_left_is_void(team: Team) -> None:
    task = held_by_bob(team)
    perform(control.ask_for, task.pk, actor=team.actor("carol"))
    perform(members.remove_member, team.seat("carol").pk, actor=team.actor("ada"))
    sweep(timezone.now(), quiet=False)
    assert ControlRequest.objects.get().state == "void"


def test_who_was_given_a_task_is_asked_again_once_it_goes_on_after_a_pause(team: Team) -> None:
    task = held_by_bob(team)
    bob, carol = team.actor("bob"), team.seat("carol")
    perform(handback.reassign_task, task.pk, member_id=carol.pk, note="You know it.", anyway=True, actor=bob)
    perform(pausing.pause_task, task.pk, actor=bob)
    assert asked_now(fresh(task), timezone.now()) is None
    perform(pausing.resume_task, task.pk, actor=bob)
    assert asked_now(fresh(task), timezone.now()) == carol.pk
    perform(asking.decline_task, task.pk, actor=team.actor("carol"))
    assert asked_now(fresh(task), timezone.now()) == team.seat("bob").pk


def test_whom_a_task_was_given_to_is_not_asked_again_after_an_agent_had_it(team: Team) -> None:
    task = held_by_bob(team)
    bob, carol = team.actor("bob"), team.seat("carol")
    perform(handback.reassign_task, task.pk, member_id=carol.pk, anyway=True, actor=bob)
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=bob)
    perform(pausing.pause_task, task.pk, actor=bob)
    perform(pausing.resume_task, task.pk, actor=bob)
    assert asked_now(fresh(task), timezone.now()) is None


def test_when_everything_is_stopped_the_turns_stop_that_people_steer_and_nothing_waits(team: Team) -> None:
    task = held_by_bob(team)
    running, waiting = asked(team, task), ask(team, task, "And shorter.", when="after_step")
    perform(stopping.stop_run, task.run_id, actor=team.actor("ada"))
    cancel = Command.objects.filter(purpose="cancel").latest("created_at")
    assert cancel.params["_meta"]["clawgroups"]["request"] == str(running.pk)
    waiting.refresh_from_db()
    assert waiting.state == "void"
    assert fresh(task).state == "held"


def test_a_takeover_goes_on_while_the_task_is_being_given_out(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each frame to the agent moves something that was expected; three decisions were too few."""
    task, submit = team.assigned(), commit.submit
    moves = iter(["working", "assigned", "working", "assigned", "working"])

    def meanwhile(change: Change) -> Future[Outcome]:
        if (state := next(moves, None)) is not None:
            Task.objects.filter(pk=task.pk).update(state=state)
        return submit(change)

    monkeypatch.setattr(commit, "submit", meanwhile)
    perform(takeover.Insistent(), task.pk, actor=team.actor("ada"))
    task.refresh_from_db()
    assert (task.state, task.holder_id) == ("held", team.seat("ada").pk)
