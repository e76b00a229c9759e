"""What agents ask people, what those answer, and what is decided on agents' machines: the team's, and no guest's.

Each text has a word of its own, which a guest must find nowhere: in no page, no answer of the API, no frame, no entry.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from agents.ids import new_id
from clawgroups import bus
from clawgroups.coordinator.loop import take_turn
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.models import Approval, Part, Session, Task, Workspace
from clawgroups.permissions import HIDDEN_FROM_GUESTS
from clawgroups.reactions import react
from clawgroups.realtime.hub import the_hub
from clawgroups.services import approvals, members, putting, questions
from clawgroups.services.perform import perform, read_async
from tests.access.expect import Door
from tests.access.requests import ask, client_of, path_of
from tests.access.test_pages import body, readable
from tests.access.test_sockets import knock
from tests.access.world import NAMES, Room, World
from tests.realtime.conftest import Client

# What is asked, offered, filled in, chosen and written, open and decided, and what a machine and a thought say.
ASKED, GIVEN, OFFERED = "zq-asked", "zq-given", "zq-offered"
FIELD, FILLED, ANSWERED, DENIED = "zq-field", "zq-filled", "zq-answered", "zq-denied"
MACHINE, THOUGHT = "zq-machine", "zq-thought"
WORDS = (ASKED, GIVEN, OFFERED, FIELD, FILLED, ANSWERED, DENIED, MACHINE, THOUGHT)
OPTIONS = [
    {"optionId": "yes", "name": f"{OFFERED} yes", "kind": "allow_once"},
    {"optionId": "no", "name": f"{OFFERED} no", "kind": "reject_once"},
]
FORM = {"type": "object", "properties": {"where": {"type": "string", "title": FIELD}}, "required": ["where"]}


def agent_of(world: World, name: str) -> Actor:
    return Actor(ActorKind.AGENT, name.title(), agent_id=world.ours.team.agents[name].pk)


def asked(agent: Actor, session: UUID, number: int, *, title: str = ASKED) -> UUID:
    """A permission to do something with this title."""
    call = {"toolCallId": f"c{number}", "title": title, "kind": "execute", "raw_input": {"command": f"{GIVEN} --all"}}
    told: dict[str, Any] = {"request_id": number, "tool_call": call, "options": OPTIONS, "actor": agent}
    return UUID(perform(putting.request_approval, session, **told).answer["id"])


def everything_asked(world: World) -> Room:
    """Each kind of question open and answered in the task that is worked on, and a try that failed after a no; the room
    whose rows are of that try."""
    team, ids = world.ours.team, world.ours.ids
    ada, session, agent = team.actor("ada"), ids["session_id"], agent_of(world, "scribe")
    for number in (1, 2):
        first = asked(agent, session, number)
        said: dict[str, Any] = {
            "question": f"{ASKED} where?",
            "choices": [f"{OFFERED} here"],
            "key": f"k{number}",
            "actor": agent,
        }
        second = UUID(perform(questions.ask_person, session, **said).answer["id"])
        form: dict[str, Any] = {
            "request_id": 10 + number,
            "message": ASKED,
            "form": FORM,
            "tool_call_id": "",
            "actor": agent,
        }
        third = UUID(perform(putting.request_form, session, **form).answer["id"])
        if number == 1:
            perform(approvals.decide_approval, first, option_id="no", actor=ada)
            perform(approvals.decide_approval, second, text=ANSWERED, actor=ada)
            filled = {"where": [FILLED]}
            perform(approvals.decide_approval, third, option_id="accept", answers=filled, actor=ada)
    Approval.objects.filter(pk=ids["approval_id"]).update(tool_call={"title": ASKED}, options=OPTIONS)
    for ordinal, (kind, text) in enumerate((("machine", MACHINE), ("thought", THOUGHT)), start=50):
        row = {"ordinal": ordinal, "kind": kind, "text": f"Rejected: {text}", "at": timezone.now()}
        Part.objects.create(pk=new_id(), attempt_id=ids["attempt_id"], **row)
    return failed_after_a_no(world)


def failed_after_a_no(world: World) -> Room:
    """A try that was refused something and then did not meet its acceptance lines; the room with its rows."""
    team = world.ours.team
    task = team.working("counter", skills=["data-analysis"])
    session = Session.objects.get(task=task)
    denied = asked(agent_of(world, "counter"), session.pk, 7, title=DENIED)
    perform(approvals.decide_approval, denied, option_id="no", actor=team.actor("ada"))
    team.send("counter")
    team.finish("counter", "")
    react(team.workspace.pk)
    take_turn(task.run_id)
    task = Task.objects.get(pk=task.pk)
    # It was returned and given out anew.
    assert (task.state, task.tries) == ("assigned", 2)
    ids = {"run_id": task.run_id, "attempt_id": session.attempt_id, "session_id": session.pk, "approval_id": denied}
    return replace(world.ours, ids=world.ours.ids | ids, tasks=dict.fromkeys(world.ours.tasks, task))


def rooms(world: World) -> list[Room]:
    """The same addresses for the rows of the world, for the failed try, and for each of the parts of a transcript."""
    failed = everything_asked(world)
    parts = Part.objects.filter(attempt=world.ours.ids["attempt_id"], kind__in=("machine", "thought"))
    return [world.ours, failed, *(replace(world.ours, ids=world.ours.ids | {"part_id": one.pk}) for one in parts)]


@pytest.mark.django_db
@pytest.mark.parametrize("door", [Door.PAGES, Door.API])
def test_no_page_and_no_answer_tells_a_guest_what_was_asked_or_answered(world: World, door: Door) -> None:
    found: dict[str, set[str]] = {"guest": set(), "member": set()}
    places: list[str] = []
    seen: set[tuple[str, str]] = set()
    for room in rooms(world):
        for who, words in found.items():
            client = client_of(world, who, door)
            for name in readable(door):
                # Of an address that takes none of the rows by which the rooms differ, all of them ask for the same.
                if (here := (who, path_of(name, room))) in seen:
                    continue
                seen.add(here)
                said = body(ask(client, "GET", name, room))
                words |= {word for word in WORDS if word in said}
                places += [f"{name}: {word}" for word in WORDS if word in said and who == "guest"]
                if name.endswith("logout"):
                    client = client_of(world, who, door)
    assert places == []
    # That they are there to be found: the team reads all of them. What was filled in stands on no page.
    assert found["member"] == set(WORDS) - ({FILLED} if door is Door.PAGES else set())


async def heard(client: Client, kind: str, head: int) -> list[str]:
    """Everything that a socket says until it has told all up to the journal's head by frames of this kind."""
    said: list[str] = []
    while not said or json.loads(said[-1]).get("seq") != head:
        said.append(await client.wire.receive_from(10))
        frame = json.loads(said[-1])
        if frame["type"] == kind:
            await client.send(type="ack", seq=frame["seq"], workspace=frame.get("workspace"))
    return said


@pytest.mark.django_db(transaction=True)
async def test_no_frame_and_no_entry_tells_a_guest_what_was_asked_or_answered(world: World) -> None:
    await read_async(everything_asked, world)
    workspace = world.ours.ids["workspace_id"]
    head = await read_async(lambda: Workspace.objects.values_list("head", flat=True).get(pk=workspace))
    for who in ("guest", "member"):
        journal = await knock(world, who, f"/ws/workspaces/{workspace}/?after=0&generation=1")
        told = await heard(journal, "entries", head)
        types = {entry["type"] for text in told for entry in json.loads(text).get("entries", ())}
        assert bool(types & HIDDEN_FROM_GUESTS) is (who == "member")
        page = await knock(world, who, "/ws/")
        await page.send(type="subscribe", workspace=str(workspace), generation=1, after=0)
        told += await heard(page, "fragments", head)
        # Pieces are the same for everybody: whoever may see more asks for it.
        assert [word for word in WORDS if word in "".join(told)] == []
        for client in (journal, page):
            await client.leave()


@pytest.mark.django_db(transaction=True)
async def test_thoughts_and_decisions_of_a_machine_stream_to_the_team_alone(world: World) -> None:
    attempt = world.ours.ids["attempt_id"]
    guest, member = [await watching(world, who, attempt) for who in ("guest", "member")]
    stream(attempt)
    assert [await kinds(guest), await kinds(member)] == [["text"], ["machine", "thought", "text"]]
    # Who becomes a guest meanwhile sees no more than one.
    await read_async(made_a_guest, world)
    await the_hub().check_standing()
    stream(attempt)
    assert await kinds(member) == ["text"]
    for client in (guest, member):
        await client.leave()


def made_a_guest(world: World) -> None:
    team = world.ours.team
    perform(members.set_role, team.seat("bob").pk, role="guest", actor=team.actor("ada"))


async def watching(world: World, who: str, attempt: UUID) -> Client:
    client = await knock(world, who, "/ws/")
    await client.send(type="watch", attempt=str(attempt))
    async with asyncio.timeout(60):
        while not any(peer.visitor.actor.name == NAMES[who] for peer in watchers(attempt)):
            await asyncio.sleep(0.005)
    return client


def watchers(attempt: UUID) -> set[Any]:
    stream = the_hub().streams.get(attempt)
    return set() if stream is None else set(stream.peers)


def stream(attempt: UUID) -> None:
    for kind in ("machine", "thought", "text"):
        bus.live(attempt, {"part": kind, "text": kind, "ordinal": 0, "kind": kind, "at": 0})


async def kinds(client: Client) -> list[str]:
    """Of the words that it is told, up to those that everybody hears."""
    found: list[str] = []
    while not found or found[-1] != "text":
        found.append((await client.until("live"))["kind"])
    return found
