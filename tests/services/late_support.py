"""Attempts that are over while their agents go on."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from agents.models import Connection
from clawgroups.coordinator.loop import take_turn
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.models import Attempt, Command, Session, Task
from clawgroups.reactions import react
from clawgroups.services import artifacts, late, sessions, tasks
from clawgroups.services.files import store
from clawgroups.services.perform import perform
from tests.conftest import Team


def me(team: Team, name: str = "scribe") -> Actor:
    return Actor(ActorKind.AGENT, name.title(), agent_id=team.agents[name].pk)


def expired(team: Team, **extra: Any) -> Attempt:
    """An attempt that was given up in the middle of its turn; its agent still goes on."""
    attempt = team.working(**extra).attempt
    assert attempt is not None
    perform(sessions.session_lost, attempt.sessions.get().pk, reason="contact to the agent was lost")
    return attempt


def prompt_of(attempt: Attempt) -> Command:
    return Command.objects.get(attempt=attempt, purpose="work")


def answer(team: Team, attempt: Attempt, text: str, *, stop: str = "end_turn", name: str = "scribe") -> None:
    """The turn of this attempt ends now, whenever its time was."""
    link = team.links[name]
    epoch = Connection.objects.get(pk=link).epoch
    perform(
        sessions.command_answered,
        prompt_of(attempt).pk,
        link=link,
        epoch=epoch,
        received=0,
        result={"stopReason": stop},
        text=text,
    )
    attempt.refresh_from_db()


def came_late(team: Team, text: str = "Sales rose by 4.", **extra: Any) -> Attempt:
    attempt = expired(team, **extra)
    answer(team, attempt, text)
    assert attempt.late_at is not None
    return attempt


def deliver(team: Team, attempt: Attempt, name: str, content: bytes) -> dict[str, Any]:
    stored = store([content], name=name)
    session = Session.objects.get(attempt=attempt)
    return dict(perform(artifacts.deliver_file, session.pk, stored=stored, actor=me(team)).answer)


def adopt(team: Team, attempt: Attempt, by: str = "bob") -> Task:
    perform(late.adopt_late, attempt.task_id, attempt.pk, actor=team.actor(by))
    return Task.objects.select_related("attempt").get(pk=attempt.task_id)


def reassigned(team: Team, task_id: UUID, name: str = "judge") -> Task:
    perform(tasks.assign_task, task_id, member_id=team.seat(name).pk, actor=team.actor("ada"))
    team.send(name)
    team.answer(name, {"sessionId": f"again-{name}"})
    team.send(name)
    return Task.objects.select_related("attempt").get(pk=task_id)


def turn(team: Team) -> None:
    for _ in range(10):
        woken = react(team.workspace.pk)
        for run_id in woken:
            take_turn(run_id)
        if not woken:
            return
