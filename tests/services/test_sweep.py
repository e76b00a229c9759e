"""Deadlines are rows: what the sweeper finds due, and what it leaves alone."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from agents.models import Connection
from clawgroups import bus
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.jobs import Sweeper, hold_lease
from clawgroups.models import Approval, Attempt, Command, Lease, Run, Session, Task
from clawgroups.services import contact, putting, sessions, takeover
from clawgroups.services.perform import perform
from clawgroups.services.sweep import sweep
from tests.conftest import Team

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The jobs that were asked for."""
    jobs: list[tuple[str, ...]] = []
    monkeypatch.setattr(bus, "enqueue", lambda *job: jobs.append(job))
    return jobs


def after(seconds: float) -> datetime:
    return timezone.now() + timedelta(seconds=seconds)


def test_an_unreacted_journal_and_a_wanted_turn_are_found_without_any_hint(team: Team, sent: list[object]) -> None:
    task = team.one_task()
    Run.objects.filter(pk=task.run_id).update(wanted=3, turned=2)
    sweep(timezone.now(), quiet=False)
    assert ("clawgroups.react", str(team.workspace.pk)) in sent
    assert ("clawgroups.coordinate", str(task.run_id)) in sent


def test_a_task_whose_back_off_is_over_wakes_its_run(team: Team, sent: list[object]) -> None:
    task = team.one_task()
    Task.objects.filter(pk=task.pk).update(not_before=after(5))
    sweep(timezone.now(), quiet=False)
    assert ("clawgroups.coordinate", str(task.run_id)) not in sent
    sweep(after(6), quiet=False)
    assert ("clawgroups.coordinate", str(task.run_id)) in sent


def test_an_overdue_attempt_expires_and_the_task_is_ready_under_a_new_epoch(team: Team) -> None:
    task = team.working()
    sweep(after(1300), quiet=False)
    epoch = task.epoch
    task.refresh_from_db()
    assert (task.state, task.epoch) == ("ready", epoch + 1)
    assert Attempt.objects.get(task=task).state == "expired"


def test_a_working_agent_without_progress_is_relieved_and_one_that_waits_for_a_person_is_not(team: Team) -> None:
    silent, asking = team.working(), team.working("judge", skills=["review"])
    Attempt.objects.filter(task=asking).update(progress_at=timezone.now())
    me = Actor(ActorKind.AGENT, "Judge", agent_id=team.agents["judge"].pk)
    options = [{"optionId": "y", "kind": "allow_once"}, {"optionId": "n", "kind": "reject_once"}]
    session = Session.objects.get(attempt=asking.attempt)
    perform(putting.request_approval, session.pk, request_id=1, tool_call={}, options=options, actor=me)
    sweep(after(301), quiet=False)
    assert Task.objects.get(pk=silent.pk).state == "ready"
    assert Task.objects.get(pk=asking.pk).state == "working"


def test_an_unanswered_question_expires_into_the_rejection_the_agent_offered(team: Team) -> None:
    task = team.working()
    me = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    options = [{"optionId": "y", "kind": "allow_always"}, {"optionId": "no", "kind": "reject_once"}]
    session = Session.objects.get(attempt=task.attempt)
    perform(putting.request_approval, session.pk, request_id="q", tool_call={}, options=options, actor=me)
    sweep(after(601), quiet=True)
    assert Approval.objects.get().state == "expired"
    reply = Command.objects.get(purpose="reply")
    assert reply.params["result"] == {"outcome": {"outcome": "selected", "optionId": "no"}}


def test_a_silent_link_is_closed_and_its_work_goes_elsewhere_after_the_grace(team: Team) -> None:
    task = team.working()
    sweep(after(46), quiet=False)
    link = Connection.objects.get(pk=team.links["scribe"])
    assert link.close_reason == "lost contact"
    assert Task.objects.get(pk=task.pk).state == "working"
    sweep(after(46 + 61), quiet=False)
    assert Task.objects.get(pk=task.pk).state == "ready"
    assert Session.objects.get(task=task).state == "closed"


def test_a_question_of_an_agent_that_is_gone_is_void_and_nobody_is_told(team: Team) -> None:
    task = team.working()
    me = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    options = [{"optionId": "y", "kind": "allow_once"}]
    session = Session.objects.get(attempt=task.attempt)
    perform(putting.request_approval, session.pk, request_id=1, tool_call={}, options=options, actor=me)
    perform(sessions.session_lost, session.pk, reason="the agent was started anew")
    assert Approval.objects.get().state == "void"
    assert not Command.objects.filter(purpose="reply").exists()
    assert Task.objects.get(pk=task.pk).state == "ready"


def test_a_link_that_is_renewed_stays_open(team: Team) -> None:
    link = team.links["scribe"]
    Connection.objects.update(seen_at=after(-40))
    perform(contact.renew_connections, {link: 1})
    sweep(after(10), quiet=False)
    assert Connection.objects.get(pk=link).closed_at is None
    assert Connection.objects.get(pk=team.links["judge"]).closed_at is not None


def test_a_stop_that_is_not_confirmed_in_time_is_shown_as_such(team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    sweep(after(16), quiet=True)
    assert Attempt.objects.get(task=task, state="superseded").stop == "unconfirmed"
    assert "attempt.stop_unconfirmed" in team.journal()


def test_nothing_of_an_agents_expires_in_the_quiet_time_after_our_own_outage(team: Team) -> None:
    task = team.working()
    sweep(after(5000), quiet=True)
    assert Task.objects.get(pk=task.pk).state == "working"


def test_a_held_task_is_never_taken_from_its_holder(team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    sweep(after(40_000), quiet=False)
    assert Task.objects.get(pk=task.pk).state == "held"


def test_one_process_holds_a_lease_until_it_lapses(now: datetime) -> None:
    assert hold_lease("sweep", "one", now, 10)
    assert not hold_lease("sweep", "two", now + timedelta(seconds=5), 10)
    assert hold_lease("sweep", "one", now + timedelta(seconds=6), 10)
    assert hold_lease("sweep", "two", now + timedelta(seconds=17), 10)


def test_the_sweeper_begins_quietly_and_notes_that_it_swept(team: Team, sent: list[object]) -> None:
    task = team.working()
    Attempt.objects.filter(task=task).update(close_by=after(-1))
    sweeper = Sweeper()
    assert sweeper.once(timezone.now())
    assert Lease.objects.get(name="sweep").done_at is not None
    assert Task.objects.get(pk=task.pk).state == "working"
    Lease.objects.update(done_at=after(104))  # it went on sweeping meanwhile
    assert sweeper.once(after(106))
    assert Task.objects.get(pk=task.pk).state == "ready"
