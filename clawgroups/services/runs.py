"""Verbs on runs."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils import timezone

from agents.ids import new_id
from clawgroups import commit
from clawgroups.core.actors import SYSTEM, Actor
from clawgroups.core.changes import Change, Expect, Fact, Insert, Outcome, Update, Write
from clawgroups.core.coordination import read_coordination
from clawgroups.core.errors import Forbidden, Invalid
from clawgroups.core.events import (
    Event,
    RunCancelled,
    RunConsolidating,
    RunDone,
    RunDrafted,
    RunFailed,
    RunPaused,
    RunPlanning,
    RunProposed,
    RunResumed,
    RunStarted,
)
from clawgroups.core.lifecycle import (
    RUN_TERMINAL,
    TASK_OPEN,
    AttemptVerb,
    RunState,
    RunVerb,
    TaskState,
    TaskVerb,
    move_run,
    move_task,
)
from clawgroups.core.plan import parse_plan, path_length
from clawgroups.core.task_events import ArtifactAdded, TaskCancelled, TaskReady
from clawgroups.core.timers import Bounds, after, wait_for_parents
from clawgroups.models import Attempt, Run, Session, Task
from clawgroups.permissions import get_run, get_workspace, require
from clawgroups.services import installation, model_calls
from clawgroups.services.attempts import Decision, end_attempt, end_sessions
from clawgroups.services.deadlines import CLOSED, rest_of_ready, timers_of, waits_when_ready
from clawgroups.services.file_rows import artifact
from clawgroups.services.files import StoredFile
from clawgroups.services.forecasts import forecast_of
from clawgroups.services.messages import message
from clawgroups.services.plan_rows import task_rows
from clawgroups.services.plans import check_version
from clawgroups.services.workspaces import clean_text

MAX_INPUTS = 50
MAX_PLANNER = 60


def draft_run(
    workspace_id: UUID,
    *,
    goal: str,
    actor: Actor,
    inputs: Sequence[StoredFile] = (),
    plan: Sequence[Any] | None = None,
    planner: str = "given by a person",
    rationale: str = "",
    start: bool | None = None,
    operation: str = "",
) -> Future[Outcome]:
    """Give a goal with its input files. With `plan` (of this `planner`, with its reason) it is proposed at once.

    `start`: begin once the plan stands; None: as the workspace says. Raises `Invalid` for an empty goal or a bad plan.
    """
    workspace = get_workspace(actor, workspace_id, "run.draft")
    expects = require(actor, "run.draft", workspace_id)
    if actor.user_id is None:
        raise Forbidden("Only a person can give a goal.")
    goal = clean_text(goal, what="Goal", limit=20_000, required=True)
    going = Run.objects.filter(workspace=workspace, kind="goal").exclude(state__in=RUN_TERMINAL)
    installation.require_room("open_runs_each", going, "open runs in one workspace")
    if len(inputs) > MAX_INPUTS:
        raise Invalid(f"At most {MAX_INPUTS} files at once.", field="files")
    parsed = parse_plan(plan) if plan is not None else ()
    now, pk = timezone.now(), new_id()
    deadline_at = after(now, timers_of(workspace).run_total)
    said, spoken = message(workspace_id, body=goal, actor=actor, run_id=pk)
    values = {
        "workspace_id": workspace_id,
        "goal": goal,
        "state": (RunState.PROPOSED if parsed else RunState.PLANNING).value,
        "created_by_id": actor.user_id,
        "created_at": now,
        "deadline_at": deadline_at,
        "start_when_planned": read_coordination(workspace.coordination).start_at_once if start is None else start,
        "planner": planner[:MAX_PLANNER] if parsed else "",
        "rationale": rationale if parsed else "",
        "open_tasks": len(parsed),
        "path_length": path_length(parsed),
    }
    writes: list[Write] = [Insert("clawgroups.Run", pk, values), said]
    facts = [spoken, Fact(workspace_id, RunDrafted(run_id=pk, goal=goal[:500]))]
    for stored in inputs:
        row = artifact(workspace_id, pk, stored, kind="input", actor=actor)
        writes.append(row)
        facts.append(Fact(workspace_id, ArtifactAdded(artifact_id=row.pk, run_id=pk, name=stored.name, kind="input")))
    run = Run(pk=pk, workspace=workspace, deadline_at=deadline_at)
    writes += task_rows(run, parsed, by=planner[:MAX_PLANNER])
    event: Event = RunProposed(run_id=pk, tasks=len(parsed)) if parsed else RunPlanning(run_id=pk)
    facts.append(Fact(workspace_id, event))
    return commit.submit(
        Change(
            actor,
            workspace_id,
            expects,
            tuple(writes),
            tuple(facts),
            operation,
            verb="run.draft",
            answer={"id": str(pk), "state": values["state"], "goal": goal, "message": str(said.pk)},
        )
    )


def propose_run(
    run_id: UUID, *, plan: Sequence[Any], planner: str, rationale: str, actor: Actor, as_asked: bool = True
) -> Future[Outcome]:
    """Put a checked plan before the people. Raises `Invalid` when the plan cannot be carried out.

    It starts by itself where whoever gave the goal, or with that the workspace, asked for it; not unless it is a
    plan `as_asked`: else a person decides.
    """
    run = get_run(actor, run_id, "run.plan")
    expects = require(actor, "run.plan", run.workspace_id)
    parsed = parse_plan(plan)
    planner = planner[:MAX_PLANNER]
    values = {
        "state": move_run(run.state, RunVerb.PROPOSE).value,
        "planner": planner,
        "rationale": rationale,
        "open_tasks": len(parsed),
        "path_length": path_length(parsed),
        "question": "",
        "start_when_planned": as_asked and run.start_when_planned,
        "reason": "",
    }
    return commit.submit(
        Change(
            actor,
            run.workspace_id,
            expects,
            (
                Update("clawgroups.Run", run.pk, values, {"state": run.state}),
                *task_rows(run, parsed, by=planner),
            ),
            (Fact(run.workspace_id, RunProposed(run_id=run.pk, tasks=len(parsed))),),
            verb="run.propose",
            answer={"id": str(run.pk), "tasks": len(parsed)},
        )
    )


def start_run(run_id: UUID, *, actor: Actor, version: int | None = None, operation: str = "") -> Future[Outcome]:
    """Begin a proposed run: tasks without dependencies become ready in the same change. `version`: the plan's."""
    run = get_run(actor, run_id, "run.start")
    expects = require(actor, "run.start", run.workspace_id)
    check_version(run, version)
    now = timezone.now()
    # A plan waits for a person as long as it likes: the run's own time begins with its start.
    run.deadline_at = after(now, timers_of(run.workspace).run_total)
    values: dict[str, Any] = {"state": move_run(run.state, RunVerb.START).value, "started_at": now}
    values |= {"deadline_at": run.deadline_at, "forecast": forecast_of(run).as_json()}
    facts = [Fact(run.workspace_id, RunStarted(run_id=run.pk))]
    if not run.open_tasks:
        # Everything in the plan was cancelled: no task's end will ever say that it is the last one.
        values["state"] = move_run(RunState.RUNNING, RunVerb.CONSOLIDATE).value
        facts.append(Fact(run.workspace_id, RunConsolidating(run_id=run.pk)))
    expect = {"state": run.state, "open_tasks": run.open_tasks, "plan_version": run.plan_version}
    writes: list[Write] = [Update("clawgroups.Run", run.pk, values, expect)]
    ready = {"state": TaskState.READY.value, **waits_when_ready(run, now)}
    waiting = wait_for_parents().columns(Bounds(run=run.deadline_at))
    for pk, parents in Task.objects.filter(run=run, state="waiting").values_list("pk", "waiting_on"):
        writes.append(Update("clawgroups.Task", pk, waiting if parents else ready, {"state": "waiting"}))
        if not parents:
            facts.append(Fact(run.workspace_id, TaskReady(task_id=pk, run_id=run.pk)))
    return commit.submit(
        Change(
            actor,
            run.workspace_id,
            expects,
            tuple(writes),
            tuple(facts),
            operation,
            verb="run.start",
            answer={"id": str(run.pk), "state": values["state"]},
        )
    )


def pause_run(run_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Assign nothing new until it is resumed; work in hand goes on."""
    return _set_paused(run_id, True, actor, operation)


def resume_run(run_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Go on with a paused run."""
    return _set_paused(run_id, False, actor, operation)


def _set_paused(run_id: UUID, paused: bool, actor: Actor, operation: str) -> Future[Outcome]:
    run = get_run(actor, run_id, "run.pause")
    expects = require(actor, "run.pause", run.workspace_id)
    if run.state != RunState.RUNNING:
        raise Invalid(f"Only a running run can be paused or resumed; this one is {run.state}.", code="not_running")
    event: Event = RunPaused(run_id=run.pk) if paused else RunResumed(run_id=run.pk)
    facts = (Fact(run.workspace_id, event),) if run.paused != paused else ()
    expect = {"state": run.state, "paused": run.paused, "budget_stop": run.budget_stop}
    # Why it was paused is no matter once it goes on.
    values = {"paused": paused} if paused else {"paused": paused, "reason": ""}
    paused_now = Update("clawgroups.Run", run.pk, values, expect)
    run.paused = paused
    return commit.submit(
        Change(
            actor,
            run.workspace_id,
            expects,
            (paused_now, *rest_of_ready(run, timezone.now())),
            facts,
            operation,
            verb="run.pause" if paused else "run.resume",
            answer={"id": str(run.pk), "paused": paused},
        )
    )


def cancel_run(run_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """End a run: open tasks are cancelled in the same change, agents are asked to stop."""
    run = get_run(actor, run_id, "run.cancel")
    expects = require(actor, "run.cancel", run.workspace_id)
    decision = _cancel_tasks(run, "the run was cancelled")
    decision.take(model_calls.cancel_calls(run, "The run was cancelled."))
    values = {"state": move_run(run.state, RunVerb.CANCEL).value, "ended_at": timezone.now(), "open_tasks": 0}
    return commit.submit(
        Change(
            actor,
            run.workspace_id,
            expects,
            (*decision.writes, Update("clawgroups.Run", run.pk, values, _unmoved(run))),
            (*decision.facts, Fact(run.workspace_id, RunCancelled(run_id=run.pk))),
            operation,
            verb="run.cancel",
            answer={"id": str(run.pk), "state": "cancelled"},
            wakes=tuple(decision.wakes),
        )
    )


def _unmoved(run: Run) -> dict[str, Any]:
    """What the end of a run expects: a change of its plan since then may have added tasks, which would stay open."""
    return {"state": run.state, "plan_version": run.plan_version}


def _cancel_tasks(run: Run, reason: str) -> Decision:
    now = timezone.now()
    decision = Decision()
    tasks = Task.objects.filter(run=run, state__in=[s.value for s in TASK_OPEN])
    attempts = {a.task_id: a for a in Attempt.objects.filter(task__run=run, ended_at=None)}
    for task in tasks:
        if attempt := attempts.get(task.pk):
            decision.add(end_attempt(attempt, AttemptVerb.CANCEL, now, reason=reason))
        values = {
            "state": move_task(task.state, TaskVerb.CANCEL).value,
            "epoch": task.epoch + 1,
            "attempt_id": None,
            "holder_id": None,
            "ended_at": now,
            **CLOSED,
        }
        expect = {"epoch": task.epoch, "state": task.state}
        decision.writes.append(Update("clawgroups.Task", task.pk, values, expect))
        decision.facts.append(Fact(run.workspace_id, TaskCancelled(task_id=task.pk)))
    decision.add(end_sessions(Session.objects.filter(task__run=run), now))
    return decision


@dataclass(frozen=True, slots=True)
class Deliverable:
    """What a run hands over: a file made of its results, or a revision that one of its tasks delivered."""

    stored: StoredFile
    task_id: UUID | None = None
    revision: int = 1


def finish_run(run_id: UUID, *, deliverables: Sequence[Deliverable], note: str, actor: Actor) -> Future[Outcome]:
    """Hand over the deliverables: consolidating -> done, with a card in the chat where there is something to say."""
    run = get_run(actor, run_id, "run.consolidate")
    expects = require(actor, "run.consolidate", run.workspace_id)
    values: dict[str, Any] = {"state": move_run(run.state, RunVerb.FINISH).value, "ended_at": timezone.now()}
    # With the run its turn is over: whoever took it may die before giving it back, and nobody would ever do so.
    values |= {"turn_owner": "", "turn_until": None, "turned": run.wanted}
    writes, facts = model_calls.cancel_calls(run, "The run is done.")
    writes.append(Update("clawgroups.Run", run.pk, values, {"state": run.state}))
    for one in deliverables:
        row = artifact(
            run.workspace_id, run.pk, one.stored, kind="deliverable", actor=actor, task_id=one.task_id,
            revision=one.revision,
        )  # fmt: skip
        writes.append(row)
        added = ArtifactAdded(
            artifact_id=row.pk, run_id=run.pk, task_id=one.task_id, name=one.stored.name, kind="deliverable"
        )
        facts.append(Fact(run.workspace_id, added))
    if note:
        said, spoken = message(run.workspace_id, body=note, actor=actor, run_id=run.pk)
        writes.append(said)
        facts.append(spoken)
    facts.append(Fact(run.workspace_id, RunDone(run_id=run.pk)))
    return commit.submit(
        Change(
            actor,
            run.workspace_id,
            expects,
            tuple(writes),
            tuple(facts),
            verb="run.finish",
            answer={"id": str(run.pk), "state": "done"},
        )
    )


def fail_run(run_id: UUID, *, reason: str, actor: Actor) -> Future[Outcome]:
    """End a run that cannot go on, saying why and what a person can do; its open tasks are cancelled with it."""
    run = get_run(actor, run_id, "run.plan")
    return _fail(run, reason, actor, require(actor, "run.plan", run.workspace_id))


def withdraw_run(run_id: UUID, *, reason: str, actor: Actor) -> Future[Outcome]:
    """End a run of the coordinator's own making that nobody needs any more; nothing is said of it in the chat."""
    run = get_run(actor, run_id, "run.plan")
    if run.kind == "goal":
        raise Invalid("What people asked for is theirs to cancel.")
    return _fail(run, reason, actor, require(actor, "run.plan", run.workspace_id), aloud=False)


def expire_run(run_id: UUID) -> Future[Outcome]:
    """The run's own deadline is reached, which rests for nobody: it ends, and says what is there of it."""
    run = Run.objects.select_related("workspace").get(pk=run_id)
    hours = timers_of(run.workspace).run_total / 3600
    reason = (
        f"The run was not finished within its {hours:g} hours, so it ended. Results accepted so far stay; "
        "start another run with what is missing, or give it more time in the workspace's deadlines."
    )
    return _fail(run, reason, SYSTEM, ())


def _fail(run: Run, reason: str, actor: Actor, expects: tuple[Expect, ...], *, aloud: bool = True) -> Future[Outcome]:
    decision = _cancel_tasks(run, "the run ended")
    decision.take(model_calls.cancel_calls(run, "The run ended."))
    values = {
        "state": move_run(run.state, RunVerb.FAIL).value,
        "ended_at": timezone.now(),
        "reason": reason,
        "open_tasks": 0,
    }
    if aloud:
        said, spoken = message(run.workspace_id, body=reason, actor=actor, run_id=run.pk)
        decision.add(Decision([said], [spoken]))
    return commit.submit(
        Change(
            actor,
            run.workspace_id,
            expects,
            (*decision.writes, Update("clawgroups.Run", run.pk, values, _unmoved(run))),
            (*decision.facts, Fact(run.workspace_id, RunFailed(run_id=run.pk, reason=reason))),
            verb="run.fail",
            answer={"id": str(run.pk), "state": "failed"},
            wakes=tuple(decision.wakes),
        )
    )
