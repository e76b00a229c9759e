"""Critical operations that agents carried out without asking: found as their steps end, and looked at by people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.approval_events import AttemptOverstepped, OverstepSeen
from clawgroups.core.changes import Change, Fact, Insert, Outcome, Update
from clawgroups.core.errors import NotFound
from clawgroups.core.lifecycle import ATTEMPT_LIVE
from clawgroups.core.ruling import AnswerRule, critical_of, is_windows, read_call
from clawgroups.core.sameness import other_input
from clawgroups.core.shrinking import is_cut
from clawgroups.core.transcript import Standing
from clawgroups.models import Approval, Overstep, Rule
from clawgroups.permissions import require, seat_of
from clawgroups.planned import Planned
from clawgroups.services.ruling import in_force, read_rules

ANSWERED_THERE = "answered_there"
"""In the detail of a step: what its agent's owner, or their rules, said on the agent's machine."""
RAN = ("in_progress", "completed")
FRESH = timedelta(seconds=2)
MOST_KNOWN = 2000
Whom = tuple[UUID | None, UUID | None]
Rules = tuple[AnswerRule, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """The rules of a workspace as they were then, and those of them that are about an agent and a run."""

    at: datetime
    until: datetime
    rules: Sequence[tuple[Whom, AnswerRule]]
    about: dict[Whom, Rules] = field(default_factory=dict)

    def of(self, agent_id: UUID | None, run_id: UUID | None) -> Rules:
        """Those about any or this agent, and any or this run."""
        found = self.about.get((agent_id, run_id))
        if found is None:
            found = self.about[agent_id, run_id] = tuple(
                rule for (agent, run), rule in self.rules if agent in (None, agent_id) and run in (None, run_id)
            )
        return found


# By workspace and by how paths are written: folders are as many as tasks.
_known: dict[tuple[UUID, bool], _Known] = {}


def oversteps_of(
    standing: Standing, ended: Sequence[tuple[str, Mapping[str, Any]]], now: datetime
) -> tuple[list[Insert], list[AttemptOverstepped]]:
    """Of the steps of an attempt that have just ended those that were critical, and that nobody let pass.

    Each with the status that it had before. Only what surely is critical counts: what might be hidden in it does not.
    """
    ran = [step for before, step in ended if _ran(before, step)]
    if not ran or standing.run_id is None:
        return [], []
    folder = str(standing.told.get("folder", ""))
    rules = _critical(standing, folder, now)
    found: list[tuple[Mapping[str, Any], UUID]] = []
    for step in ran if rules else ():
        asked = read_call({**step["detail"], "kind": step["kind"]}, folder=folder)
        rule = critical_of(rules, asked, surely=True)
        if rule is not None and not _was_let_pass(standing.attempt_id, step):
            found.append((step, rule.id))
    writes = [
        Insert(
            Overstep._meta.label,
            step["id"],
            {
                "workspace_id": standing.workspace_id,
                "task_id": standing.task_id,
                "attempt_id": standing.attempt_id,
                "step_id": step["id"],
                "rule_id": rule,
                "at": now,
            },
        )
        for step, rule in found
    ]
    return writes, [
        AttemptOverstepped(task_id=standing.task_id, attempt_id=standing.attempt_id, rule_id=rule) for _, rule in found
    ]


_critical_in: Planned[Rule] = Planned(
    lambda workspace_id, now: in_force(workspace_id, now).filter(answer="critical", exactly="")
)


def _critical(standing: Standing, folder: str, now: datetime) -> Rules:
    """The rules that name what is critical there, `FRESH` old at most: they change seldom, and steps end always."""
    key = (standing.workspace_id, is_windows(folder))
    known = _known.get(key)
    if known is None or not known.at <= now < known.until:
        rows = _critical_in(standing.workspace_id, now)
        of_whom = [(row.agent_id, row.run_id) for row in rows]
        known = _Known(now, now + FRESH, tuple(zip(of_whom, read_rules(rows, folder), strict=True)))
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        _known[key] = known
    return known.of(standing.agent_id, standing.run_id)


def forget_rules() -> None:
    """Read them anew at the next step."""
    _known.clear()


def _ran(before: str, step: Mapping[str, Any]) -> bool:
    """Whether something happened, as far as its agent says: what failed, or was never told of again, had begun."""
    if step["status"] == "completed":
        return True
    return before in RAN and step["detail"].get(ANSWERED_THERE) != "rejected"


def _was_let_pass(attempt_id: UUID, step: Mapping[str, Any]) -> bool:
    """Whether people allowed it; one that did not come to an end may have been rejected by them as well."""
    # The call of a child session is asked about by its own id.
    call_id = str(step["tool_call_id"])
    asked = Approval.objects.filter(attempt=attempt_id, kind="permission")
    asked = asked.filter(tool_call__toolCallId__in=[call_id, call_id.rpartition(":")[2]])
    if step["status"] == "completed":
        asked = asked.filter(state="decided", option_kind__startswith="allow")
    # What was allowed is what its question showed, and nothing else by the same name.
    done = step["detail"]
    unknown = is_cut(done.get("raw_input"))
    return any(unknown or not other_input(call, done) for call in asked.values_list("tool_call", flat=True))


def unseen() -> QuerySet[Overstep]:
    """Those that nobody has looked at, of attempts that go on."""
    live = [state.value for state in ATTEMPT_LIVE]
    return Overstep.objects.filter(Q(seen_at=None), attempt__state__in=live)


def get_overstep(actor: Actor, overstep_id: UUID, action: str) -> Overstep:
    """It, if the actor may do `action` in its workspace."""
    row = Overstep.objects.filter(pk=overstep_id).first()
    if row is None:
        raise NotFound("There is no such thing here, or it is not yours to see.")
    require(actor, action, row.workspace_id)
    return row


def look_at_overstep(overstep_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Say that one has looked at it. Who was first stays who did."""
    row = get_overstep(actor, overstep_id, "approval.decide")
    expects = require(actor, "approval.decide", row.workspace_id)
    seat = seat_of(actor, row.workspace_id)
    values = {"seen_at": timezone.now(), "seen_by_id": seat.pk if seat else None}
    writes = (Update(Overstep._meta.label, row.pk, values, {"seen_at": None}),) if row.seen_at is None else ()
    facts = (Fact(row.workspace_id, OverstepSeen(overstep_id=row.pk, task_id=row.task_id)),) if writes else ()
    return commit.submit(
        Change(
            actor,
            row.workspace_id,
            expects,
            writes,
            facts,
            operation,
            verb="overstep.look_at",
            answer={"id": str(row.pk)},
        )
    )
