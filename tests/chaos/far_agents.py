"""Agents behind connectors, and the gateway's side of their sockets, without a network: one frame after another.

An agent works on each request once, whatever it is sent again, and keeps what it said until it is acknowledged.
All of that is its own, in a file beside the database that no process of the server writes.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

from agents.models import Agent, AgentKey, Connection
from agents.protocol.updates import MessageChunk
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.errors import Conflict
from clawgroups.models import Command, Session
from clawgroups.services import contact, sessions, transcript
from clawgroups.services.perform import perform

AGENTS = ("scribe", "counter", "judge")
PROMPTS = ("work", "acknowledge", "steer")
Frame = dict[str, Any]


class FarAgents:
    """Three agents: what each was asked and did, its frames that are not acknowledged, and its link."""

    def __init__(self, folder: Path, links: dict[str, UUID]) -> None:
        self._file = folder / "agents.json"
        self._links = links
        self._asked: dict[str, list[str]] = {name: [] for name in links}
        self._out: dict[str, list[Frame]] = {name: [] for name in links}
        self._done: list[str] = []

    @classmethod
    def load(cls, folder: Path) -> FarAgents:
        said = json.loads((folder / "agents.json").read_text())
        made = cls(folder, {name: UUID(link) for name, link in said["links"].items()})
        made._asked, made._out, made._done = said["asked"], said["out"], said["done"]
        return made

    def save(self) -> None:
        links = {name: str(link) for name, link in self._links.items()}
        said = {"links": links, "asked": self._asked, "out": self._out, "done": self._done}
        self._file.write_text(json.dumps(said))

    def did(self) -> Counter[str]:
        """What the agents worked on, and how often."""
        return Counter(self._done)

    # The agent's side

    def _hears(self, name: str, command: Command) -> None:
        """A request reaches the agent. It works on it at once, if it has not seen it before."""
        key = str(command.pk)
        if key in self._asked[name]:
            return
        self._asked[name].append(key)
        session = command.params.get("sessionId", "")
        if command.purpose == "open":
            self._says(name, {"answer": key, "result": {"sessionId": f"acp-{command.session_id}"}})
        else:
            title = command.params["_meta"]["clawgroups"]["task"]["title"]
            self._done.append(title)
            self._says(name, {"session": session, "text": f"The result of {title}."})
            self._says(name, {"answer": key, "result": {"stopReason": "end_turn"}})
        self.save()

    def _says(self, name: str, frame: Frame) -> None:
        last = max((f["number"] for f in self._out[name]), default=0)
        self._out[name].append({"number": last + 1, **frame})

    # The gateway's side

    def reconnect(self) -> None:
        """The server is there again: every agent goes on with its link, and is asked again what lacks an answer."""
        for name, link in self._links.items():
            agent = Agent.objects.get(handle=name)
            key = AgentKey.objects.get(agent=agent).pk
            opened = perform(contact.open_connection, agent.pk, key_id=key, link=link, extensions=["link", "workdir"])
            perform(contact.connection_ready, link, epoch=opened.answer["epoch"], announced={"name": name})
            for command in Command.objects.filter(agent=agent, link=link, state="sent").order_by("created_at", "pk"):
                self._hears(name, command)

    def serve(self, name: str) -> None:
        """Take in what an agent has said, then send it what it is owed."""
        agent = Agent.objects.get(handle=name)
        link = self._links[name]
        received = Connection.objects.get(pk=link).received
        for frame in [f for f in self._out[name] if f["number"] > received]:
            self._takes(agent, link, frame)
        for command in sessions.owed_commands(agent.pk, link):
            busy = Command.objects.filter(session=command.session, state="sent", purpose__in=PROMPTS).exists()
            if command.state == "open" and not (command.purpose in PROMPTS and busy):
                # Marked before it goes out, as by the gateway.
                perform(sessions.command_sent, command.pk, link=link)
                if command.purpose not in ("cancel", "reply"):
                    self._hears(name, command)

    def _takes(self, agent: Agent, link: UUID, frame: Frame) -> None:
        row = Connection.objects.get(pk=link)
        actor = Actor(ActorKind.AGENT, agent.name, agent_id=agent.pk)
        if "text" in frame:
            session = Session.objects.get(agent=agent, acp_id=frame["session"])
            batch = transcript.Batch(transcript.load([session.pk])[session.pk], [MessageChunk(text=frame["text"])])
            transcript.record(
                link, epoch=row.epoch, since=row.received, received=frame["number"], batches=[batch], actor=actor
            ).result()
            return
        try:
            perform(
                sessions.command_answered,
                UUID(frame["answer"]),
                link=link,
                epoch=row.epoch,
                received=frame["number"],
                result=frame["result"],
                text=sessions_last(UUID(frame["answer"])),
            )
        except Conflict:
            transcript.record(
                link, epoch=row.epoch, since=row.received, received=frame["number"], batches=[], actor=actor
            ).result()


def sessions_last(command_id: UUID) -> str:
    """The last message of the turn that this request began."""
    return transcript.last_message(command_id)
