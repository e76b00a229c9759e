"""Limits of runs, workspaces and agents: what is told at four fifths, what stops at the end, and how it goes on.

Nothing is lost at a limit: work in hand goes on and is kept; nothing new is given out, and the deadlines of what is
ready rest, as in a paused run, until somebody raises the limit or the month is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.utils import timezone

from clawgroups import commit
from clawgroups.core import budgets
from clawgroups.core.actors import SYSTEM, Actor
from clawgroups.core.budgets import MONTH, RUN, Spent, Standing
from clawgroups.core.changes import Change, Fact, Outcome, Update, Write
from clawgroups.core.coordination import WARN_AT, Limits, limits_in_force, read_coordination, read_limits
from clawgroups.core.coordination_events import BudgetReached, BudgetSet, BudgetWarned
from clawgroups.core.coordination_settings import check_version
from clawgroups.core.errors import Conflict
from clawgroups.core.lifecycle import RUN_TERMINAL
from clawgroups.core.matching import SPENT
from clawgroups.models import Run, Workspace
from clawgroups.permissions import get_run, require
from clawgroups.planned import Planned
from clawgroups.services import usage
from clawgroups.services.deadlines import rest_of_ready
from clawgroups.services.messages import message

Verb = Callable[[], Future[Outcome]]
GO_ON = "Raise it in the run's limits, or cancel the run. What is in hand goes on and is kept."
GO_ON_MONTH = "Raise it in the workspace's settings, or wait for the next month. What is in hand goes on and is kept."
OPEN = ("planning", "proposed", "running", "consolidating")
MARKS = "; "
# Of each open run, what is looked at in every sweep.
COLUMNS = (
    "workspace", "workspace__coordination", "state", "paused", "budget", "budget_stop", "budget_warned", "spent_tokens",
    "spent_micro", "spent_steps", "started_at", "ended_at",
)  # fmt: skip


def limits_of(run: Run) -> Limits:
    """The limits of a run: its own where any were set for it, else those of its workspace for each run."""
    return limits_in_force(run.budget, run.workspace.coordination)


def spent_of(run: Run, now: datetime) -> Spent:
    """What a run has used up; its time begins with its start."""
    seconds = 0.0 if run.started_at is None else ((run.ended_at or now) - run.started_at).total_seconds()
    return Spent(run.spent_tokens, run.spent_micro, run.spent_steps, max(int(seconds), 0))


def standings_of(run: Run, now: datetime) -> list[Standing]:
    """The run's limits and its workspace's, as far as there are any. Reads nothing where there are none."""
    return [*_own(run, now), *_of_month(run.workspace, now)]


def _own(run: Run, now: datetime) -> list[Standing]:
    own = limits_of(run)
    return [Standing(RUN, own, spent_of(run, now))] if own != Limits() else []


def _of_month(workspace: Workspace, now: datetime) -> list[Standing]:
    month = read_coordination(workspace.coordination).month
    return [Standing(MONTH, month, usage.of_month(workspace.pk, now))] if month != Limits() else []


def stop_of(run: Run, now: datetime) -> str:
    """Why nothing new may begin in a run; empty while no limit is used up."""
    return budgets.reached(standings_of(run, now))


def month_stop(workspace: Workspace, now: datetime) -> str:
    """Why nothing new may begin in any run of a workspace; empty while its month's limits allow it."""
    return budgets.reached(_of_month(workspace, now))


def agents_over(limits: Mapping[UUID, Mapping[str, Any]], now: datetime) -> dict[UUID, str]:
    """Agents (with their own limits in a month) that get no new work, with the reason as the matching says it."""
    limited = {pk: found for pk, said in limits.items() if (found := read_limits(said)) != Limits()}
    if not limited:
        return {}
    spent = usage.of_agents(limited, now)
    standings = {pk: Standing(MONTH, found, spent.get(pk, Spent())) for pk, found in limited.items()}
    return {pk: SPENT for pk, one in standings.items() if budgets.reached([one])}


def set_budget(
    run_id: UUID,
    *,
    limits: Mapping[str, int | None],
    actor: Actor,
    operation: str = "",
    keeps_rest: bool = False,
    shown: str | None = None,
) -> Future[Outcome]:
    """Replace a run's limits (None: no such limit); what had stopped goes on by itself where the new ones allow it.

    Without any limit named, those of the workspace for each run hold again. `keeps_rest`: the limits that are not
    named stay as they are. `shown`: the version of the limits in force that are replaced. Raises `Invalid` for what is
    no limit, and `Conflict` where other limits than those shown hold by now.
    """
    run = get_run(actor, run_id, "run.set_budget")
    expects = require(actor, "run.set_budget", run.workspace_id)
    if run.state in RUN_TERMINAL:
        raise Conflict(f"The run is {run.state}; its limits hold nothing back any more.", code="run_over")
    before, in_force = run.budget, asdict(limits_of(run))
    run.budget = _wanted(run, limits) if keeps_rest else budgets.read_set(limits)
    check_version(shown, in_force, asdict(limits_of(run)))
    now = timezone.now()
    standings = standings_of(run, now)
    stop = budgets.reached(standings) if run.budget_stop else ""
    warned = _known(run.budget_warned) & budgets.near(standings).keys()
    values: dict[str, Any] = {"budget": run.budget, "budget_warned": MARKS.join(sorted(warned))}
    writes = _stopped(run, stop, values, {"budget": before}, now)
    return commit.submit(
        Change(
            actor,
            run.workspace_id,
            expects,
            tuple(writes),
            (Fact(run.workspace_id, BudgetSet(run_id=run.pk)),),
            operation,
            verb="run.set_budget",
            answer={"id": str(run.pk), "budget": run.budget, "stop": stop},
        )
    )


def _wanted(run: Run, limits: Mapping[str, int | None]) -> dict[str, int | None]:
    """The limits in force with these changed; with no limit left, the run has none of its own."""
    wanted = {**asdict(limits_of(run)), **budgets.read_set(limits)}
    return wanted if any(wanted.values()) else {}


def due(now: datetime, limit: int) -> list[Verb]:
    """A verb for each run of whose limits something is to be told: near, reached, or not reached any more.

    What is told of a month's limit is said once to the whole workspace, not in each of its runs.
    """
    verbs: list[Verb] = []
    months: dict[UUID, list[Standing]] = {}
    told: dict[UUID, None] = {}
    for run in _limited():
        if len(verbs) >= limit:
            break
        if run.workspace_id not in months:
            months[run.workspace_id] = _of_month(run.workspace, now)
        standings = [*_own(run, now), *months[run.workspace_id]]
        stop = budgets.reached(standings)
        news = {mark: said for mark, said in budgets.near(standings).items() if mark not in _known(run.budget_warned)}
        if news or bool(stop) != bool(run.budget_stop):
            verbs.append(partial(_tell, run, stop, news, now))
            told[run.workspace_id] = None
    return [*verbs, *(verb for pk in told for verb in _tell_month(pk, months[pk], now))]


_limited: Planned[Run] = Planned(
    lambda: (
        Run.objects.select_related("workspace")
        .filter(state__in=OPEN)
        .only(*COLUMNS)
        .exclude(budget={}, workspace__coordination={}, budget_stop="")
        .order_by("pk")
    )
)


def _tell_month(workspace_id: UUID, standings: Iterable[Standing], now: datetime) -> Iterable[Verb]:
    """Say in a workspace what is near or used up of its limits in this month: once for each limit and amount."""
    for one in standings:
        for name, share in one.shares():
            if share >= 1:
                said = f"{budgets.say_reached(one, name)} {GO_ON_MONTH}"
            elif share >= WARN_AT:
                said = budgets.say_near(one, name)
            else:
                continue
            key = f"budget {now:%Y-%m} {name} {getattr(one.limits, name)} {share >= 1}"
            yield partial(_say_once, workspace_id, said, key)


def _say_once(workspace_id: UUID, said: str, operation: str) -> Future[Outcome]:
    insert, spoken = message(workspace_id, body=said, actor=SYSTEM)
    change = Change(SYSTEM, workspace_id, (), (insert,), (spoken,), operation, verb="workspace.tell_budget")
    return commit.submit(change)


def _known(marks: str) -> set[str]:
    return {mark for mark in marks.split(MARKS) if mark}


def _tell(run: Run, stop: str, news: Mapping[str, str], now: datetime) -> Future[Outcome]:
    """Say what is near or used up; where nothing is used up any more, the run goes on."""
    workspace, had = run.workspace_id, run.budget_stop
    warned = MARKS.join(sorted(_known(run.budget_warned) | news.keys()))[:200]
    writes: list[Write] = []
    facts = [Fact(workspace, BudgetWarned(run_id=run.pk, said=said)) for said in news.values()]
    said = " ".join(said for mark, said in news.items() if MONTH not in mark)
    if stop and not had:
        facts.append(Fact(workspace, BudgetReached(run_id=run.pk, said=stop)))
        said = "" if MONTH in stop else f"{stop} {GO_ON}"
    elif had and not stop:
        facts.append(Fact(workspace, BudgetSet(run_id=run.pk)))
    writes += _stopped(run, stop, {"budget_warned": warned}, {"budget": run.budget}, now)
    if said:
        insert, spoken = message(workspace, body=said, actor=SYSTEM, run_id=run.pk)
        writes.append(insert)
        facts.append(spoken)
    return commit.submit(Change(SYSTEM, workspace, writes=tuple(writes), facts=tuple(facts), verb="run.tell_budget"))


def _stopped(
    run: Run, stop: str, values: Mapping[str, Any], expect: Mapping[str, Any], now: datetime
) -> Iterable[Write]:
    """The run with this stop, and its ready tasks as they rest or go on with it."""
    had, marked = run.budget_stop, run.budget_warned
    run.budget_stop = stop[:200]
    yield Update(
        "clawgroups.Run",
        run.pk,
        {**values, "budget_stop": run.budget_stop},
        {**expect, "state": run.state, "paused": run.paused, "budget_stop": had, "budget_warned": marked},
    )
    if run.state == "running" and bool(had) != bool(stop):
        yield from rest_of_ready(run, now)
