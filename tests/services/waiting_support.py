"""Agents that ask for permission, alone and several of them for the same."""

from __future__ import annotations

from typing import Any

from clawgroups.core.actors import Actor, ActorKind
from clawgroups.models import Approval, Session, Task
from clawgroups.services import putting
from clawgroups.services.perform import perform
from tests.conftest import Team, online_agent

YES_NO = [
    {"optionId": "y", "name": "Allow", "kind": "allow_once"},
    {"optionId": "n", "name": "No", "kind": "reject_once"},
]


def asks(
    team: Team, task: Task, name: str = "scribe", *, request: Any = 1, options: Any = YES_NO, **call: Any
) -> Approval:
    """The agent at a task asks for permission, and everybody who may answer is asked."""
    session = Session.objects.get(task=task)
    call = {"toolCallId": f"c{request}", "title": "Do it", "kind": "execute", **call}
    outcome = perform(
        putting.request_approval,
        session.pk,
        request_id=request,
        tool_call=call,
        options=options,
        actor=Actor(ActorKind.AGENT, name.title(), agent_id=team.agents[name].pk),
    )
    Approval.objects.filter(pk=outcome.answer["id"]).update(asked_of=None, escalates_at=None)
    return Approval.objects.get(pk=outcome.answer["id"])


def alike(*asked: Approval) -> None:
    """As agents that ask for the same are told."""
    Approval.objects.filter(pk__in=[ask.pk for ask in asked]).update(sameness="s" * 64)


def several(team: Team, number: int) -> list[Approval]:
    """So many agents that ask for the same, each at a task of its own."""
    asked = []
    for index in range(number):
        name = f"hand{index}"
        team.agents[name] = online_agent(team, name, f"skill{index}")
        task = team.working(name, skills=[f"skill{index}"], key=f"t{index}", title=f"Part {index}")
        asked.append(asks(team, task, name, raw_input={"command": "make lint"}))
    alike(*asked)
    return asked
