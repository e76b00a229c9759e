"""300 agents in the middle of a turn each, by the product's own verbs: whose steps the benchmarks record.

`python -m bench.crew DATABASE` makes the tables only.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import django

from clawgroups.core.actors import Actor, ActorKind

if TYPE_CHECKING:
    from clawgroups.core.transcript import Standing

SKILL = "folding"


@dataclass
class Worker:
    """An agent at work: its link, how many frames of it are taken, and where its transcript stands."""

    link: UUID
    epoch: int
    received: int
    standing: Standing
    actor: Actor


@dataclass
class Crew:
    workspace_id: UUID
    run_id: UUID
    workers: list[Worker]


def installed(database: str) -> None:
    """Set Django up on this database (a URL, or a folder for SQLite) and make the tables, where there are none."""
    if "://" in database:
        os.environ["DATABASE_URL"] = database
    else:
        os.environ["CLAWGROUPS_DATA"] = database
    os.environ.setdefault("CLAWGROUPS_SECRET_KEY", "bench-" + "0123456789abcdef" * 4)
    os.environ.setdefault("CLAWGROUPS_BASE_URL", "http://127.0.0.1:8000")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clawgroups.settings")
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415  (Django is set up first)
    from django.db import connection  # noqa: PLC0415

    if not connection.introspection.table_names():
        call_command("migrate", verbosity=0)
    from clawgroups.core.garbage import settle  # noqa: PLC0415

    settle()  # As web and workers do.


def gathered(count: int) -> Crew:
    """A workspace with so many agents, each prompted for a task of one run."""
    from clawgroups.auth import actor_of_user  # noqa: PLC0415
    from clawgroups.models import Task  # noqa: PLC0415
    from clawgroups.services import people, runs, workspaces  # noqa: PLC0415
    from clawgroups.services.perform import perform  # noqa: PLC0415

    owner = actor_of_user(people.ensure_first_person())
    made = perform(workspaces.create_workspace, name="Bench", goal="Be quick", actor=owner)
    workspace = UUID(made.answer["id"])
    plan = [{"key": f"t{n}", "title": f"Task {n}", "skills": [SKILL]} for n in range(count)]
    run = UUID(perform(runs.draft_run, workspace, goal="Be quick", plan=plan, actor=owner).answer["id"])
    perform(runs.start_run, run, actor=owner)
    tasks = list(Task.objects.filter(run_id=run).order_by("position").values_list("pk", flat=True))
    return Crew(workspace, run, [at_work(workspace, n, pk, owner) for n, pk in enumerate(tasks)])


def found_again(run_id: UUID) -> Crew:
    """The workers of a crew as their rows stand, for a process that comes after one that was killed."""
    from agents.models import Connection  # noqa: PLC0415
    from clawgroups.models import Run, Session  # noqa: PLC0415
    from clawgroups.services import transcript  # noqa: PLC0415

    workers = []
    for session in Session.objects.filter(task__run_id=run_id).select_related("agent").order_by("task__position"):
        link = Connection.objects.filter(agent_id=session.agent_id).latest("epoch")
        actor = Actor(ActorKind.AGENT, session.agent.name, agent_id=session.agent_id)
        standing = transcript.load([session.pk])[session.pk]
        workers.append(Worker(link.pk, link.epoch, link.received, standing, actor))
    return Crew(Run.objects.get(pk=run_id).workspace_id, run_id, workers)


def at_work(workspace: UUID, number: int, task_id: UUID, owner: Actor) -> Worker:
    """An agent that is registered, connected and prompted for this task, by the verbs that do so."""
    from agents.ids import new_id  # noqa: PLC0415
    from agents.models import Agent  # noqa: PLC0415
    from clawgroups.models import Member, Session  # noqa: PLC0415
    from clawgroups.services import agents, contact, sessions, tasks, transcript  # noqa: PLC0415
    from clawgroups.services.perform import perform  # noqa: PLC0415

    registered = perform(
        agents.register_agent,
        name=f"Agent {number}",
        handle=f"agent-{number}",
        skills=[{"name": SKILL, "level": 3}],
        workspace_id=workspace,
        key=agents.mint_key(),
        actor=owner,
    )
    agent = Agent.objects.get(pk=registered.answer["id"])
    link, key = new_id(), agent.keys.get()
    opened = perform(contact.open_connection, agent.pk, key_id=key.pk, link=link, extensions=["link"])
    epoch = opened.answer["epoch"]
    perform(contact.connection_ready, link, epoch=epoch, announced={"name": agent.name})
    seat = Member.objects.get(workspace=workspace, agent=agent)
    perform(tasks.assign_task, task_id, member_id=seat.pk, actor=owner)
    answers: list[dict[str, Any]] = [{"sessionId": f"s-{number}"}]
    for _ in range(2):
        for command in sessions.owed_commands(agent.pk, link):
            if command.state == "open":
                perform(sessions.command_sent, command.pk, link=link)
                if answers:
                    perform(
                        sessions.command_answered, command.pk, link=link, epoch=epoch, received=0, result=answers.pop()
                    )
    session = Session.objects.get(task_id=task_id)
    standing = transcript.load([session.pk])[session.pk]
    return Worker(link, epoch, 0, standing, Actor(ActorKind.AGENT, agent.name, agent_id=agent.pk))


async def recorded(worker: Worker, step: int) -> UUID:
    """Record a tool call that has ended, as the gateway does. The id of its row, once it is durable."""
    from agents.protocol.updates import ToolCall  # noqa: PLC0415
    from clawgroups import commit  # noqa: PLC0415
    from clawgroups.services import transcript  # noqa: PLC0415
    from clawgroups.services.perform import seldom_reading  # noqa: PLC0415

    call = ToolCall(f"step-{step}", {"title": f"Step {step}", "kind": "execute", "status": "completed"})
    batch = transcript.Batch(worker.standing, [call])
    future = await seldom_reading(
        transcript.record,
        worker.link,
        epoch=worker.epoch,
        since=worker.received,
        received=worker.received + 1,
        batches=[batch],
        actor=worker.actor,
    )
    outcome = await commit.outcome(future)
    assert outcome.applied, outcome
    assert batch.after is not None
    worker.received, worker.standing = worker.received + 1, batch.after
    return worker.standing.step_id(call.tool_call_id)


if __name__ == "__main__":
    installed(sys.argv[1])
