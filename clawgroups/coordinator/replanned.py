"""Whether a model's change of a running plan can be carried out here, against the plan as it is now. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clawgroups.coordinator.decisions import ChangeDecision, ReplanDecision, Unreadable
from clawgroups.coordinator.planned import MAX_NOTES, Frame, doubles, over, unfit
from clawgroups.core.errors import Invalid
from clawgroups.core.plan import PlanTask, handle_of
from clawgroups.core.plan_diff import IN_HAND, Standing, diff
from clawgroups.services.replan import parsed

Said = dict[str, Any]
MAX_WHY = 5_000


@dataclass(frozen=True, slots=True)
class Changing:
    """The open tasks as `propose_replan` takes them; `tasks` is None where nothing shall change."""

    tasks: tuple[Said, ...] | None
    rationale: str
    notes: tuple[str, ...] = ()

    @property
    def why(self) -> str:
        """The rationale with what was left out."""
        return "\n\n".join([self.rationale, *self.notes[:MAX_NOTES]])[:MAX_WHY]


def changing(decision: ReplanDecision, now: Sequence[Standing], frame: Frame) -> Changing:
    """The change, with proposals that cannot hold left out. Raises `Unreadable` with everything else that is wrong.

    What the decision does not name stays: the plan may have grown since the model saw it.
    """
    if not decision.tasks and not decision.cancel:
        return Changing(None, decision.rationale)
    standing = {one.task.key: one for one in now}
    named = [task.key for task in decision.tasks]
    if problems := [*_misnamed(decision, named), *_not_cancelled(decision.cancel, standing)]:
        raise Unreadable(problems)
    kept = [{"key": one.task.key} for one in now if one.is_open and one.task.key not in {*named, *decision.cancel}]
    changed = [_said(task, standing) for task in decision.tasks]
    try:
        tasks, notes = _with_members(parsed(now, [*kept, *changed]), changed, frame)
        found = diff(now, parsed(now, tasks))
    except Invalid as wrong:
        raise Unreadable([str(p) for p in wrong.fields.get("problems", ())] or [wrong.message]) from None
    if len(found.added) > frame.most:
        raise Unreadable([f"the change adds {len(found.added)} tasks; {frame.most} are the most"])
    if problems := [*doubles(found.added), *over(_by_themselves(found.added), frame.limits)]:
        raise Unreadable(problems)
    return Changing(tuple(tasks), decision.rationale, tuple(notes))


def _misnamed(decision: ReplanDecision, named: Sequence[str]) -> list[str]:
    twice = [key for key in dict.fromkeys(named) if named.count(key) > 1]
    both = [key for key in dict.fromkeys(decision.cancel) if key in named]
    return [
        *(f"the key {key!r} is used twice" for key in twice),
        *(f"{key!r} is to be taken away and stands in `tasks`, too" for key in both),
    ]


def _not_cancelled(cancel: Sequence[str], standing: Mapping[str, Standing]) -> list[str]:
    found = []
    for key in dict.fromkeys(cancel):
        one = standing.get(key)
        if one is None:
            found.append(f"{key!r} is not in the plan, so it cannot be taken away")
        elif not one.is_open:
            shown = "in somebody's hands" if one.state in IN_HAND else one.state
            found.append(f"{key!r} is {shown} and cannot be taken away")
    return found


def _said(task: ChangeDecision, standing: Mapping[str, Standing]) -> Said:
    """A task as plain data; of one that stands, only what is said of it."""
    said: Said = {
        **task.model_dump(),
        "title": " ".join(task.title.split()),
        "acceptance": [" ".join(line.split()) for line in task.acceptance],
        "assignee": handle_of(task.assignee),
    }
    if task.key in standing:
        return {name: value for name, value in said.items() if value or name == "depends_on"}
    if not task.title or not task.instructions:
        raise Unreadable([f"{task.key!r} is no task of the plan: a new one needs a title and instructions"])
    return {**said, "acceptance": said["acceptance"] or ["not_empty"], "output": task.output or "text"}


def _with_members(plan: Sequence[PlanTask], changed: Sequence[Said], frame: Frame) -> tuple[list[Said], list[str]]:
    """The tasks without proposals of members who cannot take them, and what was left out."""
    given = {task["key"]: task for task in changed}
    tasks: list[Said] = []
    notes: list[str] = []
    for task in plan:
        said = given.get(task.key)
        if said is None:
            tasks.append({"key": task.key})
            continue
        asked = bool(said.get("assignee"))
        if task.assignee and (asked or task.assignee not in frame.members) and (fault := unfit(task, frame.members)):
            notes.append(f"@{task.assignee} is not proposed for “{task.title}”: {fault}.")
            said = {**said, "assignee": "", "why": ""}
        tasks.append(said)
    return tasks, notes


def _by_themselves(added: Sequence[PlanTask]) -> list[PlanTask]:
    """New tasks as if only they were there."""
    keys = {task.key for task in added}
    return [
        task.model_copy(update={"depends_on": tuple(key for key in task.depends_on if key in keys)}) for task in added
    ]
