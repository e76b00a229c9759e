"""What T21 plays in: processes that can be asked for things, and rooms with people and agents of their own."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO
from uuid import UUID

from django.contrib.auth.models import User

from agents.ids import new_id
from clawgroups.auth import actor_of_user
from clawgroups.models import Member
from clawgroups.services import agents, members, workspaces
from clawgroups.services.perform import perform
from tests.chaos.processes import ROOT, python
from tests.machine.history import History

Json = dict[str, Any]
PATIENCE = 30.0
GATEWAY, PEOPLE, OTHERS = "gateway", "people", "others"
HANDS = ("bob", "carol", "ada")


class Side:
    """A process of `tests.chaos.takeover_sides`; many may ask it for something at once."""

    def __init__(self, name: str, asking: TextIO, answers: TextIO) -> None:
        self.name = name
        self._asking, self._answers = asking, answers
        self._numbers, self._lock = itertools.count(1), threading.Lock()
        self._asked: dict[int, Future[Any]] = {}
        self._up = threading.Event()
        threading.Thread(target=self._read, name=name, daemon=True).start()

    def wait(self) -> None:
        """Wait until it has come up."""
        assert self._up.wait(4 * PATIENCE), f"{self.name} does not come up"

    def _read(self) -> None:
        for line in self._answers:
            if line == "ready\n":
                self._up.set()
                continue
            number, result, fault = json.loads(line)
            future = self._asked.pop(number)
            if fault:
                future.set_exception(AssertionError(f"{self.name}: {fault}"))
            else:
                future.set_result(result)

    def begin(self, job: str, **given: Any) -> Future[Any]:
        """Let it do a job."""
        future: Future[Any] = Future()
        with self._lock:
            number = next(self._numbers)
            self._asked[number] = future
            self._asking.write(json.dumps([number, job, given], default=str) + "\n")
            self._asking.flush()
        return future

    def ask(self, job: str, **given: Any) -> Any:
        """Let it do a job; what came of it."""
        return self.begin(job, **given).result(PATIENCE)

    def close(self) -> None:
        """Nothing more is asked of it: let it commit what waits and end."""
        self._asking.close()


Sides = Mapping[str, Side]


@contextmanager
def sides_of(*names: str) -> Iterator[dict[str, Side]]:
    """A process for each of these names, forked by one that has imported everything; they end with their last job."""
    pipes = [(os.pipe(), os.pipe()) for _ in names]
    theirs = [(asked, answer) for (asked, _), (_, answer) in pipes]
    process = subprocess.Popen(
        python("-m", "tests.chaos.takeover_sides", *(f"{asked}:{answer}" for asked, answer in theirs)),
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "clawgroups.settings"},
        pass_fds=[end for both in theirs for end in both],
    )
    for end in (end for both in theirs for end in both):
        os.close(end)
    sides = {
        name: Side(name, os.fdopen(asking, "w"), os.fdopen(answers))
        for name, ((_, asking), (answers, _)) in zip(names, pipes, strict=True)
    }
    try:
        yield sides
    finally:
        for side in sides.values():
            side.close()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class Room:
    """A workspace with three people and two agents that can do the same."""

    sides: Sides
    workspace: UUID
    people: dict[str, User]
    agents: dict[str, Json]
    history: History
    seats: dict[str, Member] = field(default_factory=dict)

    def verb(self, side: str, name: str, target: object, actor: str, **given: Any) -> Future[Any]:
        """Let a process carry out a verb of somebody's; the answer says whether it was refused."""
        return self.sides[side].begin("verb", name=name, target=str(target), actor=self.actor(actor), given=given)

    def do(self, side: str, name: str, target: object, actor: str, **given: Any) -> Json:
        """As `verb`, where it must not be refused."""
        said: Json = self.verb(side, name, target, actor, **given).result(PATIENCE)
        assert "refused" not in said, f"{actor} may not {name}: {said}"
        answer: Json = said["answer"]
        return answer

    def actor(self, name: str) -> Json:
        """A person or an agent by name; "coordinator" and "system" are what they are."""
        if name in self.people:
            return {"person": self.people[name].pk}
        if name in self.agents:
            return {"agent": self.agents[name]["id"]}
        return {"coordinator": self.people["ada"].pk} if name == "coordinator" else {}

    def agent(self, job: str, name: str, **given: Any) -> Any:
        """Something that an agent does, or has heard."""
        return self.sides[GATEWAY].ask(job, agent=self.agents[name]["id"], **given)

    def connect(self, name: str) -> None:
        """An agent comes in, or comes back on its link."""
        self.agent("connect", name, key=self.agents[name]["key"], link=self.agents[name]["link"])

    def turn(self, run: str) -> None:
        """The coordinator does what is next in a run."""
        self.sides[OTHERS].ask("turn", workspace=str(self.workspace), run=run)

    def name_of(self, member: UUID) -> str:
        return next(name for name, seat in self.seats.items() if seat.pk == member)


def furnished(sides: Sides, people: Mapping[str, User], number: int) -> Room:
    """A new room of these people, whose agents come in."""
    ada = actor_of_user(people["ada"])
    made = perform(workspaces.create_workspace, name=f"Room {number}", goal="Know the numbers", actor=ada)
    workspace = UUID(made.answer["id"])
    for name, role in (("bob", "member"), ("carol", "admin")):
        perform(members.add_person, workspace, username=name, role=role, actor=ada)
    room = Room(sides, workspace, dict(people), {}, History(workspace))
    for name in ("scribe", "second"):
        key = agents.mint_key()
        outcome = perform(
            agents.register_agent,
            name=name.title(),
            handle=f"{name}-{number}",
            skills=[{"name": "writing", "level": 4}],
            workspace_id=workspace,
            key=key,
            actor=ada,
        )
        room.agents[name] = {"id": outcome.answer["id"], "key": key.secret, "link": str(new_id())}
    for seat in Member.objects.select_related("user", "agent").filter(workspace=workspace):
        who = seat.user.username if seat.user is not None else seat.name.lower()
        room.seats[who] = seat
    for name in room.agents:
        room.connect(name)
    return room
