"""Steps become service calls, with the rights of the person who asked for the run."""

from __future__ import annotations

import logging
from uuid import UUID

from clawgroups.coordinator import builtin
from clawgroups.coordinator.consolidate import consolidate_run
from clawgroups.coordinator.decide import Assign, Consolidate, Explain, Plan, Review, Start, Step
from clawgroups.coordinator.review import review_task
from clawgroups.coordinator.situation import Situation
from clawgroups.core.actors import Actor, coordinator_for
from clawgroups.core.errors import ClawError, Conflict
from clawgroups.services import runs, tasks, waiting
from clawgroups.services.perform import perform

log = logging.getLogger(__name__)


def act(step: Step, situation: Situation) -> bool:
    """Carry a step out. False when the world had moved on; the next round sees it as it is now."""
    actor = coordinator_for(situation.asked_by)
    try:
        _act(step, situation, actor)
    except Conflict as moved:
        log.info("run %s: %s was not needed any more: %s", situation.run_id, type(step).__name__, moved)
        return False
    return True


def _act(step: Step, situation: Situation, actor: Actor) -> None:
    match step:
        case Plan():
            _plan(situation, actor)
        case Start():
            perform(runs.start_run, situation.run_id, actor=actor)
        case Assign(task_id, member_id, match):
            perform(tasks.assign_task, task_id, member_id=member_id, match=match, actor=actor)
        case Explain(task_id, reason, who, match, stuck):
            if stuck:
                perform(tasks.stick_task, task_id, reason=reason, who=who, match=match, actor=actor)
            else:
                perform(waiting.park_task, task_id, reason=reason, who=who, match=match, actor=actor)
        case Review(task_id):
            review_task(task_id, actor)
        case Consolidate():
            consolidate_run(situation.run_id, actor)


def _plan(situation: Situation, actor: Actor) -> None:
    planned = builtin.plan(situation)
    if not planned.tasks:
        perform(runs.fail_run, situation.run_id, reason=planned.rationale, actor=actor)
        return
    perform(
        runs.propose_run,
        situation.run_id,
        plan=planned.tasks,
        planner=builtin.NAME,
        rationale=planned.rationale,
        actor=actor,
    )


def give_up(run_id: UUID, fault: ClawError, asked_by: int) -> None:
    """A turn that the rights or the input forbid: said in the run, not repeated for ever."""
    log.warning("run %s: the coordinator cannot go on: %s", run_id, fault)
    try:
        perform(runs.fail_run, run_id, reason=f"The coordinator cannot go on: {fault}", actor=coordinator_for(asked_by))
    except ClawError as again:
        log.warning("run %s: could not be failed either: %s", run_id, again)
