"""Time as the services' tests turn it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from agents.models import Connection
from clawgroups import bus
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.models import Approval, Attempt, Session, Task
from clawgroups.services import contact, deadlines, putting
from clawgroups.services.perform import perform
from clawgroups.services.sweep import sweep
from tests.conftest import Team

STEP = 600
OPTIONS = [{"optionId": "y", "kind": "allow_once"}, {"optionId": "n", "kind": "reject_once"}]


@dataclass
class Clock:
    """The one clock of a test: everything reads it, and only the test moves it."""

    now: datetime
    begun: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.begun = self.now

    def __call__(self) -> datetime:
        return self.now

    def at(self, seconds: float) -> datetime:
        """So many seconds after the test began."""
        return self.begun + timedelta(seconds=seconds)

    def go(self, seconds: float) -> None:
        """Let time pass, unseen."""
        self.now += timedelta(seconds=seconds)

    def sweep(self, seconds: float = 0, *, quiet: bool = False) -> None:
        """Let time pass, then sweep."""
        self.go(seconds)
        sweep(self.now, quiet=quiet)

    def until(self, seconds: float, team: Team, *, silent: Iterable[str] = (), busy: Iterable[str] = ()) -> None:
        """Go on until so long after the test began, with a sweep now and then and one at the end.

        The links of all agents but the `silent` ones are renewed; the `busy` ones make progress.
        """
        while self.now < self.at(seconds):
            self.go(min(STEP, (self.at(seconds) - self.now).total_seconds()))
            beat(team, silent=silent)
            for name in busy:
                Attempt.objects.filter(member=team.seat(name), state="working").update(progress_at=self.now)
            sweep(self.now, quiet=False)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Requested before `team`, so that the cast is made by it too."""
    made = Clock(timezone.now().replace(microsecond=0))
    monkeypatch.setattr(timezone, "now", made)
    for module in (deadlines, contact):
        monkeypatch.setattr(module, "database_now", made)
    monkeypatch.setattr(bus, "enqueue", lambda *_: None)
    return made


def beat(team: Team, *, silent: Iterable[str] = ()) -> None:
    """What the process that holds the agents' sockets does every ten seconds."""
    links = [link for name, link in team.links.items() if name not in silent]
    rows = Connection.objects.filter(pk__in=links, closed_at=None).values_list("pk", "epoch")
    perform(contact.renew_connections, dict(rows))


def ask(team: Team, task: Task, name: str = "scribe", request_id: Any = 1) -> Approval:
    """The agent asks a person in the middle of its turn."""
    me = Actor(ActorKind.AGENT, name.title(), agent_id=team.agents[name].pk)
    session = Session.objects.get(attempt=task.attempt)
    outcome = perform(
        putting.request_approval, session.pk, request_id=request_id, tool_call={}, options=OPTIONS, actor=me
    )
    return Approval.objects.get(pk=outcome.answer["id"])


def disconnect(team: Team, name: str = "scribe") -> None:
    """The agent's socket closes."""
    link = team.links[name]
    perform(contact.close_connection, link, epoch=Connection.objects.get(pk=link).epoch, reason="gone")


def reconnect(team: Team, name: str = "scribe", link: UUID | None = None) -> None:
    """The same child comes back on a new socket; with `link` it is another child."""
    agent = team.agents[name]
    agent.refresh_from_db()
    team.links[name] = link = link or team.links[name]
    opened = perform(contact.open_connection, agent.pk, key_id=agent.keys.get().pk, link=link, extensions=["link"])
    perform(contact.connection_ready, link, epoch=opened.answer["epoch"], announced={"name": name})


def fresh(task: Task) -> Task:
    """The task as it is now."""
    return Task.objects.select_related("attempt", "run", "assignee", "holder").get(pk=task.pk)


def latest(task: Task) -> Attempt:
    """The task's newest attempt."""
    found = Attempt.objects.filter(task=task).order_by("number").last()
    assert found is not None
    return found
