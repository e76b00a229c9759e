"""Stories for `test_verify_action`: rules that answer agents, and what was done without asking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from agents.models import Connection
from agents.protocol.updates import ToolCall
from clawgroups import commit
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.models import Approval, Overstep, Session
from clawgroups.services import overstepping, putting, rules, transcript
from clawgroups.services.perform import perform
from tests.conftest import Team

PUSH = {"kind": "execute", "title": "Publish", "raw_input": {"command": "git push"}}


def _agent(team: Team) -> Actor:
    return Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)


def _made(team: Team) -> UUID:
    said = perform(rules.make_rule, team.workspace.pk, answer="deny", kinds=["execute"], actor=team.actor("ada"))
    return UUID(said.answer["id"])


def rule_made(team: Team) -> None:
    _made(team)


def rule_revoked_and_restored(team: Team) -> None:
    rule = _made(team)
    perform(rules.revoke_rule, rule, actor=team.actor("ada"))
    perform(rules.restore_rule, rule, actor=team.actor("ada"))


def answered_by_a_rule(team: Team) -> None:
    _made(team)
    team.working()
    options = [{"optionId": "n", "kind": "reject_once"}]
    said: dict[str, Any] = {"request_id": 1, "tool_call": {"toolCallId": "c", **PUSH}, "options": options}
    perform(putting.request_approval, Session.objects.get().pk, **said, actor=_agent(team))
    assert Approval.objects.get().state == "decided"


def overstepped_and_looked_at(team: Team) -> None:
    team.working()
    session, link = Session.objects.get(), Connection.objects.get(pk=team.links["scribe"])
    said = [ToolCall("c", {**PUSH, "status": "completed"})]
    future = transcript.record(
        link.pk,
        epoch=link.epoch,
        since=link.received,
        received=link.received + 1,
        batches=[transcript.Batch(transcript.load([session.pk])[session.pk], said)],
        actor=_agent(team),
    )
    assert commit.wait(future).applied
    perform(overstepping.look_at_overstep, Overstep.objects.get().pk, actor=team.actor("ada"))


TOLD: list[Callable[[Team], None]] = [
    rule_made,
    rule_revoked_and_restored,
    answered_by_a_rule,
    overstepped_and_looked_at,
]
