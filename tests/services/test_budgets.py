"""Limits of runs, workspaces and agents: warned of, reached, raised; work in hand goes on, nothing is burned."""

from __future__ import annotations

from typing import Any

import pytest

from agents.llm.base import Usage
from agents.models import Agent
from clawgroups import commit
from clawgroups.coordinator.decide import Assign, Explain, decide
from clawgroups.coordinator.situation import Situation, situation_of
from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Change
from clawgroups.core.errors import Conflict, Forbidden
from clawgroups.core.matching import SPENT
from clawgroups.models import Message, Run, Task, Workspace
from clawgroups.services import budgets, runs, tasks, usage
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.conftest import Clock, fresh
from tests.services.model_support import ask, carried_out, model, server

pytestmark = pytest.mark.django_db

PLAN = [
    {"key": "write", "title": "Write it up", "skills": ["writing"]},
    {"key": "count", "title": "Count it", "skills": ["data-analysis"]},
]


def spend(
    team: Team, run: Run, clock: Clock, agent: str = "", *, steps: int = 0, tokens: int = 0, usd: float = 0
) -> None:
    """Somebody uses this for a run."""
    writes = usage.used(
        team.workspace.pk,
        run_id=run.pk,
        agent_id=team.agents[agent].pk if agent else None,
        at=clock.now,
        steps=steps,
        tokens=Usage(completion=tokens),
        cost_micro=round(usd * 1_000_000),
    )
    commit.wait(commit.submit(Change(SYSTEM, team.workspace.pk, writes=tuple(writes), verb="test.spend")))


def limited(team: Team, **limits: int | None) -> Run:
    """A started run with these limits."""
    run = team.run(PLAN)
    perform(budgets.set_budget, run.pk, limits=limits, actor=team.actor("ada"))
    return Run.objects.select_related("workspace").get(pk=run.pk)


def seen(run: Run, clock: Clock) -> Situation:
    return situation_of(Run.objects.select_related("workspace").get(pk=run.pk), clock.now)


def test_a_limit_is_warned_of_once_at_four_fifths(clock: Clock, team: Team) -> None:
    run = limited(team, steps=10)
    spend(team, run, clock, "scribe", steps=8)
    clock.sweep(2)
    clock.sweep(2)
    assert team.journal().count("run.budget_warned") == 1
    assert Message.objects.filter(run=run, body="80% of the limit of the run of 10 steps used up.").count() == 1
    run.refresh_from_db()
    assert (run.budget_warned, run.budget_stop) == ("steps of the run", "")


def test_at_the_limit_nothing_new_is_given_out_and_work_in_hand_goes_on(clock: Clock, team: Team) -> None:
    run = limited(team, steps=10)
    write, count = Task.objects.get(run=run, key="write"), Task.objects.get(run=run, key="count")
    perform(tasks.assign_task, write.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    spend(team, run, clock, "scribe", steps=10)
    assert seen(run, clock).used_up, "at once, before anybody has noted it"
    assert not [step for step in decide(seen(run, clock)) if isinstance(step, Assign)]
    clock.sweep(2)
    count = fresh(count)
    assert count.reason == "The limit of the run of 10 steps is used up. Raise it, or cancel the run."
    assert count.next_actor == "ada, who may raise the run's limit"
    assert count.resting_since == clock.now
    with pytest.raises(Conflict, match="used up"):
        perform(tasks.assign_task, count.pk, member_id=team.seat("counter").pk, actor=team.actor("ada"))
    team.send("scribe")
    team.answer("scribe", {"sessionId": "acp-1"})
    team.send("scribe")
    team.finish("scribe", "The report.")
    assert fresh(write).state == "in_review"
    assert team.journal().count("run.budget_reached") == 1


def test_its_deadlines_rest_and_go_on_when_the_limit_is_raised(clock: Clock, team: Team) -> None:
    run = limited(team, steps=10)
    count = Task.objects.get(run=run, key="count")
    spend(team, run, clock, steps=10)
    clock.sweep()
    closes = fresh(count).close_by
    assert closes is not None
    clock.until(20_000, team)
    assert fresh(count).state == "ready", "it did not run out of time"
    perform(budgets.set_budget, run.pk, limits={"steps": 20}, actor=team.actor("bob"))
    count = fresh(count)
    assert (count.reason, count.next_actor, count.resting_since) == ("", "coordinator", None)
    assert count.close_by is not None
    assert (count.close_by - closes).total_seconds() == 20_000
    assert {step.task_id for step in decide(seen(run, clock)) if isinstance(step, Assign)} >= {count.pk}
    run.refresh_from_db()
    assert (run.budget, run.budget_stop, run.retries) == ({"steps": 20}, "", 0)


def test_a_limit_that_is_raised_too_little_still_holds(clock: Clock, team: Team) -> None:
    run = limited(team, steps=10, tokens=None)
    spend(team, run, clock, steps=30)
    clock.sweep()
    perform(budgets.set_budget, run.pk, limits={"steps": 20}, actor=team.actor("ada"))
    run.refresh_from_db()
    assert run.budget_stop == "The limit of the run of 20 steps is used up."
    perform(budgets.set_budget, run.pk, limits={}, actor=team.actor("ada"))
    run.refresh_from_db()
    assert run.budget_stop == ""


def test_two_who_change_different_limits_at_once_both_have_their_way(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = team.run(PLAN)
    in_force, others = budgets.standings_of, [{"tokens": 100}]

    def patch(limits: dict[str, int]) -> None:
        perform(budgets.set_budget, run.pk, limits=limits, actor=team.actor("ada"), keeps_rest=True)

    def meanwhile(*args: Any) -> Any:
        if others:
            patch(others.pop())
        return in_force(*args)

    monkeypatch.setattr(budgets, "standings_of", meanwhile)
    patch({"steps": 10})
    run.refresh_from_db()
    assert {name: value for name, value in run.budget.items() if value} == {"tokens": 100, "steps": 10}


def test_tokens_money_and_time_are_limits_too(clock: Clock, team: Team) -> None:
    for limits, wanted in (
        ({"tokens": 100}, "100 tokens"),
        ({"cost_micro": 2_000_000}, "2.00 USD"),
        ({"seconds": 60}, "1 min"),
    ):
        run = limited(team, **limits)
        spend(team, run, clock, tokens=100, usd=2)
        clock.sweep(60)
        run.refresh_from_db()
        assert wanted in run.budget_stop


def test_the_workspaces_own_limit_holds_for_runs_that_have_none(clock: Clock, team: Team) -> None:
    Workspace.objects.update(coordination={"run": {"steps": 5}})
    run, other = team.run(PLAN), limited(team, steps=None)
    spend(team, run, clock, steps=5)
    spend(team, other, clock, steps=5)
    clock.sweep()
    run.refresh_from_db()
    other.refresh_from_db()
    assert (bool(run.budget_stop), other.budget_stop) == (True, "")
    # What the workspace says anew goes on by itself.
    Workspace.objects.update(coordination={"run": {"steps": 50}})
    clock.sweep(2)
    run.refresh_from_db()
    assert run.budget_stop == ""
    assert fresh(Task.objects.get(run=run, key="count")).resting_since is None


def test_a_month_is_summed_over_all_runs_and_ends(clock: Clock, team: Team) -> None:
    Workspace.objects.update(coordination={"month": {"tokens": 1000}})
    run, other = team.run(PLAN), team.run(PLAN)
    spend(team, run, clock, tokens=600)
    spend(team, other, clock, "scribe", tokens=400)
    clock.sweep()
    assert set(Run.objects.values_list("budget_stop", flat=True)) == {
        "The limit of the workspace in this month of 1,000 tokens is used up."
    }
    workspace = Workspace.objects.get()
    assert budgets.month_stop(workspace, clock.now)
    clock.go(32 * 86400)
    assert budgets.month_stop(workspace, clock.now) == ""


def test_a_months_limit_is_told_once_to_the_workspace_and_not_in_each_run(clock: Clock, team: Team) -> None:
    Workspace.objects.update(coordination={"month": {"tokens": 1000}})
    first, _ = team.run(PLAN), team.run(PLAN)
    spend(team, first, clock, tokens=800)
    clock.sweep()
    team.run(PLAN)
    clock.sweep(2)
    said = Message.objects.filter(actor__kind="system").order_by("created_at")
    near = (None, "80% of the limit of the workspace in this month of 1,000 tokens used up.")
    assert [(one.run_id, one.body) for one in said.all()] == [near]
    assert set(Run.objects.values_list("budget_warned", flat=True)) == {"tokens of the workspace in this month"}
    spend(team, first, clock, tokens=200)
    clock.sweep(2)
    clock.sweep(2)
    used_up = f"The limit of the workspace in this month of 1,000 tokens is used up. {budgets.GO_ON_MONTH}"
    assert [(one.run_id, one.body) for one in said.all()] == [near, (None, used_up)]
    assert team.journal().count("run.budget_reached") == 3


def test_looking_at_limits_reads_what_it_needs_of_all_runs_at_once(
    clock: Clock, team: Team, django_assert_num_queries: Any
) -> None:
    Workspace.objects.update(coordination={"month": {"tokens": 1000}})
    for _ in range(3):
        team.run(PLAN)
    with django_assert_num_queries(2) as seen:
        assert budgets.due(clock.now, 9) == []
    assert '"goal"' not in seen.captured_queries[0]["sql"]
    assert '"instructions"' not in seen.captured_queries[0]["sql"]


def test_no_model_is_asked_for_a_run_that_has_used_up_its_limit(
    clock: Clock, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = limited(team, tokens=100)
    server()
    asked = model(monkeypatch).asked
    spend(team, run, clock, tokens=100)
    call = carried_out(ask(team, run, "judge"))
    assert (call.state, call.fault, asked) == ("failed", "budget", [])
    run.refresh_from_db()
    assert run.fallback == "The limit of the run of 100 tokens is used up."


def test_an_agent_over_its_month_gets_no_new_work_and_its_owner_is_told(clock: Clock, team: Team) -> None:
    run = team.run(PLAN)
    Agent.objects.filter(pk=team.agents["scribe"].pk).update(budget={"cost_micro": 1_000_000})
    spend(team, run, clock, "scribe", usd=1)
    steps = decide(seen(run, clock))
    assert [step.member_id for step in steps if isinstance(step, Assign)] == [team.seat("counter").pk]
    told = [step for step in steps if isinstance(step, Explain)]
    assert told[0].reason == f"Scribe could do it and {SPENT}."
    assert told[0].who == "ada, who owns Scribe"
    clock.go(32 * 86400)
    assert budgets.agents_over({team.agents["scribe"].pk: {"cost_micro": 1_000_000}}, clock.now) == {}


def test_pause_and_limit_do_not_end_each_other(clock: Clock, team: Team) -> None:
    run = limited(team, steps=10)
    count = Task.objects.get(run=run, key="count")
    spend(team, run, clock, steps=10)
    clock.sweep()
    perform(runs.pause_run, run.pk, actor=team.actor("ada"))
    assert fresh(count).next_actor == "ada, who may resume the run"
    perform(runs.resume_run, run.pk, actor=team.actor("ada"))
    assert fresh(count).next_actor == "ada, who may raise the run's limit"
    perform(runs.pause_run, run.pk, actor=team.actor("ada"))
    perform(budgets.set_budget, run.pk, limits={}, actor=team.actor("ada"))
    assert fresh(count).resting_since is not None
    perform(runs.resume_run, run.pk, actor=team.actor("ada"))
    assert fresh(count).resting_since is None


def test_a_task_that_becomes_ready_meanwhile_rests_too(clock: Clock, team: Team) -> None:
    run = limited(team, steps=10)
    spend(team, run, clock, steps=10)
    clock.sweep()
    Task.objects.filter(run=run, key="count").update(resting_since=None, next_actor="coordinator", reason="")
    clock.sweep(2)
    count = Task.objects.get(run=run, key="count")
    assert (count.resting_since, count.next_actor) == (clock.now, "ada, who may raise the run's limit")


def test_limits_are_the_teams_to_set_and_of_a_run_that_goes_on(clock: Clock, team: Team) -> None:
    run = limited(team, steps=10)
    with pytest.raises(Forbidden):
        perform(budgets.set_budget, run.pk, limits={"steps": 20}, actor=team.actor("gus"))
    perform(runs.cancel_run, run.pk, actor=team.actor("ada"))
    with pytest.raises(Conflict, match="cancelled"):
        perform(budgets.set_budget, run.pk, limits={"steps": 20}, actor=team.actor("ada"))
