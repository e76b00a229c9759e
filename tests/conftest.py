"""The cast. `ada` owns the workspace, `carol` is admin, `bob` member, `gus` guest; `mallory` is a
stranger, `sue` is staff without a seat. `scribe` (writing), `counter` (data-analysis) and `judge`
(review) are ada's agents, online.

Tests marked `django_db` use the inline form of the writer; those marked
`django_db(transaction=True)` use the real one, with its own thread and connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from hypothesis import settings as hypothesis_settings

from agents.ids import new_id
from agents.models import Agent, Connection
from clawgroups import commit
from clawgroups.auth import actor_of_user
from clawgroups.commit import Collected
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Outcome
from clawgroups.models import Command, Entry, Member, Run, Task, Workspace
from clawgroups.services import (
    agents,
    breakers,
    contact,
    installation,
    members,
    overstepping,
    runs,
    sessions,
    tasks,
    workspaces,
)
from clawgroups.services.guessing import guesses
from clawgroups.services.perform import let_go, perform
from tests import once
from tests.template import Template, is_real_time

# Speed is measured in benchmarks, never in a test.
hypothesis_settings.register_profile("ours", deadline=None)
hypothesis_settings.load_profile("ours")


@pytest.fixture(autouse=True, scope="session")
def made_once() -> Iterator[None]:
    """What would be made anew for every client and after every test that commits, though it is always the same."""
    with pytest.MonkeyPatch.context() as patch:
        once.share_static_files(patch)
        once.keep_permissions(patch)
        yield


@pytest.fixture(autouse=True)
def writer(request: pytest.FixtureRequest) -> Iterator[Collected | None]:
    """The inline writer for ordinary database tests; the real one, drained after, for transactional ones."""
    marker = request.node.get_closest_marker("django_db")
    wants_real = "transactional_db" in request.fixturenames or (marker and marker.kwargs.get("transaction"))
    if wants_real:
        request.getfixturevalue("transactional_db")
        yield None
        commit.drain()
        commit.reopen()
        let_go()
    elif marker or "db" in request.fixturenames:
        request.getfixturevalue("db")
        with commit.inline() as collected:
            yield collected
    else:
        yield None


@pytest.fixture(autouse=True)
def no_guesses() -> None:
    """What another test has guessed, read of rules, or set of the installation, is forgotten."""
    guesses.forget()
    installation.kept.hold({})
    overstepping.forget_rules()


@dataclass
class Team:
    """A workspace with its people and agents, and short ways to use it."""

    workspace: Workspace
    users: dict[str, User]
    agents: dict[str, Agent]
    links: dict[str, UUID] = field(default_factory=dict)

    def actor(self, name: str) -> Actor:
        return actor_of_user(self.users[name])

    def seat(self, name: str) -> Member:
        if name in self.agents:
            return Member.objects.get(workspace=self.workspace, agent=self.agents[name])
        return Member.objects.get(workspace=self.workspace, user=self.users[name])

    def journal(self) -> list[str]:
        return list(Entry.objects.filter(workspace=self.workspace).order_by("seq").values_list("type", flat=True))

    def run(self, plan: Sequence[dict[str, Any]], *, start: bool = True, by: str = "ada") -> Run:
        """A run with this plan, started unless told otherwise."""
        outcome = perform(
            runs.draft_run, self.workspace.pk, goal="Understand the sales", plan=list(plan), actor=self.actor(by)
        )
        pk = UUID(outcome.answer["id"])
        if start:
            perform(runs.start_run, pk, actor=self.actor(by))
        return Run.objects.get(pk=pk)

    def one_task(self, **extra: Any) -> Task:
        """A started run with the single task `write`."""
        run = self.run([{"key": "write", "title": "Write it up", "skills": ["writing"], **extra}])
        return Task.objects.get(run=run)

    def assigned(self, name: str = "scribe", **extra: Any) -> Task:
        """A task that was offered to an agent."""
        task = self.one_task(**extra)
        perform(tasks.assign_task, task.pk, member_id=self.seat(name).pk, actor=self.actor("ada"))
        return Task.objects.get(pk=task.pk)

    def working(self, name: str = "scribe", **extra: Any) -> Task:
        """A task in the middle of an agent's turn."""
        task = self.assigned(name, **extra)
        self.send(name)
        self.answer(name, {"sessionId": f"acp-{task.pk}"})
        self.send(name)
        return Task.objects.get(pk=task.pk)

    def send(self, name: str) -> list[Command]:
        """What the gateway does: hand every open frame to the agent."""
        link = self.links[name]
        owed = [c for c in sessions.owed_commands(self.agents[name].pk, link) if c.state == "open"]
        for command in owed:
            perform(sessions.command_sent, command.pk, link=link)
        return owed

    def answer(
        self, name: str, result: dict[str, Any], *, text: str = "", error: dict[str, Any] | None = None
    ) -> Outcome:
        """The agent answers its oldest open request."""
        link = self.links[name]
        command = Command.objects.filter(agent=self.agents[name], state="sent").earliest("created_at")
        epoch = Connection.objects.get(pk=link).epoch
        return perform(
            sessions.command_answered,
            command.pk,
            link=link,
            epoch=epoch,
            received=0,
            result=result,
            text=text,
            error=error,
        )

    def try_once(self, task: Task, result: dict[str, Any], *, name: str = "scribe", text: str = "") -> Outcome:
        """A ready task is given to an agent, whose turn ends so."""
        perform(tasks.assign_task, task.pk, member_id=self.seat(name).pk, actor=self.actor("ada"))
        self.send(name)
        self.answer(name, {"sessionId": f"acp-{task.pk}"})
        self.send(name)
        return self.answer(name, result, text=text)

    def vouch(self, name: str) -> None:
        """Its owner has looked at an agent that keeps failing: it gets work again."""
        perform(breakers.clear_breaker, self.agents[name].pk, actor=self.actor("ada"))

    def finish(self, name: str, text: str) -> Outcome:
        """The agent's turn ends with this message."""
        return self.answer(name, {"stopReason": "end_turn"}, text=text)


def quarantine(agent: Agent, reason: str = "It failed the task it was tried with", detail: str = "no model") -> None:
    """An agent that kept failing."""
    Agent.objects.filter(pk=agent.pk).update(breaker="quarantined", health={"reason": reason, "detail": detail})


SKILLS = {"scribe": "writing", "counter": "data-analysis", "judge": "review"}


def make_users() -> dict[str, User]:
    """The people, without any workspace."""
    names = ("ada", "bob", "carol", "gus", "mallory", "sue")
    people = {name: User(username=name, password=make_password(None)) for name in names}
    people["sue"].is_staff = people["sue"].is_superuser = True
    User.objects.bulk_create(people.values())
    return people


@pytest.fixture
def users() -> dict[str, User]:
    """The people, without any workspace."""
    return make_users()


@pytest.fixture
def team(writer: Collected | None, users: dict[str, User]) -> Team:
    """Ada's workspace with everybody in it but mallory and sue."""
    return make_team(users)


def make_team(users: dict[str, User]) -> Team:
    """Ada's workspace with everybody in it but mallory and sue; from the rows of the first one where that can be."""
    if Workspace.objects.exists() or Agent.objects.exists() or not is_real_time():
        return seated(users)
    if _first:
        template, workspace_id, links = _first[0]
        ids = template.lay(users)
        found = {agent.handle: agent for agent in Agent.objects.all()}
        made = {name: ids[link] for name, link in links.items()}
        return Team(Workspace.objects.get(pk=ids[workspace_id]), users, {name: found[name] for name in SKILLS}, made)
    team = seated(users)
    # As of the end of it: nothing may be laid down in what is the future for a test. Its ids apart: a test may change
    # the team that it is given.
    _first.append((Template(users, timezone.now()), team.workspace.pk, dict(team.links)))
    return team


_first: list[tuple[Template, UUID, dict[str, UUID]]] = []


def seated(users: dict[str, User]) -> Team:
    """The same, by the verbs."""
    ada = actor_of_user(users["ada"])
    outcome = perform(workspaces.create_workspace, name="Sales", goal="Know the numbers", actor=ada)
    made = Team(Workspace.objects.get(pk=outcome.answer["id"]), users, {})
    for name, role in (("bob", "member"), ("carol", "admin"), ("gus", "guest")):
        perform(members.add_person, made.workspace.pk, username=name, role=role, actor=ada)
    for name, skill in SKILLS.items():
        made.agents[name] = online_agent(made, name, skill)
    return made


def online_agent(team: Team, name: str, skill: str) -> Agent:
    """An agent of ada's in the workspace, with an open link."""
    key = agents.mint_key()
    outcome = perform(
        agents.register_agent,
        name=name.title(),
        handle=name,
        skills=[{"name": skill, "level": 4}],
        workspace_id=team.workspace.pk,
        key=key,
        actor=team.actor("ada"),
    )
    agent = Agent.objects.get(pk=outcome.answer["id"])
    link = team.links[name] = new_id()
    key_row = agent.keys.get()
    opened = perform(contact.open_connection, agent.pk, key_id=key_row.pk, link=link, extensions=["link", "workdir"])
    perform(contact.connection_ready, link, epoch=opened.answer["epoch"], announced={"name": name})
    return agent


@pytest.fixture
def now() -> Any:
    return timezone.now()


def is_postgres() -> bool:
    return bool(connection.vendor == "postgresql")
