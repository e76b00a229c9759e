"""Contact to an agent: lost, back in time, or not; and what counts meanwhile."""

from __future__ import annotations

from uuid import UUID

import pytest

from agents.ids import new_id
from agents.models import Connection
from clawgroups.coordinator.situation import situation_of
from clawgroups.core.failures import Failure
from clawgroups.models import Attempt, Member, Session, Task
from clawgroups.services import in_hand, sessions, sweep, tasks, workspaces
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.conftest import Clock, ask, beat, disconnect, fresh, latest, reconnect

pytestmark = pytest.mark.django_db


def test_a_silent_link_is_lost_after_45_seconds_and_relieved_a_minute_later(clock: Clock, team: Team) -> None:
    task = team.working()
    clock.until(44, team, silent=["scribe"])
    assert latest(task).contact == "live"
    clock.until(45, team, silent=["scribe"])
    found = fresh(task)
    assert (latest(task).contact, latest(task).back_by) == ("lost", clock.at(105))
    assert (found.state, found.epoch, found.deadline_at) == ("working", task.epoch, clock.at(105))
    assert "contact is lost" in found.deadline_effect
    assert team.journal()[-2:] == ["agent.offline", "attempt.contact_lost"]
    clock.until(104, team, silent=["scribe"])
    assert fresh(task).state == "working"
    clock.until(105, team, silent=["scribe"])
    assert (fresh(task).state, fresh(task).epoch) == ("ready", task.epoch + 1)
    assert (latest(task).state, latest(task).failure) == ("expired", Failure.LOST_CONTACT)
    assert Session.objects.get(task=task).state == "closed"


def test_contact_is_lost_at_once_when_the_socket_closes(clock: Clock, team: Team) -> None:
    task = team.working()
    clock.go(10)
    disconnect(team)
    assert (latest(task).contact, latest(task).back_by, fresh(task).deadline_at) == ("lost", clock.at(70), clock.at(70))


def test_the_same_link_back_within_the_grace_goes_on_with_the_same_attempt(clock: Clock, team: Team) -> None:
    task = team.working()
    disconnect(team)
    clock.until(59, team)
    reconnect(team)
    assert (latest(task).contact, latest(task).back_by) == ("live", None)
    assert team.journal()[-2:] == ["attempt.contact_restored", "agent.online"]
    assert fresh(task).deadline_at == clock.at(1200)
    clock.until(200, team)
    assert (fresh(task).state, fresh(task).epoch, latest(task).number) == ("working", task.epoch, 1)
    team.finish("scribe", "All of it.")
    assert fresh(task).state == "in_review"


def test_another_link_of_the_agent_is_no_return(clock: Clock, team: Team) -> None:
    task = team.working()
    disconnect(team)
    clock.go(10)
    reconnect(team, link=new_id())
    assert latest(task).contact == "lost"
    clock.until(60, team)
    assert latest(task).failure == Failure.LOST_CONTACT


def test_a_completion_counts_while_contact_is_lost(clock: Clock, team: Team) -> None:
    task = team.working()
    clock.until(60, team, silent=["scribe"])
    assert latest(task).contact == "lost"
    team.finish("scribe", "Done after all.")
    found = fresh(task)
    assert (found.state, found.epoch) == ("in_review", task.epoch)
    assert (latest(task).result, latest(task).contact) == ("Done after all.", "live")
    clock.until(300, team, silent=["scribe"])
    assert fresh(task).state == "in_review"


def test_after_the_grace_it_never_counts(clock: Clock, team: Team) -> None:
    task = team.working()
    clock.until(44, team, silent=["scribe"])
    clock.until(45, team, silent=["scribe"])
    clock.until(105, team, silent=["scribe"])
    command = latest(task).commands.get(purpose="work")
    epoch = Connection.objects.get(pk=team.links["scribe"]).epoch
    link, late = team.links["scribe"], {"stopReason": "end_turn"}
    perform(
        sessions.command_answered, command.pk, link=link, epoch=epoch, received=1, result=late, text="Too late.",
    )  # fmt: skip
    assert (fresh(task).state, latest(task).result, latest(task).late_result) == ("ready", "", "Too late.")


def test_what_was_not_sent_yet_waits_for_whichever_link_comes(clock: Clock, team: Team) -> None:
    task = team.assigned()
    disconnect(team)
    assert latest(task).contact == "lost"
    clock.go(30)
    reconnect(team, link=new_id())
    assert latest(task).contact == "live"
    assert fresh(task).deadline_at == clock.at(300)


def test_what_was_never_sent_goes_to_another_after_the_grace_too(clock: Clock, team: Team) -> None:
    task = team.assigned()
    disconnect(team)
    clock.until(60, team)
    assert (fresh(task).state, latest(task).failure) == ("ready", Failure.LOST_CONTACT)


def test_one_agent_in_contact_is_not_touched_by_anothers_loss(clock: Clock, team: Team) -> None:
    mine, theirs = team.working(), team.working("judge", skills=["review"])
    clock.until(50, team, silent=["scribe"])
    assert (latest(mine).contact, latest(theirs).contact) == ("lost", "live")


def test_an_agent_out_of_contact_gets_no_new_work(clock: Clock, team: Team) -> None:
    task = team.one_task()
    clock.go(46)
    beat(team, silent=["scribe"])
    online = {c.name: c.online for c in situation_of(fresh(task).run, clock.now).candidates}
    assert online == {"Scribe": False, "Counter": True, "Judge": True}


def test_a_workspace_may_call_contact_lost_earlier_or_later(clock: Clock, team: Team) -> None:
    perform(workspaces.set_timers, team.workspace.pk, timers={"lost_contact": 90, "grace": 40}, actor=team.actor("ada"))
    task = team.working()
    clock.until(89, team, silent=["scribe"])
    assert latest(task).contact == "live"
    clock.until(90, team, silent=["scribe"])
    assert latest(task).contact == "lost"
    clock.until(129, team, silent=["scribe"])
    assert fresh(task).state == "working"
    clock.until(130, team, silent=["scribe"])
    assert fresh(task).state == "ready"


def test_a_lease_that_is_renewed_late_gives_contact_back(clock: Clock, team: Team) -> None:
    """Where one workspace is stricter than another, the link itself stays open."""
    other = UUID(perform(workspaces.create_workspace, name="Other", actor=team.actor("ada")).answer["id"])
    perform(workspaces.set_timers, other, timers={"lost_contact": 600}, actor=team.actor("ada"))
    Member.objects.create(
        workspace_id=other, agent=team.agents["scribe"], name="S", handle="s", role="agent", joined_at=clock.now
    )
    task = team.working()
    clock.until(45, team, silent=["scribe"])
    assert (latest(task).contact, Connection.objects.get(pk=team.links["scribe"]).closed_at) == ("lost", None)
    clock.until(60, team)
    assert latest(task).contact == "live"
    assert team.journal()[-1] == "attempt.contact_restored"


def test_a_reconnect_does_not_help_an_agent_that_makes_no_progress(clock: Clock, team: Team) -> None:
    task = team.working()
    for second in (50, 100, 150, 200, 250):
        clock.until(second, team)
        disconnect(team)
        clock.go(1)
        reconnect(team)
    clock.until(299, team)
    assert fresh(task).state == "working"
    clock.until(300, team)
    assert latest(task).failure == Failure.STALLED


@pytest.mark.parametrize("returns", ["contact", "progress", "both unmoved"])
def test_an_agent_that_is_back_at_the_very_moment_it_is_given_up_keeps_its_work(
    clock: Clock, team: Team, returns: str
) -> None:
    task = team.working()
    clock.go(300)
    if returns != "progress":
        Attempt.objects.update(contact="lost", back_by=clock.now)
    (found,) = in_hand.survey(clock.now, expire=True)
    assert found.failure is (Failure.STALLED if returns == "progress" else Failure.LOST_CONTACT)
    if returns == "contact":
        reconnect(team)
    elif returns == "progress":
        Attempt.objects.update(progress_at=clock.now)
    sweep._do([lambda: sweep._take_back(found.attempt, found.failure or Failure.STALLED, clock.now)])
    assert fresh(task).state == ("ready" if returns == "both unmoved" else "working")


def test_while_a_question_is_open_an_agent_may_stay_away(clock: Clock, team: Team) -> None:
    task = team.working()
    clock.go(10)
    approval = ask(team, task)
    disconnect(team)
    assert latest(task).contact == "lost"
    clock.until(500, team)
    approval.refresh_from_db()
    assert (approval.state, fresh(task).state) == ("open", "working")
    reconnect(team)
    assert (latest(task).contact, fresh(task).blocked_on) == ("live", "person")


def test_contact_lost_changes_nothing_of_a_task_that_was_given_on_at_the_same_moment(clock: Clock, team: Team) -> None:
    task = team.working()
    perform(tasks.release_task, task.pk, reason="x", epoch=task.epoch, actor=team.actor("ada"))
    disconnect(team)
    assert Task.objects.get(pk=task.pk).state == "ready"
    assert "attempt.contact_lost" not in team.journal()
