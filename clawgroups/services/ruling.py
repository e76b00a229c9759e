"""A workspace's rules at work: the answer to an agent's question at the moment at which it is put."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.db.models import Q, QuerySet

from agents.policy.paths import is_within
from agents.policy.wanted import KINDS
from clawgroups.core.actors import SYSTEM
from clawgroups.core.approval_events import ApprovalDecided
from clawgroups.core.changes import Expect, Fact
from clawgroups.core.ruling import (
    Answer,
    AnswerRule,
    Asked,
    Elsewhere,
    Ruling,
    judge,
    option_of,
    read_call,
    scope_of,
)
from clawgroups.models import Approval, Attempt, Member, Rule, Session, Task
from clawgroups.permissions import ACTIONS
from clawgroups.planned import Planned
from clawgroups.services.attempts import Decision, cancelled, reply


@dataclass(frozen=True, slots=True)
class Ruled:
    """What a rule makes of a question: columns of its row, and, where it answers, what goes with that."""

    values: Mapping[str, Any] = field(default_factory=dict)
    decision: Decision | None = None
    expects: tuple[Expect, ...] = ()


def in_force(workspace_id: UUID, now: datetime) -> QuerySet[Rule]:
    """The rules that count. One that allows does while whoever made it may answer agents here."""
    roles = [role.value for role in ACTIONS["approval.decide"].roles]
    by_somebody_here = Q(made_by__left_at=None, made_by__role__in=roles, made_by__user__is_active=True)
    rows = Rule.objects.filter(workspace=workspace_id, revoked_at=None)
    rows = rows.filter(Q(expires_at=None) | Q(expires_at__gt=now))
    return rows.filter(~Q(answer="allow") | Q(made_by=None) | by_somebody_here)


def has_critical(workspace_id: UUID, now: datetime) -> bool:
    """Whether something is critical here: then its agents had better ask."""
    return bool(_critical_there(workspace_id, now))


_critical_there: Planned[UUID] = Planned(
    lambda workspace_id, now: in_force(workspace_id, now).filter(answer="critical").values_list("pk", flat=True)[:1]
)


def rules_for(workspace_id: UUID, agent_id: UUID | None, run_id: UUID, sameness: str, now: datetime) -> QuerySet[Rule]:
    """Those of them that may speak of what this agent asks in this run."""
    rows = in_force(workspace_id, now).filter(Q(agent=None) | Q(agent=agent_id), Q(run=None) | Q(run=run_id))
    return rows.filter(Q(exactly="") | Q(exactly=sameness)) if sameness else rows.filter(exactly="")


def read_rules(rows: Iterable[Rule], folder: str) -> list[AnswerRule]:
    """Rows as what they say, for a session that works in `folder`."""
    windows = Elsewhere(folder).windows
    return [_read(row, windows) for row in rows]


def _read(row: Rule, windows: bool) -> AnswerRule:
    scope = scope_of(tuple(row.kinds), tuple(row.paths), tuple(row.commands), windows)
    return AnswerRule(
        scope.kinds,
        scope.paths,
        scope.commands,
        id=row.pk,
        answer=cast(Answer, row.answer),
        exactly=row.exactly,
        needed=row.needed,
    )


def judge_call(task: Task, session: Session, call: Mapping[str, Any], sameness: str, now: datetime) -> Ruling:
    """What the rules of a workspace say to a tool call of a session."""
    folder = folder_of(session)
    rows = rules_for(task.workspace_id, session.agent_id, task.run_id, sameness, now)
    return judge(read_rules(rows, folder), read_call(call, sameness, folder))


def folder_of(session: Session) -> str:
    """Where a session works on its agent's machine, as far as somebody other than the agent has told."""
    return str(session.told.get("folder", ""))


def rule_on(pk: UUID, values: Mapping[str, Any], task: Task, attempt: Attempt, session: Session) -> Ruled:
    """What the rules make of a permission that is asked for with these columns.

    Those that answer are expected to be in force still when that is committed. An answer that the agent does not offer
    beyond doubt is left to people, but for a rejection: without one to choose, it is told `cancelled`.
    """
    now: datetime = values["asked_at"]
    ruling = judge_call(task, session, values["tool_call"], values.get("sameness", ""), now)
    rule = ruling.rule
    if rule is None or ruling.answer == "ask":
        return Ruled()
    if ruling.answer == "critical":
        return Ruled({"rule_id": rule.id, "needed": rule.needed})
    chosen = option_of(ruling.answer, values["options"])
    if chosen is None and ruling.answer == "allow":
        return Ruled()
    kind = "reject_once" if chosen is None else chosen["kind"]
    settled = {
        "state": "decided",
        "rule_id": rule.id,
        "option_id": "" if chosen is None else chosen["optionId"],
        "option_kind": kind,
        "decided_at": now,
    }
    question = Approval(pk=pk, **{**values, **settled})
    question.session = session
    told = {"outcome": {"outcome": "selected", "optionId": settled["option_id"]}} if chosen else cancelled(question)
    decision = reply(question, told, now)
    decided = ApprovalDecided(approval_id=pk, task_id=task.pk, kind=kind, rule_id=rule.id)
    # By the workspace's rule: whoever asks has decided nothing.
    decision.facts.append(Fact(task.workspace_id, decided, SYSTEM))
    return Ruled(settled, decision, _still_in_force([rule, *ruling.others]))


def _still_in_force(rules: Sequence[AnswerRule]) -> tuple[Expect, ...]:
    """That none of them is revoked, and that whoever made one that allows may still answer agents here."""
    expects = [Expect("clawgroups.Rule", one.id, {"revoked_at": None}) for one in rules]
    allowing = [one.id for one in rules if one.answer == "allow"]
    makers = Member.objects.filter(pk__in=Rule.objects.filter(pk__in=allowing).values("made_by"))
    for pk, version in makers.values_list("pk", "auth_version"):
        expects.append(Expect("clawgroups.Member", pk, {"auth_version": version, "left_at": None}))
    return tuple(expects)


def asked_in(question: Approval) -> Asked:
    """What a stored question asks for."""
    return read_call(question.tool_call, question.sameness, folder_of(question.session))


def suggestion(question: Approval) -> dict[str, list[str]]:
    """What a rule would say that is about this question: what is sure of it, and no more."""
    seen = asked_in(question).wanted
    kinds = [kind for kind in KINDS if kind in seen.kinds]
    if seen.command is not None:
        words = seen.command.words or ()
        is_plain = bool(words) and not any("*" in word for word in words)
        return {"kinds": [], "commands": [shlex.join(words)] if is_plain else [], "paths": []}
    base = seen.base
    inside = [one.real[len(base.real) + 1 :] for one in seen.places if base is not None and is_within(one, base)]
    return {"kinds": kinds, "commands": [], "paths": [one or "**" for one in inside] if not seen.unclear else []}
