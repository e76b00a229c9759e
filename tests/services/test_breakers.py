"""An agent that keeps failing gets no work, then one task as a probe; what opens it, what closes it, who clears it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from agents.models import Agent
from agents.protocol import version
from clawgroups import commit
from clawgroups.coordinator.decide import Assign, Explain, decide
from clawgroups.coordinator.situation import situation_of
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.changes import Change
from clawgroups.core.errors import Conflict, NotFound
from clawgroups.core.failures import Failure
from clawgroups.core.matching import QUARANTINED, RESTING
from clawgroups.models import Attempt, Entry, Run, Session, Task
from clawgroups.services import breakers, review, sessions, tasks, workspaces
from clawgroups.services.members import add_agent
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.conftest import Clock, beat

pytestmark = pytest.mark.django_db

SURPRISE = {"stopReason": "confused"}


def plan(number: int) -> list[dict[str, Any]]:
    return [{"key": f"t{n}", "title": f"Task {n}", "skills": ["writing"]} for n in range(number)]


def fail(team: Team, times: int = 1, result: dict[str, Any] | None = None) -> None:
    """The scribe fails so many tasks of a run of their own."""
    for task in Task.objects.filter(run=team.run(plan(times))).order_by("position"):
        team.try_once(task, result or SURPRISE)


def pause(clock: Clock, team: Team) -> None:
    """A minute in which all agents stay in touch."""
    for _ in range(3):
        clock.go(20)
        beat(team)
    clock.sweep()


def scribe(team: Team) -> Agent:
    return Agent.objects.get(pk=team.agents["scribe"].pk)


def opened(team: Team) -> list[str]:
    rows = Entry.objects.filter(workspace=team.workspace, type="agent.breaker_set").order_by("seq")
    return [row.payload["state"] for row in rows]


def offer(team: Team, task: Task) -> None:
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))


def test_after_three_failures_it_gets_nothing_and_everybody_is_told_why_and_until_when(
    clock: Clock, team: Team
) -> None:
    fail(team, 2)
    assert (scribe(team).breaker, opened(team)) == ("closed", [])
    fail(team)
    agent = scribe(team)
    assert (agent.breaker, agent.breaker_until, opened(team)) == ("open", clock.at(60), ["open"])
    assert agent.health["reason"] == "It failed 3 of its last 5 tasks"
    assert agent.health["detail"] == "the turn ended with “confused”"
    with pytest.raises(Conflict, match=r"Scribe gets no work now\. It failed 3 of its last 5 tasks.*One task is tried"):
        offer(team, team.one_task())


def test_a_fact_stands_in_every_workspace_where_it_sits(team: Team) -> None:
    ada = team.actor("ada")
    other = UUID(perform(workspaces.create_workspace, name="Other", goal="", actor=ada).answer["id"])
    perform(add_agent, other, agent_id=team.agents["scribe"].pk, actor=ada)
    fail(team, 3)
    assert Entry.objects.filter(type="agent.breaker_set", workspace_id=other).count() == 1
    assert opened(team) == ["open"]


def test_what_was_said_about_its_work_stays_in_the_workspace_of_that_work(team: Team) -> None:
    ada = team.actor("ada")
    other = UUID(perform(workspaces.create_workspace, name="Other", goal="", actor=ada).answer["id"])
    perform(add_agent, other, agent_id=team.agents["scribe"].pk, actor=ada)
    for task in Task.objects.filter(run=team.run(plan(3))):
        team.try_once(task, {"stopReason": "end_turn"}, text="Rubbish")
        perform(review.return_task, task.pk, reasons=["The offer to Acme is too low."], actor=ada)
    told = Entry.objects.get(type="agent.breaker_set", workspace_id=other).payload
    assert "3 of its last 5 tasks" in told["reason"]
    assert "Acme" not in told["reason"]
    with pytest.raises(Conflict) as refused:
        offer(team, team.one_task())
    assert "Acme" not in str(refused.value)
    assert scribe(team).health["detail"] == "The offer to Acme is too low."


@pytest.mark.parametrize("reason", ["max_tokens", "max_turn_requests", "refusal"])
def test_an_agent_that_never_delivers_does_not_use_up_the_tries_of_a_run(team: Team, reason: str) -> None:
    fail(team, 3, {"stopReason": reason})
    assert scribe(team).breaker == "open"


def test_a_login_that_is_missing_does_not_count(team: Team) -> None:
    for task in Task.objects.filter(run=team.run(plan(4))):
        offer(team, task)
        team.send("scribe")
        team.answer("scribe", {}, error={"code": version.AUTH_REQUIRED, "message": "sign in"})
    assert (scribe(team).breaker, scribe(team).health) == ("closed", {})


def _crashes(team: Team, task: Task) -> None:
    offer(team, task)
    session = Session.objects.get(attempt__task=task)
    perform(sessions.session_lost, session.pk, reason="its program ended")


def _stalls(team: Team, task: Task) -> None:
    offer(team, task)
    epoch = task.epoch + 1
    perform(
        tasks.release_task, task.pk, reason="no progress", epoch=epoch, actor=team.actor("ada"), failure=Failure.STALLED
    )


def _disappoints(team: Team, task: Task) -> None:
    team.try_once(task, {"stopReason": "end_turn"}, text="Rubbish")
    perform(review.return_task, task.pk, reasons=["It is rubbish."], actor=team.actor("ada"))


@pytest.mark.parametrize("way", [_crashes, _stalls, _disappoints])
def test_every_way_to_fail_counts(team: Team, way: Callable[[Team, Task], None]) -> None:
    for task in Task.objects.filter(run=team.run(plan(3))):
        way(team, task)
    assert scribe(team).breaker == "open"


def test_a_person_who_takes_its_task_back_counts_nothing(team: Team) -> None:
    for task in Task.objects.filter(run=team.run(plan(4))):
        offer(team, task)
        perform(tasks.release_task, task.pk, reason="wrong one", epoch=task.epoch + 1, actor=team.actor("ada"))
    assert scribe(team).health == {}


def test_an_agent_that_does_its_work_is_never_written(team: Team) -> None:
    before = Agent.objects.filter(pk=scribe(team).pk).values().get()
    task = team.one_task()
    team.try_once(task, {"stopReason": "end_turn"}, text="Well done")
    perform(review.accept_task, task.pk, actor=team.actor("ada"))
    assert Agent.objects.filter(pk=scribe(team).pk).values().get() == before


def test_the_sweep_lets_it_try_one_task_and_a_success_closes_it(clock: Clock, team: Team) -> None:
    fail(team, 3)
    clock.sweep(59)
    assert scribe(team).breaker == "open"
    clock.sweep(1)
    assert (scribe(team).breaker, opened(team)) == ("probing", ["open", "probing"])
    beat(team)
    Agent.objects.update(max_sessions=4)
    first, second = Task.objects.filter(run=team.run(plan(2))).order_by("position")
    offer(team, first)
    with pytest.raises(Conflict, match="on trial with one task"):
        offer(team, second)
    team.send("scribe")
    team.answer("scribe", {"sessionId": "s"})
    team.send("scribe")
    team.finish("scribe", "It works again.")
    perform(review.accept_task, first.pk, actor=team.actor("ada"))
    assert (scribe(team).breaker, opened(team)) == ("closed", ["open", "probing", "closed"])
    offer(team, second)


def test_of_two_probes_at_the_same_moment_only_one_is_offered(clock: Clock, team: Team) -> None:
    fail(team, 3)
    clock.sweep(60)
    first, second = Task.objects.filter(run=team.run(plan(2))).order_by("position")
    agent = scribe(team)
    offer(team, first)
    # What the second offer would have decided had it looked before the first was made.
    Attempt.objects.filter(task=first).update(state="superseded")
    team.agents["scribe"].refresh_from_db()
    expects, writes = breakers.may_be_offered(agent, second.pk)
    assert expects
    (update,) = writes
    assert update.expect["health"] != scribe(team).health  # type: ignore[union-attr]


def test_opened_three_times_within_an_hour_only_a_person_gives_it_work_again(clock: Clock, team: Team) -> None:
    fail(team, 3)
    for _ in range(2):
        clock.sweep(60)
        fail(team)
    assert (scribe(team).breaker, scribe(team).breaker_until) == ("quarantined", None)
    clock.sweep(100_000)
    assert scribe(team).breaker == "quarantined"
    for who in ("bob", "carol", "mallory"):
        with pytest.raises(NotFound):
            perform(breakers.clear_breaker, team.agents["scribe"].pk, actor=team.actor(who))
    answer = perform(breakers.clear_breaker, team.agents["scribe"].pk, actor=team.actor("ada")).answer
    assert answer == {"id": str(team.agents["scribe"].pk), "state": "closed"}
    assert (scribe(team).breaker, scribe(team).health) == ("closed", {})
    assert opened(team) == ["open", "probing", "open", "probing", "quarantined", "closed"]


def test_staff_may_clear_it_and_to_clear_one_that_works_changes_nothing(team: Team) -> None:
    perform(breakers.clear_breaker, team.agents["scribe"].pk, actor=team.actor("sue"))
    assert opened(team) == []


def test_three_violations_within_a_minute_open_it(clock: Clock, team: Team) -> None:
    me = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    for wait in (0, 31, 31, 20):
        clock.go(wait)
        assert scribe(team).breaker == "closed"
        perform(breakers.violated, team.agents["scribe"].pk, reason="no JSON", actor=me)
    assert scribe(team).health["reason"] == "It broke the protocol 3 times within 60 seconds: no JSON"
    assert scribe(team).breaker == "open"


def test_what_else_happens_to_the_agents_row_is_in_nobodys_way(team: Team) -> None:
    task = Task.objects.select_related("attempt__member").get(pk=team.working().pk)
    assert task.attempt is not None
    writes, _ = breakers.after_failure(task.attempt, Failure.CRASHED, "it crashed", task.created_at)
    Agent.objects.filter(pk=scribe(team).pk).update(name="Renamed", connection_epoch=7, auth_version=9)
    change = Change(team.actor("ada"), writes=tuple(writes))
    assert commit.wait(commit.submit(change)).applied
    assert not commit.wait(commit.submit(change)).applied


def test_the_coordinator_says_who_rests_until_when_and_who_must_clear_whom(clock: Clock, team: Team) -> None:
    fail(team, 3)
    run = Run.objects.get(pk=team.one_task().run_id)
    (step,) = decide(situation_of(run, clock()))
    assert isinstance(step, Explain)
    until = clock.at(60)
    assert step.reason == f"Scribe could do it and {RESTING}; it is tried again at {until:%H:%M:%S} UTC."
    assert (step.who, step.stuck) == ("ada, who owns Scribe", False)
    for _ in range(2):
        pause(clock, team)
        fail(team)
    (step,) = decide(situation_of(run, clock()))
    assert isinstance(step, Explain)
    assert step.reason.startswith(f"Scribe could do it and {QUARANTINED}.")
    assert (step.who, step.stuck) == ("ada, who owns Scribe", True)
    perform(breakers.clear_breaker, team.agents["scribe"].pk, actor=team.actor("ada"))
    (step,) = decide(situation_of(run, clock()))
    assert isinstance(step, Assign)


@pytest.mark.django_db(transaction=True)
def test_failures_at_the_same_moment_are_all_counted(team: Team) -> None:
    Agent.objects.update(max_sessions=4)
    found = list(Task.objects.filter(run=team.run(plan(2))))
    for task in found:
        offer(team, task)
    start = threading.Barrier(len(found))

    def stall(task: Task) -> None:
        start.wait()
        try:
            perform(
                tasks.release_task,
                task.pk,
                reason="no progress",
                epoch=task.epoch + 1,
                actor=team.actor("ada"),
                failure=Failure.STALLED,
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(len(found)) as pool:
        list(pool.map(stall, found))
    assert scribe(team).health == {"recent": [False, False]}


@pytest.mark.django_db(transaction=True)
def test_of_two_tasks_for_one_on_trial_at_the_same_moment_one_is_offered(team: Team) -> None:
    Agent.objects.filter(pk=scribe(team).pk).update(breaker="probing", max_sessions=4)
    found = list(Task.objects.filter(run=team.run(plan(2))))
    start = threading.Barrier(len(found))

    def give(task: Task) -> bool:
        start.wait()
        try:
            offer(team, task)
        except Conflict:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(len(found)) as pool:
        given = list(pool.map(give, found))
    assert sorted(given) == [False, True]
    assert Attempt.objects.filter(member=team.seat("scribe"), state="offered").count() == 1
