"""What the coordinator does next: a pure function from a situation to steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from clawgroups.coordinator.situation import Situation, TaskView, need_of
from clawgroups.core.failures import FOR_A_PERSON
from clawgroups.core.matching import (
    ASKED,
    NEEDS_LOGIN,
    OFFLINE,
    OUT_OF_HOURS,
    OVER_QUOTA,
    QUARANTINED,
    RESTING,
    SPENT,
    UNCONFIRMED,
    Need,
    Standing,
)
from clawgroups.core.retries import MAX_REGENERATED, MAX_TRIES
from clawgroups.core.roster import Roster
from clawgroups.services.dependants import Told


@dataclass(frozen=True, slots=True)
class Plan:
    """Make a plan and propose it."""


@dataclass(frozen=True, slots=True)
class Start:
    """Begin a proposed run, as its author asked beforehand."""


@dataclass(frozen=True, slots=True)
class Assign:
    """Give a task to an agent, or ask a person for it, for these reasons."""

    task_id: UUID
    member_id: UUID
    match: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Explain:
    """Nobody can take a ready task now; say who must act."""

    task_id: UUID
    reason: str
    who: str
    match: dict[str, Any]
    stuck: bool


@dataclass(frozen=True, slots=True)
class Adopt:
    """Take up a late result of a task that nobody works on, if its checks pass."""

    task_id: UUID
    attempt_id: UUID


@dataclass(frozen=True, slots=True)
class Replan:
    """Think about a change of the plan that a person asks for, and propose it."""


@dataclass(frozen=True, slots=True)
class Regenerate:
    """Write a task anew, as its last try has failed."""

    task_id: UUID


@dataclass(frozen=True, slots=True)
class Tell:
    """Have waiting tasks say that they wait for one that is stuck, or no longer."""

    told: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Review:
    """Judge a result against its acceptance lines."""

    task_id: UUID


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Stop asking the model what nobody needs to know any more."""

    call_id: UUID


@dataclass(frozen=True, slots=True)
class Dismiss:
    """End the run in which an agent judges what nobody needs to have judged any more."""

    run_id: UUID


@dataclass(frozen=True, slots=True)
class Consolidate:
    """Make the deliverables."""


Step = Plan | Start | Assign | Adopt | Explain | Replan | Regenerate | Tell | Review | Withdraw | Dismiss | Consolidate


def decide(situation: Situation) -> list[Step]:
    """The steps that this situation calls for; an empty list when there is nothing to do."""
    return [*_unneeded(situation), *_dismissed(situation), *_next(situation)]


def _dismissed(situation: Situation) -> list[Step]:
    """Agents that judge a result which a person has taken over, judged or cancelled meanwhile."""
    needed = {task.attempt for task in situation.tasks if _is_in_review(task)}
    return [Dismiss(run_id) for attempt, run_id in situation.judging.items() if attempt not in needed]


def _unneeded(situation: Situation) -> list[Step]:
    """Questions to the model whose answers would change nothing any more."""
    if not situation.asking:
        return []
    needed = {("judge", str(t.attempt)) for t in situation.tasks if _is_in_review(t)}
    needed |= {("anew", anew_subject(t)) for t in situation.tasks if t.state in ("ready", "stuck") and not t.paused}
    if situation.state == "running":
        needed.add(("replan", situation.wish))
    return [
        Withdraw(call_id)
        for (kind, subject), call_id in situation.asking.items()
        if (situation.state != "planning" or kind not in ("plan", "match")) and (kind, subject) not in needed
    ]


def _next(situation: Situation) -> list[Step]:
    match situation.state:
        case "planning":
            return [Plan()] if not (situation.question or situation.asking) else []
        case "proposed":
            return [Start()] if situation.start_when_planned else []
        case "consolidating":
            return [Consolidate()]
        case "running":
            return _running(situation)
        case _:
            return []


def _running(situation: Situation) -> list[Step]:
    steps: list[Step] = [Tell(situation.to_tell)] if situation.to_tell else []
    steps += [Review(t.id) for t in situation.tasks if _is_to_review(t, situation)]
    if situation.paused or situation.used_up:
        return steps
    if situation.wish and ("replan", situation.wish) not in situation.asking:
        steps.append(Replan())
    due: list[TaskView] = []
    for task in sorted((one for one in situation.tasks if not one.paused), key=urgency):
        if task.late is not None:
            steps.append(Adopt(task.id, task.late))
        elif _is_due(task, situation):
            if task.tries >= MAX_TRIES and task.regenerated < MAX_REGENERATED:
                if ("anew", anew_subject(task)) not in situation.asking:
                    steps.append(Regenerate(task.id))
            else:
                due.append(task)
    return steps + _given(due, situation)


def urgency(task: TaskView) -> tuple[int, int, int]:
    """The order in which tasks are given out: whatever most others have to follow comes first."""
    return -task.bottom_level, task.level, task.position


def _is_to_review(task: TaskView, situation: Situation) -> bool:
    """Whether a result is to be judged now: nobody else does it, and neither the model nor an agent is at it."""
    asked = ("judge", str(task.attempt)) in situation.asking or task.attempt in situation.judged
    return _is_in_review(task) and not asked


def _is_in_review(task: TaskView) -> bool:
    return task.state == "in_review" and task.blocked_on != "person"


def anew_subject(task: TaskView) -> str:
    """What the question to the model about a task's new instructions is called, each time that they are needed.

    With its epoch: what was said about a task that was rewritten since is no answer for it.
    """
    return f"{task.id}/{task.regenerated}/{task.epoch}"


def _is_due(task: TaskView, situation: Situation) -> bool:
    """Whether a task may go to somebody now; one that is stuck after its tries waits for a person."""
    if task.state == "stuck":
        return task.tries < MAX_TRIES and task.failure not in FOR_A_PERSON
    return task.state == "ready" and (task.not_before is None or task.not_before <= situation.now)


def _given(due: Sequence[TaskView], situation: Situation) -> list[Step]:
    """Who gets the tasks that are due, and a word on those that nobody can take, however long they wait."""
    roster = Roster(situation.candidates)
    needs = [need_of(task) for task in due]
    steps: list[Step] = []
    waiting: list[tuple[TaskView, Need]] = []
    for task, need, member in zip(due, needs, roster.share_out(needs, situation.allowance), strict=True):
        if member is None:
            waiting.append((task, need))
        else:
            steps.append(Assign(task.id, member, roster.shown(need, member)))
            roster.take(member)
    told = [(task, need) for task, need in waiting if not roster.anybody(need) or roster.only_people(need)]
    explained = (_explain(task, need, roster, situation) for task, need in told)
    return [*steps, *(step for step in explained if step is not None)]


def _owner(agent: Standing, situation: Situation) -> str:
    """Who can do something about an agent, by name."""
    name = situation.owners.get(agent.member_id)
    return f"{name}, who owns {agent.name}" if name else f"the owner of {agent.name}"


def _explain(task: TaskView, need: Need, roster: Roster, situation: Situation) -> Explain | None:
    ranking = roster.standings(need)
    offline = [m for m in ranking if m.excluded == OFFLINE]
    locked = [m for m in ranking if m.excluded.startswith((NEEDS_LOGIN, UNCONFIRMED, RESTING, SPENT, OVER_QUOTA))]
    barred = [m for m in ranking if m.excluded == QUARANTINED]
    away = [m for m in ranking if m.excluded == OUT_OF_HOURS]
    full = [m for m in ranking if m.later]
    if full:
        # People alone could do it: an agent is simply waited for.
        reason = f"{full[0].name} could do it and {full[0].excluded}."
        who, stuck = full[0].name, False
    elif locked:
        reason = f"{locked[0].name} could do it and {locked[0].excluded}."
        who, stuck = _owner(locked[0], situation), False
    elif offline:
        names = ", ".join(m.name for m in offline[:3])
        reason = f"{names} could do it and {'is' if len(offline) == 1 else 'are'} offline."
        who, stuck = _owner(offline[0], situation), False
    elif away:
        reason = f"{away[0].name} could do it and {OUT_OF_HOURS}."
        who, stuck = away[0].name, False
    elif barred:
        reason = f"{barred[0].name} could do it and {QUARANTINED}. Clear it, add another agent, or take the task over."
        who, stuck = _owner(barred[0], situation), True
    else:
        reason = _nobody(task, need, ranking)
        who, stuck = situation.author or "somebody of the team", True
    told = task.state == "stuck" or (not stuck and task.reason in ("", reason))
    if task.next_actor == who and told:
        return None
    return Explain(task.id, reason, who, roster.shown(need), stuck and task.state != "stuck")


def _nobody(task: TaskView, need: Need, ranking: Sequence[Standing]) -> str:
    """Why it can go to nobody at all, and what a person can do."""
    if need.only is not None:
        chosen = next((f"{m.name} was chosen for it and {m.excluded}" for m in ranking), "Who was chosen is not here")
        return f"{chosen}. Choose another member, or take it over."
    asked = [m.name for m in ranking if m.excluded == ASKED]
    were = "was" if len(asked) == 1 else "were"
    passed = f"{', '.join(asked[:3])} {were} asked and did not take it. No other" if asked else "No"
    wanted = ", ".join(task.skills) or "a connected agent"
    return f"{passed} member can do it: it needs {wanted}. Add or connect an agent that can, or take it over."
