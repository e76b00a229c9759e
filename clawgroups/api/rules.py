"""The rules that answer agents, what a rule would have answered, and what agents did without asking."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Field, Query, Router, Schema

from clawgroups.api import shown_rules
from clawgroups.api.access import actor_of
from clawgroups.api.paging import Paging, page
from clawgroups.api.writing import Answer, write
from clawgroups.core.rule_text import cautions, clean_rule
from clawgroups.models import Overstep, Rule
from clawgroups.permissions import require
from clawgroups.services import overstepping, rule_lines, rules
from clawgroups.services.ruling import in_force

router = Router(tags=["rules"])


class AboutIn(Schema):
    """What a rule answers, and to what; where nothing is named for one of these, it is no condition."""

    answer: Literal["deny", "critical", "allow", "ask"]
    kinds: list[str] = Field(default_factory=list)
    paths: list[str] = Field(default_factory=list)
    commands: list[str] = Field(default_factory=list)
    agent: UUID | None = None
    run: UUID | None = None
    needed: int = 1

    @property
    def said(self) -> dict[str, Any]:
        """For the verbs."""
        about = {name: getattr(self, name) for name in ("answer", "kinds", "paths", "commands", "needed")}
        return {**about, "agent_id": self.agent, "run_id": self.run}


class RuleIn(AboutIn):
    """`seconds`: for so long; null: until somebody revokes it."""

    note: str = ""
    seconds: float | None = None


class RuleQuery(Schema):
    """`past`: also those that were revoked or have expired."""

    past: bool = False


@router.get("/workspaces/{uuid:workspace_id}/rules")
def list_rules(request: HttpRequest, workspace_id: UUID, paged: Paging, query: Query[RuleQuery]) -> Answer:
    """The rules in force: deny wins over critical, critical over allow, allow over ask. Newest first."""
    require(actor_of(request), "rule.view", workspace_id)
    rows = Rule.objects.filter(workspace=workspace_id) if query.past else in_force(workspace_id, timezone.now())
    return page(rule_lines.counted(rows), paged, shown_rules.rule)


@router.post("/workspaces/{uuid:workspace_id}/rules", response={201: dict[str, Any]})
def make_rule(request: HttpRequest, response: HttpResponse, workspace_id: UUID, body: RuleIn) -> Answer:
    """Make a rule for what is asked from now on. What waits for people already goes on waiting."""
    said = {**body.said, "note": body.note, "seconds": body.seconds}
    return write(request, response, rules.make_rule, workspace_id, **said)


@router.post("/workspaces/{uuid:workspace_id}/rules/try")
def try_rule(request: HttpRequest, workspace_id: UUID, body: AboutIn) -> Answer:
    """What this rule would have answered to what agents asked in the last seven days. Nothing is made of it."""
    tried = rules.try_rule(workspace_id, **body.said, actor=actor_of(request))
    about = {name: getattr(body, name) for name in ("kinds", "paths", "commands", "needed")}
    return {**shown_rules.dry_run(tried), "cautions": list(cautions(clean_rule(body.answer, note="", **about)))}


@router.post("/rules/{uuid:rule_id}/revoke")
def revoke_rule(request: HttpRequest, response: HttpResponse, rule_id: UUID) -> Answer:
    """From now on it answers nothing."""
    return write(request, response, rules.revoke_rule, rule_id)


@router.get("/workspaces/{uuid:workspace_id}/oversteps")
def list_oversteps(request: HttpRequest, workspace_id: UUID, paged: Paging) -> Answer:
    """What is critical and was done without asking, newest first; `seen_at` null: nobody has looked at it."""
    require(actor_of(request), "approval.view", workspace_id)
    rows = Overstep.objects.filter(workspace=workspace_id)
    rows = rows.select_related("step", "task", "attempt__member", "seen_by")
    return page(rows, paged, shown_rules.overstep, order="-at")


@router.post("/oversteps/{uuid:overstep_id}/seen")
def look_at_overstep(request: HttpRequest, response: HttpResponse, overstep_id: UUID) -> Answer:
    """Say that you have looked at it; it waits for nobody any more."""
    return write(request, response, overstepping.look_at_overstep, overstep_id)
