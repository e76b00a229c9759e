"""The holder asks the agent's live session: queued, sent with the draft of that moment, answered with an offer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from agents.models import Agent, Connection
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.errors import ClawError, Conflict, Forbidden, Invalid, NotFound
from clawgroups.models import Attempt, Command, Draft, Entry, Part, Session, Step, Task
from clawgroups.services import drafts, files, finishing, handback, sessions, steering, takeover, tasks, texts
from clawgroups.services.artifacts import deliver_file, work_files
from clawgroups.services.perform import perform
from clawgroups.services.sweep import sweep
from tests.conftest import Team, quarantine
from tests.services.conftest import beat, disconnect, fresh, latest, reconnect
from tests.services.steer_support import ask, asked, attempt_of, held_by_bob

pytestmark = pytest.mark.django_db


@pytest.fixture
def held(team: Team) -> Task:
    return held_by_bob(team)


def said(command: Command) -> dict[str, Any]:
    (entry,) = Entry.objects.filter(type="attempt.steer_answered", payload__command_id=str(command.pk))
    return dict(entry.payload)


def test_what_is_asked_waits_and_goes_out_with_the_draft_as_it_is_then(team: Team, held: Task) -> None:
    command = ask(team, held, "Make it friendlier.")
    assert (command.purpose, command.state, command.attempt_id) == ("steer", "open", held.attempt_id)
    assert not Part.objects.filter(attempt=held.attempt).exists()
    perform(drafts.save_draft, held.pk, text="Dear all, it rains.", actor=team.actor("bob"))
    (sent,) = team.send("scribe")
    command.refresh_from_db()
    text = command.params["prompt"][0]["text"]
    assert sent.pk == command.pk
    assert "bob, a person, has taken the task “Write it up” over" in text
    assert "> Make it friendlier." in text
    assert "version 2" in text
    assert "> Dear all, it rains." in text
    assert command.params["_meta"]["clawgroups"]["draft"] == 2
    assert Session.objects.get().attempt_id == held.attempt_id
    part = Part.objects.get(attempt=held.attempt)
    assert (part.kind, part.text, part.after_stop) == ("prompt", "Make it friendlier.", False)
    assert team.journal().count("attempt.steered") == 1


def test_an_answer_is_offered_and_changes_nothing_else(team: Team, held: Task) -> None:
    command = asked(team, held)
    before = fresh(held)
    team.finish("scribe", "It rains.")
    after = fresh(held)
    offer = Draft.objects.get(attempt=held.attempt, kind="offered")
    assert (offer.text, offer.version, offer.base) == ("It rains.", 2, 1)
    bob = team.users["bob"].pk
    assert (offer.actor["kind"], offer.actor["agent"], offer.actor["on_behalf_of"]) == (
        "agent",
        str(team.agents["scribe"].pk),
        bob,
    )
    assert texts.newest(attempt_of(held)) == Draft.objects.get(attempt=held.attempt, kind="own")
    assert (after.state, after.holder_id, after.epoch) == ("held", team.seat("bob").pk, held.epoch)
    assert (after.next_actor, after.deadline_at) == (before.next_actor, before.deadline_at)
    assert after.attempt is not None
    assert (after.attempt.state, after.attempt.result, after.attempt.late_result) == ("working", "", "")
    told = said(command)
    assert (told["outcome"], told["draft"]) == ("end_turn", 2)
    entry = Entry.objects.get(type="attempt.steer_answered")
    assert entry.actor["on_behalf_of"] == bob


REFUSED: list[tuple[dict[str, Any], dict[str, Any] | None, str]] = [
    ({"stopReason": "refusal"}, None, "refusal"),
    ({"stopReason": "cancelled"}, None, "cancelled"),
    ({}, {"code": -32603, "message": "it broke"}, "error"),
    ({}, {"code": -32000, "message": "log in"}, "error"),
    ({}, None, "unknown"),
]


@pytest.mark.parametrize(("result", "error", "outcome"), REFUSED)
def test_whatever_ends_a_steered_turn_the_task_stays_with_its_holder(
    team: Team, held: Task, result: dict[str, Any], error: dict[str, Any] | None, outcome: str
) -> None:
    command = asked(team, held)
    team.answer("scribe", result, text="I would rather not.", error=error)
    after = fresh(held)
    assert (after.state, after.epoch, after.attempt_id) == ("held", held.epoch, held.attempt_id)
    assert not Draft.objects.filter(kind="offered").exists()
    assert said(command)["outcome"] == outcome
    command.refresh_from_db()
    assert command.answer["outcome"] == outcome
    scribe = Agent.objects.get(pk=team.agents["scribe"].pk)
    assert scribe.breaker == "closed"
    assert not scribe.health.get("recent")


def test_a_used_up_quota_rests_the_agent_and_leaves_the_hold(team: Team, held: Task) -> None:
    asked(team, held)
    team.answer("scribe", {}, error={"code": 429, "message": "rate limit: quota exceeded, try again in 60 seconds"})
    assert "quota" in Agent.objects.get(pk=team.agents["scribe"].pk).announced
    assert fresh(held).state == "held"


def test_now_stops_the_steered_turn_under_way_and_goes_before_all_that_waits(team: Team, held: Task) -> None:
    first = asked(team, held, "One")
    second = ask(team, held, "Two", when="after_step")
    third = ask(team, held, "Three", when="now")
    (cancel,) = Command.objects.filter(purpose="cancel", attempt=held.attempt)
    assert cancel.params["_meta"]["clawgroups"]["request"] == str(first.pk)
    fourth = ask(team, held, "Four", when="now")
    assert Command.objects.filter(purpose="cancel", attempt=held.attempt).count() == 1
    assert held.attempt is not None
    assert [one.pk for one in steering.queued(held.attempt)] == [fourth.pk, third.pk, second.pk]


def test_after_step_waits_for_the_step_and_then_the_turn_gives_way(team: Team, held: Task) -> None:
    first = asked(team, held, "One")
    session = Session.objects.get()
    row = Step.objects.create(
        pk=first.pk, attempt=attempt_of(held), ordinal=9, tool_call_id="c", title="Look", started_at=timezone.now()
    )
    waiting = ask(team, held, "Two", when="after_step")
    assert steering.give_way(session.pk) is None
    Step.objects.filter(pk=row.pk).update(ended_at=timezone.now())
    decided = steering.give_way(session.pk)
    assert decided is not None
    assert decided.result().applied
    assert steering.give_way(session.pk) is None
    (cancel,) = Command.objects.filter(purpose="cancel", attempt=held.attempt)
    assert cancel.params["_meta"]["clawgroups"]["request"] == str(first.pk)
    perform(steering.withdraw_steer, held.pk, waiting.pk, actor=team.actor("bob"))
    assert steering.give_way(session.pk) is None


def test_what_waits_can_be_taken_back_and_what_runs_can_be_stopped(team: Team, held: Task) -> None:
    bob = team.actor("bob")
    first, second = asked(team, held, "One"), ask(team, held, "Two", when="after_step")
    with pytest.raises(Conflict, match="Stop it instead"):
        perform(steering.withdraw_steer, held.pk, first.pk, actor=bob)
    with pytest.raises(Conflict, match="take it back"):
        perform(steering.stop_steer, held.pk, second.pk, actor=bob)
    perform(steering.withdraw_steer, held.pk, second.pk, actor=bob)
    assert said(second)["outcome"] == "withdrawn"
    perform(steering.stop_steer, held.pk, first.pk, actor=bob)
    perform(steering.stop_steer, held.pk, first.pk, actor=bob)
    assert Command.objects.filter(purpose="cancel", attempt=held.attempt).count() == 1
    team.send("scribe")
    team.answer("scribe", {"stopReason": "cancelled"})
    assert said(first)["outcome"] == "cancelled"
    with pytest.raises(Conflict, match="over already"):
        perform(steering.stop_steer, held.pk, first.pk, actor=bob)
    with pytest.raises(NotFound):
        perform(steering.stop_steer, held.pk, held.pk, actor=bob)


def never_worked_on(team: Team) -> Task:
    task = team.one_task()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    return task


def lost_session(team: Team, task: Task) -> None:
    perform(sessions.session_lost, Session.objects.get().pk, reason="the agent's program ended")


def gone_from_here(team: Team, task: Task) -> None:
    seat = team.seat("scribe")
    type(seat).objects.filter(pk=seat.pk).update(left_at=timezone.now())


def unconfirmed(team: Team, task: Task) -> None:
    Attempt.objects.filter(task=task, number=1).update(stop="unconfirmed")
    Command.objects.filter(purpose="work").update(state="sent")


NOBODY: dict[str, Callable[[Team, Task], object]] = {
    "agent_offline": lambda team, _: disconnect(team),
    "session_lost": lost_session,
    "stop_unconfirmed": unconfirmed,
    "agent_retired": lambda team, _: Agent.objects.filter(handle="scribe").update(retired_at=timezone.now()),
    "agent_quarantined": lambda team, _: quarantine(team.agents["scribe"]),
    "agent_left": gone_from_here,
    "session_opening": lambda team, _: Session.objects.update(state="opening"),
}


@pytest.mark.parametrize("code", NOBODY)
def test_whoever_cannot_be_asked_is_named_with_the_reason(team: Team, held: Task, code: str) -> None:
    NOBODY[code](team, held)
    with pytest.raises(Conflict, match="Scribe") as refused:
        ask(team, held)
    assert refused.value.code == code
    assert not Command.objects.filter(purpose="steer").exists()


def test_a_task_that_no_agent_worked_on_has_nobody_to_ask(team: Team) -> None:
    with pytest.raises(Conflict, match="nobody to ask") as refused:
        ask(team, never_worked_on(team))
    assert refused.value.code == "nobody_worked"


def test_who_may_not_and_what_cannot_be_asked_is_answered_clearly(team: Team, held: Task) -> None:
    with pytest.raises(Conflict, match="bob holds it") as refused:
        ask(team, held, who="ada")
    assert refused.value.code == "not_holder"
    with pytest.raises(Forbidden):
        ask(team, held, who="gus")
    with pytest.raises(NotFound):
        ask(team, held, who="mallory")
    for text in ("  ", "x" * 20_001):
        with pytest.raises(Invalid):
            ask(team, held, text)
    with pytest.raises(Invalid, match="after_step"):
        ask(team, held, when="later")
    for n in range(steering.MAX_QUEUED):
        ask(team, held, f"{n}", when="after_step")
    with pytest.raises(Conflict, match="take one back"):
        ask(team, held, "one more")


def test_a_lost_program_cuts_a_steer_off_and_the_hold_stays(team: Team, held: Task) -> None:
    runs, waits = asked(team, held, "One"), ask(team, held, "Two", when="after_step")
    lost_session(team, held)
    after = fresh(held)
    assert (after.state, after.epoch, after.attempt_id) == ("held", held.epoch, held.attempt_id)
    assert after.attempt is not None
    assert after.attempt.state == "working"
    assert [said(one)["outcome"] for one in (runs, waits)] == ["cut_off", "cut_off"]
    with pytest.raises(Conflict, match="program of Scribe ended"):
        ask(team, held)


def test_an_agent_that_stays_away_is_cut_off_and_its_answer_counts_when_it_is_back(team: Team, held: Task) -> None:
    command = asked(team, held)
    disconnect(team)
    sweep(timezone.now() + timedelta(seconds=30), quiet=False)
    command.refresh_from_db()
    assert command.state == "sent"
    sweep(timezone.now() + timedelta(seconds=61), quiet=False)
    command.refresh_from_db()
    assert command.state == "interrupted"
    assert fresh(held).state == "held"
    reconnect(team)
    link = Connection.objects.get(pk=team.links["scribe"])
    perform(
        sessions.command_answered,
        command.pk,
        link=link.pk,
        epoch=link.epoch,
        received=0,
        result={"stopReason": "end_turn"},
        text="Here after all.",
    )
    assert Draft.objects.get(kind="offered").text == "Here after all."


ENDS: dict[str, Callable[[Team, Task], object]] = {
    "submit": lambda t, task: perform(finishing.submit_held, task.pk, result="Mine", actor=t.actor("bob")),
    "hand back": lambda t, task: perform(handback.hand_back, task.pk, note="n", actor=t.actor("bob")),
    "reassign": lambda t, task: perform(
        handback.reassign_task, task.pk, member_id=t.seat("counter").pk, note="n", actor=t.actor("bob")
    ),
    "force takeover": lambda t, task: perform(takeover.take_over, task.pk, force=True, actor=t.actor("carol")),
    "cancel": lambda t, task: perform(tasks.cancel_task, task.pk, actor=t.actor("ada")),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_end_of_the_holders_attempt_stops_the_turn_and_voids_what_waits(team: Team, held: Task, end: str) -> None:
    runs, waits = asked(team, held, "One"), ask(team, held, "Two", when="after_step")
    ENDS[end](team, held)
    waits.refresh_from_db()
    assert waits.state == "void"
    assert Command.objects.filter(purpose="cancel", attempt=held.attempt, state="open").count() == 1
    team.send("scribe")
    state = fresh(held).state
    team.answer("scribe", {"stopReason": "end_turn"}, text="All done, take this.")
    mine = attempt_of(held)
    assert mine.stop == "done"
    assert mine.late_result == ""
    assert not Draft.objects.filter(kind="offered").exists()
    assert fresh(held).state == state
    assert not Entry.objects.filter(type="attempt.steer_answered", payload__command_id=str(runs.pk)).exists()


def test_what_was_asked_while_it_was_handed_back_is_never_sent(team: Team, held: Task) -> None:
    command = ask(team, held)
    Attempt.objects.filter(pk=attempt_of(held).pk).update(state="superseded", ended_at=timezone.now())
    team.send("scribe")
    command.refresh_from_db()
    assert command.state == "void"
    assert Session.objects.get().attempt_id != held.attempt_id


def test_files_of_a_steered_session_belong_to_the_draft(team: Team, held: Task) -> None:
    asked(team, held)
    session = Session.objects.get()
    stored = files.store([b"a,b\n"], name="sums.csv", content_type="text/csv")
    scribe = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    outcome = perform(deliver_file, session.pk, stored=stored, actor=scribe)
    assert outcome.answer["kind"] == "draft"
    assert latest(held).artifacts.get().actor["on_behalf_of"] == team.users["bob"].pk
    perform(drafts.save_draft, held.pk, text="As it stands.", actor=team.actor("bob"))
    folder = {f.name: f.text for f in work_files(Session.objects.select_related("attempt__member").get())}
    assert folder == {"sums.csv": None, "draft.md": b"As it stands."}


def test_an_agent_that_ignores_the_stop_of_a_steered_turn_gets_nothing_new(team: Team, held: Task) -> None:
    asked(team, held)
    perform(handback.hand_back, held.pk, note="n", actor=team.actor("bob"))
    team.send("scribe")
    beat(team)
    sweep(timezone.now() + timedelta(seconds=16), quiet=True)
    with pytest.raises(ClawError) as refused:
        perform(tasks.assign_task, held.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    assert refused.value.code == "stop_unconfirmed"
