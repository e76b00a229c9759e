"""A few agents that always fail do not drag a run down: neither in the rules alone at full size, nor in rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from agents.models import Agent
from clawgroups.coordinator.decide import Assign, Explain, Regenerate, decide
from clawgroups.coordinator.loop import take_turn
from clawgroups.coordinator.situation import Situation, TaskView
from clawgroups.core import breaker
from clawgroups.core.breaker import NO_WORK, Breaker, BreakerState, Limits
from clawgroups.core.failures import Failure, consequence
from clawgroups.core.matching import QUARANTINED, RESTING, Candidate
from clawgroups.core.retries import MAX_TRIES, Standing, after_failure
from clawgroups.models import Attempt, Command, Run, Task
from clawgroups.reactions import react
from clawgroups.services import sessions
from clawgroups.services.breakers import due
from clawgroups.services.perform import perform
from clawgroups.services.sweep import LIMIT
from tests.conftest import Team, online_agent
from tests.coordinator.test_decide import NOW, situation, task

LIMITS = Limits()


@dataclass
class World:
    """A run as values: agents of which some always fail, and nothing but the rules between them."""

    bad: int
    agents: int
    number: int
    chance: Random
    failure: Failure
    now: Any = NOW
    retries: int = 0
    breakers: dict[UUID, Breaker] = field(default_factory=dict)
    tasks: dict[UUID, TaskView] = field(default_factory=dict)
    attempts: Counter[UUID] = field(default_factory=Counter)
    failed_by: Counter[UUID] = field(default_factory=Counter)
    done: set[UUID] = field(default_factory=set)
    stuck: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.breakers = {UUID(int=n + 1): Breaker() for n in range(self.agents)}
        # Names are ranked by: the bad ones would always come first among equals.
        self.names = {pk: f"agent {pk.int:03}" for pk in self.breakers}
        self.failing = set(list(self.breakers)[: self.bad])
        for n in range(self.number):
            one = task(f"t{n}", position=n)
            self.tasks[one.id] = one

    def look(self) -> Situation:
        people = tuple(self._candidate(pk, one) for pk, one in self.breakers.items())
        return situation(*self.tasks.values(), people=people, now=self.now)

    def _candidate(self, pk: UUID, one: Breaker) -> Candidate:
        rests = {BreakerState.OPEN: RESTING, BreakerState.QUARANTINED: QUARANTINED}.get(one.state, "")
        trial = one.state is BreakerState.PROBING
        return Candidate(pk, self.names[pk], {"writing": 3}, failures=one.failures, on_trial=trial, rests=rests)

    def round(self) -> bool:
        """Everybody does what they were given; False when nothing was given any more."""
        self.breakers = {pk: breaker.probed(one, self.now) for pk, one in self.breakers.items()}
        steps = decide(self.look())
        for step in steps:
            if isinstance(step, Assign):
                self._work(step.task_id, step.member_id)
            elif isinstance(step, Regenerate):
                self.tasks[step.task_id] = replace(self.tasks[step.task_id], tries=0, regenerated=1)
            elif isinstance(step, Explain):
                self.stuck.append(step.reason)
        self.now += timedelta(seconds=20)
        return bool(self.tasks) and any(not isinstance(step, Explain) for step in steps)

    def _work(self, task_id: UUID, member: UUID) -> None:
        one = self.tasks[task_id]
        one = replace(one, tries=one.tries + 1)
        self.attempts[task_id] += 1
        if member not in self.failing:
            del self.tasks[task_id]
            self.done.add(task_id)
            self.breakers[member] = breaker.succeeded(self.breakers[member], LIMITS)
            return
        self.failed_by[member] += 1
        if consequence(self.failure).against_agent:
            self.breakers[member] = breaker.failed(self.breakers[member], self.now, LIMITS, "it crashed")
        follows = after_failure(self.failure, Standing(one.tries, one.regenerated, self.retries, self.number))
        self.retries += follows.counts
        brief: dict[str, Any]
        if self.failure is Failure.NOT_ACCEPTED:
            # Whoever made it mends it, once, and not at the last try.
            returned = [*one.brief.get("returned", []), member]
            anew = returned.count(member) > 1 or follows.tries >= MAX_TRIES - 1
            brief = {"returned": returned, "preferred": "" if anew else str(member)}
        else:
            end = {"member": str(member), "reason": "it crashed"}
            brief = {"dead_ends": [*one.brief.get("dead_ends", []), end]}
            if not consequence(self.failure).same_member:
                brief["refused"] = [*one.brief.get("refused", []), str(member)]
        state = "stuck" if follows.course == "person" else "ready"
        wait = self.now + timedelta(seconds=20 * self.chance.random())
        self.tasks[task_id] = replace(one, tries=follows.tries, brief=brief, state=state, not_before=wait)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("failure", [Failure.CRASHED, Failure.NOT_ACCEPTED, Failure.REFUSED])
def test_thirty_of_three_hundred_that_always_fail_cost_little(failure: Failure, seed: int) -> None:
    world = World(30, 300, 1200, Random(seed), failure)
    while world.round():
        pass
    said = f"seed {seed}"
    assert len(world.done) == world.number, said
    assert not world.tasks, said
    assert sum(world.attempts.values()) / world.number <= 1.2, said
    assert max(world.failed_by.values()) <= 5, said
    assert max(world.attempts.values()) <= MAX_TRIES, said
    assert all(world.breakers[pk].state in NO_WORK for pk in world.failing), said
    assert all(one.state is BreakerState.CLOSED for pk, one in world.breakers.items() if pk not in world.failing)
    assert world.stuck == [], said


def plan(number: int) -> list[dict[str, Any]]:
    return [{"key": f"t{n}", "title": f"Task {n}", "skills": ["law"]} for n in range(number)]


@pytest.mark.django_db
def test_in_rows_too_the_run_is_done_and_the_bad_agents_get_no_work(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.random", lambda: 0.0)
    names = [f"lawyer{n}" for n in range(8)]
    for name in names:
        team.agents[name] = online_agent(team, name, "law")
    bad, number = names[:1], 24
    run = team.run(plan(number))
    # A trial would be due after a minute; this run is faster.
    for _ in range(number * 2):
        _turn(team, run)
        if Run.objects.get(pk=run.pk).state == "consolidating":
            break
        _answers(team, names, bad)
    assert set(Task.objects.filter(run=run).values_list("state", flat=True)) == {"done"}
    assert Attempt.objects.filter(task__run=run).count() / number <= 1.2
    states = dict(Agent.objects.filter(handle__in=names).values_list("handle", "breaker"))
    assert {name: states[name] for name in bad} == dict.fromkeys(bad, "open")
    assert {states[name] for name in names if name not in bad} == {"closed"}
    assert due(timezone.now(), LIMIT) == []
    failed = Attempt.objects.filter(task__run=run, member__agent__handle__in=bad)
    assert failed.count() <= 5
    assert set(failed.values_list("failure", flat=True)) == {Failure.ERROR}


def _turn(team: Team, run: Run) -> None:
    react(team.workspace.pk)
    take_turn(run.pk)


def _answers(team: Team, names: Sequence[str], bad: Sequence[str]) -> None:
    """Every agent answers what it was sent: the bad ones with an error."""
    for name in names:
        for _ in range(2):
            team.send(name)
            for command in Command.objects.filter(agent=team.agents[name], state="sent"):
                if command.method == "session/new":
                    team.answer(name, {"sessionId": f"{name}-{command.pk}"})
                elif name in bad:
                    _fails(team, name, command)
                else:
                    team.finish(name, "Done.")


def _fails(team: Team, name: str, command: Command) -> None:
    perform(
        sessions.command_answered,
        command.pk,
        link=team.links[name],
        epoch=1,
        received=0,
        error={"code": -32603, "message": "no model"},
    )
