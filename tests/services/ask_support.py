"""Short ways to what an agent asks, and to what it is told."""

from __future__ import annotations

from typing import Any

from agents.models import Connection
from agents.protocol.updates import ToolCall
from clawgroups import commit
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.models import Approval, Command, Session, Task
from clawgroups.services import approvals, putting, transcript
from clawgroups.services.perform import perform
from tests.conftest import Team

OPTIONS = [
    {"optionId": "y", "name": "Allow", "kind": "allow_once"},
    {"optionId": "n", "name": "Reject", "kind": "reject_once"},
]
NO = {"outcome": {"outcome": "selected", "optionId": "n"}}
YES = {"outcome": {"outcome": "selected", "optionId": "y"}}


def scribe(team: Team, name: str = "scribe") -> Actor:
    return Actor(ActorKind.AGENT, name.title(), agent_id=team.agents[name].pk)


def asks(
    team: Team, task: Task, command: str = "ls", *, request_id: Any = 1, call: str = "c1", **more: Any
) -> Approval:
    """The agent asks whether it may run a command, as the gateway takes that in: told first, then put."""
    given = {"raw_input": {"command": command}, "title": "Run", "kind": "execute", **more}
    tells(team, task, call, **given)
    session = Session.objects.filter(task=task).latest("opened_at")
    outcome = perform(
        putting.request_approval,
        session.pk,
        request_id=request_id,
        tool_call={"toolCallId": call, **given},
        options=OPTIONS,
        actor=scribe(team),
    )
    return Approval.objects.get(pk=outcome.answer["id"])


def tells(team: Team, task: Task, call: str = "c1", streamed: Any = None, **given: Any) -> None:
    """The agent tells of a call, and the process that holds its socket stores it."""
    tells_at_once(team, task, ToolCall(call, given, streamed or {}))


def tells_at_once(team: Team, task: Task, *calls: ToolCall) -> None:
    """As `tells`, several things so fast that they are stored together."""
    for _ in range(4):
        session = Session.objects.filter(task=task).latest("opened_at")
        row = Connection.objects.get(pk=team.links["scribe"])
        batch = transcript.Batch(transcript.load([session.pk])[session.pk], list(calls))
        told = transcript.record(
            row.pk,
            epoch=row.epoch,
            since=row.received,
            received=row.received + 1,
            batches=[batch],
            actor=scribe(team),
        )
        # As the ingest does: what moved meanwhile is looked at again.
        if commit.wait(told).applied:
            return
    raise AssertionError("It could not be recorded.")


def decides(team: Team, who: str, approval: Approval, option: str = "y", **more: Any) -> dict[str, Any]:
    outcome = perform(
        approvals.decide_approval,
        approval.pk,
        option_id=option,
        actor=team.actor(who),
        **{"digest": approval.digest} | more,
    )
    return dict(outcome.answer)


def told(task: Task) -> list[Any]:
    """What the agent was answered, in order: the id of its request, and the result."""
    rows = Command.objects.filter(attempt__task=task, purpose="reply").order_by("created_at")
    return [(row.params["id"], row.params.get("result")) for row in rows]


def now(approval: Approval) -> Approval:
    return Approval.objects.select_related("asked_of").get(pk=approval.pk)
