"""For every type of event: the state before, with the entries applied, is the state after (Zulip's `verify_action`)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.utils import timezone

from agents.models import Connection
from agents.protocol.updates import PlanEntry, PlanReplaced, ToolCall
from clawgroups import commit
from clawgroups.coordinator.loop import take_turn
from clawgroups.core.actors import SYSTEM, Actor, ActorKind
from clawgroups.core.changes import Change, Fact, Update
from clawgroups.core.events import EVENTS
from clawgroups.core.failures import Failure
from clawgroups.core.fold import fold
from clawgroups.core.retries import MAX_REGENERATED
from clawgroups.core.session_state import read_opened
from clawgroups.core.task_events import TaskFailed
from clawgroups.journal import entry_as_json, snapshot
from clawgroups.models import Approval, Attempt, Entry, Run, Session, Task
from clawgroups.reactions import react
from clawgroups.services import (
    agents,
    approvals,
    breakers,
    contact,
    drafts,
    finishing,
    handback,
    members,
    memories,
    messages,
    outage,
    putting,
    regenerate,
    reports,
    review,
    runs,
    session_options,
    takeover,
    tasks,
    transcript,
    workspaces,
)
from clawgroups.services.perform import perform
from clawgroups.services.sweep import sweep
from tests.conftest import Team
from tests.machine.history import differences
from tests.realtime import (
    told_of_access,
    told_of_approvals,
    told_of_control,
    told_of_drafts,
    told_of_files,
    told_of_handing,
    told_of_matching,
    told_of_messages,
    told_of_models,
    told_of_plans,
    told_of_rules,
    told_of_steering,
    told_of_stopping,
)
from tests.realtime.test_fold import STORIES


def now() -> datetime:
    return timezone.now()


def agent(team: Team) -> Actor:
    return Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)


def ask(team: Team) -> UUID:
    task = team.working()
    options = [{"optionId": "y", "kind": "allow_once"}, {"optionId": "n", "kind": "reject_once"}]
    session = Session.objects.get(task=task)
    perform(putting.request_approval, session.pk, request_id=1, tool_call={}, options=options, actor=agent(team))
    return Approval.objects.get().pk


def question_decided(team: Team) -> None:
    perform(approvals.decide_approval, ask(team), option_id="y", actor=team.actor("ada"))


def question_open(team: Team) -> None:
    ask(team)


def question_expired(team: Team) -> None:
    perform(approvals.expire_approval, ask(team))


def question_withdrawn(team: Team) -> None:
    ask(team)
    perform(approvals.withdraw_approval, Session.objects.get().pk, request_id=1, actor=agent(team))


def question_void_by_takeover(team: Team) -> None:
    ask(team)
    perform(takeover.take_over, Task.objects.get().pk, actor=team.actor("ada"))


def tried_in_vain(team: Team) -> None:
    task = team.one_task()
    Task.objects.filter(pk=task.pk).update(regenerated=MAX_REGENERATED)
    for name in ("scribe", "counter", "judge"):
        perform(tasks.assign_task, task.pk, member_id=team.seat(name).pk, actor=team.actor("ada"))
        task.refresh_from_db()
        stalled = Failure.STALLED
        perform(tasks.release_task, task.pk, reason="r", epoch=task.epoch, failure=stalled, actor=SYSTEM)
    assert Task.objects.get(pk=task.pk).state == "stuck"


def returned_in_vain(team: Team) -> None:
    task = team.working()
    Task.objects.filter(pk=task.pk).update(tries=3, regenerated=MAX_REGENERATED)
    team.finish("scribe", "The end.")
    perform(review.return_task, task.pk, reasons=["r"], actor=team.actor("ada"))
    assert Task.objects.get(pk=task.pk).state == "stuck"


def stuck(team: Team) -> None:
    task = team.one_task(skills=["sorcery"])
    turn(team)
    assert Task.objects.get(pk=task.pk).state == "stuck"


def timed_out(team: Team) -> None:
    task = team.working()
    later = now() + timedelta(seconds=1)
    Task.objects.filter(pk=task.pk).update(close_by=now())
    sweep(later, quiet=False)
    assert Task.objects.get(pk=task.pk).state == "stuck"


def parked(team: Team) -> None:
    Connection.objects.update(closed_at=now())
    team.one_task()
    turn(team)


def returned_to_its_author(team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    perform(finishing.submit_held, task.pk, result="Mine", actor=team.actor("bob"))
    perform(review.return_task, task.pk, reasons=["r"], actor=team.actor("ada"))
    assert Task.objects.get(pk=task.pk).state == "held"


def acknowledged(team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    perform(drafts.save_draft, task.pk, text="t", actor=team.actor("bob"))
    team.send("scribe")
    team.answer("scribe", {"stopReason": "cancelled"})
    perform(handback.hand_back, task.pk, note="n", actor=team.actor("bob"))
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    team.send("scribe")
    team.finish("scribe", "Understood.")


def late(team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    team.finish("scribe", "Too late.")


def stop_unconfirmed(team: Team) -> None:
    task = team.working()
    perform(tasks.cancel_task, task.pk, actor=team.actor("ada"))
    sweep(now() + timedelta(seconds=16), quiet=True)


def contact_lost_and_restored(team: Team) -> None:
    team.working()
    link = team.links["scribe"]
    epoch = Connection.objects.get(pk=link).epoch
    perform(contact.close_connection, link, epoch=epoch, reason="gone")
    sweep(now(), quiet=False)
    key = team.agents["scribe"].keys.get().pk
    opened = perform(contact.open_connection, team.agents["scribe"].pk, key_id=key, link=link)
    perform(contact.connection_ready, link, epoch=opened.answer["epoch"], announced={})
    sweep(now(), quiet=False)


def quiet_and_stirred(team: Team) -> None:
    task = team.working()
    soon = now() + timedelta(seconds=130)
    Connection.objects.update(seen_at=soon)
    sweep(soon, quiet=False)
    Attempt.objects.filter(task=task).update(progress_at=soon)
    sweep(soon + timedelta(seconds=1), quiet=False)


def steps_and_plan(team: Team) -> None:
    task = team.working()
    standing = transcript.load([Session.objects.get(task=task).pk])
    said: list[Any] = [
        ToolCall("c", {"title": "Look", "status": "completed"}),
        PlanReplaced((PlanEntry("p", "high", "completed"),)),
    ]
    batches = [transcript.Batch(one, said) for one in standing.values()]
    link = Connection.objects.get(pk=team.links["scribe"])
    transcript.record(
        link.pk, epoch=link.epoch, since=link.received, received=9, batches=batches, actor=agent(team)
    ).result()


def model_chosen(team: Team) -> None:
    task = team.working()
    choices = [{"value": "large", "name": "Large"}]
    option = {"id": "model", "name": "Model", "type": "select", "currentValue": "large", "options": choices}
    Session.objects.filter(task=task).update(told=read_opened({"configOptions": [option]}))
    perform(session_options.set_option, task.pk, option="model", value="large", actor=team.actor("bob"))


def progress_reported(team: Team) -> None:
    task = team.working()
    session = Session.objects.get(task=task)
    perform(reports.report_progress, session.pk, percent=40, note="Half of it read", actor=agent(team))


def remembered_and_forgotten(team: Team) -> None:
    bob = team.actor("bob")
    kept = perform(memories.remember, team.workspace.pk, key="currency", text="Euro", actor=bob)
    note = UUID(kept.answer["id"])
    perform(memories.edit_note, note, text="Euros", actor=bob)
    perform(memories.strike_out, note, actor=bob)
    perform(memories.take_back, note, actor=bob)
    perform(memories.strike_out, note, actor=bob)
    perform(memories.forget, note, actor=team.actor("ada"))


def planned_paused_and_over(team: Team) -> None:
    ada = team.actor("ada")
    perform(runs.draft_run, team.workspace.pk, goal="Understand the sales", start=True, actor=ada)
    run = Run.objects.get()
    turn(team)
    run.refresh_from_db()
    if run.state == "running":
        perform(runs.pause_run, run.pk, actor=ada)
        perform(runs.resume_run, run.pk, actor=ada)
    team.one_task()
    sweep(now() + timedelta(hours=13), quiet=True)


def done_and_consolidated(team: Team) -> None:
    task = team.working()
    team.finish("scribe", "The end.")
    perform(review.accept_task, task.pk, actor=team.actor("ada"))
    turn(team)
    assert Run.objects.get().state == "done"


def after_an_outage(team: Team) -> None:
    team.working()
    outage.make_up(now() - timedelta(minutes=5), now())


def people_and_agents(team: Team) -> None:
    ada = team.actor("ada")
    perform(messages.post_message, team.workspace.pk, body="Hello", actor=ada)
    perform(workspaces.set_timers, team.workspace.pk, timers={"approval": 900}, actor=ada)
    perform(members.remove_member, team.seat("bob").pk, actor=ada)
    perform(members.add_person, team.workspace.pk, username="bob", role="admin", actor=ada)
    skills = [{"name": "writing", "level": 5}]
    perform(agents.set_profile, team.agents["scribe"].pk, name="Clerk", skills=skills, actor=ada)
    perform(agents.retire_agent, team.agents["judge"].pk, actor=ada)


def rephrased(team: Team) -> None:
    task = team.one_task()
    perform(regenerate.regenerate_task, task.pk, instructions="Otherwise.", actor=team.actor("ada"))


def split(team: Team) -> None:
    task = team.one_task()
    parts = [{"title": "One", "instructions": "1"}, {"title": "Two", "instructions": "2"}]
    perform(regenerate.regenerate_task, task.pk, instructions="Together.", parts=parts, actor=team.actor("ada"))


def breaker_opened(team: Team) -> None:
    for n in range(3):
        perform(breakers.violated, team.agents["scribe"].pk, reason=f"broken frame {n}", actor=SYSTEM)


def failed(team: Team) -> None:
    """No verb says so yet: the vocabulary's own word for the move, as a verb would write it."""
    task = team.one_task()
    fact = Fact(task.workspace_id, TaskFailed(task_id=task.pk, reason="r"))
    write = Update("clawgroups.Task", task.pk, {"state": "failed"}, {"state": "ready"})
    commit.submit(Change(SYSTEM, task.workspace_id, writes=(write,), facts=(fact,), verb="task.fail")).result()


def a_room_of_its_own(team: Team) -> None:
    perform(workspaces.create_workspace, name="Other", goal="", actor=team.actor("ada"))


def turn(team: Team) -> None:
    for _ in range(10):
        woken = react(team.workspace.pk)
        for run_id in woken:
            take_turn(run_id)
        if not woken:
            return


TOLD: list[Callable[[Team], None]] = [
    *STORIES, question_open, question_decided, question_expired, question_withdrawn, question_void_by_takeover,
    tried_in_vain, returned_in_vain, stuck, timed_out, parked, returned_to_its_author, acknowledged, late,
    stop_unconfirmed, contact_lost_and_restored, quiet_and_stirred, steps_and_plan, planned_paused_and_over,
    done_and_consolidated, after_an_outage, people_and_agents, rephrased, split,
    breaker_opened, failed, a_room_of_its_own, model_chosen, progress_reported, remembered_and_forgotten,
    *told_of_access.TOLD,
    *told_of_approvals.TOLD, *told_of_control.TOLD, *told_of_drafts.TOLD, *told_of_files.TOLD, *told_of_handing.TOLD,
    *told_of_matching.TOLD, *told_of_messages.TOLD, *told_of_models.TOLD, *told_of_plans.TOLD, *told_of_rules.TOLD,
    *told_of_steering.TOLD, *told_of_stopping.TOLD,
]  # fmt: skip
_seen: dict[str, set[str]] = {}


def verified(team: Team, story: Callable[[Team], None]) -> list[str]:
    """Tell a story; where the entries that it leaves say something else than the rows."""
    before = snapshot(team.workspace.pk)
    story(team)
    _seen[story.__name__] = {entry.type for entry in Entry.objects.all()}
    entries = Entry.objects.filter(workspace=team.workspace, seq__gt=before.head.seq).order_by("seq")
    folded = fold(before.state, [entry_as_json(entry) for entry in entries])
    return differences(folded, snapshot(team.workspace.pk).state)


@pytest.mark.django_db
@pytest.mark.parametrize("story", TOLD)
def test_the_state_before_with_the_entries_applied_is_the_state_after(
    team: Team, story: Callable[[Team], None]
) -> None:
    assert verified(team, story) == []


@pytest.mark.django_db
def test_every_type_of_event_is_in_a_story(team: Team) -> None:
    for story in TOLD:
        if story.__name__ not in _seen:  # this test runs alone, or before the others
            with transaction.atomic():
                assert verified(team, story) == []
                transaction.set_rollback(True)
    assert set(EVENTS) - set().union(*_seen.values()) == set()
