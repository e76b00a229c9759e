"""Whom a plan proposes: the matching ranks, and the model may choose within the first few, with a reason.

It never delays a plan: whatever is not answered in time is proposed without, and the matching decides as ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from agents.llm.stored import request_from_json
from clawgroups.coordinator.briefing import brief_of
from clawgroups.coordinator.consult import Ask, Decided, Waiting, consult
from clawgroups.coordinator.decisions import ChoiceDecision, choices_schema, read_choices
from clawgroups.coordinator.prompt import Brief, Prompt, prompt_of
from clawgroups.coordinator.quoting import line, quote
from clawgroups.coordinator.situation import Situation
from clawgroups.core.actors import Actor
from clawgroups.core.matching import Match, Need
from clawgroups.core.roster import Roster
from clawgroups.models import Member, ModelCall, Run
from clawgroups.services import model_calls

A_CALL = 40  # tasks that one question is about
MOST = 200  # tasks; beyond that the matching alone proposes
SHORT = 5  # members that a task may be given to
Task = dict[str, Any]
Shortlists = dict[str, list[Match]]


def with_members(
    run: Run, tasks: Sequence[Task], subject: str, situation: Situation, actor: Actor
) -> list[Task] | None:
    """The plan's tasks with whom the model chose for those that propose nobody; None while it is asked."""
    open_ = [task for task in tasks if not task["assignee"]]
    if not open_ or len(open_) > MOST:
        return list(tasks)
    handles = dict(Member.objects.filter(workspace=run.workspace_id, left_at=None).values_list("pk", "handle"))
    lists = _shortlists(open_, situation, handles)
    choose = [task for task in open_ if len(lists[task["key"]]) > 1]
    if not choose:
        return list(tasks)
    brief = brief_of(run, members=False, files=False)
    chosen: dict[str, ChoiceDecision] = {}
    waiting = False
    for number, at in enumerate(range(0, len(choose), A_CALL), 1):
        part = choose[at : at + A_CALL]
        ask = _ask(run, brief, part, lists, handles, f"{subject}/{number}" if subject else str(number))
        match consult(run, ask, actor):
            case Waiting():
                waiting = True
            case Decided(decision=found):
                chosen |= found
    return None if waiting else [_with(task, chosen) for task in tasks]


def _with(task: Task, chosen: Mapping[str, ChoiceDecision]) -> Task:
    found = chosen.get(task["key"])
    return task if found is None else {**task, "assignee": found.member, "why": " ".join(found.reason.split())}


def _shortlists(tasks: Sequence[Task], situation: Situation, handles: Mapping[UUID, str]) -> Shortlists:
    """The best few for each task: those who can take it, now or as soon as they are free."""
    roster = Roster(situation.candidates)
    known: dict[tuple[str, ...], list[Match]] = {}
    for task in tasks:
        skills = tuple(task["skills"])
        if skills not in known:
            able = [m for m in roster.ranking(Need(skills)) if not m.excluded or m.later]
            known[skills] = [m for m in able if m.member_id in handles][:SHORT]
    return {task["key"]: known[tuple(task["skills"])] for task in tasks}


def _ask(
    run: Run,
    brief: Brief,
    part: Sequence[Task],
    lists: Shortlists,
    handles: Mapping[UUID, str],
    subject: str,
) -> Ask[dict[str, ChoiceDecision]]:
    call = model_calls.latest_call(run.pk, "match", subject)
    shown = _shown(call) if call is not None else _names(part, lists, handles)

    def build(_problems: Sequence[str]) -> Prompt:
        return prompt_of(brief, [_asked(part, lists, handles)])

    return Ask(
        kind="match",
        subject=subject,
        build=build,
        read=lambda text: read_choices(text, shown),
        as_json=lambda chosen: {key: one.model_dump() for key, one in chosen.items()},
        schema=choices_schema(shown),
        max_output=8_000,
        repairs=0,
    )


def _names(part: Sequence[Task], lists: Shortlists, handles: Mapping[UUID, str]) -> dict[str, list[str]]:
    return {task["key"]: [handles[m.member_id] for m in lists[task["key"]]] for task in part}


def _shown(call: ModelCall) -> dict[str, list[str]]:
    """The shortlists that the model was shown: who is free has changed since."""
    schema = request_from_json(call.request).schema or {}
    tasks = schema["properties"]["choices"]["properties"]
    return {key: [name for name in one["properties"]["member"]["enum"] if name] for key, one in tasks.items()}


def _asked(part: Sequence[Task], lists: Shortlists, handles: Mapping[UUID, str]) -> str:
    said = []
    for task in part:
        said.append(f"{line(task['key'], 60)}: {line(task['title'], 120)} (skills: {', '.join(task['skills']) or '-'})")
        said += [
            f"  @{handles[m.member_id]} {m.score:.1f}: {line('; '.join(m.reasons), 160)}" for m in lists[task["key"]]
        ]
    return (
        "# What to do now\nFor each task below choose who should do it, out of the members listed under it, best first"
        " by the matching. Choose another than the first only for a reason that the scores do not know. Spread work"
        ' that can be done side by side. `member` is a handle of the list, or "" to leave it to the matching; `reason`'
        f" is one sentence.\n{quote('the tasks of your plan, with the matching', chr(10).join(said), 40_000)}"
    )
