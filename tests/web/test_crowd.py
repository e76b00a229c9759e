"""The crowd that others look at is one that the product could have come to."""

from __future__ import annotations

import pytest
from django.db.models import F, Q
from django.utils import timezone

from clawgroups.coordinator.evidence import look
from clawgroups.core.actors import Role
from clawgroups.core.invariants import breaches
from clawgroups.fragments import roster
from clawgroups.models import Approval, Attempt, Entry, Part, Session, Step, Task, Workspace
from clawgroups.services.transcript import load
from tests.browser.crowd import gather

pytestmark = pytest.mark.django_db
STATES = {"waiting", "assigned", "working", "in_review", "held", "stuck", "done"}


@pytest.fixture(autouse=True)
def store(tmp_path, settings):  # type: ignore[no-untyped-def]
    settings.MEDIA_ROOT = tmp_path


@pytest.mark.parametrize(("agents", "tasks"), [(8, 20), (60, 200)])
def test_the_crowd_holds_what_must_hold_of_everything_that_is_open(agents: int, tasks: int) -> None:
    made = gather(agents=agents, tasks=tasks)
    assert [one.sentence for one in breaches(look(), timezone.now())] == []
    assert sum(made.states.values()) == tasks == Task.objects.filter(run=made.run).count()
    seats = roster.seats(Q(workspace=made.workspace))
    assert sum(seat.member.role == Role.AGENT for seat in seats) == agents
    assert all(seat.busy <= seat.agent.max_sessions for seat in seats if seat.agent)


def test_its_agents_are_in_all_states_and_have_something_to_show() -> None:
    made = gather(agents=60, tasks=200)
    assert made.states.keys() >= STATES
    assert Attempt.objects.exclude(quiet_since=None).exists()
    assert Attempt.objects.filter(contact="lost").exists()
    assert Approval.objects.filter(task__blocked_on="person", state="open").exists()
    assert {seat.presence for seat in roster.seats(Q(workspace=made.workspace))} >= {"online", "offline", "never"}
    working = Attempt.objects.filter(state="working", member__agent__isnull=False).values("pk")
    assert Step.objects.filter(attempt__in=working).values("attempt").distinct().count() == working.count()
    assert Part.objects.filter(attempt__in=working).exists()
    assert Workspace.objects.get(pk=made.workspace, head=F("reacted")).head == Entry.objects.count()


def test_whoever_goes_on_in_one_of_its_sessions_writes_after_what_was_written() -> None:
    made = gather(agents=8, tasks=20)
    session = Session.objects.filter(workspace=made.workspace, attempt__state="working").first()
    assert session is not None
    standing = load([session.pk])[session.pk]
    assert standing.live
    assert standing.ordinal > Step.objects.filter(attempt=session.attempt).count()
