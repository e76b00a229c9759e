"""What the coordinator does next: a pure function from a situation to steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from clawgroups.coordinator.choice import Choice
from clawgroups.coordinator.situation import Situation, TaskView
from clawgroups.core.failures import FOR_A_PERSON
from clawgroups.core.matching import (
    NEEDS_LOGIN,
    OFFLINE,
    QUARANTINED,
    RESTING,
    UNCONFIRMED,
    Match,
    Need,
    best,
    for_the_last_try,
)
from clawgroups.core.retries import MAX_REGENERATED, MAX_TRIES
from clawgroups.services.dependants import Told

SHOWN_RUNNERS_UP = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """Make a plan and propose it."""


@dataclass(frozen=True, slots=True)
class Start:
    """Begin a proposed run, as its author asked beforehand."""


@dataclass(frozen=True, slots=True)
class Assign:
    """Give a task to a member, for these reasons."""

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
class Consolidate:
    """Make the deliverables."""


Step = Plan | Start | Assign | Adopt | Explain | Regenerate | Tell | Review | Consolidate


def decide(situation: Situation) -> list[Step]:
    """The steps that this situation calls for; an empty list when there is nothing to do."""
    match situation.state:
        case "planning":
            return [Plan()]
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
    steps += [Review(t.id) for t in situation.tasks if t.state == "in_review" and t.blocked_on != "person"]
    if situation.paused:
        return steps
    choice = Choice(situation.candidates)
    for task in sorted(situation.tasks, key=lambda t: (t.level, t.position)):
        if task.late is not None:
            steps.append(Adopt(task.id, task.late))
            continue
        if not _is_due(task, situation):
            continue
        if task.tries >= MAX_TRIES and task.regenerated < MAX_REGENERATED:
            steps.append(Regenerate(task.id))
        elif step := _given(task, choice, situation):
            steps.append(step)
    return steps


def _is_due(task: TaskView, situation: Situation) -> bool:
    """Whether a task may go to somebody now; one that is stuck after its tries waits for a person."""
    if task.state == "stuck":
        return task.tries < MAX_TRIES and task.failure not in FOR_A_PERSON
    return task.state == "ready" and (task.not_before is None or task.not_before <= situation.now)


def _given(task: TaskView, choice: Choice, situation: Situation) -> Step | None:
    need, only = need_of(task), str(task.brief.get("only") or "")
    if choice.must_wait(need, only):
        return None
    ranking = choice.ranking(need, only)
    if task.tries == MAX_TRIES - 1:
        ranking = for_the_last_try(ranking)
    chosen = best(ranking)
    if chosen is None:
        return _explain(task, ranking, situation)
    step = Assign(task.id, chosen.member_id, shown(ranking))
    choice.take(chosen.member_id)
    return step


def need_of(task: TaskView) -> Need:
    """What a task asks of a member, from its skills and what happened to it before."""
    preferred = task.brief.get("preferred")
    return Need(
        skills=task.skills,
        preferred=UUID(preferred) if preferred else None,
        failed=frozenset(UUID(e["member"]) for e in task.brief.get("dead_ends", []) if _is_id(e.get("member"))),
        refused=frozenset(UUID(m) for m in task.brief.get("refused", []) if _is_id(m)),
        authors=task.authors,
    )


def _is_id(text: object) -> bool:
    return isinstance(text, str) and text not in ("", "None")


def shown(ranking: Sequence[Match]) -> dict[str, Any]:
    """A ranking as it is stored with the task: the chosen, the runners-up, who is out and why."""
    fits = [m for m in ranking if not m.excluded]
    out = [m for m in ranking if m.excluded]
    return {
        "chosen": fits[0].as_json() if fits else None,
        "runners_up": [m.as_json() for m in fits[1 : 1 + SHOWN_RUNNERS_UP]],
        "out": [m.as_json() for m in out[:SHOWN_RUNNERS_UP]],
    }


def _owner(agent: Match, situation: Situation) -> str:
    """Who can do something about an agent, by name."""
    name = situation.owners.get(agent.member_id)
    return f"{name}, who owns {agent.name}" if name else f"the owner of {agent.name}"


def _explain(task: TaskView, ranking: Sequence[Match], situation: Situation) -> Explain | None:
    if any(m.later for m in ranking):
        return None
    offline = [m for m in ranking if m.excluded == OFFLINE]
    locked = [m for m in ranking if m.excluded in (NEEDS_LOGIN, UNCONFIRMED) or m.excluded.startswith(RESTING)]
    barred = [m for m in ranking if m.excluded == QUARANTINED]
    if locked:
        reason = f"{locked[0].name} could do it and {locked[0].excluded}."
        who, stuck = _owner(locked[0], situation), False
    elif offline:
        names = ", ".join(m.name for m in offline[:3])
        reason = f"{names} could do it and {'is' if len(offline) == 1 else 'are'} offline."
        who, stuck = _owner(offline[0], situation), False
    elif barred:
        reason = f"{barred[0].name} could do it and {QUARANTINED}. Clear it, add another agent, or take the task over."
        who, stuck = _owner(barred[0], situation), True
    else:
        wanted = ", ".join(task.skills) or "a connected agent"
        reason = f"No member can do it: it needs {wanted}. Add or connect an agent that can, or take it over."
        who, stuck = situation.author or "somebody of the team", True
    told = task.state == "stuck" or (not stuck and task.reason in ("", reason))
    if task.next_actor == who and told:
        return None
    return Explain(task.id, reason, who, shown(ranking), stuck and task.state != "stuck")
