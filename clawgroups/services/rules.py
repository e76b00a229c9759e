"""Verbs on the rules that answer agents, and what a rule would have answered."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from agents.ids import new_id
from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.approval_events import RuleMade, RuleRevoked
from clawgroups.core.changes import Change, Expect, Fact, Insert, Outcome, Update
from clawgroups.core.errors import Conflict, Invalid, NotFound
from clawgroups.core.rule_text import clean_rule, life
from clawgroups.core.ruling import Ruling, judge
from clawgroups.models import Approval, Member, Rule, Run
from clawgroups.permissions import require, seat_of
from clawgroups.services.ruling import asked_in, folder_of, in_force, read_rules

MOST = 200
"""Rules in force that a workspace has, without those for exactly one thing."""
TRIED_DAYS = 7
MOST_TRIED = 300


def make_rule(
    workspace_id: UUID,
    *,
    answer: str,
    kinds: Sequence[str] = (),
    paths: Sequence[str] = (),
    commands: Sequence[str] = (),
    agent_id: UUID | None = None,
    run_id: UUID | None = None,
    needed: int = 1,
    note: str = "",
    seconds: float | None = None,
    made_from: UUID | None = None,
    actor: Actor,
    operation: str = "",
) -> Future[Outcome]:
    """Make a rule that answers what agents ask from now on; `seconds`: for so long, else until it is revoked.

    What was asked before it waits for people as before. Raises `Invalid` with the field that is wrong.
    """
    expects = require(actor, "rule.set", workspace_id)
    said = clean_rule(answer, kinds=kinds, paths=paths, commands=commands, needed=needed, note=note)
    holds = life(seconds)
    _check_about(workspace_id, agent_id, run_id)
    now, pk, seat = timezone.now(), new_id(), seat_of(actor, workspace_id)
    if in_force(workspace_id, now).filter(exactly="").count() >= MOST:
        raise Conflict(f"A workspace has at most {MOST} rules. Revoke one first.", code="too_many_rules")
    values = {
        **said,
        "workspace_id": workspace_id,
        "agent_id": agent_id,
        "run_id": run_id,
        "made_from": made_from,
        "made_by_id": seat.pk if seat else None,
        "made_at": now,
        "expires_at": None if holds is None else now + timedelta(seconds=holds),
    }
    return commit.submit(
        Change(
            actor,
            workspace_id,
            expects,
            (Insert(Rule._meta.label, pk, values),),
            (Fact(workspace_id, RuleMade(rule_id=pk, answer=answer)),),
            operation,
            verb="rule.make",
            answer={"id": str(pk), "answer": answer},
        )
    )


def _check_about(workspace_id: UUID, agent_id: UUID | None, run_id: UUID | None) -> None:
    seats = Member.objects.filter(workspace=workspace_id, agent=agent_id, left_at=None)
    if agent_id is not None and not seats.exists():
        raise Invalid("There is no such agent in this workspace.", field="agent")
    if run_id is not None and not Run.objects.filter(pk=run_id, workspace=workspace_id).exists():
        raise Invalid("There is no such run in this workspace.", field="run")


def get_rule(actor: Actor, rule_id: UUID, action: str = "rule.view") -> Rule:
    """The rule, if the actor may do `action` in its workspace."""
    row = Rule.objects.select_related("made_by").filter(pk=rule_id).first()
    if row is None:
        raise NotFound("There is no such thing here, or it is not yours to see.")
    require(actor, action, row.workspace_id)
    return row


def may_revoke(actor: Actor, rule: Rule) -> str:
    """The right by which the actor may revoke a rule: as an admin, or because it is what they themselves answered."""
    seat = seat_of(actor, rule.workspace_id)
    own = seat is not None and rule.made_by_id == seat.pk and bool(rule.exactly)
    return "rule.keep" if own else "rule.set"


def revoke_rule(rule_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """From now on a rule answers nothing. Raises `Conflict` for one that is revoked already."""
    rule = get_rule(actor, rule_id)
    expects = require(actor, may_revoke(actor, rule), rule.workspace_id)
    if rule.revoked_at is not None:
        raise Conflict("This rule is revoked already.", code="revoked")
    seat = seat_of(actor, rule.workspace_id)
    values = {"revoked_at": timezone.now(), "revoked_by_id": seat.pk if seat else None}
    return _set(rule, values, RuleRevoked(rule_id=rule.pk), actor, expects, operation)


def restore_rule(rule_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """A rule that was revoked is in force again, for as long as it was meant to be."""
    rule = get_rule(actor, rule_id)
    expects = require(actor, may_revoke(actor, rule), rule.workspace_id)
    if rule.revoked_at is None:
        raise Conflict("This rule is in force.", code="in_force")
    made = RuleMade(rule_id=rule.pk, answer=rule.answer)
    return _set(rule, {"revoked_at": None, "revoked_by_id": None}, made, actor, expects, operation)


def _set(
    rule: Rule,
    values: dict[str, Any],
    event: RuleMade | RuleRevoked,
    actor: Actor,
    expects: tuple[Expect, ...],
    operation: str,
) -> Future[Outcome]:
    return commit.submit(
        Change(
            actor,
            rule.workspace_id,
            expects,
            (Update(Rule._meta.label, rule.pk, values, {"revoked_at": rule.revoked_at}),),
            (Fact(rule.workspace_id, event),),
            operation,
            verb="rule.revoke",
            answer={"id": str(rule.pk), "in_force": values["revoked_at"] is None},
        )
    )


@dataclass(frozen=True, slots=True)
class Tried:
    """A question of the last days, what the rule would have answered to it, and what became of it."""

    question: Approval
    ruling: Ruling

    @property
    def differs(self) -> bool:
        """Whether people answered otherwise than the rule would have."""
        said = self.question.option_kind
        if self.question.state != "decided" or self.ruling.answer not in ("allow", "deny"):
            return False
        return said.startswith("allow") is not (self.ruling.answer == "allow")


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a rule would have answered: `fits` the questions that it is about, of `looked_at`.

    `doubtful`: how many it would have allowed, had it been clear that nothing denied or critical is meant. `unplaced`:
    how many an agent asked of which nobody knows where it works, so that no path and no command is allowed by a rule.
    """

    looked_at: int
    fits: tuple[Tried, ...]
    doubtful: int
    unplaced: int


def try_rule(
    workspace_id: UUID,
    *,
    answer: str,
    kinds: Sequence[str] = (),
    paths: Sequence[str] = (),
    commands: Sequence[str] = (),
    agent_id: UUID | None = None,
    run_id: UUID | None = None,
    needed: int = 1,
    actor: Actor,
) -> DryRun:
    """What this rule, beside those in force, would have answered to what agents asked in the last days.

    It changes nothing. Raises `Invalid` like `make_rule`.
    """
    require(actor, "rule.view", workspace_id)
    said = clean_rule(answer, kinds=kinds, paths=paths, commands=commands, needed=needed, note="")
    now, new = timezone.now(), Rule(**said)
    others = list(in_force(workspace_id, now))
    asked = Approval.objects.filter(workspace=workspace_id, kind="permission")
    asked = asked.filter(asked_at__gte=now - timedelta(days=TRIED_DAYS)).order_by("-asked_at")
    asked = asked.select_related("session", "task", "attempt__member", "decided_by", "rule")
    fits, doubtful, unplaced, looked_at = [], 0, 0, 0
    for question in asked[:MOST_TRIED]:
        looked_at += 1
        if not _is_for(agent_id, run_id, question):
            continue
        ours, *rest = read_rules([new, *_beside(others, question)], folder_of(question.session))
        ruling = judge([ours, *rest], asked_in(question))
        if ruling.rule is ours:
            fits.append(Tried(question, ruling))
        elif ruling.doubt and judge([ours], asked_in(question)).answer == "allow":
            doubtful += 1
        elif answer == "allow" and (paths or commands) and not folder_of(question.session):
            unplaced += 1
    return DryRun(looked_at, tuple(fits), doubtful, unplaced)


def _is_for(agent_id: UUID | None, run_id: UUID | None, question: Approval) -> bool:
    return agent_id in (None, question.session.agent_id) and run_id in (None, question.task.run_id)


def _beside(others: Sequence[Rule], question: Approval) -> list[Rule]:
    return [one for one in others if _is_for(one.agent_id, one.run_id, question)]
