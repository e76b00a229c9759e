"""Lines that only a reader can judge, put to another agent: who that is, and what its answer says."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone

from clawgroups.coordinator.candidates import candidates_of, seats_of
from clawgroups.coordinator.decisions import JudgeDecision, Unreadable
from clawgroups.coordinator.judging import evidence_of, is_in, open_lines, read_lines
from clawgroups.coordinator.quoting import line
from clawgroups.core.acceptance import Finding, Verdict
from clawgroups.core.actors import Actor
from clawgroups.core.coordination import read_coordination
from clawgroups.core.errors import Conflict
from clawgroups.core.lifecycle import RUN_TERMINAL
from clawgroups.core.matching import Need, best, rank
from clawgroups.models import Artifact, Attempt, Member, Task
from clawgroups.services import agent_judges, runs
from clawgroups.services.checks import Result
from clawgroups.services.perform import perform

NOBODY = "no other agent here may judge it now, so a person has to"
NO_ANSWER = "gave no verdict in time, so a person has to judge this"
UNREADABLE = "gave a verdict that cannot be read, so a person has to judge this"
UNPROVEN = "finds it met, but the words it quotes are not in the result; a person has to judge this"


def with_agent(
    task: Task, attempt: Attempt, result: Result, files: Sequence[Artifact], verdicts: Sequence[Verdict], actor: Actor
) -> list[Verdict] | None:
    """The verdicts with what another agent found for lines that only a reader can judge; None while it is asked."""
    open_ = open_lines(verdicts)
    if not open_:
        return list(verdicts)
    lines = [verdicts[place].line for place in open_]
    asked = agent_judges.judging(attempt.pk)
    if asked is None:
        member = chosen(task)
        if member is None:
            return _left(verdicts, open_, NOBODY)
        perform(agent_judges.ask_agent, task.pk, member=member, lines=lines, files=files, actor=actor)
        return None
    name = asked.proposed.name if asked.proposed is not None else "The agent"
    if asked.state == "done":
        return _judged(asked, verdicts, open_, result, name)
    if task.blocked_on == "agent" and agent_judges.under_way([attempt.pk]):
        return None
    _give_up(asked, actor)
    return _left(verdicts, open_, f"{name} {NO_ANSWER}")


def chosen(task: Task) -> Member | None:
    """Who judges a task: the best at reviewing of those who are there and had no hand in it."""
    settings = read_coordination(task.workspace.coordination)
    out = agent_judges.may_not(task, same_owner=settings.judge_same_owner)
    seats = [seat for seat in seats_of(task.workspace_id) if seat.pk not in out]
    candidates = [c for c in candidates_of(task.workspace, seats, (), timezone.now()) if c.member_id not in out]
    found = best(rank(Need((agent_judges.SKILL,)), candidates))
    return None if found is None else Member.objects.get(pk=found.member_id)


def unreadable(task: Task) -> list[str]:
    """What is wrong with the answer of an agent that judges, so that it is asked once more; nothing after that."""
    if task.kind != agent_judges.KIND or task.attempt is None or task.tries >= agent_judges.MOST_TRIES:
        return []
    try:
        read_lines(task.attempt.result, len(task.brief["judged"]["lines"]))
    except Unreadable as wrong:
        return [f"Answer in the form that was asked for: {problem}" for problem in wrong.problems]
    return []


def _judged(asked: Task, verdicts: Sequence[Verdict], open_: Sequence[int], result: Result, name: str) -> list[Verdict]:
    answer = Attempt.objects.filter(task=asked, state="accepted").select_related("member").order_by("number").last()
    try:
        said = read_lines(answer.result if answer is not None else "", len(open_))
    except Unreadable:
        return _left(verdicts, open_, f"{name} {UNREADABLE}")
    return _with(said, verdicts, open_, evidence_of(result), answer.member.name if answer is not None else name)


def _with(
    said: JudgeDecision, verdicts: Sequence[Verdict], open_: Sequence[int], evidence: str | None, name: str
) -> list[Verdict]:
    judged = list(verdicts)
    for found in said.lines:
        place = open_[found.line - 1]
        text, reason = verdicts[place].line, " ".join(found.reason.split())
        if not found.met:
            judged[place] = Verdict(text, Finding.FAILED, reason, name)
        elif evidence is not None and not is_in(found.quote, evidence):
            judged[place] = Verdict(text, Finding.OPEN, f"{name} {UNPROVEN}", "nobody yet")
        else:
            shown = f", as in “{line(found.quote, 160)}”" if found.quote else ""
            judged[place] = Verdict(text, Finding.PASSED, f"{reason}{shown}", name)
    return judged


def _left(verdicts: Sequence[Verdict], open_: Sequence[int], why: str) -> list[Verdict]:
    left = list(verdicts)
    for place in open_:
        left[place] = Verdict(verdicts[place].line, Finding.OPEN, why, "nobody yet")
    return left


def _give_up(asked: Task, actor: Actor) -> None:
    """Nobody waits for this verdict any more: its run ends, and its agent is asked to stop."""
    if asked.run.state in [state.value for state in RUN_TERMINAL]:
        return
    try:
        perform(runs.withdraw_run, asked.run_id, reason="A person judges it instead.", actor=actor)
    except Conflict:
        return  # it has ended at this very moment
