"""Agents that ask, and rules, for the tests of rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clawgroups.core.actors import Actor, ActorKind
from clawgroups.models import Approval, Command, Rule, Session, Task
from clawgroups.services import approvals, putting, rules
from clawgroups.services.perform import perform
from tests.conftest import Team

FOLDER = "/srv/ann/desk"
OPTIONS = [
    {"optionId": "always", "kind": "allow_always", "name": "Always"},
    {"optionId": "yes", "kind": "allow_once", "name": "Yes"},
    {"optionId": "no", "kind": "reject_once", "name": "No"},
    {"optionId": "never", "kind": "reject_always", "name": "Never"},
]
MAKE = {"toolCallId": "c1", "kind": "execute", "title": "Build", "raw_input": {"command": "make all"}}
PUSH = {"toolCallId": "c2", "kind": "execute", "title": "Publish", "raw_input": {"command": "git push"}}


def working(team: Team, name: str = "scribe") -> Task:
    """A task in the middle of a turn, in a folder that the connector has told."""
    task = team.assigned(name)
    team.send(name)
    team.answer(name, {"sessionId": f"acp-{task.pk}", "_meta": {"clawgroups": {"cwd": FOLDER}}})
    team.send(name)
    return Task.objects.get(pk=task.pk)


def ask(team: Team, task: Task, call: dict[str, Any], number: int = 1, **more: Any) -> Approval:
    """The agent asks in the middle of its turn."""
    session = Session.objects.get(attempt=task.attempt)
    me = Actor(ActorKind.AGENT, "Scribe", agent_id=session.agent_id)
    options: Sequence[dict[str, str]] = more.pop("options", OPTIONS)
    said = {"request_id": number, "tool_call": call, "options": options, "actor": me, **more}
    return Approval.objects.get(pk=perform(putting.request_approval, session.pk, **said).answer["id"])


def make(team: Team, answer: str, *, by: str = "ada", **about: Any) -> Rule:
    outcome = perform(rules.make_rule, team.workspace.pk, answer=answer, actor=team.actor(by), **about)
    return Rule.objects.get(pk=outcome.answer["id"])


def told(number: int = 1) -> dict[str, Any] | None:
    """What the agent is answered."""
    found = [one for one in Command.objects.filter(purpose="reply") if one.params["id"] == number]
    return found[0].params["result"]["outcome"] if found else None


def chose(option: str) -> dict[str, str]:
    return {"outcome": "selected", "optionId": option}


def decide(team: Team, question: Approval, option: str, by: str = "bob") -> Approval:
    perform(approvals.decide_approval, question.pk, option_id=option, actor=team.actor(by))
    question.refresh_from_db()
    return question
