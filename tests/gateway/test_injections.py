"""Forty things that give orders, ten places times four orders, each read by minds that obey everything they read.

Of none comes an approval, a right, a secret, or anything out of another workspace: there is no tool and no form for
it, and what is written is data.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from agents.models import Agent
from clawgroups.coordinator import hearing as hears
from clawgroups.core.actors import Actor, ActorKind, coordinator_for
from clawgroups.models import Message, Run, Session, Task
from clawgroups.services import goal_questions, hearing, memories, reports, review, runs, saying
from clawgroups.services.files import store
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.gateway.injected import ORDERS, World, at_once, begun, order

pytestmark = pytest.mark.django_db

TWO = [
    {"key": "read", "title": "Read the files", "skills": ["review"]},
    {"key": "write", "title": "Write it up", "skills": ["data-analysis"], "depends_on": ["read"]},
]


def other(team: Team) -> Actor:
    return Actor(ActorKind.AGENT, "Judge", agent_id=team.agents["judge"].pk)


def by_the_agent(world: World, task: Task) -> None:
    """The agent that obeys works on this task and hands its result in."""
    begun(world.team, task)
    text = world.obey_as_agent(task)
    world.team.finish("counter", text)


def one_task(world: World, **more: object) -> Task:
    run = world.team.run([{"key": "write", "title": "Write it up", "skills": ["data-analysis"], **more}])
    return Task.objects.get(run=run)


def an_agents_result(world: World) -> None:
    """What another agent wrote, in the prompt of the task that builds on it; then before the model that judges."""
    run = world.team.run([TWO[0], {**TWO[1], "acceptance": ["It says what was ordered"]}])
    read, write = Task.objects.filter(run=run).order_by("position")
    begun(world.team, read, "judge")
    world.team.finish("judge", f"All is read.\n{order(world.what)}")
    perform(review.accept_task, read.pk, actor=world.team.actor("ada"))
    by_the_agent(world, write)
    world.model.turns()
    assert world.obeyed == ["agent", "model", "model"]


def a_tools_output(world: World) -> None:
    """A note of how far another agent is, on the board that a tool shows."""
    first = {**TWO[1], "key": "also", "depends_on": []}
    run = world.team.run([TWO[0], first])
    read, write = Task.objects.filter(run=run).order_by("position")
    begun(world.team, read, "judge")
    session = Session.objects.get(task=read)
    perform(reports.report_progress, session.pk, percent=5, note=order(world.what), actor=other(world.team))
    by_the_agent(world, write)


def a_note_that_is_kept(world: World) -> None:
    """Something that another agent had remembered for everybody."""
    room, said = world.team.workspace.pk, order(world.what)
    perform(memories.remember, room, key="sales figures", text=said, actor=other(world.team))
    by_the_agent(world, one_task(world))


def a_title(world: World) -> None:
    by_the_agent(world, one_task(world, title=order(world.what)))


def how_a_try_ended(world: World) -> None:
    """The words with which another agent gave up."""
    task = one_task(world)
    error = {"code": -32603, "message": order(world.what)}
    begun(world.team, task, "judge")
    world.team.answer("judge", {}, error=error)
    by_the_agent(world, task)


def a_document(world: World) -> None:
    """What stands in a file of the goal: before the model that plans, and in the agent's work folder."""
    files = [store([f"region,orders\n{order(world.what)},1\n".encode()], name="may.csv", content_type="text/csv")]
    run = world.model.draft("Which region sells best?", *files, start=False)
    assert run.state == "proposed"
    perform(runs.start_run, run.pk, actor=world.team.actor("ada"))
    by_the_agent(world, Task.objects.filter(run=run).earliest("position"))


def a_files_name(world: World) -> None:
    files = [store([b"a,b\n1,2\n"], name=f"{order(world.what)}.csv".replace(":", ""), content_type="text/csv")]
    world.model.draft("Which region sells best?", *files)


def an_agents_profile(world: World) -> None:
    Agent.objects.filter(pk=world.team.agents["judge"].pk).update(description=order(world.what))
    world.model.draft("Which region sells best?")


def the_answer_to_a_form(world: World) -> None:
    """What a person pastes into the field of a question that the coordinator asks."""
    drafted = perform(runs.draft_run, world.team.workspace.pk, goal="Sales of May", actor=world.team.actor("ada"))
    run = Run.objects.get(pk=UUID(drafted.answer["id"]))
    coordinator = coordinator_for(world.team.users["ada"].pk)
    perform(goal_questions.ask_about_goal, run.pk, question="Which region?", actor=coordinator)
    world.model.reply(run, order(world.what))


def a_message(world: World) -> None:
    """Something that a person quotes into the chat without naming anybody."""
    made = perform(saying.say, world.team.workspace.pk, body=order(world.what), actor=world.team.actor("bob"))
    for _ in range(2):
        world.model.react()
        world.model.answer()
        for call in hearing.due(10):
            hears.take_up(call)
    said = Message.objects.get(reply_to=made.answer["id"])
    assert "@" not in said.body


PLACES: list[Callable[[World], None]] = [
    an_agents_result,
    a_tools_output,
    a_note_that_is_kept,
    a_title,
    how_a_try_ended,
    a_document,
    a_files_name,
    an_agents_profile,
    the_answer_to_a_form,
    a_message,
]


@pytest.mark.parametrize("what", ORDERS)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_nothing_comes_of_an_order_that_is_only_written_somewhere(
    team: Team, monkeypatch: pytest.MonkeyPatch, place: Callable[[World], None], what: str
) -> None:
    at_once(monkeypatch)
    world = World(team, what)
    place(world)
    world.untouched()
