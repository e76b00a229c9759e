"""Steps become service calls, with the rights of the person who asked for the run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from uuid import UUID

from clawgroups.coordinator.consolidate import consolidate_run
from clawgroups.coordinator.decide import (
    Adopt,
    Assign,
    Consolidate,
    Dismiss,
    Explain,
    Plan,
    Regenerate,
    Replan,
    Review,
    Start,
    Step,
    Tell,
    Withdraw,
)
from clawgroups.coordinator.planning import plan_run
from clawgroups.coordinator.replanning import replan_run
from clawgroups.coordinator.review import ask_for_review, consider_late, leave_late, nothing_more, review_task
from clawgroups.coordinator.rewriting import write_anew
from clawgroups.coordinator.situation import Situation
from clawgroups.core.actors import Actor, coordinator_for
from clawgroups.core.errors import ClawError, Conflict
from clawgroups.models import Run
from clawgroups.services import asking, dependants, model_calls, runs, tasks, turns, waiting
from clawgroups.services.perform import begin, perform

log = logging.getLogger(__name__)

PARKED = "The coordinator was ended three times at this very point, so a person has to look at it."


Wait = Callable[[], object]
Done = Callable[[], bool]


def act(step: Step, situation: Situation) -> Done | None:
    """Decide a step and hand it over; what is returned waits until it is carried out.

    None, or False in the end, when the world had moved on; the next round sees it as it is now.
    """
    try:
        wait = _act(step, situation, coordinator_for(situation.asked_by))
    except Conflict as moved:
        _not_needed(step, situation, moved)
        return None

    def done() -> bool:
        try:
            wait()
        except Conflict as moved:
            _not_needed(step, situation, moved)
            return False
        return True

    return done


def _not_needed(step: Step, situation: Situation, moved: Conflict) -> None:
    log.info("run %s: %s was not needed any more: %s", situation.run_id, type(step).__name__, moved)


def _act(step: Step, situation: Situation, actor: Actor) -> Wait:  # noqa: C901, PLR0911  (a case for each kind)
    match step:
        case Plan():
            return plan_run(situation, actor)
        case Start():
            return begin(runs.start_run, situation.run_id, actor=actor)
        case Assign(task_id, member_id, match):
            # A person is asked, never given a task.
            verb = asking.ask_member if member_id in situation.people else tasks.assign_task
            return begin(verb, task_id, member_id=member_id, match=match, actor=actor)
        case Explain(task_id, reason, who, match, stuck):
            say = tasks.stick_task if stuck else waiting.park_task
            return begin(say, task_id, reason=reason, who=who, match=match, actor=actor)
        case Adopt(task_id, attempt_id):
            return consider_late(task_id, attempt_id, actor)
        case Replan():
            return replan_run(situation, actor)
        case Regenerate(task_id):
            return write_anew(task_id, situation, actor)
        case Tell(told):
            return begin(dependants.tell_dependants, situation.run_id, told=told, actor=actor)
        case Review(task_id):
            return review_task(task_id, actor)
        case Withdraw(call_id):
            return begin(model_calls.cancel_call, call_id, reason="Nobody needs the answer any more.", actor=actor)
        case Dismiss(run_id):
            return begin(runs.withdraw_run, run_id, reason="Nobody needs its verdict any more.", actor=actor)
        case Consolidate():
            consolidate_run(situation.run_id, actor)
            return nothing_more


def give_up(run_id: UUID, fault: ClawError, asked_by: int) -> None:
    """A turn that the rights or the input forbid: said in the run, not repeated for ever."""
    log.warning("run %s: the coordinator cannot go on: %s", run_id, fault)
    try:
        perform(runs.fail_run, run_id, reason=f"The coordinator cannot go on: {fault}", actor=coordinator_for(asked_by))
    except ClawError as again:
        log.warning("run %s: could not be failed either: %s", run_id, again)


def park(run_id: UUID, step: str) -> None:
    """Hand over to a person what ended its worker too often: the step of this name, else the whole run."""
    run = Run.objects.get(pk=run_id)
    kind, _, task_id = step.partition(" ")
    log.error("run %s is parked: %s ended its turn %d times", run_id, step or "something", turns.MAX_CRASHES)
    try:
        if kind == Review.__name__:
            ask_for_review(UUID(task_id), PARKED, coordinator_for(run.created_by_id))
        elif kind == Adopt.__name__:
            leave_late(UUID(task_id), PARKED, coordinator_for(run.created_by_id))
        elif run.state == "running":
            perform(turns.pause_for_a_person, run_id, reason=f"{PARKED} The run is paused; resume it to try again.")
        else:
            perform(runs.fail_run, run_id, reason=PARKED, actor=coordinator_for(run.created_by_id))
    except ClawError as moved:
        log.info("run %s: nothing to park any more: %s", run_id, moved)
