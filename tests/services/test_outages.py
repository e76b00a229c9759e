"""Our own outages, of each kind: nothing of an agent's is lost by them, and every deadline is moved on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError

from agents.models import Connection
from clawgroups.core.failures import Failure
from clawgroups.jobs import Sweeper
from clawgroups.models import Approval, Attempt, Entry, Lease
from clawgroups.services import contact, outage, takeover
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.conftest import Clock, ask, beat, fresh, latest

pytestmark = pytest.mark.django_db


@pytest.fixture
def sweeper(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Sweeper:
    """A worker that has been sweeping for a while."""
    monkeypatch.setattr("clawgroups.jobs.database_now", clock)
    Lease.objects.create(name="sweep", owner="before", until=clock.now, done_at=clock.now)
    return Sweeper()


def live(clock: Clock, sweeper: Sweeper, until: float, team: Team | None) -> None:
    """Sweep every two seconds; with a team, its gateway beats every ten, without one there is none."""
    while clock.now < clock.at(until):
        clock.go(2)
        if team is not None and (clock.now - clock.begun).total_seconds() % 10 == 0:
            beat(team)
        assert sweeper.once(clock.now)


def over(team: Team) -> list[int]:
    """The lengths of the outages that the journal tells of."""
    entries = Entry.objects.filter(workspace=team.workspace, type="workspace.outage_over")
    return [entry.payload["seconds"] for entry in entries]


def test_a_worker_that_was_down_gives_all_its_time_back(clock: Clock, sweeper: Sweeper, team: Team) -> None:
    task = team.working()
    live(clock, sweeper, 100, team)
    clock.go(400)
    beat(team)
    sweeper.once(clock.now)
    assert over(team) == [400]
    attempt, found = latest(task), fresh(task)
    assert (found.state, found.close_by, attempt.close_by) == ("working", clock.at(7600), clock.at(1600))
    assert attempt.progress_at == clock.at(400)
    assert found.deadline_at == clock.at(1600)
    # Nothing expires for one lease and grace, whatever is due; then the clocks decide again.
    Attempt.objects.update(progress_at=clock.at(-1000))
    live(clock, sweeper, 604, team)
    assert fresh(task).state == "working"
    live(clock, sweeper, 606, team)
    assert latest(task).failure == Failure.STALLED


def test_only_the_web_was_down_while_the_worker_swept_on(clock: Clock, sweeper: Sweeper, team: Team) -> None:
    task = team.working()
    beat(team)
    live(clock, sweeper, 300, None)
    attempt = latest(task)
    assert (fresh(task).state, attempt.contact, attempt.quiet_since) == ("working", "live", None)
    assert over(team) == []
    beat(team, silent=["scribe"])
    live(clock, sweeper, 302, team)
    assert over(team) == [302]
    found, attempt = fresh(task), latest(task)
    assert (found.close_by, attempt.close_by, attempt.progress_at) == (clock.at(7502), clock.at(1502), clock.at(302))
    assert fresh(task).epoch == task.epoch
    assert Connection.objects.get(pk=team.links["scribe"]).seen_at == clock.at(302)


def test_an_agent_that_does_not_come_back_after_our_outage_has_a_lease_and_a_grace(
    clock: Clock, sweeper: Sweeper, team: Team
) -> None:
    task = team.working()
    beat(team)
    live(clock, sweeper, 200, None)
    del team.links["scribe"]
    beat(team)
    live(clock, sweeper, 306, team)
    assert fresh(task).state == "working"
    live(clock, sweeper, 380, team)
    assert latest(task).failure == Failure.LOST_CONTACT


def test_everything_was_down_and_the_worker_is_back_before_the_web(clock: Clock, sweeper: Sweeper, team: Team) -> None:
    task = team.working()
    beat(team)
    live(clock, sweeper, 10, team)
    clock.go(500)
    live(clock, sweeper, 560, None)
    assert fresh(task).state == "working"
    assert over(team) == []
    beat(team)
    sweeper.once(clock.now)
    assert over(team) == [550]
    assert latest(task).close_by == clock.at(1200 + 550)


def test_the_database_was_away(clock: Clock, sweeper: Sweeper, team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    task = team.working()
    beat(team)
    live(clock, sweeper, 10, team)

    def away(*_: object) -> None:
        raise OperationalError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(outage, "notice", away)
        clock.go(120)
        with pytest.raises(OperationalError):
            sweeper.once(clock.now)
    sweeper.once(clock.now)
    beat(team)
    clock.go(2)
    sweeper.once(clock.now)
    assert over(team) == [122]
    assert (fresh(task).state, latest(task).close_by) == ("working", clock.at(1322))


def test_a_worker_that_is_started_anew_keeps_to_the_quiet_time(clock: Clock, sweeper: Sweeper, team: Team) -> None:
    task = team.working()
    beat(team)
    sweeper.once(clock.now)
    clock.go(100)
    beat(team)
    sweeper.once(clock.now)
    Attempt.objects.update(close_by=clock.now)
    clock.go(20)
    beat(team)
    assert Sweeper().once(clock.now)
    assert fresh(task).state == "working"


def test_an_outage_that_is_made_up_for_twice_counts_once(clock: Clock, team: Team) -> None:
    task = team.working()
    clock.go(300)
    outage.make_up(clock.begun, clock.now)
    clock.go(5)
    outage.make_up(clock.begun, clock.now)
    assert over(team) == [300]
    assert latest(task).close_by == clock.at(1500)


def test_what_rests_is_moved_on_once_at_the_end_of_its_rest(clock: Clock, team: Team) -> None:
    task = team.working()
    clock.go(100)
    approval = ask(team, task)
    clock.go(300)
    outage.make_up(clock.at(200), clock.now)
    approval.refresh_from_db()
    assert approval.expires_at == clock.at(900)
    assert (fresh(task).deadline_at, fresh(task).close_by) == (clock.at(900), clock.at(7200))
    clock.until(900, team)
    assert Approval.objects.get().state == "expired"
    assert fresh(task).close_by == clock.at(8000)


def test_a_rest_that_began_within_the_outage_gets_the_part_before_it(clock: Clock, team: Team) -> None:
    task = team.one_task()
    clock.go(100)
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    clock.go(200)
    outage.make_up(clock.at(40), clock.now)
    assert fresh(task).close_by == clock.at(7260)


def test_no_question_expires_and_no_run_is_moved_while_nobody_can_reach_us(
    clock: Clock, sweeper: Sweeper, team: Team
) -> None:
    task = team.working()
    before = fresh(task).run.deadline_at
    beat(team)
    sweeper.once(clock.now)
    ask(team, task)
    live(clock, sweeper, 900, None)
    assert Approval.objects.get().state == "open"
    beat(team)
    live(clock, sweeper, 902, team)
    assert Approval.objects.get().expires_at > clock.now
    assert fresh(task).run.deadline_at == before


def test_a_process_without_sockets_is_there_too_and_several_share_one_lease(clock: Clock, team: Team) -> None:
    perform(contact.renew_connections, {})
    lease = Lease.objects.get(name=contact.GATEWAY)
    assert (lease.done_at, lease.until) == (clock.now, clock.now + timedelta(seconds=30))
    clock.go(5)
    beat(team)
    lease.refresh_from_db()
    assert lease.done_at == clock.now
